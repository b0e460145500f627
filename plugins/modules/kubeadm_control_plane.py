#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_control_plane
short_description: Bring a running control plane to what the inventory says
version_added: 0.1.0
description:
  - Compares a kubeadm document with the cluster's ConfigMaps, and what kubeadm would make of it on this node with the
    API server's certificate and the static pods' manifests. Only what differs is made anew, by kubeadm's own phases.
  - Static pods are changed one at a time; each has to be back before the next, else its former manifest returns.
  - A change of what cannot change on a running cluster is refused with the old value, the new one and the way out.
  - Run it on one control plane at a time. etcd's static pod is left alone.
author:
  - Groundwork founders (@groundwork)
attributes:
  check_mode:
    support: full
    description: On a machine that is not a control plane there is nothing to change yet.
  diff_mode:
    support: full
    description: Shows the configuration and each static pod that would change.
options:
  config:
    description:
      - The kubeadm document as text, with C(InitConfiguration) for this very node, C(ClusterConfiguration),
        C(KubeletConfiguration) and C(KubeProxyConfiguration).
    type: str
    required: true
  patches:
    description: Files of kubeadm's patches directory, name to content.
    type: dict
    default: {}
  timeout:
    description: Seconds to wait for a changed static pod, and for the API server to answer.
    type: int
    default: 180
"""

EXAMPLES = r"""
- name: Bring the control plane to what the inventory says
  groundwork.kube.kubeadm_control_plane:
    config: "{{ lookup('ansible.builtin.template', 'init.yaml.j2') }}"
  throttle: 1
"""

RETURN = r"""
commands:
  description: The commands an operator would have typed.
  type: list
  elements: str
  returned: always
changes:
  description: What was made anew, or would be.
  type: list
  elements: str
  returned: success
  sample: ["ConfigMap kubeadm-config", "certificate apiserver", "static pod kube-apiserver"]
container_logs:
  description: The end of the logs of the control plane's containers.
  type: dict
  returned: when a static pod did not come back
