#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_secrets
short_description: Argo CD's own passwords, the administrator's and Redis's
version_added: 0.1.0
description:
  - Gives the Redis of Argo CD a password unless it has one. Argo CD reads it from the Secret C(argocd-redis), which not
    every one of its installations makes by itself.
  - Sets the administrator's password to the one that is given, as the bcrypt hash that Argo CD keeps in the Secret
    C(argocd-secret). Without one, Argo CD makes up its own at its first start and keeps it in the Secret
    C(argocd-initial-admin-secret).
  - Run before Argo CD is installed, so that it never makes up a password that is not wanted. No password is ever
    returned, logged or shown in a diff.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
options:
  namespace:
    description: The namespace of Argo CD.
    type: str
    default: argocd
  admin_password:
    description:
      - The administrator's password, at most 72 bytes, which is all that bcrypt looks at. Empty leaves it as it is.
      - Once it is set, the Secret C(argocd-initial-admin-secret) is deleted, and whoever was logged in has to do so
        again.
    type: str
    default: ""
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: partial
    details: It says which keys of which Secrets change, and no value.
notes:
  - Hashing needs C(libcrypt), which Debian, Ubuntu and Red Hat's systems have, on the host the module runs on.
"""

EXAMPLES = r"""
- name: Set the administrator's password before Argo CD is there
  groundwork.kube.argocd_secrets:
    admin_password: "{{ vault_argocd_admin_password }}"
"""

RETURN = r"""
changes:
  description: What was changed, without any value.
  returned: success
  type: list
  elements: str
  sample: ["argocd-redis: created with a random password"]
admin:
  description:
    - How the administrator's password came to be. V(given) was set by this module, V(generated) was made up by Argo CD
      and is in the Secret C(argocd-initial-admin-secret), V(other) was set by somebody else, V(none) is yet to be.
  returned: success
  type: str
  sample: generated
"""

import base64
import ctypes
import secrets
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import (
    ApiClient,
    ApiError,
    ApiModule,
    ApiUnreachableError,
    path_segment,
)

MAIN = "argocd-secret"
REDIS = "argocd-redis"
INITIAL = "argocd-initial-admin-secret"
LONGEST_PASSWORD = 72
# Argo CD finds its Secrets by this label.
LABELS = {"app.kubernetes.io/part-of": "argocd"}

_LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2")
_SALT = string.ascii_letters + string.digits + "./"
# A salt has 128 bits: its 22nd character holds two of them.
_LAST_OF_SALT = ".Oeu"


class HashError(Exception):
    """This host cannot hash as Argo CD does."""


def bcrypt(password: str, salt: str) -> str:
    """The hash of a password by the system's own library; ``salt`` may be another hash, to compare with."""
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
            break
        except OSError:
            continue
    else:
        raise HashError(f"there is none of {', '.join(_LIBRARIES)} on this host; install libcrypt1 (libxcrypt)")
    library.crypt.restype = ctypes.c_char_p
    hashed = (library.crypt(password.encode(), salt.encode()) or b"*").decode()
    if hashed.startswith("*"):
        raise HashError("the libcrypt of this host knows no bcrypt; run this on another, such as a control plane")
    return hashed


def fresh_hash(password: str) -> str:
    salt = "".join(secrets.choice(_SALT) for _character in range(21)) + secrets.choice(_LAST_OF_SALT)
    return bcrypt(password, f"$2b$10${salt}")


def matches(password: str, hashed: str) -> bool:
    return hashed.startswith("$2") and secrets.compare_digest(bcrypt(password, hashed), hashed)


def data(secret: Mapping[str, Any] | None) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in ((secret or {}).get("data") or {}).items()}


@dataclass
class Plan:
    """What is to be written to which Secret, and which is to go."""

    admin: str
    written: dict[str, dict[str, str]] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)


def plan(password: str, live: Mapping[str, Mapping[str, Any] | None]) -> Plan:
    hashed = data(live[MAIN]).get("admin.password", "")
    found = Plan("generated" if live[INITIAL] else "other" if hashed else "none")
    if not data(live[REDIS]).get("auth"):
        found.written[REDIS] = {"auth": secrets.token_urlsafe(32)}
        found.changes.append(f"{REDIS}: auth set to a random password")
    if not password:
        return found
    found.admin = "given"
    if not (hashed and matches(password, hashed)):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        found.written[MAIN] = {"admin.password": fresh_hash(password), "admin.passwordMtime": now}
        found.changes.append(f"{MAIN}: admin.password set to the one that was given")
    if live[INITIAL]:
        found.deleted.append(INITIAL)
        found.changes.append(f"{INITIAL}: deleted")
    return found


def carry_out(api: ApiClient, path: str, found: Plan, live: Mapping[str, Mapping[str, Any] | None]) -> None:
    for name, content in found.written.items():
        body = {"metadata": {"name": name, "labels": LABELS}, "stringData": content}
        if live[name] is None:
            api.create(path, {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", **body})
        else:
            api.patch(f"{path}/{name}", body)
    for name in found.deleted:
        api.delete(f"{path}/{name}")


def run(module: ApiModule) -> Plan:
    password = module.params["admin_password"]
    if len(password.encode()) > LONGEST_PASSWORD:
        module.fail_json(
            msg=f"admin_password is longer than the {LONGEST_PASSWORD} bytes that bcrypt looks at: shorten it"
        )
    path = f"/api/v1/namespaces/{path_segment(module.params['namespace'])}/secrets"
    api = live = None
    try:
        api = module.connect()
        live = {name: api.get(f"{path}/{name}") for name in (MAIN, REDIS, INITIAL)}
    except ApiUnreachableError:
        if not module.assumes_api:
            raise
    found = plan(password, live or dict.fromkeys((MAIN, REDIS, INITIAL)))
    if api and live and not module.check_mode:
        carry_out(api, path, found, live)
    return found


def main() -> None:
    module = ApiModule(
        {
            "namespace": {"type": "str", "default": "argocd"},
            "admin_password": {"type": "str", "default": "", "no_log": True},
        }
    )
    try:
        found = run(module)
    except ApiError as error:
        module.fail_with(error)
    except HashError as error:
        module.fail_json(msg=str(error))
    told = "".join(f"{change}\n" for change in found.changes)
    module.exit_json(
        changed=bool(found.changes),
        changes=found.changes,
        admin=found.admin,
        diff={"before": "", "after": told},
    )


if __name__ == "__main__":
    main()
