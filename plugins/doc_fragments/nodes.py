# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What node_labels and node_taints have in common."""

    DOCUMENTATION = r"""
options:
  absent:
    description:
      - Names that the cluster may lack, such as hosts that could not be reached. They are listed in RV(missing).
      - Any other name in O(nodes) that the cluster lacks is an error that names the nearest existing ones, and nothing
        is written.
    type: list
    elements: str
    default: []
  cloud_controller:
    description:
      - Whether a cloud controller writes the labels of zone, region and instance type, which are only compared then.
      - By default it does so on each Node that has a C(providerID). Say V(false) where kubelets register with one and
        there is no cloud controller.
    type: bool
attributes:
  check_mode:
    description: Says what it would do and changes nothing.
    support: full
    details: Each change goes to the API as a dry run, so that what validation or admission would refuse fails here too.
  diff_mode:
    description: Shows before and after.
    support: full
    details: One diff for each Node, of the lines that differ.
notes:
  - What the inventory set is written on each Node, in the annotation C(groundwork.kube/owned), and for the whole
    cluster in the ConfigMap C(groundwork-nodes) of C(kube-system). What leaves the inventory is removed if it is on the
    Node's list, whoever wrote its value. All else is foreign and stays.
  - A Node without that annotation is new, or was deleted and registered again. There the ConfigMap's list stands in.
  - Keys that the kubelet, kubeadm, the controller manager or a cloud controller keeps writing are only compared, see
    RV(differing).
  - One LIST reads all Nodes, and one patch mends each Node that differs. A patch names the version it was made for. If
    somebody else was faster, the Node is read and planned again.
  - Nodes that O(nodes) does not name are left alone.
"""
