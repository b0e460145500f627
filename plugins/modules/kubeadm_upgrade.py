#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_upgrade
short_description: Take one node of a cluster to another version with kubeadm, or finish taking it there
version_added: 0.1.0
description:
  - Runs C(kubeadm upgrade apply) on the control plane that comes first and C(kubeadm upgrade node) on every other node.
    Which of the two, and whether any, is told from the cluster's C(ClusterConfiguration), the images of this node's
    static pods, those of the add-ons, and the version that this node's kubelet runs.
  - The packages are not its business. Before it, kubeadm of the new version is installed. After it, the node is drained
    and its kubelet replaced, if RV(kubelet_outdated) says so.
  - A step back, a step of more than one minor version, and nodes too old for the new API servers are refused.
  - An upgrade that was killed is done again to its end. kubeadm itself passes over what it finds done.
  - Run it on one control plane at a time, and on workers after all of them.
author:
  - Groundwork founders (@groundwork)
attributes:
  check_mode:
    support: full
    description: Says what would be run, and shows every version that would change.
  diff_mode:
    support: full
    description: Shows the versions of the cluster, of this node's static pods and of the add-ons.
options:
  version:
    description: The version of Kubernetes to reach, such as V(1.37.1).
    type: str
    required: true
  node_name:
    description: The name of this node in the cluster.
    type: str
    required: true
  control_plane:
    description: Whether this node is a control plane.
    type: bool
    default: false
  patches:
    description: Files of kubeadm's patches directory, name to content.
    type: dict
    default: {}
  ignore_preflight_errors:
    description: Names of kubeadm's own checks to pass over.
    type: list
    elements: str
    default: []
  assume:
    description:
      - What earlier steps of this run would have made, in check mode.
      - With V(packages), kubeadm of the new version need not be installed yet.
    type: list
    elements: str
    choices: [packages, runtime, api]
    default: []
"""

EXAMPLES = r"""
- name: Upgrade the control plane of this node
  groundwork.kube.kubeadm_upgrade:
    version: 1.37.1
    node_name: "{{ inventory_hostname }}"
    control_plane: true
  throttle: 1
"""

RETURN = r"""
commands:
  description: The commands an operator would have typed.
  type: list
  elements: str
  returned: always
  sample: ["kubeadm upgrade apply v1.37.1 --yes --config /etc/kubernetes/groundwork/upgrade.yaml"]
reasons:
  description: Why kubeadm ran, or would run.
  type: list
  elements: str
  returned: success
  sample: ["kube-apiserver has 1.36.4"]
kubelet_outdated:
  description: Whether the running kubelet has another version, so that this node is still to be drained and given it.
  type: bool
  returned: success
kubelet_log:
  description: The end of the kubelet's journal.
  type: list
  elements: str
  returned: when kubeadm failed
container_logs:
  description: The end of the logs of the control plane's containers.
  type: dict
  returned: when kubeadm failed
"""

import dataclasses
import os
import re
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k
from ansible_collections.groundwork.kube.plugins.module_utils import kubernetes_version as versions
from ansible_collections.groundwork.kube.plugins.module_utils.api import (
    ASSUME_ARGUMENT_SPEC,
    RESTART_PATIENCE,
    path_segment,
)
from ansible_collections.groundwork.kube.plugins.module_utils.kubernetes_version import Version

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient

DOCUMENT = """\
# Written by Groundwork, for `kubeadm {command}`. It goes when that has ended well.
apiVersion: kubeadm.k8s.io/v1beta4
kind: UpgradeConfiguration
apply:
  kubernetesVersion: v{version}
  ignorePreflightErrors: {ignored}
  patches: {{directory: {patches}}}
node:
  ignorePreflightErrors: {ignored}
  patches: {{directory: {patches}}}
