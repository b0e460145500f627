#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_init
short_description: Make the first control plane with kubeadm, or finish making it
version_added: 0.1.0
description:
  - Runs C(kubeadm init) with a document of yours on a bare node.
  - On a node where an earlier run was killed, runs only the phases of kubeadm whose work is missing. Certificates and
    etcd's data are never removed; half-written pairs of files are moved to C(/etc/kubernetes/groundwork/backup).
  - On a complete control plane it changes nothing.
author:
  - Groundwork founders (@groundwork)
attributes:
  check_mode:
    support: full
    description: Says which phases of kubeadm would run.
  diff_mode:
    support: full
    description: Shows the missing phases, and the patches that would be written.
options:
  config:
    description:
      - The kubeadm document as text. It holds C(InitConfiguration) and C(ClusterConfiguration), and may hold
        C(KubeletConfiguration) and C(KubeProxyConfiguration).
      - It is kept in C(/etc/kubernetes/groundwork/init.yaml), readable by root only.
    type: str
    required: true
  patches:
    description:
      - Files of kubeadm's patches directory, name to content. They are kept in C(/etc/kubernetes/groundwork/patches),
        which the document has to name as C(patches.directory).
    type: dict
    default: {}
  timeout:
    description: Seconds to wait for the API server of a control plane that was started before.
    type: int
    default: 240
  assume:
    description:
      - What earlier steps of this run would have made, in check mode on a bare machine.
    type: list
    elements: str
    choices: [packages, runtime, api]
    default: []
"""

EXAMPLES = r"""
- name: Make the first control plane
  groundwork.kube.kubeadm_init:
    config: "{{ lookup('ansible.builtin.template', 'init.yaml.j2') }}"
"""

RETURN = r"""
commands:
  description: The commands an operator would have typed, secrets masked.
  type: list
  elements: str
  returned: always
  sample: ["kubeadm init --config /etc/kubernetes/groundwork/init.yaml --skip-phases show-join-command"]
phases:
  description: The phases of kubeadm that ran, or would run.
  type: list
  elements: str
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

import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils import kubeadm as k
from ansible_collections.groundwork.kube.plugins.module_utils.api import ASSUME_ARGUMENT_SPEC, ApiError

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient

FILE_PHASES = ("certs", "kubeconfig", "etcd", "control-plane", "kubelet-start")
# For each phase what kubeadm creates last in it.
OBJECTS = {
    "upload-config": (
        "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings/kubeadm:nodes-kubeadm-config",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings/kubeadm:kubelet-config",
    ),
    "mark-control-plane": (),
    "bootstrap-token": (
        "/api/v1/namespaces/kube-public/configmaps/cluster-info",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-public/rolebindings/kubeadm:bootstrap-signer-clusterinfo",
    ),
    "kubelet-finalize": (),
    "addon/coredns": (
        "/apis/apps/v1/namespaces/kube-system/deployments/coredns",
        "/api/v1/namespaces/kube-system/services/kube-dns",
    ),
    "addon/kube-proxy": (
        "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings/kube-proxy",
    ),
}
# Printing the join command would print a token.
NEVER = ("show-join-command",)

AUTHORITIES = ("ca", "front-proxy-ca", "etcd/ca")
LEAVES = (
    "apiserver",
    "apiserver-kubelet-client",
    "front-proxy-client",
    "apiserver-etcd-client",
    "etcd/server",
    "etcd/peer",
    "etcd/healthcheck-client",
)
KUBECONFIGS = ("admin.conf", "kubelet.conf", "controller-manager.conf", "scheduler.conf")


def phases_to_run(done: Mapping[str, bool], skipped: Sequence[str]) -> list[str]:
    """The phases of kubeadm init whose work is missing, in kubeadm's order."""
    wanted = [
        phase
        for phase in (*FILE_PHASES, *OBJECTS)
        if phase not in skipped and phase.partition("/")[0] not in skipped and not done[phase]
    ]
    if not wanted:
        return []
    # The later phases speak to the API, so the control plane is waited for whatever is missing.
    return sorted({*wanted, "wait-control-plane"}, key=(*FILE_PHASES, "wait-control-plane", *OBJECTS).index)


