"""The pins fit each other, Kubernetes' rules, the roles' defaults and what the lab builds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.cluster_plan import PER_NODE, SHARED

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = yaml.safe_load((ROOT / "versions.yml").read_text())
KUBERNETES = VERSIONS["kubernetes"]
DEFAULT_MINOR = KUBERNETES["default"].rpartition(".")[0]


def number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def module_pin(component: str, module: str) -> str:
    go_mod = (ROOT / "lab/components" / component / "go.mod").read_text()
    found = re.search(rf"^\t?(?:require )?{re.escape(module)} v(\S+)", go_mod, re.MULTILINE)
    assert found, f"{component} does not require {module}"
    return found[1]


def role_defaults() -> dict[str, Any]:
    files = (ROOT / "roles").glob("*/defaults/main.yml")
    return {name: value for path in files for name, value in (yaml.safe_load(path.read_text()) or {}).items()}


def test_the_default_is_a_supported_minor() -> None:
    assert DEFAULT_MINOR in KUBERNETES["supported"]


def test_supported_minors_follow_each_other_so_that_each_upgrades_to_the_next() -> None:
    minors = [number(minor) for minor in KUBERNETES["supported"]]
    assert minors == [(1, minors[0][1] + step) for step in range(len(minors))]


def test_every_supported_minor_says_what_it_brings() -> None:
    assert list(KUBERNETES["bundles"]) == KUBERNETES["supported"]


@pytest.mark.parametrize("component", ["etcd", "coredns", "pause"])
def test_a_component_is_the_one_that_kubeadm_brings(component: str) -> None:
    assert VERSIONS[component] == KUBERNETES["bundles"][DEFAULT_MINOR][component]


def test_containerd_is_new_enough_for_every_supported_minor() -> None:
    assert all(
        number(VERSIONS["containerd"]) >= number(bundle["containerd"]) for bundle in KUBERNETES["bundles"].values()
    )


def test_upgrades_are_tried_with_the_minor_after_the_default() -> None:
    following = number(VERSIONS["lab"]["next"].rpartition(".")[0])
    assert following == (number(DEFAULT_MINOR)[0], number(DEFAULT_MINOR)[1] + 1)
    assert VERSIONS["lab"]["next"].rpartition(".")[0] in KUBERNETES["supported"]


def test_no_pin_is_a_number_to_yaml() -> None:
    text = (ROOT / "versions.yml").read_text()
    assert not re.findall(r"[:\[,] \d+\.\d", text)


@pytest.mark.parametrize(
    ("component", "module", "pin"),
    [
        ("kubernetes", "k8s.io/kubernetes", KUBERNETES["default"]),
        ("etcd", "go.etcd.io/etcd/server/v3", VERSIONS["etcd"]),
        ("coredns", "github.com/coredns/coredns", VERSIONS["coredns"]),
        ("containerd", "github.com/containerd/containerd/v2", VERSIONS["containerd"]),
        ("cni-plugins", "github.com/containernetworking/plugins", VERSIONS["cni_plugins"]),
        ("argocd", "github.com/argoproj/argo-cd/v3", VERSIONS["lab"]["argocd"]),
    ],
)
def test_the_lab_builds_what_is_pinned(component: str, module: str, pin: str) -> None:
    assert module_pin(component, module) == pin


def test_the_labs_kubernetes_is_of_one_piece() -> None:
    minor_and_patch = KUBERNETES["default"].partition(".")[2]
    go_mod = (ROOT / "lab/components/kubernetes/go.mod").read_text()
    assert set(re.findall(r"^\s*(?:replace )?k8s\.io/\S+ => k8s\.io/\S+ v(\S+)", go_mod, re.MULTILINE)) == {
        f"0.{minor_and_patch}"
    }


@pytest.mark.parametrize(
    ("variable", "pin"),
    [
        ("kubeadm_version", KUBERNETES["default"]),
        ("calico_version", VERSIONS["calico"]),
        ("api_lb_kube_vip_image", f"ghcr.io/kube-vip/kube-vip:v{VERSIONS['kube_vip']}"),
        ("argocd_version", VERSIONS["argocd"]),
        ("argocd_chart_version", VERSIONS["argocd_chart"]),
        ("aws_ccm_version", VERSIONS["aws_ccm"]),
        ("ebs_csi_chart_version", VERSIONS["ebs_csi_chart"]),
        ("keyvault_csi_chart_version", VERSIONS["keyvault_csi_chart"]),
        ("containerd_sandbox_image", f"registry.k8s.io/pause:{VERSIONS['pause']}"),
        ("verify_image", f"registry.k8s.io/e2e-test-images/agnhost:{VERSIONS['agnhost']}"),
    ],
)
def test_a_role_defaults_to_what_is_pinned(variable: str, pin: str) -> None:
    assert role_defaults()[variable] == pin


def test_the_cloud_controller_is_of_the_default_minor() -> None:
    assert VERSIONS["aws_ccm"].rpartition(".")[0] == DEFAULT_MINOR


PLANNED = {
    name: value for name, value in {**SHARED, **PER_NODE}.items() if value is not None and "groundwork_" not in name
}


@pytest.mark.parametrize("variable", sorted(PLANNED.keys() & role_defaults().keys()))
def test_the_plan_and_the_role_default_alike(variable: str) -> None:
    assert role_defaults()[variable] == PLANNED[variable] or "{{" in str(role_defaults()[variable])