"""


@dataclasses.dataclass(frozen=True)
class Observed:
    """What of the cluster and of this node has a version."""

    cluster: Version
    """As ClusterConfiguration says: what control planes were last upgraded to."""
    kubelet: Version
    static_pods: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Component to image, of this node; none on a worker."""
    addons: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Name to image; told on control planes only, which upgrade them."""
    kubelets: Mapping[str, Version] = dataclasses.field(default_factory=dict)
    api_servers: Mapping[str, Version] = dataclasses.field(default_factory=dict)
    interrupted: str = ""
    """The document of an upgrade that did not end here."""


def has(image: str, wanted: Version) -> bool:
    return image.rpartition(":")[2] == f"v{wanted}"


def refusals(observed: Observed, wanted: Version, follows: bool) -> list[str]:
    """Why kubeadm must not be run here now: sentences that name the remedy.

    ``follows`` is said of a worker, unless the control planes would have been upgraded by now.
    """
    step = versions.step_refusal(observed.cluster, wanted)
    if step:
        return [step]
    if follows and observed.cluster != wanted:
        return [
            f"the control plane has {observed.cluster}, and workers follow it: upgrade the control planes to {wanted} "
            "first, as playbooks/upgrade.yml does"
        ]
    return list(versions.skew_refusals(wanted, observed.kubelets, observed.api_servers))


def reasons(observed: Observed, wanted: Version, control_plane: bool) -> list[str]:
    """What shows that kubeadm has still to upgrade this node."""
    found = ["an upgrade that began here did not end"] if observed.interrupted else []
    if not control_plane:
        # All that kubeadm does on a worker is for the new kubelet, which comes after it.
        return found + ([f"the kubelet has {observed.kubelet}"] if observed.kubelet != wanted else [])
    if observed.cluster != wanted:
        found.append(f"the cluster has {observed.cluster}")
    # etcd has versions of its own, and kubeadm upgrades it before these.
    pods = {name: observed.static_pods[name] for name in k.CONTROL_PLANE_COMPONENTS if name in observed.static_pods}
    found += [f"{name} has {tag(image)}" for name, image in pods.items() if not has(image, wanted)]
    # The add-ons come with the last control plane.
    others = [version for name, version in observed.api_servers.items() if version != wanted]
    if not found and not others:
        proxy = observed.addons.get("kube-proxy", "")
        found += [f"kube-proxy has {tag(proxy)}"] if proxy and not has(proxy, wanted) else []
    return found


def tag(image: str) -> str:
    version = image.rpartition(":")[2]
    return version[1:] if re.fullmatch(r"v\d.*", version) else version


def command(observed: Observed, wanted: Version, control_plane: bool) -> tuple[str, ...]:
    """The control plane that comes first takes the cluster along; when it was killed, it does so again."""
    leads = observed.cluster != wanted or "kubeadm upgrade apply" in observed.interrupted
    if control_plane and leads:
        return ("upgrade", "apply", f"v{wanted}", "--yes")
    return ("upgrade", "node")


def versions_text(observed: Observed, images: Mapping[str, str] | None, wanted: Version) -> tuple[str, str]:
    """Before and after, a line for each thing that has a version. Images are told where kubeadm has said which."""
    # What a worker has of its own is its kubelet, which is the business of packages.
    before = {"cluster": f"v{observed.cluster}"} if observed.static_pods else {}
    after = dict.fromkeys(before, f"v{wanted}")
    for name, image in {**observed.static_pods, **observed.addons}.items():
        before[name] = image
        if images is not None:
            after[name] = images.get(name, image)
        elif name.startswith("kube-"):
            after[name] = f"{image.rpartition(':')[0]}:v{wanted}"
        else:
            after[name] = f"as kubeadm {wanted} brings it"

    def text(lines: Mapping[str, str]) -> str:
        return "".join(f"{name}: {value}\n" for name, value in lines.items())

    return text(before), text(after)


class Node:
    """This node of the cluster."""

    def __init__(self, kubeadm: k.Kubeadm) -> None:
        self.kubeadm = kubeadm
        self.module = kubeadm.module
        self.name: str = self.module.params["node_name"]
        self.control_plane: bool = self.module.params["control_plane"]
        credentials = k.ADMIN_CONF if self.control_plane else k.KUBELET_CONF
        if not k.present(credentials):
            raise k.KubeadmError(
                f"this node has no {credentials}, so it is no {'control plane' if self.control_plane else 'member'} of "
                "a cluster: run playbooks/site.yml first"
            )
        self.api: ApiClient = k.connect(credentials, patience=0 if self.module.check_mode else RESTART_PATIENCE)

        self.configuration = k.config_map(self.api, "kubeadm-config", "ClusterConfiguration")

    def observe(self) -> Observed:
        cluster = k.flatten(self.configuration).get("kubernetesVersion", "")
        if not cluster:
            raise k.KubeadmError(
                "the cluster has no ConfigMap kube-system/kubeadm-config with ClusterConfiguration: it was not made by "
                "kubeadm, or it was deleted"
            )
        live = self.api.get("/api/v1/nodes/" + path_segment(self.name))
        if live is None:
            raise k.KubeadmError(
                f"the cluster has no Node {self.name}: run playbooks/site.yml, which lets its kubelet register it"
            )
        interrupted = k.read(k.UPGRADE_DOCUMENT)
        if not self.control_plane:
            return Observed(versions.parse(cluster), _kubelet(live), interrupted=interrupted)
        return Observed(
            versions.parse(cluster),
            _kubelet(live),
            static_pods=_static_pods(),
            addons=_addons(self.api),
            kubelets={node["metadata"]["name"]: _kubelet(node) for node in self.api.list("/api/v1/nodes")},
            api_servers=_api_servers(self.api),
            interrupted=interrupted,
        )

    def kubeadm_is(self, wanted: Version) -> bool:
        return versions.parse(self.kubeadm.version) == wanted if self.kubeadm.binary else False

    def images(self, wanted: Version) -> dict[str, str]:
        """What kubeadm brings this cluster, with its own repositories and tags: name to image."""
        text = re.sub(
            r"^kubernetesVersion: .*$", f"kubernetesVersion: v{wanted}", self.configuration, flags=re.MULTILINE
        )
        with self.kubeadm.files(text) as files:
            listed = self.kubeadm.ask("config", "images", "list", "--config", files.document)
        return {image.rpartition(":")[0].rpartition("/")[2]: image for image in listed.split()}

    def upgrade(self, command: Sequence[str], wanted: Version) -> None:
        k.place_patches(self.module.params["patches"])
        k.write(
            k.UPGRADE_DOCUMENT,
            DOCUMENT.format(
                command=" ".join(command),
                version=wanted,
                ignored=self.module.jsonify(self.module.params["ignore_preflight_errors"]),
                patches=k.PATCHES,
            ),
        )
        try:
            self.kubeadm.act(*command, "--config", k.UPGRADE_DOCUMENT)
        except k.KubeadmError as error:
            error.details.update(k.evidence(self.module))
            raise
        os.unlink(k.UPGRADE_DOCUMENT)


def _kubelet(node: Mapping[str, t.Any]) -> Version:
    return versions.parse(node["status"]["nodeInfo"]["kubeletVersion"])


def _image(manifest: str) -> str:
    return k.flatten(manifest).get("spec.containers[0].image", "")


def _static_pods() -> dict[str, str]:
    found = {name: _image(k.read(f"{k.MANIFESTS}/{name}.yaml")) for name in (*k.CONTROL_PLANE_COMPONENTS, "etcd")}
    return {name: image for name, image in found.items() if image}


def _addons(api: ApiClient) -> dict[str, str]:
    """Those that the cluster has: either may be left out, or be of somebody else's making."""
    found = {}
    for name, path in (("kube-proxy", "daemonsets/kube-proxy"), ("coredns", "deployments/coredns")):
        workload = api.get("/apis/apps/v1/namespaces/kube-system/" + path)
        if workload:
            found[name] = str(workload["spec"]["template"]["spec"]["containers"][0]["image"])
    return found


