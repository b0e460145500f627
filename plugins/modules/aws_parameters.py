#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aws_parameters
short_description: What a cluster reads from AWS' Parameter Store, secrets never overwritten and never shown
version_added: 0.1.0
author: Groundwork founders (@groundwork)
description:
  - Keeps parameters below one path, from where External Secrets reads them. A right to read that path is a right to
    nothing else.
  - Facts follow the inventory. A secret is written once, given or made up, and never again, so that a rotated one stays
    rotated. What is there is never decrypted, and no secret is in a result, a diff or a log.
extends_documentation_fragment:
  - groundwork.kube.aws
options:
  path:
    description: The path that all names are below, with a slash at its beginning and none at its end.
    type: str
    required: true
  facts:
    description: Values that are no secret, by name.
    type: dict
    default: {}
  secrets:
    description: >-
      Values that are, by name, for names that are not there yet. A map becomes JSON, which External Secrets takes
      apart.
    type: dict
    default: {}
  generated:
    description: >-
      Secrets to make up, by name, for names that are not there yet. Each is a map of JSON keys to numbers of letters
      and digits.
    type: dict
    default: {}
  tags:
    description: Tags of what is made. With O(state=absent), what has not all of them stays.
    type: dict
    default: {}
  state:
    description: With V(absent), everything below O(path) that has O(tags) is deleted, whoever wrote its value since.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    support: full
    description: Says what it would write and writes nothing.
  diff_mode:
    support: full
    description: Shows facts by value, secrets by name.
"""

EXAMPLES = r"""
- name: What the platform reads
  groundwork.kube.aws_parameters:
    path: /eco2
    facts:
      cluster/vpc: vpc-0123456789abcdef0
    generated:
      prod/redis: {password: 32}
    secrets:
      prod/dockerhub: "{{ vault_dockerhub }}"
"""

RETURN = r"""
created:
  description: The names that were not there.
  returned: success
  type: list
  elements: str
updated:
  description: The facts whose value was another.
  returned: success
  type: list
  elements: str
deleted:
  description: The names that are gone.
  returned: success
  type: list
  elements: str
"""

import json
import re
import secrets
import string
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils.aws import (
    AWS_ARGUMENT_SPEC,
    AwsError,
    answering,
    clients,
    listed,
    tag_list,
)

PLAIN = "String"
ENCRYPTED = "SecureString"
# As many as one call deletes.
DELETE_AT_ONCE = 10
# Never all there is: what is below a path can be deleted with it.
_PATH = re.compile(r"(/[A-Za-z0-9_.-]+)+")
_LETTERS = string.ascii_letters + string.digits


class ParametersError(Exception):
    """What is wrong with what was asked for."""


class Plan(NamedTuple):
    """Names to create and facts to update, each with the parameter's type."""

    created: dict[str, str]
    updated: dict[str, str]


def check_path(path: str) -> None:
    if not _PATH.fullmatch(path):
        raise ParametersError(f"path {path!r} is none. Remedy: write one like /eco2, which is no other cluster's.")


def plan(params: Mapping[str, Any], observed: Mapping[str, Mapping[str, Any]]) -> Plan:
    """``observed``: what is there by name, with C(Type) and C(Value), encrypted for secrets."""
    kinds: dict[str, str] = {}
    for option, kind in (("facts", PLAIN), ("secrets", ENCRYPTED), ("generated", ENCRYPTED)):
        for name in params[option]:
            if name in kinds:
                raise ParametersError(f"{name} is asked for twice. Remedy: name it once, in {option} or elsewhere.")
            kinds[name] = kind
    for name, kind in kinds.items():
        if name in observed and observed[name]["Type"] != kind:
            raise ParametersError(
                f"{params['path']}/{name} is a {observed[name]['Type']}, and would be a {kind}. Remedy: give one of "
                "the two another name, or delete what is there."
            )
    return Plan(
        {name: kind for name, kind in kinds.items() if name not in observed},
        {
            name: kind
            for name, kind in kinds.items()
            if kind == PLAIN and name in observed and observed[name]["Value"] != _text(params["facts"][name])
        },
    )


