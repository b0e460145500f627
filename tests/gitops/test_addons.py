"""The catalogue, entry by entry: what each says of itself, and what its chart makes of our values, if it is at hand."""

from __future__ import annotations

import base64
import copy
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cache, lru_cache, reduce
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from lab.artifacts import Artifacts, NotBuilt, load_versions
from lab.charts import CHARTS as CHARTS_OF_THE_LAB
from lab.components import component_named
from tests.gitops.conftest import Judge, Unknown
from tests.gitops.rendering import (
    GITOPS,
    PLATFORMS,
    Object,
    Rendered,
    RenderError,
    chart_at_hand,
    helm_template,
    platform,
    render,
    site,
    tool,
)

ADDONS = GITOPS / "addons"
SCHEMA = json.loads((ADDONS / "schema.json").read_text())
PLATFORM_TOLERATIONS = "{{ .Values.placement.platform.tolerations | toJson }}"
PLATFORM_NODES = "{{ .Values.placement.platform.nodeSelector | toJson }}"
EVERY_TAINT = [{"operator": "Exists"}]
MONITORS = ["--api-versions", "monitoring.coreos.com/v1", "--api-versions", "monitoring.coreos.com/v1/ServiceMonitor"]
SECRET_KEY = re.compile(r"(?i)password|passwd|secret(?!.*(key|provider)name)|token(?!requests)|accesskey|credential")
MOVING = re.compile(r"(?i)\blatest\b|\bstable\b|\bmain\b|\bmaster\b")
# ARNs, account numbers, regions, addresses.
SITES_OWN = re.compile(r"\barn:|\b\d{12}\b|\b(us|eu|ap|ca|sa)-[a-z]+-\d\b|\b\d{1,3}(\.\d{1,3}){3}\b|@[a-z]+\.[a-z]")
# Defaults of charts that anyone can read, and that an installation must therefore not have.
KNOWN_SECRETS = ("changeit", "changeme", "Harbor12345", "not-a-secure-key", "harbor_registry_password", "prom-operator")
WORKLOADS = ("Deployment", "DaemonSet", "StatefulSet")
OTHERS_KINDS = ("monitoring.coreos.com/", "cert-manager.io/")

Key = tuple[str, str]


@dataclass(frozen=True)
class Entry:
    name: str
    text: str
    addon: dict[str, Any]
    values: dict[str, Any]

    @property
    def namespace(self) -> str:
        return str(self.addon.get("namespace", "default"))

    @property
    def pinned(self) -> str:
        return str(self.addon["chart"]["version"] if "chart" in self.addon else self.addon["kustomize"]["revision"])

    @property
    def proven(self) -> str:
        """The version that the lab has."""
        return str(self.addon.get("provenVersion", self.pinned))

    @property
    def version(self) -> str:
        """The one to judge: the pinned, or if that is not at hand the lab's."""
        return (
            self.pinned
            if "chart" in self.addon and chart_at_hand(self.addon["chart"]["name"], self.pinned)
            else self.proven
        )


def entry(place: Path) -> Entry:
    text = (place / "values.yaml").read_text()
    return Entry(place.name, text, yaml.safe_load((place / "addon.yaml").read_text()), yaml.safe_load(text))