def _api_servers(api: ApiClient) -> dict[str, Version]:
    pods = api.list("/api/v1/namespaces/kube-system/pods", {"labelSelector": "component=kube-apiserver"})
    found = {pod["spec"]["nodeName"]: tag(pod["spec"]["containers"][0]["image"]) for pod in pods}
    return {name: versions.parse(version) for name, version in found.items() if re.match(r"\d+\.\d+\.\d+", version)}


def upgrade(kubeadm: k.Kubeadm) -> dict[str, t.Any]:
    module = kubeadm.module
    control_plane, assumed = module.params["control_plane"], module.params["assume"] if module.check_mode else []
    try:
        wanted = versions.parse(module.params["version"])
    except ValueError as error:
        raise k.KubeadmError(f"kubeadm_version: {error}") from error
    node = Node(kubeadm)
    observed = node.observe()
    refused = refusals(observed, wanted, follows=not control_plane and "api" not in assumed)
    if refused:
        raise k.KubeadmError("; ".join(f"{node.name}: {sentence}" for sentence in refused), refused=refused)
    found = reasons(observed, wanted, control_plane)
    result = {"changed": bool(found), "reasons": found, "kubelet_outdated": observed.kubelet != wanted}
    if not found:
        return result
    fits = node.kubeadm_is(wanted)
    if not fits and "packages" not in assumed:
        raise k.KubeadmError(
            f"{node.name}: kubeadm of this node is {kubeadm.version if kubeadm.binary else 'absent'}, and kubeadm "
            f"upgrades to its own version: install kubeadm {wanted} first, as playbooks/upgrade.yml does, or set "
            "kubeadm_version to what is installed"
        )
    before, after = versions_text(observed, node.images(wanted) if fits else None, wanted)
    diff = [k.text_diff(before, after, "versions"), *k.place_patches(module.params["patches"], check_mode=True)]
    if not module.check_mode:
        node.upgrade(command(observed, wanted, control_plane), wanted)
    return {**result, "diff": diff}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "str", "required": True},
            "node_name": {"type": "str", "required": True},
            "control_plane": {"type": "bool", "default": False},
            "patches": {"type": "dict", "default": {}},
            "ignore_preflight_errors": {"type": "list", "elements": "str", "default": []},
            **ASSUME_ARGUMENT_SPEC,
        },
        supports_check_mode=True,
    )
    k.run_with_kubeadm(module, "kubeadm upgrade", upgrade)


if __name__ == "__main__":
    main()
