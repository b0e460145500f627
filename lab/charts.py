"""A repository of the Helm charts that came with what the lab compiles, packaged by Helm as upstream releases them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.artifacts import Artifacts
from lab.components import component_named
from lab.progress import Log

# The CRDs of External Secrets that its chart can be told to leave out.
OPTIONAL_KINDS = re.compile(r"Cluster|PushSecret")


def as_it_is(_chart: Path, _share: Path) -> None:
    """The module has the chart as it is released."""


def complete_external_secrets(chart: Path, share: Path) -> None:
    """What upstream does when it packages the chart: CRDs become templates. One optional subchart is not served."""
    metadata = yaml.safe_load((chart / "Chart.yaml").read_text())
    del metadata["dependencies"]
    (chart / "Chart.yaml").write_text(yaml.safe_dump(metadata))
    (chart / "Chart.lock").unlink()
    for text in re.split(r"(?m)^---\n", (share / "deploy/crds/bundle.yaml").read_text()):
        definition = yaml.safe_load(text)
        if definition:
            names = definition["spec"]["names"]
            template = chart / "templates/crds" / f"{names['singular']}.yaml"
            template.write_text(crd_template(names["kind"], text))


def crd_template(kind: str, text: str) -> str:
    wanted = ".Values.installCRDs"
    if OPTIONAL_KINDS.search(kind):
        wanted = f"and ({wanted}) (.Values.crds.create{kind})"
    return f"{{{{- if {wanted} }}}}\n{text.rstrip()}\n{{{{- end }}}}\n"


@dataclass(frozen=True)
class Chart:
    component: str
    path: str
    """In the component's module."""
    complete: Callable[[Path, Path], None] = as_it_is
    """Makes of it what upstream releases, given the module's files."""
    stamp: str = ""
    """The version upstream's release process writes into it, where it does."""


CHARTS = (
    Chart("cert-manager", "deploy/charts/cert-manager", stamp="v{version}"),
    Chart("external-secrets", "deploy/charts/external-secrets", complete_external_secrets, stamp="{version}"),
    Chart("local-path-provisioner", "deploy/chart/local-path-provisioner"),
    Chart("metallb", "charts/metallb"),
    Chart("metrics-server", "charts/metrics-server"),
)


def add_charts(artifacts: Artifacts, directory: Path, workshop: Path, log: Log) -> None:
    """Each chart's archive and the index of all, whose addresses are relative: the mirror serves it anywhere."""
    directory.mkdir()
    helm = artifacts.binary("helm")
    own = {f"HELM_{kind}_HOME": str(workshop / "helm" / kind) for kind in ("CACHE", "CONFIG", "DATA")}
    environment = {**os.environ, **own}
    for chart in CHARTS:
        component = component_named(chart.component)
        share = artifacts.shared_file(component, ".")
        tree = workshop / "charts" / chart.component
        shutil.copytree(share / chart.path, tree)
        chart.complete(tree, share)
        version = chart.stamp.format(version=artifacts.versions.of(component))
        stamps = [f"--version={version}", f"--app-version=v{version.removeprefix('v')}"] if version else []
        log.run([helm, "package", tree, f"--destination={directory}", *stamps], env=environment)
    log.run([helm, "repo", "index", directory], env=environment)
