# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role makes of the cloud controller's manifests, of which the part that it patches is stood in for here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Api, Play, ended

NAME = "aws-cloud-controller-manager"
PATH = f"/apis/apps/v1/namespaces/kube-system/daemonsets/{NAME}"
ACCOUNT = {"kind": "ServiceAccount", "name": "cloud-controller-manager", "namespace": "kube-system"}
RBAC = {"apiVersion": "rbac.authorization.k8s.io/v1"}


def binding(kind: str, name: str, role: str, **metadata: str) -> dict[str, Any]:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind.removesuffix("Binding"), "name": role}
    return {**RBAC, "kind": kind, "metadata": {"name": name, **metadata}, "roleRef": reference, "subjects": [ACCOUNT]}


UPSTREAM = {
    "service-account": {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "cloud-controller-manager", "namespace": "kube-system"},
    },
    "cluster-role": {
        **RBAC,
        "kind": "ClusterRole",
        "metadata": {"name": "system:cloud-controller-manager"},
        "rules": [],
    },
    "cluster-role-binding": binding(
        "ClusterRoleBinding", "system:cloud-controller-manager", "system:cloud-controller-manager"
    ),
    "apiserver-authentication-reader-role-binding": binding(
        "RoleBinding", "cloud-controller-manager", "extension-apiserver-authentication-reader", namespace="kube-system"
    ),
    f"{NAME}-daemonset": {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": "kube-system"},
        "spec": {
            "selector": {"matchLabels": {"k8s-app": NAME}},
            "template": {
                "metadata": {"labels": {"k8s-app": NAME}},
                "spec": {
                    "nodeSelector": {"node-role.kubernetes.io/control-plane": ""},
                    "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}],
                    "serviceAccountName": "cloud-controller-manager",
                    "containers": [
                        {
                            "name": NAME,
                            "image": "registry.k8s.io/provider-aws/cloud-controller-manager:v1.27.1",
                            "args": ["--cloud-provider=aws"],
                        }
                    ],
                },
            },
        },
    },
}


@pytest.fixture
def upstream(tmp_path: Path, cluster_programs: None, api: Api) -> Iterator[Path]:
    directory = tmp_path / "base"
    directory.mkdir()
    for name, item in UPSTREAM.items():
        (directory / f"{name}.yaml").write_text(json.dumps(item))
    yield directory
    api.client.delete(PATH)


def run(play: Play, upstream: Path, *arguments: str) -> str:
    running = play(
        [{"import_role": {"name": "groundwork.kube.aws_ccm"}}],
        *arguments,
        groundwork={"cluster": {"name": "eco2"}},
        aws_ccm_source=str(upstream),
    )
    return ended(running)


def test_it_runs_where_there_is_no_network_yet_and_does_only_what_nobody_else_does(
    play: Play, upstream: Path, api: Api
) -> None:
    assert "changed=1" in run(play, upstream, "--check")
    assert api.client.get(PATH) is None

    run(play, upstream)
    made = api.client.get(PATH)
    assert made
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (pod["hostNetwork"], pod["dnsPolicy"]) == (True, "Default")
    assert {toleration["key"] for toleration in pod["tolerations"]} == {
        "node.cloudprovider.kubernetes.io/uninitialized",
        "node.kubernetes.io/not-ready",
        "node-role.kubernetes.io/control-plane",
    }
    assert container["image"] == "registry.k8s.io/provider-aws/cloud-controller-manager:v1.36.1"
    assert "--cluster-name=eco2" in container["args"]
    assert "--controllers=cloud-node-controller,cloud-node-lifecycle-controller" in container["args"]

    assert "changed=0" in run(play, upstream)