def certificates_are_complete(external_etcd: bool) -> bool:
    def counts(name: str) -> bool:
        return not (external_etcd and "etcd" in name)

    return (
        # An authority without its key is one that the organisation keeps elsewhere.
        all(whole(f"{k.PKI}/{name}.crt") for name in AUTHORITIES if counts(name))
        and all(whole(f"{k.PKI}/{name}{end}") for name in LEAVES if counts(name) for end in (".crt", ".key"))
        and all(whole(f"{k.PKI}/sa{end}") for end in (".key", ".pub"))
    )


def whole(pem: str) -> bool:
    """A certificate or key to its last line. A kill leaves an empty file, and a power cut one of zeros."""
    return "-----END " in k.read(pem)


def half_written() -> list[str]:
    """What a kill left that kubeadm would stumble over: cut files, a key without its certificate or the reverse."""
    # The certificate of an authority may stand alone: its key is kept elsewhere.
    authorities = [name for name in AUTHORITIES if not whole(f"{k.PKI}/{name}.crt")]
    pairs = [(f"{k.PKI}/{name}.crt", f"{k.PKI}/{name}.key") for name in (*authorities, *LEAVES)]
    pairs.append((f"{k.PKI}/sa.pub", f"{k.PKI}/sa.key"))
    halves = [path for pair in pairs if not all(map(whole, pair)) for path in pair]
    kubeconfigs = [f"{k.KUBERNETES}/{name}" for name in (*KUBECONFIGS, "super-admin.conf")]
    halves += [path for path in kubeconfigs if not k.present(path)]
    return [path for path in halves if os.path.exists(path)]


def refuse_foreign_state(done: Mapping[str, bool]) -> None:
    """Stop before anything that kubeadm could only continue by replacing what is there."""
    authorities = [f"{k.PKI}/ca.crt", f"{k.PKI}/etcd/ca.crt", f"{k.PKI}/sa.key"]
    missing = [path for path in authorities if not k.present(path)]
    if os.path.isdir(k.ETCD_MEMBER) and not done["certs"] and missing:
        raise k.KubeadmError(
            f"{os.path.dirname(k.ETCD_MEMBER)} holds the data of a cluster, but {', '.join(missing)} is missing. "
            "Restore the file from a backup, or, if the data is worthless, run `kubeadm reset` on this node first."
        )
    is_worker = k.present(k.KUBELET_CONF) and not any(
        k.present(f"{k.PKI}/{name}") for name in ("ca.key", "apiserver.crt")
    )
    if is_worker:
        raise k.KubeadmError(
            "this node is a worker of a cluster already (it has kubelet.conf and no certificate of an API server). "
            "Put it into group kube_node, or run `kubeadm reset` on it first."
        )


