#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Say everything that would stop a cluster, before anything is touched
version_added: 0.1.0
description:
  - Judges the readings of all machines that answered, and what they found of each other's ports, against the plan.
  - It fails once, with every problem as a line that names the host, what is wrong and the remedy.
  - It runs on the controller, once for all hosts, and reads the variables C(groundwork), C(host_state),
    C(_preflight_listen) and C(_preflight_probe). A machine that does not answer is not its business.
author: Groundwork founders (@groundwork)
options:
  allow_unsupported_os:
    description: Lets operating systems pass that Groundwork does not know.
    type: bool
    default: false
  time_skew_seconds:
    description: How far a machine's clock may be from the others'.
    type: float
    default: 2
  daemonsets:
    description: What the DaemonSets that run on every node request, by C(name), C(memory) and C(cpu).
    type: list
    elements: dict
    default: []
  report:
    description: Prints what each machine has left for pods.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Only judges.
  diff_mode:
    support: N/A
    description: Changes nothing.
seealso:
  - module: groundwork.kube.host_state
  - module: groundwork.kube.port_probe
"""

EXAMPLES = r"""
- name: Judge the machines
  groundwork.kube.preflight:
    daemonsets:
      - {name: calico-node, cpu: 250m}
"""

RETURN = r"""
problems:
  description: Each problem by C(host), C(variable) (or what else is wrong), C(problem) and C(remedy).
  returned: always
  type: list
  elements: dict
budget:
  description: What each machine has, what is reserved, what the DaemonSets request, and what is left.
  returned: success
  type: list
  elements: dict
  sample:
    - host: k8s-redis
      memory_mib: 1024
      reserved_mib: 280
      daemonsets_mib: 0
      left_mib: 744
      cpu_millicores: 2000
      reserved_millicores: 100
      daemonsets_millicores: 250
      left_millicores: 1650
"""