CATALOGUE = {path.parent.name: entry(path.parent) for path in sorted(ADDONS.glob("*/addon.yaml"))}
CHARTS = [name for name, entry in CATALOGUE.items() if "chart" in entry.addon]
each = pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
each_chart = pytest.mark.parametrize("entry", [CATALOGUE[name] for name in CHARTS], ids=CHARTS)


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """What is set, with the keys that lead to it; a list is one thing."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, str(key)))
    else:
        yield path, value


def at(values: Any, key: str) -> Any:
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def below(path: tuple[str, ...], key: str) -> bool:
    return f"{'.'.join(path)}.".startswith(f"{key}.")


# --- what an entry says ----------------------------------------------------------------------------------------------


@each
def test_an_entry_is_described_as_the_schema_says(entry: Entry) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(entry.addon)
    assert entry.addon["name"] == entry.name


@each
def test_nothing_in_an_entry_moves(entry: Entry) -> None:
    for path, value in leaves(entry.values):
        assert not (path[-1].lower().endswith("tag") and MOVING.search(str(value))), f"{path}: {value} moves"
    for image in entry.values.get("images", []):
        assert re.search(r":v?\d+\.\d+\.\d+$", image), f"{image} is no version"
    assert ":latest" not in entry.text


@each
def test_what_an_entry_needs_is_in_an_earlier_wave(entry: Entry) -> None:
    for name in entry.addon.get("needs", []):
        assert CATALOGUE[name].addon["wave"] < entry.addon["wave"], f"{name} is not healthy before {entry.name} starts"


@each
def test_what_is_retired_has_an_alternative_and_is_asked_for(entry: Entry) -> None:
    if "retired" in entry.addon:
        assert entry.addon["optIn"]
        assert "retired" not in CATALOGUE[entry.addon["alternative"]].addon


@each
def test_the_crds_of_a_chart_can_be_left_to_a_platform(entry: Entry) -> None:
    crds = entry.addon.get("crds")
    if crds and "chart" in entry.addon:
        assert crds.get("off") or crds.get("skipCrds")
        for path, value in leaves(crds.get("off", {})):
            assert at(entry.values, ".".join(path)) is not value, f"{path} is off already"


@each
def test_every_pod_is_placed_on_the_platforms_nodes_or_on_all(entry: Entry) -> None:
    if "kustomize" in entry.addon:
        assert PLATFORM_TOLERATIONS in entry.text
        assert PLATFORM_NODES in entry.text
        return
    placed = {".".join(path): value for path, value in leaves(entry.values) if path[-1] == "tolerations"}
    assert set(placed) == set(entry.addon.get("tolerations", []))
    for key, value in placed.items():
        assert value in (PLATFORM_TOLERATIONS, EVERY_TAINT), f"{key} is neither the platform's nor Exists"
        if value == PLATFORM_TOLERATIONS:
            beside = f"{key.removesuffix('tolerations')}nodeSelector"
            assert at(entry.values, beside) == PLATFORM_NODES, f"{beside} is missing"


@each
def test_no_secret_is_written_into_values(entry: Entry) -> None:
    brought = {secret["name"] for secret in entry.addon.get("secrets", [])}
    named = set()
    for path, value in leaves(entry.values):
        if SECRET_KEY.search(path[-1]) and isinstance(value, str):
            assert value in brought, f"{'.'.join(path)}: {value!r} is not the name of a Secret in secrets:"
            named.add(value)
    assert named == brought


@each
def test_nothing_in_an_entry_belongs_to_a_site(entry: Entry) -> None:
    for path, value in leaves(entry.values):
        assert not SITES_OWN.search(json.dumps(value)), f"{'.'.join(path)}: {value}"


@each
def test_what_only_a_site_can_give_is_given_in_tests(entry: Entry) -> None:
    given = site("catalogue")["addons"].get(entry.name, {}).get("values", {})
    assert [key for key in entry.addon.get("site", []) if at(given, key) is None] == []


@each
def test_every_key_that_was_only_read_says_where(entry: Entry) -> None:
    read = [key for row in entry.addon.get("read", []) for key in row["keys"]]
    if read:
        paths = [path for path, _ in leaves(entry.values)]
        assert [path for path in paths if not any(below(path, key) for key in read)] == []
        assert [key for key in read if not any(below(path, key) for path in paths)] == []
        assert entry.pinned.removeprefix("v") in {row["version"].removeprefix("v") for row in entry.addon["read"]}


@each
def test_no_entry_claims_more_proof_than_it_has(entry: Entry) -> None:
    if entry.addon["proof"] == "runs":
        assert entry.name in run_by_the_lab(), "the lab's platform does not have it"
    if entry.addon["proof"] in ("runs", "renders"):
        assert entry.name in {chart.component for chart in CHARTS_OF_THE_LAB}, "the lab has no such chart"
        built = load_versions().of(component_named(entry.name))
        assert built in {pin.removeprefix("v") for pin in (entry.proven, at(entry.values, "image.tag")) if pin}
        with suppress(NotBuilt):
            served = Artifacts(load_versions()).mirror / "charts" / f"{entry.name}-{entry.proven}.tgz"
            assert served.is_file(), "the lab has another version"


def run_by_the_lab() -> set[str]:
    names, waiting = set(), ["lab"]
    while waiting:
        definition = platform(waiting.pop())
        names |= {child["addon"] for child in definition["children"] if "addon" in child}
        waiting += definition.get("bases", [])
    return names


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_platform_has_what_its_entries_need(name: str) -> None:
    children = [child for child in platform(name)["children"] if "addon" in child]
    waves = {child["addon"]: child.get("wave", CATALOGUE[child["addon"]].addon["wave"]) for child in children}
    for addon, its_wave in waves.items():
        for needed in CATALOGUE[addon].addon.get("needs", []):
            assert needed in waves, f"{addon} needs {needed}"
            assert waves[needed] < its_wave, f"{needed} comes after {addon}"


# --- what its chart makes of it --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Rendered]:
    """The whole catalogue as one platform, whose CRDs its charts own or wave 00."""
    place = tmp_path_factory.mktemp("catalogue")
    for part in ("root", "addons"):
        (place / part).symlink_to(GITOPS / part)
    versions = {name: {"version": entry.version} for name, entry in CATALOGUE.items()}
    given = site("catalogue")["addons"]
    addons = {name: {**given.get(name, {}), **versions[name]} for name in CATALOGUE}

    @cache
    def catalogue(owner: str) -> Rendered:
        definition = {
            "name": "catalogue",
            "summary": "Every entry",
            "environments": ["test"],
            "projects": [{"name": "catalogue", "destinations": [{"namespace": "*"}]}],
            "children": [
                {"addon": name, "enabled": True, **({"crds": owner} if "crds" in entry.addon else {})}
                for name, entry in CATALOGUE.items()
            ],
        }
        (place / "platforms" / "catalogue").mkdir(parents=True, exist_ok=True)
        (place / "platforms" / "catalogue" / "platform.yaml").write_text(yaml.safe_dump(definition))
        return render("catalogue", "test", {"addons": addons}, place)

    return catalogue


@dataclass(frozen=True)
class Source:
    """Where an entry's objects come from, and what they are with its values or with others."""

    entry: Entry
    chart: Path | None
    values: dict[str, Any]
    built: list[Object]

    def objects(self, values: dict[str, Any] | None = None) -> list[Object]:
        if self.chart is None:
            return self.built
        given = self.values if values is None else values
        return helm_objects(self.entry.name, self.chart, self.entry.namespace, json.dumps(given, sort_keys=True))

    def effect(self, objects: list[Object]) -> dict[Key, Object]:
        """What the values make, but for what Argo CD is told to ignore."""
        made = copy.deepcopy(by_key(objects))
        for rule in self.entry.addon.get("ignoreDifferences", []):
            found = made.get((rule["kind"], rule["name"]), {})
            for pointer in rule.get("jsonPointers", []):
                *path, last = pointer.strip("/").split("/")
                at(found, ".".join(path)).pop(last, None) if path else found.pop(last, None)
            if rule.get("jqPathExpressions") == [".webhooks[].clientConfig.caBundle"]:
                for webhook in found.get("webhooks", []):
                    webhook["clientConfig"].pop("caBundle", None)
        return made