class FirstControlPlane:
    """What is on this node, and what kubeadm has still to do."""

    def __init__(self, kubeadm: k.Kubeadm, config: str) -> None:
        self.module = kubeadm.module
        canonical = kubeadm.canonical(config)
        self.settings = k.flatten(canonical["InitConfiguration"])
        cluster = k.flatten(canonical["ClusterConfiguration"])
        self.external_etcd = any(name.startswith("etcd.external.") for name in cluster)
        self.server = k.local_server(canonical["InitConfiguration"])
        self.skipped = [value for name, value in self.settings.items() if name.startswith("skipPhases[")]
        if self.external_etcd:
            self.skipped.append("etcd")
        for addon in ("dns", "proxy"):
            if cluster.get(addon + ".disabled") == "true":
                self.skipped.append({"dns": "addon/coredns", "proxy": "addon/kube-proxy"}[addon])

    def observe(self, timeout: int) -> dict[str, bool]:
        done = self._files()
        started = all(done[phase] for phase in FILE_PHASES if phase not in self.skipped)
        if not started:
            return {**done, **dict.fromkeys(OBJECTS, False)}
        complete = self._was_complete()
        # Before kubeadm has bound the administrators' role, the API answers but refuses admin.conf.
        if not k.wait_until(
            lambda: k.answers(k.ADMIN_CONF, self.server, known=complete), 0 if self.module.check_mode else timeout
        ):
            raise k.KubeadmError(
                f"the API server of this control plane does not answer at {self.server} (waited {timeout} s)",
                **k.evidence(self.module),
            )
        try:
            return {**done, **self._objects(k.connect(k.ADMIN_CONF, self.server))}
        except ApiError:
            if complete:
                raise
            return {**done, **dict.fromkeys(OBJECTS, False)}

    def _files(self) -> dict[str, bool]:
        return {
            "certs": certificates_are_complete(self.external_etcd),
            "kubeconfig": all(k.present(f"{k.KUBERNETES}/{name}") for name in KUBECONFIGS),
            "etcd": k.present(f"{k.MANIFESTS}/etcd.yaml"),
            "control-plane": all(k.present(f"{k.MANIFESTS}/{name}.yaml") for name in k.CONTROL_PLANE_COMPONENTS),
            "kubelet-start": k.present(f"{k.KUBELET}/config.yaml")
            and os.path.exists(f"{k.KUBELET}/kubeadm-flags.env")
            and k.unit_is_active(self.module, "kubelet"),
        }

    def _was_complete(self) -> bool:
        """kubelet-finalize is near the end: a node that has passed it is not in the middle of kubeadm init."""
        return "kubelet-client-current.pem" in k.read(k.KUBELET_CONF)

    def _objects(self, api: ApiClient) -> dict[str, bool]:
        done = {phase: all(api.get(path) is not None for path in paths) for phase, paths in OBJECTS.items()}
        node = api.get("/api/v1/nodes/" + self.settings["nodeRegistration.name"]) or {}
        done["mark-control-plane"] = k.CONTROL_PLANE_LABEL in node.get("metadata", {}).get("labels", {})
        certificate = f"{k.KUBELET}/pki/kubelet-client-current.pem"
        done["kubelet-finalize"] = certificate in k.read(k.KUBELET_CONF) or not os.path.exists(certificate)
        return done


def initialise(kubeadm: k.Kubeadm) -> dict[str, t.Any]:
    module = kubeadm.module
    config, patches = module.params["config"], module.params["patches"]
    if not kubeadm.binary and module.check_mode and "packages" in module.params["assume"]:
        return _result(phases_to_run(dict.fromkeys((*FILE_PHASES, *OBJECTS), False), NEVER), patches)
    node = FirstControlPlane(kubeadm, config)
    done = node.observe(module.params["timeout"])
    refuse_foreign_state(done)
    phases = phases_to_run(done, node.skipped)
    if not phases:
        return {"changed": False, "phases": []}
    result = _result(phases, patches)
    if not module.check_mode:
        _run(kubeadm, node, config, phases, untouched=not any(done.values()))
    return result


def _run(kubeadm: k.Kubeadm, node: FirstControlPlane, config: str, phases: list[str], untouched: bool) -> None:
    halves = half_written()
    if halves:
        kubeadm.commands.append(f"mv {' '.join(halves)} {k.set_aside(halves)}")
    k.write(k.INIT_DOCUMENT, config)
    k.place_patches(kubeadm.module.params["patches"])
    skip = {*node.skipped, *NEVER, *(phase for phase in (*FILE_PHASES, *OBJECTS) if phase not in phases)}
    if not untouched or halves:
        # Its ports and files are our own by now.
        skip.add("preflight")
    try:
        kubeadm.act("init", "--config", k.INIT_DOCUMENT, "--skip-phases", ",".join(sorted(skip)))
    except k.KubeadmError as error:
        error.details.update(k.evidence(kubeadm.module))
        raise


def _result(phases: list[str], patches: Mapping[str, str]) -> dict[str, t.Any]:
    missing = "".join(f"{phase}\n" for phase in phases)
    return {
        "changed": True,
        "phases": phases,
        "diff": [
            {
                "before": "",
                "after": missing,
                "before_header": "kubeadm init phases",
                "after_header": "kubeadm init phases",
            },
            *k.place_patches(patches, check_mode=True),
        ],
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "config": {"type": "str", "required": True},
            "patches": {"type": "dict", "default": {}},
            "timeout": {"type": "int", "default": 240},
            **ASSUME_ARGUMENT_SPEC,
        },
        supports_check_mode=True,
    )
    k.run_with_kubeadm(module, "kubeadm init", initialise)


if __name__ == "__main__":
    main()
