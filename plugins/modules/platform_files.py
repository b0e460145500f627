#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: platform_files
short_description: Write a platform from the catalogue into a working tree
version_added: 0.1.0
description:
  - Writes the root chart and the trees of a platform, and of the platforms it is based on, into a directory of its
    owner's repository, to read, commit and own.
  - A file that its owner changed or removed stays as it is. Where the catalogue has changed it as well, both are told
    as a conflict; with its path in O(overwrite), the repository's own diff shows what the catalogue would change.
  - What the catalogue had last time is kept as digests in C(.catalogue.json) of each platform's directory, which
    belongs into the repository like the rest.
author: Groundwork founders (@groundwork)
requirements:
  - PyYAML
options:
  platform:
    description: The platform, by its name in the catalogue.
    type: str
    required: true
  catalogue:
    description: The catalogue, the directory with C(root), C(addons) and C(platforms).
    type: path
    required: true
  path:
    description: The directory that holds the platforms, in a working tree; it is made if it is missing.
    type: path
    required: true
  overwrite:
    description:
      - Files to take from the catalogue although their owner has changed or removed them, as paths below O(path), for
        example C(eco2/root/values.yaml).
    type: list
    elements: str
    default: []
  prune:
    description:
      - Whether files that are no longer part of the platform are removed, if their owner has not changed them.
        Otherwise they are listed.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Says what would be written.
  diff_mode:
    support: full
    description: Each file before and after.
"""

EXAMPLES = r"""
- name: The Eco² platform, in the repository beside this one
  groundwork.kube.platform_files:
    platform: eco2
    catalogue: /opt/groundwork/gitops
    path: /srv/platform/gitops
"""

RETURN = r"""
created:
  description: Files that were written, or would be.
  returned: success
  type: list
  elements: str
updated:
  description: Files that the catalogue has changed and their owner has not.
  returned: success
  type: list
  elements: str
removed:
  description: Files that are no longer part of the platform and were removed.
  returned: success
  type: list
  elements: str
kept:
  description: Files that their owner has changed or removed, and that the catalogue has as before.
  returned: success
  type: list
  elements: str
conflicts:
  description: Files that both have changed; they were left as they are.
  returned: success
  type: list
  elements: str
gone:
  description: Files that are no longer part of the platform and were left in place.
  returned: success
  type: list
  elements: str
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.groundwork.kube.plugins.module_utils.platform_files import (
    RECORD,
    YAML_ERROR,
    CatalogueError,
    Plan,
    catalogue_files,
    decide,
    digest,
)

TOLD = {
    "create": "created",
    "update": "updated",
    "remove": "removed",
    "kept": "kept",
    "conflicts": "conflicts",
    "gone": "gone",
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "platform": {"type": "str", "required": True},
            "catalogue": {"type": "path", "required": True},
            "path": {"type": "path", "required": True},
            "overwrite": {"type": "list", "elements": "str", "default": []},
            "prune": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if YAML_ERROR:
        module.fail_json(msg=missing_required_lib("PyYAML"))
    try:
        platforms = catalogue_files(Path(module.params["catalogue"]), module.params["platform"])
        result = _settle(module, platforms)
    except CatalogueError as error:
        module.fail_json(msg=f"platform: {error}")
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    if result["conflicts"]:
        module.warn(
            "Changed by you and by the catalogue, and left as they are: "
            + ", ".join(result["conflicts"])
            + ". Commit yours, name them in overwrite, and git diff shows what the catalogue would have."
        )
    module.exit_json(**result)


def _settle(module: AnsibleModule, platforms: Mapping[str, Mapping[str, bytes]]) -> dict[str, Any]:
    result: dict[str, Any] = {name: [] for name in TOLD.values()}
    result.update(changed=False, diff=[])
    for platform, files in sorted(platforms.items()):
        place = Path(module.params["path"]) / platform
        record = place / RECORD
        recorded = json.loads(record.read_text()) if record.is_file() else {}
        present = {path: (place / path).read_bytes() for path in {*files, *recorded} if (place / path).is_file()}
        plan = decide(
            {path: digest(content) for path, content in files.items()},
            {path: digest(content) for path, content in present.items()},
            recorded,
            {path[len(platform) + 1 :] for path in module.params["overwrite"] if path.startswith(f"{platform}/")},
            module.params["prune"],
        )
        for name, told in TOLD.items():
            result[told] += [f"{platform}/{path}" for path in sorted(getattr(plan, name))]
        result["diff"] += _diff(platform, plan, present, files)
        if plan.record != recorded or plan.create or plan.update or plan.remove:
            result["changed"] = True
            if not module.check_mode:
                _write(place, plan, files)
    return result


def _diff(platform: str, plan: Plan, present: Mapping[str, bytes], files: Mapping[str, bytes]) -> list[dict[str, str]]:
    def text(content: bytes | None) -> str:
        return "" if content is None else content.decode(errors="replace")

    return [
        {
            "before_header": f"{platform}/{path}",
            "after_header": f"{platform}/{path}"
            + (" (the catalogue's, not written)" if path in plan.conflicts else ""),
            "before": text(present.get(path)),
            "after": text(files.get(path)),
        }
        for path in sorted([*plan.create, *plan.update, *plan.remove])
    ]


def _write(place: Path, plan: Plan, files: Mapping[str, bytes]) -> None:
    """The record last: a file that a killed run wrote is then found as the catalogue has it."""
    for path in (*plan.create, *plan.update):
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(files[path])
    for path in plan.remove:
        (place / path).unlink()
    (place / RECORD).write_text(json.dumps(plan.record, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