@pytest.fixture
def source(entry: Entry, catalogue: Callable[[str], Rendered]) -> Source:
    rendered = catalogue("chart")
    if missing := rendered.not_at_hand.get(entry.name):
        pytest.skip(f"{missing} is not at hand: make charts")
    helm = rendered.applications[entry.name]["spec"]["source"].get("helm", {})
    chart = chart_at_hand(entry.addon["chart"]["name"], entry.version) if "chart" in entry.addon else None
    return Source(entry, chart, helm.get("valuesObject", {}), rendered.children[entry.name])


@lru_cache(maxsize=1)
def helm_objects(release: str, chart: Path, namespace: str, values: str) -> list[Object]:
    """What Argo CD would apply, where there is a Prometheus operator; nobody changes it."""
    made = helm_template(release, chart, json.loads(values), "--include-crds", *MONITORS, namespace=namespace)
    flat = [item for found in made for item in (found["items"] if found["kind"] == "List" else [found])]
    return [found for found in flat if not is_test(found)]


def by_key(objects: list[Object]) -> dict[Key, Object]:
    return {(found["kind"], found["metadata"]["name"]): found for found in objects}


def is_test(resource: Object) -> bool:
    """Helm's tests: Argo CD never applies them."""
    return str((resource["metadata"].get("annotations") or {}).get("helm.sh/hook", "")).startswith("test")


def crds(objects: list[Object]) -> list[Object]:
    return [found for found in objects if found["kind"] == "CustomResourceDefinition"]


