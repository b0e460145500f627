#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: openbao_unseal
short_description: Unseal every replica of OpenBao
version_added: 0.1.0
description:
  - Gives shares of the key to each running replica that is sealed. A replica that starts is sealed, so that this is
    what follows a restart, an upgrade or a node's loss.
  - With fewer shares than it takes, what is given counts, and the holders of the others come after; the result says
    how many are missing.
  - Waits until a replica that has not joined the others yet has done so, for each one until it is unsealed, and for one
    of them to serve.
  - Does nothing to replicas that unseal themselves.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
  - groundwork.kube.openbao
options:
  keys:
    description: Shares of the key, as Base64 or hexadecimal, decrypted. They are never shown.
    type: list
    elements: str
    default: []
  timeout:
    description: How many seconds to wait for what joins, is unsealed by itself, or is sealed while it starts.
    type: int
    default: 120
attributes:
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
seealso:
  - module: groundwork.kube.openbao_init
"""

EXAMPLES = r"""
- name: Unseal what a restart has sealed
  groundwork.kube.openbao_unseal:
    keys: "{{ vault_openbao_keys }}"
"""

RETURN = r"""
unsealed:
  description: The replicas that were sealed and are not any more, or would not be.
  returned: success
  type: list
  elements: str
  sample: [openbao-0, openbao-1]
sealed:
  description: Those that still are, for want of shares.
  returned: success
  type: list
  elements: str
missing:
  description: How many more shares it takes.
  returned: success
  type: int
  sample: 0
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiError, ApiModule
from ansible_collections.groundwork.kube.plugins.module_utils.openbao import (
    OPENBAO_ARGUMENT_SPEC,
    OpenBao,
    OpenBaoError,
    Replica,
)

INTERVAL = 1


def refusal(replicas: Sequence[Replica], keys: Sequence[str]) -> str:
    """Why nothing can be unsealed, before anything is tried."""
    if not any(replica.initialized for replica in replicas):
        return "OpenBao is not initialised; run playbooks/openbao_initialize.yml first"
    sealed = [replica.pod for replica in replicas if replica.sealed and not replica.unseals_itself]
    if sealed and not keys:
        return f"{', '.join(sealed)}: sealed, and there are no keys (groundwork_openbao_keys)"
    return ""


class Unsealing:
    """One round over the replicas."""

    def __init__(self, bao: OpenBao, keys: Sequence[str], timeout: float) -> None:
        self._bao = bao
        self._keys = keys
        self._deadline = time.monotonic() + timeout

    def run(self, replicas: Sequence[Replica]) -> list[Replica]:
        """Each replica as it is in the end; first those that others wait for to join."""
        ordered = sorted(replicas, key=lambda replica: (replica.sealed, not replica.initialized))
        after = [self._unseal(replica) for replica in ordered]
        unsealed = [replica.pod for replica in after if not replica.sealed]
        while unsealed and not any(self._bao.is_active(pod) for pod in unsealed):
            self._pause(f"none of {', '.join(unsealed)} has become the active one; their logs say why")
        return after

    def _unseal(self, replica: Replica) -> Replica:
        if not replica.sealed:
            return replica
        while not replica.initialized:
            replica = self._again(replica, "has not joined the others; its log says why")
        if replica.unseals_itself:
            while replica.sealed:
                replica = self._again(replica, f"does not unseal itself ({replica.seal}); its log says why")
            return replica
        for key in self._keys:
            answer = self._bao.request(replica.pod, "POST", "sys/unseal", {"key": key})
            if not answer["sealed"]:
                return self._bao.replica(replica.pod)
        replica = self._bao.replica(replica.pod)
        # One that joins is unsealed a moment after it has its last share.
        while replica.sealed and len(self._keys) >= replica.threshold:
            replica = self._again(replica, "was given its shares and is still sealed; its log says why")
        return replica

    def _again(self, replica: Replica, trouble: str) -> Replica:
        self._pause(f"{replica.pod} {trouble}")
        return self._bao.replica(replica.pod)

    def _pause(self, trouble: str) -> None:
        if time.monotonic() > self._deadline:
            raise OpenBaoError(trouble)
        time.sleep(INTERVAL)


def told(before: Sequence[Replica], after: Sequence[Replica]) -> dict[str, Any]:
    still = {replica.pod: replica for replica in after if replica.sealed}
    unsealed = [replica.pod for replica in before if replica.sealed and replica.pod not in still]
    given = {replica.pod: replica.progress for replica in before}
    progressed = any(replica.progress != given[pod] for pod, replica in still.items())

    def states(sealed: Mapping[str, Replica]) -> str:
        return "".join(f"{pod}: {'sealed' if pod in sealed else 'unsealed'}\n" for pod in sorted(given))

    return {
        "changed": bool(unsealed) or progressed,
        "unsealed": sorted(unsealed),
        "sealed": sorted(still),
        "missing": max((replica.threshold - replica.progress for replica in still.values()), default=0),
        "diff": {
            "before": states({replica.pod: replica for replica in before if replica.sealed}),
            "after": states(still),
        },
    }


def main() -> None:
    module = ApiModule(
        {
            **OPENBAO_ARGUMENT_SPEC,
            "keys": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "timeout": {"type": "int", "default": 120},
        }
    )
    keys = module.params["keys"]
    try:
        bao = OpenBao(module.connect(), module.params)
        before = bao.replicas()
        problem = refusal(before, keys)
        if problem:
            raise OpenBaoError(problem)
        if module.check_mode:
            enough = all(
                replica.unseals_itself or replica.progress + len(keys) >= replica.threshold for replica in before
            )
            after = [] if enough else before
        else:
            after = Unsealing(bao, keys, module.params["timeout"]).run(before)
    except ApiError as error:
        module.fail_with(error)
    except OpenBaoError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**told(before, after))


if __name__ == "__main__":
    main()
