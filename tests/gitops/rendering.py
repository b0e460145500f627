"""A platform as Argo CD would see it: the root chart rendered with a site's values, and every child of it.

The files are laid out by what `new_platform.yml` writes with; Helm and Kustomize are those that the lab builds.
Charts are the lab's, and those in the directory that GROUNDWORK_CHARTS names (`make charts` fetches them all).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.platform_files import catalogue_files
from lab.api import binary
from lab.artifacts import Artifacts, NotBuilt, load_versions
from lab.errors import LabError

GITOPS = Path(__file__).resolve().parents[2] / "gitops"
SITES = Path(__file__).parent / "sites"
PLATFORMS = sorted(path.parent.name for path in GITOPS.glob("platforms/*/platform.yaml"))

Object = dict[str, Any]


class Loader(yaml.CSafeLoader):
    """Reads as Kubernetes does: = alone is a string (Prometheus' CRDs have some), 1e+06 is Helm's million."""


Loader.add_constructor("tag:yaml.org,2002:value", yaml.constructor.SafeConstructor.construct_yaml_str)
Loader.add_constructor("!exponent", lambda loader, node: int(float(node.value)))
Loader.add_implicit_resolver("!exponent", re.compile(r"^\d(\.\d+)?e\+\d+$"), list("0123456789"))


class RenderError(Exception):
    """What helm or kustomize said."""


@dataclass
class Rendered:
    """The root's own objects, and each Application's by its name. Charts that are not at hand are named instead."""

    root: list[Object]
    children: dict[str, list[Object]] = field(default_factory=dict)
    not_at_hand: dict[str, str] = field(default_factory=dict)

    @property
    def applications(self) -> dict[str, Object]:
        """Every Application, those that ApplicationSets make among them, by name and in the order of their waves."""
        found = [app for resource in self.root for app in _applications(resource)]
        return {app["metadata"]["name"]: app for app in sorted(found, key=wave)}

    @property
    def objects(self) -> Iterator[tuple[str, Object]]:
        """Every object that reaches the cluster, with the child it comes from (`root` for the root's own)."""
        yield from (("root", resource) for resource in self.root)
        for name, resources in self.children.items():
            yield from ((name, resource) for resource in resources)


def platform(name: str) -> dict[str, Any]:
    """The platform as the catalogue defines it."""
    definition: dict[str, Any] = yaml.safe_load((GITOPS / "platforms" / name / "platform.yaml").read_text())
    return definition


def site(name: str) -> dict[str, Any]:
    """What an inventory would say for this platform."""
    values: dict[str, Any] = yaml.safe_load((SITES / f"{name}.yaml").read_text())
    return values


def wave(resource: Object) -> int:
    return int(resource["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave", 0))


def render(name: str, environment: str, values: Mapping[str, Any] | None = None, catalogue: Path = GITOPS) -> Rendered:
    """A platform with its site's values and these over them; a map among them replaces the site's."""
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory)
        for part, files in catalogue_files(catalogue, name).items():
            for path, content in files.items():
                (tree / part / path).parent.mkdir(parents=True, exist_ok=True)
                (tree / part / path).write_bytes(content)
        merged = {**site(name), "environment": environment, "prefix": "", **(values or {})}
        rendered = Rendered(helm_template("root", tree / name / "root", merged, namespace="argocd"))
        for application in rendered.applications.values():
            _child(rendered, tree, application, merged["repository"])
        return rendered


def _child(rendered: Rendered, tree: Path, application: Object, repository: str) -> None:
    name, source = application["metadata"]["name"], application["spec"]["source"]
    helm = source.get("helm", {})
    values = helm.get("valuesObject", {})
    namespace = application["spec"]["destination"].get("namespace", "default")
    if "chart" in source or (helm and source["repoURL"] != repository):
        # A chart in a Git repository is at hand as an archive, if it is.
        its_name = source.get("chart") or Path(source["path"]).name
        version = source["targetRevision"] if "chart" in source else source["targetRevision"].removeprefix("v")
        chart = chart_at_hand(its_name, version)
        if chart is None:
            rendered.not_at_hand[name] = f"{its_name} {version}"
            return
        crds = [] if helm.get("skipCrds") else ["--include-crds"]
        rendered.children[name] = helm_template(helm["releaseName"], chart, values, *crds, namespace=namespace)
    elif source["repoURL"] != repository:
        checkout = checkout_at_hand(source["repoURL"], source["targetRevision"])
        if checkout is None:
            rendered.not_at_hand[name] = f"{source['repoURL']} {source['path']} {source['targetRevision']}"
            return
        place = shutil.copytree(checkout, tree / "checkouts" / name)
        rendered.children[name] = kustomize_build(place / source["path"], source.get("kustomize", {}))
    elif helm:
        place = tree / source["path"]
        if yaml.safe_load((place / "Chart.yaml").read_text()).get("dependencies"):
            _run([tool("helm"), "dependency", "build", str(place)])
        files = [argument for file in helm.get("valueFiles", []) for argument in ("--values", str(place / file))]
        rendered.children[name] = helm_template(helm["releaseName"], place, values, *files, namespace=namespace)
    elif (remote := _remote(tree / source["path"])) and not fetched():
        rendered.not_at_hand[name] = ", ".join(remote)
    else:
        rendered.children[name] = kustomize_build(tree / source["path"], source.get("kustomize", {}))


def _remote(place: Path) -> list[str]:
    """What a tree has fetched when it is built."""
    file = place / "kustomization.yaml"
    resources = yaml.safe_load(file.read_text()).get("resources", []) if file.is_file() else []
    return [resource for resource in resources if resource.startswith("https://")]


def _applications(resource: Object) -> Iterator[Object]:
    if resource["kind"] == "Application":
        yield resource
    if resource["kind"] == "ApplicationSet":
        (generator,) = resource["spec"]["generators"]
        for element in generator["list"]["elements"]:
            application = json.loads(json.dumps(resource["spec"]["template"]).replace("{{.name}}", element["name"]))
            application["metadata"].setdefault("annotations", {})["argocd.argoproj.io/sync-wave"] = str(wave(resource))
            yield {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", **application}


def helm_template(
    release: str, chart: Path, values: Mapping[str, Any], *arguments: str, namespace: str
) -> list[Object]:
    return _documents(
        [tool("helm"), "template", release, str(chart), "--namespace", namespace, *arguments, "--values", "-"],
        json.dumps(values),
    )


def kustomize_build(place: Path, options: Mapping[str, Any]) -> list[Object]:
    """The tree, changed as Argo CD changes it by an Application's source.kustomize before it builds."""
    if not place.is_dir():
        raise RenderError(f"{place}: no such tree")
    if options.keys() - {"images", "patches"}:
        raise RenderError(f"source.kustomize: {', '.join(options)}: the tests know images and patches")
    if images := options.get("images"):
        subprocess.run([tool("kustomize"), "edit", "set", "image", *images], cwd=place, check=True, capture_output=True)
    if patches := options.get("patches"):
        file = place / "kustomization.yaml"
        content = yaml.safe_load(file.read_text())
        file.write_text(json.dumps({**content, "patches": [*content.get("patches", []), *patches]}))
    return _documents([*kustomize(), str(place)])


@cache
def kustomize() -> list[str]:
    """kubectl has the same builder in it, for whoever has not built Kustomize."""
    try:
        return [tool("kustomize"), "build"]
    except LabError:
        return [tool("kubectl"), "kustomize"]


@cache
def tool(name: str) -> str:
    """A program that the lab built; GROUNDWORK_BINARIES names a directory to take it from instead."""
    found = binary(name)
    if not found.is_file():
        raise NotBuilt(name)
    return str(found)


@cache
def chart_at_hand(name: str, version: str) -> Path | None:
    """A chart that the lab's mirror serves, or that was fetched."""
    try:
        places = [Artifacts(load_versions()).mirror / "charts", *fetched()]
    except NotBuilt:
        places = fetched()
    return next((chart for place in places if (chart := place / f"{name}-{version}.tgz").is_file()), None)


@cache
def crds_at_hand() -> list[Object]:
    """Those that the lab's charts bring."""
    try:
        charts = sorted((Artifacts(load_versions()).mirror / "charts").glob("*.tgz"))
    except NotBuilt:
        return []
    values = {"crds": {"enabled": True}, "installCRDs": True}
    rendered = [helm_template("crds", chart, values, "--include-crds", namespace="default") for chart in charts]
    return [
        resource for resources in rendered for resource in resources if resource["kind"] == "CustomResourceDefinition"
    ]


def checkout_at_hand(repository: str, revision: str) -> Path | None:
    """A repository at a revision, if it was fetched."""
    name = Path(repository).stem
    return next((tree for place in fetched() if (tree := place / f"{name}-{revision}").is_dir()), None)


def fetched() -> list[Path]:
    return [Path(place)] if (place := os.environ.get("GROUNDWORK_CHARTS")) else []


def _documents(command: list[str], given: str = "") -> list[Object]:
    return [document for document in yaml.load_all(_run(command, given), Loader=Loader) if document]


def _run(command: list[str], given: str = "") -> str:
    done = subprocess.run(command, input=given, text=True, capture_output=True, check=False)
    if done.returncode:
        raise RenderError(done.stderr.strip())
    return done.stdout