def pod_specs(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    for found in objects:
        name, spec = f"{found['kind']} {found['metadata']['name']}", found.get("spec", {})
        if found["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if found["kind"] in (*WORKLOADS, "Job", "CronJob"):
            pod = spec["template"]["spec"]
            claims = [
                {"name": claim["metadata"]["name"], "emptyDir": {}} for claim in spec.get("volumeClaimTemplates", [])
            ]
            yield name, {**pod, "volumes": [*pod.get("volumes", []), *claims]}


@each
def test_what_must_be_healthy_is_made(entry: Entry, source: Source) -> None:
    objects = source.objects()
    served = {found["spec"]["names"]["kind"] for found in crds(objects)}
    wanted = {(item["kind"], item["name"]) for item in entry.addon["healthy"] if "name" in item}
    assert wanted <= by_key(objects).keys()
    if "crds" in entry.addon:
        assert {item["kind"] for item in entry.addon["healthy"] if "name" not in item} <= served
    # An exporter is there only where there is a Prometheus.
    unnamed = {key for key in by_key(objects).keys() - wanted if key[0] in WORKLOADS and "exporter" not in key[1]}
    assert unnamed == set()


@each
def test_every_pod_tolerates_the_platforms_taint_and_stays_on_its_nodes(entry: Entry, source: Source) -> None:
    home = site("catalogue")["placement"]["platform"]
    for name, spec in pod_specs(source.objects()):
        if EVERY_TAINT[0] not in spec.get("tolerations", []):
            assert all(item in spec.get("tolerations", []) for item in home["tolerations"]), f"{name} is kept away"
            assert home["nodeSelector"].items() <= spec.get("nodeSelector", {}).items(), f"{name} may run anywhere"


@each
def test_every_image_is_pinned(entry: Entry, source: Source) -> None:
    for name, spec in pod_specs(source.objects()):
        for container in (*spec.get("initContainers", []), *spec["containers"]):
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            assert tag, f"{name}: {container['image']}"
            assert not MOVING.search(tag), f"{name}: {container['image']}"


@each
def test_no_known_password_is_rendered(entry: Entry, source: Source) -> None:
    text = json.dumps([found for found in source.objects() if found["kind"] != "CustomResourceDefinition"])
    encoded = [base64.b64encode(secret.encode()).decode() for secret in KNOWN_SECRETS]
    assert [secret for secret in (*KNOWN_SECRETS, *encoded) if secret in text] == []


@each
def test_what_is_new_at_each_rendering_is_ignored(entry: Entry, source: Source) -> None:
    first = source.objects()
    helm_objects.cache_clear()
    assert source.effect(first) == source.effect(source.objects())
    for rule in entry.addon.get("ignoreDifferences", []):
        assert (rule["kind"], rule["name"]) in by_key(source.objects()), "a rule for what the chart does not make"


@each
def test_the_crds_are_where_their_owner_is(entry: Entry, source: Source, catalogue: Callable[[str], Rendered]) -> None:
    assert bool(crds(source.objects())) == ("crds" in entry.addon)
    if "chart" in entry.addon:
        assert crds(catalogue("wave00").children[entry.name]) == []


@each_chart
def test_every_value_has_an_effect_or_states_the_default(entry: Entry, source: Source) -> None:
    """A key that the chart does not know does nothing, and nobody would be told."""
    expected = source.effect(source.objects())
    defaults = helm_values(source)
    for path, value in leaves(source.values):
        stated = reduce(lambda found, key: found.get(key) if isinstance(found, dict) else None, path, defaults)
        without = copy.deepcopy(source.values)
        reduce(dict.__getitem__, path[:-1], without).pop(path[-1])
        # A chart may refuse to go without.
        with suppress(RenderError):
            if str(value).lower() != str(stated).lower():
                assert source.effect(source.objects(without)) != expected, f"{'.'.join(path)} does nothing"


def helm_values(source: Source) -> Any:
    """The chart's own values."""
    command = [tool("helm"), "show", "values", str(source.chart)]
    return yaml.safe_load(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@each
def test_a_real_api_server_takes_every_object(entry: Entry, source: Source, judge: Judge) -> None:
    objects = source.objects()
    judge.serve(crds(objects))
    judge.admit([entry.namespace, "kube-system"])
    refused = {}
    for key, found in by_key(objects).items():
        # Their kinds come with other entries, whose charts may not be at hand.
        with suppress(Unknown) if found["apiVersion"].startswith(OTHERS_KINDS) else nullcontext():
            refused[key] = judge.refusal(found, entry.namespace)
    assert {key: reason for key, reason in refused.items() if reason} == {}


@each
def test_a_real_api_server_admits_its_pods_at_their_level(entry: Entry, source: Source, judge: Judge) -> None:
    if "podSecurity" in entry.addon:
        level = entry.addon["podSecurity"]
        pods = {name: judge.pod_refusal(spec, level) for name, spec in pod_specs(source.objects())}
        assert {name: reason for name, reason in pods.items() if reason} == {}
