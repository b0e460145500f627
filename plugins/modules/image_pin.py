#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: image_pin
short_description: Set the tag and digest of an image in an overlay
version_added: 0.1.0
description:
  - Writes which image an environment runs, in a C(kustomization.yaml) or in a chart's values file, and leaves every
    other letter of the file as it is.
  - A tag that moves (C(latest), C(main), C(dev-latest)) and a missing digest are refused.
  - With O(source), tag and digest are those of another overlay, so that production runs the image that staging ran.
author: Groundwork founders (@groundwork)
requirements:
  - PyYAML
options:
  path:
    description: The C(kustomization.yaml) or values file to change.
    type: path
    required: true
  image:
    description:
      - In a kustomization, the C(name) of an entry of its C(images).
      - In a values file, the path of the mapping that holds C(tag) and C(digest), for example V(image) or V(web.image).
    type: str
    required: true
  tag:
    description: The image's tag, with O(digest).
    type: str
  digest:
    description: The image's digest, C(sha256:<hex>).
    type: str
  source:
    description: Another such file, whose tag and digest of O(image) are taken.
    type: path
attributes:
  check_mode:
    support: full
    description: Says what would be written.
  diff_mode:
    support: full
    description: The file before and after.
"""

EXAMPLES = r"""
- name: Staging runs what was built
  groundwork.kube.image_pin:
    path: gitops/shop/web/overlays/staging/kustomization.yaml
    image: web
    tag: 3f1c2ab
    digest: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

- name: Production runs what staging ran
  groundwork.kube.image_pin:
    path: gitops/shop/web/overlays/prod/kustomization.yaml
    image: web
    source: gitops/shop/web/overlays/staging/kustomization.yaml
"""

RETURN = r"""
tag:
  description: The image's tag.
  returned: success
  type: str
digest:
  description: The image's digest.
  returned: success
  type: str
before:
  description: The C(tag) and C(digest) there were.
  returned: success
  type: dict
"""

from dataclasses import asdict
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.groundwork.kube.plugins.module_utils.image_pins import (
    YAML_ERROR,
    Pin,
    PinError,
    check,
    read,
    write,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "image": {"type": "str", "required": True},
            "tag": {"type": "str"},
            "digest": {"type": "str"},
            "source": {"type": "path"},
        },
        mutually_exclusive=[("source", "tag"), ("source", "digest")],
        required_one_of=[("source", "tag")],
        supports_check_mode=True,
    )
    if YAML_ERROR:
        module.fail_json(msg=missing_required_lib("PyYAML"))
    options = module.params
    place, source = Path(options["path"]), options["source"]
    file = source or options["path"]
    try:
        pin = Pin(options["tag"], options["digest"] or "")
        if source:
            pin = read(Path(source).read_text(), options["image"])
        check(pin)
        file = options["path"]
        text = place.read_text()
        before = read(text, options["image"])
        after = write(text, options["image"], pin)
        if after != text and not module.check_mode:
            place.write_text(after)
    except PinError as error:
        module.fail_json(msg=f"{file}: image {options['image']}: {error}")
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(
        changed=after != text,
        before=asdict(before),
        diff={"before_header": str(place), "after_header": str(place), "before": text, "after": after},
        **asdict(pin),
    )


if __name__ == "__main__":
    main()