def value(params: Mapping[str, Any], name: str) -> str:
    """What is written, now that it is."""
    if name in params["generated"]:
        wanted = params["generated"][name]
        return json.dumps({key: _made_up(int(length)) for key, length in wanted.items()})
    return _text(params["facts"][name] if name in params["facts"] else params["secrets"][name])


def _text(given: Any) -> str:
    return json.dumps(given) if isinstance(given, (Mapping, list)) else str(given)


def _made_up(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _position in range(length))


class Store:
    def __init__(self, session: Any, path: str) -> None:
        self._ssm, self._path = session.client("ssm"), path

    def observe(self) -> dict[str, dict[str, Any]]:
        below = f"{self._path}/"
        every = listed(
            *(self._ssm, "get_parameters_by_path", "Parameters"), Path=self._path, Recursive=True, WithDecryption=False
        )
        return {parameter["Name"][len(below) :]: dict(parameter) for parameter in every}

    def names(self, tags: Mapping[str, str]) -> list[str]:
        """The names of what has these tags."""
        wanted = [{"Key": "Path", "Option": "Recursive", "Values": [self._path]}]
        wanted += [{"Key": f"tag:{key}", "Option": "Equals", "Values": [each]} for key, each in tags.items()]
        every = listed(self._ssm, "describe_parameters", "Parameters", ParameterFilters=wanted)
        return sorted(parameter["Name"][len(self._path) + 1 :] for parameter in every)

    def create(self, name: str, kind: str, text: str, tags: Mapping[str, str]) -> None:
        # Whoever was faster keeps what he wrote.
        self._ssm.put_parameter(
            Name=f"{self._path}/{name}",
            Type=kind,
            Value=text,
            Overwrite=False,
            Tags=tag_list(tags),
        )

    def update(self, name: str, kind: str, text: str) -> None:
        self._ssm.put_parameter(Name=f"{self._path}/{name}", Type=kind, Value=text, Overwrite=True)

    def delete(self, names: list[str]) -> None:
        every = [f"{self._path}/{name}" for name in names]
        for start in range(0, len(every), DELETE_AT_ONCE):
            self._ssm.delete_parameters(Names=every[start : start + DELETE_AT_ONCE])


def present(module: AnsibleModule, store: Store) -> dict[str, Any]:
    params, observed = module.params, store.observe()
    found = plan(params, observed)
    if not module.check_mode:
        for name, kind in found.created.items():
            store.create(name, kind, value(params, name), params["tags"])
        for name, kind in found.updated.items():
            store.update(name, kind, value(params, name))
    facts = {name: value(params, name) for name in {**found.created, **found.updated} if name in params["facts"]}
    return {
        "changed": bool(found.created or found.updated),
        "created": sorted(found.created),
        "updated": sorted(found.updated),
        "deleted": [],
        "diff": {
            "before": {name: observed[name]["Value"] for name in sorted(found.updated)},
            "after": {name: facts.get(name, "a secret") for name in sorted({**found.created, **found.updated})},
        },
    }


def absent(module: AnsibleModule, store: Store) -> dict[str, Any]:
    names = store.names(module.params["tags"])
    if names and not module.check_mode:
        store.delete(names)
    return {"changed": bool(names), "created": [], "updated": [], "deleted": names}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "str", "required": True},
            "facts": {"type": "dict", "default": {}},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            # Of these only the shape is given.
            "generated": {"type": "dict", "default": {}, "no_log": False},
            "tags": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            **AWS_ARGUMENT_SPEC,
        },
        supports_check_mode=True,
    )
    path = module.params["path"]
    act = present if module.params["state"] == "present" else absent
    try:
        check_path(path)
        with answering():
            result = act(module, Store(clients(module), path))
    except ParametersError as error:
        module.fail_json(msg=str(error))
    except AwsError as error:
        module.fail_json(msg=f"AWS refused the parameters below {path}: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
