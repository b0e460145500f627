"""Every platform, in each of its environments, as Argo CD would bring it to a cluster."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ansible_collections.groundwork.kube.plugins.module_utils.image_pins import moves
from lab.artifacts import Artifacts, NotBuilt, load_versions
from tests.gitops.conftest import Judge, Unknown
from tests.gitops.projects import projects, refusals
from tests.gitops.rendering import GITOPS, PLATFORMS, RenderError, platform, render, site

NOTHING: dict[str, list[str]] = {"charts": [], "kinds": []}
UNCHECKED = defaultdict(lambda: NOTHING, yaml.safe_load((Path(__file__).parent / "unchecked.yaml").read_text()))
EVERYWHERE = [(name, environment) for name in PLATFORMS for environment in platform(name)["environments"]]
EXAMPLES = re.compile(r"(^|\.)example\.(org|com|net)$")
CANARY = "groundwork-canary"

rendered = cache(render)

everywhere = pytest.mark.parametrize(("name", "environment"), EVERYWHERE)
each_platform = pytest.mark.parametrize("name", PLATFORMS)


def files(*suffixes: str) -> Iterator[Path]:
    return (path for path in sorted(GITOPS.rglob("*")) if path.is_file() and (not suffixes or path.suffix in suffixes))


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def images(resource: Any) -> Iterator[str]:
    """Every image a pod of this object would run, wherever its template is."""
    if isinstance(resource, dict):
        for key, value in resource.items():
            if key in ("containers", "initContainers", "ephemeralContainers") and isinstance(value, list):
                yield from (item["image"] for item in value if isinstance(item, dict) and "image" in item)
            yield from images(value)
    elif isinstance(resource, list):
        for item in resource:
            yield from images(item)


@each_platform
def test_a_platform_is_described_as_the_schema_says(name: str) -> None:
    schema = json.loads((GITOPS / "platforms/schema.json").read_text())
    definition = platform(name)
    assert sorted(error.message for error in jsonschema.Draft7Validator(schema).iter_errors(definition)) == []
    assert definition["name"] == name


@everywhere
def test_every_child_is_rendered_or_known_not_to_be_at_hand(name: str, environment: str) -> None:
    result = rendered(name, environment)
    assert result.applications
    assert set(result.not_at_hand) <= set(UNCHECKED[name]["charts"]) or not mirror_is_built()
    assert [child for child, resources in result.children.items() if not resources] == []


@everywhere
def test_the_api_server_takes_every_object(
    name: str, environment: str, judge: Judge, capsys: pytest.CaptureFixture[str]
) -> None:
    result = rendered(name, environment)
    objects = list(result.objects)
    judge.serve(resource for _, resource in objects if resource["kind"] == "CustomResourceDefinition")
    namespaces = {
        child: app["spec"]["destination"].get("namespace", "default") for child, app in result.applications.items()
    }
    judge.admit(
        {"argocd", *namespaces.values()}
        | {resource["metadata"].get("namespace", "default") for _, resource in objects}
        | {resource["metadata"]["name"] for _, resource in objects if resource["kind"] == "Namespace"}
    )

    refused, unknown = [], set()
    for child, resource in objects:
        try:
            refusal = judge.refusal(resource, namespaces.get(child, "argocd"))
        except Unknown as kind:
            unknown.add(str(kind))
            continue
        if refusal:
            refused.append(f"{child}: {resource['kind']} {resource['metadata']['name']}: {refusal}")
    with capsys.disabled():
        for what in [*sorted(unknown), *sorted(result.not_at_hand.values())]:
            print(f"\n  {name}/{environment}: not checked: {what}", end="")
    assert refused == []
    assert unknown <= set(UNCHECKED[name]["kinds"]) or not mirror_is_built()


@each_platform
def test_nothing_is_excused_that_can_be_checked(name: str, judge: Judge) -> None:
    if not mirror_is_built():
        pytest.skip("the lab's mirror, which has the charts, is not built")
    results = [rendered(name, environment) for environment in platform(name)["environments"]]
    assert set(UNCHECKED[name]["charts"]) == {child for result in results for child in result.not_at_hand}
    assert [kind for kind in UNCHECKED[name]["kinds"] if judge.knows(kind)] == []


@everywhere
def test_images_have_a_digest_or_a_version_and_never_a_moving_tag(name: str, environment: str) -> None:
    for child, resource in rendered(name, environment).objects:
        for image in images(resource):
            reference, _, digest = image.partition("@")
            _, _, tag = reference.rpartition("/")[2].partition(":")
            assert tag or digest, f"{child}: {image} has neither tag nor digest"
            assert not moves(tag), f"{child}: {image}"


@everywhere
def test_images_of_the_platforms_own_trees_have_tag_and_digest(name: str, environment: str) -> None:
    result = rendered(name, environment)
    for child, resources in result.children.items():
        if result.applications[child]["spec"]["source"]["repoURL"] != site(name)["repository"]:
            continue
        for image in images(resources):
            assert re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", image), f"{child}: {image}"


@each_platform
def test_what_the_inventory_says_is_found_in_the_children(name: str) -> None:
    """One value after the other is marked, and the mark has to arrive in an Application or in what it brings."""
    environment = platform(name)["environments"][-1]
    values = site(name)
    own = [key for key in platform(name).get("values", {}) if isinstance(values.get(key), str)]
    for key in ["repository", "revision", *own]:
        marked = values[key].replace("example", "marked") if "example" in values[key] else marked_value(values[key])
        result = render(name, environment, {key: marked})
        assert marked in json.dumps([*result.root, *result.children.values()]), f"{key} has no effect"
        assert values[key] not in json.dumps(result.root) or marked != values[key]


def marked_value(value: str) -> str:
    return f"{value[:-1]}{'1' if value[-1] != '1' else '2'}"


def test_no_site_is_named_in_the_catalogue() -> None:
    """No address, account, domain or identifier of anybody's; what a site is stays in its inventory."""
    found = []
    for path in files(".yaml", ".yml", ".json", ".tpl"):
        text = path.read_text()
        for pattern in (
            r"\b(?:10|192\.168|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2,3}\b(?![./])",
            r"\barn:aws:[^\s\"']*:\d{12}:",
            r"\b(?:i|vpc|subnet|sg)-[0-9a-f]{8,17}\b",
            r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
            r"\b\d{12}\.dkr\.ecr\.",
            r"\b[\w-]+\.azurecr\.io\b",
        ):
            found += [f"{path.relative_to(GITOPS)}: {match}" for match in re.findall(pattern, text)]
    assert found == []


