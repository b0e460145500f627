#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation only: the work is done by the action plugin of the same name, on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_plan
short_description: Decide from the inventory alone what the cluster will be
version_added: 0.1.0
author: Groundwork founders (@groundwork)
description:
  - Reads groups and host variables on the controller, before any machine is reached, and makes the plan of them
    that every role of this collection goes by, as the fact C(groundwork).
  - Refuses an inventory that could not become a cluster, with all its problems at once, each naming the host, the
    variable and the remedy.
  - Refuses a variable that begins like a role of this collection and that no role knows, naming the one probably meant.
notes:
  - The variables that belong to no role are C(groundwork_cluster_name), C(groundwork_cni) (C(calico) or C(none)),
    C(groundwork_api_host), C(groundwork_artifacts), C(groundwork_confirm) and C(groundwork_assume). All others are
    documented with their roles.
  - A control plane that is also in the group C(kube_node) registers without kubeadm's taint and runs everyone's pods.
  - Only the variables that the plan needs are templated; what they use must be known before a machine is reached.
  - With C(run_once) it decides once for all hosts of the play.
attributes:
  check_mode:
    description: Runs in check mode and does the same there.
    support: full
  diff_mode:
    description: Nothing is changed, so there is no difference to show.
    support: N/A
    details: The module changes nothing.
seealso:
  - plugin: groundwork.kube.topology
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Plan the cluster
  hosts: all
  gather_facts: false
  tasks:
    - name: Read the inventory and refuse what cannot work
      groundwork.kube.cluster_plan:
      register: decided
      run_once: true
      tags: [always]

    - name: Share the plan with every host, where the roles look for it
      ansible.builtin.set_fact:
        groundwork: "{{ decided.plan }}"
      run_once: true
      tags: [always]

    - name: Show the address of the API
      ansible.builtin.debug:
        msg: "{{ groundwork.cluster.endpoint }} is at {{ groundwork.cluster.endpoint_address }}"
      run_once: true
"""

RETURN = r"""
plan:
  description: What the cluster will be.
  returned: success
  type: dict
  contains:
    cluster:
      description: Its name, API endpoint, networks and version.
      type: dict
      sample:
        name: eco2
        cni: calico
        endpoint: api.eco2.internal:6443
        endpoint_host: api.eco2.internal
        endpoint_port: 6443
        endpoint_address: 10.0.1.11
        pod_subnet: 192.168.0.0/16
        service_subnet: 10.96.0.0/12
        dns_domain: cluster.local
        version: 1.36.4
        minor: "1.36"
    nodes:
      description: Each node by its name, as the filter P(groundwork.kube.topology#filter) makes it.
      type: dict
    ports:
      description: The ports this cluster needs between machines, from each group to each.
      type: list
      elements: dict
      sample: [{port: 6443, protocol: tcp, from: kube_node, to: kube_control_plane, why: Kubernetes API}]
    api_host:
      description: The control plane on which modules talk to the API.
      type: str
    phases:
      description: The phases of a run, in order.
      type: list
      elements: dict
    address_pools:
      description: The pools that MetalLB may give away; preflight holds them against the machines' networks.
      type: list
      elements: dict
      sample: [{name: default, addresses: [192.0.2.200-192.0.2.219]}]
"""
