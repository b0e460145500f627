#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: openbao_info
short_description: Whether OpenBao is initialised, and which of its replicas are sealed
version_added: 0.1.0
description:
  - Asks each running replica of an OpenBao in the cluster for its state. It needs no token.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
  - groundwork.kube.openbao
attributes:
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: N/A
    details: It changes nothing.
seealso:
  - module: groundwork.kube.openbao_init
  - module: groundwork.kube.openbao_unseal
"""

EXAMPLES = r"""
- name: See whether anything is sealed
  groundwork.kube.openbao_info:
"""

RETURN = r"""
initialized:
  description: Whether any replica is initialised.
  returned: success
  type: bool
sealed:
  description: The replicas that are sealed.
  returned: success
  type: list
  elements: str
  sample: [openbao-2]
replicas:
  description: Each running replica.
  returned: success
  type: list
  elements: dict
  contains:
    pod: {description: Its name., type: str, sample: openbao-0}
    initialized: {description: "Whether it is, or has joined one that is.", type: bool}
    sealed: {description: Whether it gives out nothing., type: bool}
    seal: {description: "What its keys are kept by, C(shamir) if by people.", type: str, sample: shamir}
    threshold: {description: How many shares unseal it., type: int, sample: 3}
    progress: {description: How many of them it was given., type: int, sample: 0}
"""

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiError, ApiModule
from ansible_collections.groundwork.kube.plugins.module_utils.openbao import (
    OPENBAO_ARGUMENT_SPEC,
    OpenBao,
    OpenBaoError,
)


def main() -> None:
    module = ApiModule(OPENBAO_ARGUMENT_SPEC)
    try:
        replicas = OpenBao(module.connect(), module.params).replicas()
    except ApiError as error:
        module.fail_with(error)
    except OpenBaoError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        initialized=any(replica.initialized for replica in replicas),
        sealed=[replica.pod for replica in replicas if replica.sealed],
        replicas=[replica.told() for replica in replicas],
    )


if __name__ == "__main__":
    main()