"""

import dataclasses
import functools
import hashlib
import os
import ssl
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k
from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient

REBUILD = "set it back, or build a new cluster and move the workloads"
# What a running cluster cannot change: path in ClusterConfiguration to the variable and the way out.
FIXED = {
    "networking.podSubnet": ("kubeadm_pod_subnet", REBUILD),
    "networking.serviceSubnet": ("kubeadm_service_subnet", REBUILD),
    "networking.dnsDomain": ("kubeadm_dns_domain", REBUILD),
    "clusterName": ("groundwork_cluster_name", REBUILD),
    "controlPlaneEndpoint": (
        "kubeadm_control_plane_endpoint",
        "set it back; the new name can be added to kubeadm_apiserver_cert_sans",
    ),
    "certificatesDir": ("kubeadm_cluster_configuration", "set it back"),
    "etcd.": ("kubeadm_cluster_configuration", "set it back"),
    "kubernetesVersion": ("kubeadm_version", "run playbooks/upgrade.yml, or set it back"),
}
PHASES = {"kube-apiserver": "apiserver", "kube-controller-manager": "controller-manager", "kube-scheduler": "scheduler"}
HASH = "kubernetes.io/config.hash"
DIGEST = "groundwork.kube/configuration-digest"


@dataclasses.dataclass(frozen=True)
class Change:
    """One thing to make anew: how it is told, shown, and done."""

    what: str
    before: str
    after: str
    make: Callable[[], None]


def fixed_changes(live: Mapping[str, str], desired: Mapping[str, str]) -> list[str]:
    """A sentence for each setting that differs and cannot change on a running cluster."""
    refusals = []
    for path in sorted({*live, *desired}):
        rule = next((rule for start, rule in FIXED.items() if path == start or path.startswith(start)), None)
        if rule and live.get(path) != desired.get(path):
            variable, way_out = rule
            refusals.append(
                f"{variable} ({path}) is {live.get(path, 'not set')} on the running cluster and "
                f"{desired.get(path, 'not set')} in the inventory: {way_out}"
            )
    return refusals


class ControlPlane:
    """This control plane: what it is, what the document wants, and the changes between."""

    def __init__(self, kubeadm: k.Kubeadm, config: str, patches: Mapping[str, str], timeout: int) -> None:
        self.kubeadm = kubeadm
        self.config = config
        self.patches = patches
        self.timeout = timeout
        self.desired = kubeadm.canonical(config)
        self.settings = k.flatten(self.desired["InitConfiguration"])
        self.node_name = self.settings["nodeRegistration.name"]
        self.server = k.local_server(self.desired["InitConfiguration"])
        self.api: ApiClient = k.connect(k.ADMIN_CONF, self.server)

    def changes(self) -> list[Change]:
        return [
            *self._cluster_configuration(),
            *self._kubelet_configuration(),
            *self._certificate(),
            *self._static_pods(),
            *self._kube_proxy(),
            *self._mark(),
        ]

    def _phase(self, *phase: str) -> Callable[[], None]:
        credentials = ("--kubeconfig", k.ADMIN_CONF) if phase[0] in ("upload-config", "addon") else ()

        def make() -> None:
            self.kubeadm.act("init", "phase", *phase, "--config", k.INIT_DOCUMENT, *credentials)

        return make

    def _live(self, name: str, key: str) -> str:
        text = k.config_map(self.api, name, key)
        if not text:
            raise k.KubeadmError(
                f"the cluster has no ConfigMap kube-system/{name} with {key}: it was not made by kubeadm, or it was "
                f"deleted. `kubeadm init phase upload-config all --config {k.INIT_DOCUMENT}` writes it."
            )
        return text

    def _replaced(self, kind: str, text: str) -> str:
        return k.join_documents({**k.split_documents(self.config), kind: text.rstrip("\n") + "\n"})

    def _cluster_configuration(self) -> list[Change]:
        text = self._live("kubeadm-config", "ClusterConfiguration")
        live = self.kubeadm.canonical(self._replaced("ClusterConfiguration", text))["ClusterConfiguration"]
        desired = self.desired["ClusterConfiguration"]
        refusals = fixed_changes(k.flatten(live), k.flatten(desired))
        if refusals:
            raise k.KubeadmError("; ".join(refusals), refused=refusals)
        if live == desired:
            return []
        return [Change("ConfigMap kubeadm-config", live, desired, self._phase("upload-config", "kubeadm"))]

    def _kubelet_configuration(self) -> list[Change]:
        text = self._live("kubelet-config", "kubelet")
        # Both by the same way through kubeadm, so that a default is no difference.
        live, desired = (
            self.kubeadm.kubelet_files(config, {})["config.yaml"]
            for config in (self._replaced("KubeletConfiguration", text), self.config)
        )
        if live == desired:
            return []
        return [Change("ConfigMap kubelet-config", live, desired, self._phase("upload-config", "kubelet"))]

    def _certificate(self) -> list[Change]:
        certificate = k.read(f"{k.PKI}/apiserver.crt")
        live = k.subject_alternative_names(certificate) if certificate else []
        desired = self.kubeadm.apiserver_names(self.config)
        if live == desired:
            return []
        if not k.present(f"{k.PKI}/ca.key"):
            raise k.KubeadmError(
                "kubeadm_apiserver_cert_sans differs from the certificate's names, and the authority's key is not on "
                f"this node: have {k.PKI}/apiserver.crt signed for {', '.join(desired)}"
            )

        def make() -> None:
            pair = [f"{k.PKI}/apiserver.crt", f"{k.PKI}/apiserver.key"]
            self.kubeadm.commands.append(f"mv {' '.join(pair)} {k.set_aside(pair)}")
            self._phase("certs", "apiserver")()
            self._wait("the API server to serve its new certificate", lambda: self._served_names() == desired)

        return [Change("certificate apiserver", "\n".join(live) + "\n", "\n".join(desired) + "\n", make)]

    def _served_names(self) -> list[str]:
        """The API server reads a new certificate by itself: no restart."""
        host, _colon, port = self.server.partition("//")[2].rpartition(":")
        try:
            return k.subject_alternative_names(ssl.get_server_certificate((host.strip("[]"), int(port))))
        except OSError:
            return []

    def _static_pods(self) -> list[Change]:
        changes = []
        for component, after in self.kubeadm.static_pods(self.config, self.patches).items():
            before = k.read(f"{k.MANIFESTS}/{component}.yaml")
            if before != after:
                make = functools.partial(self._replace, component, before)
                changes.append(Change("static pod " + component, before, after, make))
        return changes

    def _replace(self, component: str, before: str) -> None:
        former = self._mirror_pod(component)[0]
        self._phase("control-plane", PHASES[component])()
        try:
            self._wait(f"static pod {component} to be ready again", lambda: self._is_new_and_ready(component, former))
        except k.KubeadmError as error:
            error.details.update(k.evidence(self.kubeadm.module))
            k.write(f"{k.MANIFESTS}/{component}.yaml", before)
            raise

    def _mirror_pod(self, component: str) -> tuple[str, bool]:
        """The hash of the manifest a static pod runs, and whether it is ready."""
        path = f"/api/v1/namespaces/kube-system/pods/{component}-{self.node_name}"
        try:
            pod = self.api.get(path) or {}
        except ApiError:
            return "", False
        conditions = {entry["type"]: entry["status"] for entry in pod.get("status", {}).get("conditions", [])}
        return pod.get("metadata", {}).get("annotations", {}).get(HASH, ""), conditions.get("Ready") == "True"

    def _is_new_and_ready(self, component: str, former: str) -> bool:
        current, ready = self._mirror_pod(component)
        return ready and current not in ("", former)

    def _kube_proxy(self) -> list[Change]:
        text = k.config_map(self.api, "kube-proxy", "config.conf")
        # Without it the cluster has no kube-proxy, or one of its own making.
        if "KubeProxyConfiguration" not in text:
            return []
        live, desired = (
            self.kubeadm.addon_manifest(config, "kube-proxy")
            for config in (self._replaced("KubeProxyConfiguration", text), self.config)
        )
        if live == desired:
            return []

        def make() -> None:
            self._phase("addon", "kube-proxy")()
            # Pods read the ConfigMap once; a changed template rolls them.
            digest = hashlib.sha256(desired.encode()).hexdigest()[:16]
            self.api.patch(
                "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy",
                {"spec": {"template": {"metadata": {"annotations": {DIGEST: digest}}}}},
            )
            self.kubeadm.commands.append("kubectl --namespace kube-system rollout restart daemonset/kube-proxy")

        return [Change("ConfigMap kube-proxy", live, desired, make)]

    def _mark(self) -> list[Change]:
        node = self.api.get("/api/v1/nodes/" + self.node_name) or {}
        if k.CONTROL_PLANE_LABEL in node.get("metadata", {}).get("labels", {}):
            return []
        label = f"{k.CONTROL_PLANE_LABEL}\n"
        return [Change(f"label of Node {self.node_name}", "", label, self._phase("mark-control-plane"))]

    def _wait(self, what: str, check: Callable[[], bool]) -> None:
        if not k.wait_until(check, self.timeout):
            raise k.KubeadmError(f"waited {self.timeout} s for {what}")


def reconcile(kubeadm: k.Kubeadm) -> dict[str, t.Any]:
    module = kubeadm.module
    config, patches = module.params["config"], module.params["patches"]
    if not os.path.exists(k.ADMIN_CONF):
        if module.check_mode:
            return {"changed": False, "changes": []}
        raise k.KubeadmError("this node is not a control plane: run the `init` or `join` step of role kubeadm first")
    changes = ControlPlane(kubeadm, config, patches, module.params["timeout"]).changes()
    diff = [k.text_diff(change.before, change.after, change.what) for change in changes]
    diff += k.place_patches(patches, module.check_mode)
    if changes and not module.check_mode:
        k.write(k.INIT_DOCUMENT, config)
        for change in changes:
            change.make()
    return {"changed": bool(diff), "changes": [change.what for change in changes], "diff": diff}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "str", "required": True},
            "patches": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    k.run_with_kubeadm(module, "control plane settings", reconcile)


if __name__ == "__main__":
    main()