def test_no_moving_tag_is_written_anywhere_in_the_catalogue() -> None:
    pattern = re.compile(
        r"""(?:[:/](?P<image>[\w.-]+):|(?:newTag|tag|version|targetRevision):\s*["']?)(?P<tag>[A-Za-z][\w.-]*)["']?\s*(?:#.*)?$""",
        re.MULTILINE,
    )
    found = [
        f"{path.relative_to(GITOPS)}: {match['tag']}"
        for path in files(".yaml", ".yml")
        for match in pattern.finditer(path.read_text())
        if moves(match["tag"])
    ]
    assert found == []


def test_no_secret_is_kept_in_the_catalogue() -> None:
    """A Secret object would be one; a password beside its key would be one."""
    key = re.compile(
        r"^\s*(?!existing)[\w.-]*(?:password|passwd|token|apikey|api_key|secretkey|privatekey)[ ]*:[ ]+(?P<value>\S+)",
        re.IGNORECASE | re.MULTILINE,
    )
    found = []
    for path in files(".yaml", ".yml"):
        if "templates" in path.parts:
            continue
        text = path.read_text()
        found += [
            f"{path.relative_to(GITOPS)}: {match[0].strip()}"
            for match in key.finditer(text)
            if match["value"].strip("'\"") not in ("", "{", "|", ">-", "true", "false", "null", "{}", "[]")
            and not match["value"].startswith(("{", "'{{", '"{{', "${{", "#"))
        ]
        found += [
            f"{path.relative_to(GITOPS)}: Secret {document['metadata']['name']}"
            for document in yaml.safe_load_all(text)
            if isinstance(document, dict)
            and document.get("kind") == "Secret"
            and (document.get("data") or document.get("stringData"))
        ]
    assert found == []


@each_platform
def test_a_secret_of_the_inventory_goes_no_other_way_than_the_one_it_is_sent(name: str) -> None:
    """Planted where it is tempting to put one, a canary comes out nowhere: unknown values are refused by name alone."""
    for key in ("password", "adminPassword", "token"):
        with pytest.raises(RenderError) as error:
            render(name, platform(name)["environments"][0], {key: CANARY})
        assert CANARY not in str(error.value)


@everywhere
def test_every_namespace_a_child_goes_to_is_made(name: str, environment: str) -> None:
    result = rendered(name, environment)
    if not any(child.get("name") == "namespaces" for child in platform(name)["children"]):
        for app in result.applications.values():
            if app["spec"]["destination"].get("namespace", "kube-system") != "kube-system":
                assert "CreateNamespace=true" in app["spec"]["syncPolicy"]["syncOptions"]
        return
    made = {r["metadata"]["name"] for r in result.children["namespaces"] if r["kind"] == "Namespace"}
    wanted = {app["spec"]["destination"].get("namespace", "kube-system") for app in result.applications.values()}
    assert wanted - made <= {"kube-system"}


@everywhere
def test_every_object_goes_where_its_project_lets_it(name: str, environment: str) -> None:
    """Argo CD would refuse it, in the middle of a sync."""
    result = rendered(name, environment)
    refused = [
        f"{child}: {refusal}"
        for child, app in result.applications.items()
        for refusal in refusals(projects(result)[app["spec"]["project"]], app, result.children.get(child, []))
    ]
    assert refused == []


def test_the_sample_of_a_quality_gate_does_what_it_is_for() -> None:
    workflow = yaml.safe_load((GITOPS / "samples/ci-quality-gate.yml").read_text())
    steps = [step.get("name", step.get("uses")) for job in workflow["jobs"].values() for step in job["steps"]]
    order = [
        "Lint",
        "Test",
        "Build and push, under the commit",
        "Write tag and digest into staging's overlay",
        "Commit",
    ]
    assert [step for step in steps if step in order] == order
    assert workflow["jobs"]["release"]["needs"] == "test"


@cache
def mirror_is_built() -> bool:
    try:
        return (Artifacts(load_versions()).mirror / "charts").is_dir()
    except NotBuilt:
        return False
