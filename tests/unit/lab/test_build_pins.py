"""What is built is what is pinned, and its place in the cache says so."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from lab.artifacts import LAB, Artifacts, NotBuilt, Versions, digest, load_versions
from lab.components import COMPONENTS, NEXT_COMPONENTS, Component, component_named
from lab.errors import LabError
from lab.programs import PROGRAMS, Program

EVERY = (*COMPONENTS, *NEXT_COMPONENTS)
# Our own needs nothing but Go's standard library.
UPSTREAM = [component for component in EVERY if component.name != "echo"]


def required_version(component: Component) -> str:
    go_mod = (LAB / "components" / component.name / "go.mod").read_text()
    found = re.search(rf"^\s*(?:require )?{re.escape(component.module)} v(\S+)", go_mod, re.MULTILINE)
    assert found, f"{component.name}/go.mod does not require {component.module}"
    return found[1]


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(load_versions(), tmp_path)


@pytest.mark.parametrize("component", UPSTREAM, ids=lambda component: component.name)
def test_go_mod_requires_the_version_that_versions_yml_pins(component: Component) -> None:
    if component.name == "calico":
        pytest.skip("published as a pseudo-version; the build compares its manifests with the pin")
    assert required_version(component) == load_versions().of(component)


@pytest.mark.parametrize("name", ["kubernetes", "kubernetes_next"])
def test_every_staging_module_has_the_version_of_kubernetes(name: str) -> None:
    go_mod = (LAB / "components" / name.replace("_", "-") / "go.mod").read_text()
    _, _, patch = getattr(load_versions(), name).partition(".")
    replaced = re.findall(r"^\s+k8s\.io/\S+ => k8s\.io/\S+ v(\S+)$", go_mod, re.MULTILINE)
    assert set(replaced) == {f"0.{patch}"}


@pytest.mark.parametrize("component", EVERY, ids=lambda component: component.name)
def test_every_binary_is_a_tool_of_its_go_mod_or_a_package_beside_it(component: Component) -> None:
    directory = LAB / "components" / component.name
    go_mod = (directory / "go.mod").read_text()
    for package in component.binaries.values():
        own = package.removeprefix(f"groundwork.lab/{component.name}/")
        assert (directory / own / "main.go").is_file() if own != package else package in go_mod


@pytest.mark.parametrize("component", UPSTREAM, ids=lambda component: component.name)
def test_every_component_is_verified_against_checksums(component: Component) -> None:
    checksums = (LAB / "components" / component.name / "go.sum").read_text()
    version = required_version(component)
    assert f"{component.module} v{version} h1:" in checksums


def test_versions_are_stamped_into_the_binaries() -> None:
    flags = component_named("kubernetes").link_flags("1.36.4")
    assert "-X k8s.io/component-base/version.gitVersion=v1.36.4" in flags
    assert "-X k8s.io/component-base/version.gitMinor=36" in flags


def test_a_changed_pin_is_another_place_in_the_cache(artifacts: Artifacts) -> None:
    etcd = component_named("etcd")
    newer = Artifacts(dataclasses.replace(artifacts.versions, etcd="9.9.9"), artifacts.cache)
    assert newer.component_directory(etcd) != artifacts.component_directory(etcd)
    assert newer.mirror_directory != artifacts.mirror_directory
    assert newer.component_directory(component_named("coredns")) == artifacts.component_directory(
        component_named("coredns")
    )


def test_room_estimates_are_no_part_of_a_key(artifacts: Artifacts) -> None:
    etcd = component_named("etcd")
    thirstier = dataclasses.replace(etcd, disk_mib=etcd.disk_mib + 1)
    assert artifacts.component_directory(thirstier) == artifacts.component_directory(etcd)


def test_a_directory_more_to_share_is_another_place_in_the_cache(artifacts: Artifacts) -> None:
    argocd = component_named("argocd")
    sharing = dataclasses.replace(argocd, shared_directories=(*argocd.shared_directories, "docs"))
    assert artifacts.component_directory(sharing) != artifacts.component_directory(argocd)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_what_is_not_compiled_is_found_beside_what_is(program: Program, artifacts: Artifacts) -> None:
    with pytest.raises(NotBuilt, match=f"{program.name} is not built yet"):
        artifacts.binary(program.name)
    artifacts.program_directory(program).mkdir(parents=True)
    assert artifacts.binary(program.name).relative_to(artifacts.program_directory(program)) == Path("bin", program.name)
    assert program.name in artifacts.default_steps()


def test_a_digest_tells_where_one_part_ends() -> None:
    assert digest("ab", "c") != digest("a", "bc")


def test_what_is_not_built_says_what_to_type(artifacts: Artifacts) -> None:
    with pytest.raises(NotBuilt, match=r"kubernetes is not built yet; type: .*lab build"):
        artifacts.binary("kubelet")


def test_a_binary_nobody_builds_is_named(artifacts: Artifacts) -> None:
    with pytest.raises(LabError, match="kubelett"):
        artifacts.binary("kubelett")


def test_an_empty_cache_misses_everything_a_full_build_makes(artifacts: Artifacts) -> None:
    assert artifacts.missing() == artifacts.default_steps()
    assert "mirror" in artifacts.missing()


def test_other_debian_suites_are_built_only_when_named(artifacts: Artifacts) -> None:
    assert f"debian-{artifacts.versions.debian}" in artifacts.default_steps()
    assert "debian-bookworm" in artifacts.places()
    assert "debian-bookworm" not in artifacts.default_steps()


def test_a_built_component_is_missed_no_more(artifacts: Artifacts) -> None:
    artifacts.component_directory(component_named("etcd")).mkdir(parents=True)
    assert "etcd" not in artifacts.missing()
    assert artifacts.binary("etcdctl").name == "etcdctl"


def test_versions_come_from_the_one_file(tmp_path: Path) -> None:
    pins = tmp_path / "versions.yml"
    pins.write_text(
        """
kubernetes: {default: "1.36.4", bundles: {"1.37": {etcd: "3.7.0", coredns: "1.14.6"}}}
etcd: "3.6.8"
coredns: "1.14.2"
pause: "3.10.2"
containerd: "2.3.7"
cni_plugins: "1.8.0"
calico: "3.32.1"
agnhost: "2.63.0"
debian: {default: trixie, suites: [bookworm, trixie]}
lab:
  argocd: "3.5.7"
  calico: "3.28.5"
  cert_manager: "1.21.2"
  echo: "1.0.1"
  external_secrets: "0.20.4"
  openbao: "2.7.2"
  go: "1.27.3"
  kustomize: "5.8.3"
  local_path_provisioner: "0.0.30"
  metallb: "0.16.2"
  metrics_server: "0.9.0"
  next: "1.37.1"
"""
    )
    versions: Versions = load_versions(pins)
    assert versions.calico == "3.28.5", "the lab serves what is published as a Go module"
    assert versions.of(component_named("cni-plugins")) == "1.8.0"
