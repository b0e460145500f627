"""The root chart: what it makes of a platform, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.gitops.rendering import GITOPS, Rendered, RenderError, helm_template, wave

SITE = {
    "repository": "https://git.example.org/platform.git",
    "revision": "main",
    "prefix": "gitops",
    "environment": "prod",
}
ADDON = {
    "name": "cert-manager",
    "chart": {"repository": "oci://quay.io/jetstack/charts", "name": "cert-manager", "version": "v1.2.3"},
    "namespace": "cert-manager",
    "podSecurity": "baseline",
    "wave": 12,
    "crds": {"owner": "chart", "off": {"crds": {"enabled": False}}, "skipCrds": True},
    "ignoreDifferences": [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}],
}
VALUES = {
    "crds": {"enabled": True},
    "replicas": 1,
    "tolerations": "{{ .Values.placement.platform.tolerations | toJson }}",
    "nodeSelector": "{{ .Values.placement.platform.nodeSelector | toJson }}",
}

PROJECT = {"name": "demo", "destinations": [{"namespace": "demo"}]}

Root = Callable[..., Rendered]


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """Render the root of a platform with these children and root values."""

    def root(
        *children: dict[str, Any],
        own: dict[str, Any] | None = None,
        projects: Sequence[dict[str, Any]] = (PROJECT,),
        **values: Any,
    ) -> Rendered:
        for file in (GITOPS / "root").rglob("*"):
            if file.is_file():
                place = tmp_path / file.relative_to(GITOPS / "root")
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(file.read_bytes())
        addon = tmp_path / "addons" / "cert-manager"
        addon.mkdir(parents=True, exist_ok=True)
        (addon / "addon.yaml").write_text(yaml.safe_dump(ADDON))
        (addon / "values.yaml").write_text(yaml.safe_dump(VALUES))
        platform = {
            "name": "demo",
            "summary": "A platform for tests",
            "environments": ["staging", "prod"],
            "values": own or {},
            "projects": list(projects),
            "children": list(children),
        }
        (tmp_path / "platform.yaml").write_text(yaml.safe_dump(platform))
        return Rendered(helm_template("root", tmp_path, {**SITE, **values}, namespace="argocd"))

    return root


def source(rendered: Rendered, name: str) -> dict[str, Any]:
    found: dict[str, Any] = rendered.applications[name]["spec"]["source"]
    return found


def test_a_tree_is_followed_in_the_overlay_of_the_environment(root: Root) -> None:
    rendered = root({"name": "crds", "wave": 0, "path": "crds"})
    assert source(rendered, "crds") == {
        "repoURL": SITE["repository"],
        "targetRevision": "main",
        "path": "gitops/demo/crds/overlays/prod",
    }


@pytest.mark.parametrize(
    ("child", "path"),
    [
        ({"name": "crds", "path": "crds", "overlays": False}, "gitops/demo/crds"),
        ({"name": "crds", "path": "crds", "platform": "eco2"}, "gitops/eco2/crds/overlays/prod"),
        ({"name": "web", "chart": "charts/web", "namespace": "web"}, "gitops/demo/charts/web"),
    ],
)
def test_where_a_tree_is_said_to_be(root: Root, child: dict[str, Any], path: str) -> None:
    assert source(root({"wave": 0, **child}), child["name"])["path"] == path


def test_an_application_set_makes_one_application_an_element(root: Root) -> None:
    rendered = root({"name": "apis", "wave": 60, "path": "domains", "elements": ["auth", "chat"]})
    assert {name: app["spec"]["source"]["path"] for name, app in rendered.applications.items()} == {
        "apis-auth": "gitops/demo/domains/auth/overlays/prod",
        "apis-chat": "gitops/demo/domains/chat/overlays/prod",
    }


def test_every_child_prunes_heals_and_is_applied_and_compared_by_the_server(root: Root) -> None:
    apis = {"name": "apis", "wave": 60, "path": "domains", "elements": ["auth"]}
    rendered = root({"name": "crds", "wave": 0, "path": "crds"}, {"addon": "cert-manager"}, apis)
    for application in rendered.applications.values():
        policy = application["spec"]["syncPolicy"]
        assert policy["automated"] == {"prune": True, "selfHeal": True}
        assert "ServerSideApply=true" in policy["syncOptions"]
        assert application["metadata"]["annotations"]["argocd.argoproj.io/compare-options"] == "ServerSideDiff=true"
        assert application["metadata"]["finalizers"] == ["resources-finalizer.argocd.argoproj.io"]


def test_a_child_holds_its_wave_and_the_project_is_there_before_all(root: Root) -> None:
    rendered = root(
        {"name": "crds", "wave": 0, "path": "crds"},
        {"addon": "cert-manager"},
        {"name": "late", "wave": 70, "path": "late"},
    )
    assert [(resource["metadata"]["name"], wave(resource)) for resource in sorted(rendered.root, key=wave)] == [
        ("demo", -10),
        ("crds", 0),
        ("cert-manager", 12),
        ("late", 70),
    ]


def test_an_addons_values_are_the_catalogues_the_platforms_and_the_sites_in_this_order(root: Root) -> None:
    rendered = root(
        {"addon": "cert-manager", "values": {"replicas": 2, "from": "platform"}},
        placement={"platform": {"tolerations": [{"operator": "Exists"}]}},
        addons={"cert-manager": {"values": {"replicas": 3}}},
    )
    assert source(rendered, "cert-manager") == {
        "repoURL": "quay.io/jetstack/charts",
        "chart": "cert-manager",
        "targetRevision": "v1.2.3",
        "helm": {
            "releaseName": "cert-manager",
            "valuesObject": {
                "crds": {"enabled": True},
                "replicas": 3,
                "from": "platform",
                "tolerations": [{"operator": "Exists"}],
                "nodeSelector": {},
            },
        },
    }


def test_where_a_pod_runs_is_one_choice(root: Root) -> None:
    """At home with the platform's pods, or elsewhere: two selectors together would fit no node."""
    home = {"tier": "control-plane"}
    own = {"placement": {"platform": {"nodeSelector": home, "tolerations": [{"operator": "Exists"}]}}}
    elsewhere = {"addon": "cert-manager", "values": {"nodeSelector": {"domain": "tools"}}}
    for children, selector in (([{"addon": "cert-manager"}], home), ([elsewhere], {"domain": "tools"})):
        values = source(root(*children, own=own), "cert-manager")["helm"]["valuesObject"]
        assert values["nodeSelector"] == selector
        assert values["tolerations"] == [{"operator": "Exists"}]


def test_crds_have_one_owner(root: Root) -> None:
    helm = source(root({"addon": "cert-manager", "crds": "wave00"}), "cert-manager")["helm"]
    assert helm["valuesObject"]["crds"] == {"enabled": False}
    assert helm["skipCrds"] is True


def test_charts_come_from_a_sites_own_repository_in_its_version(root: Root) -> None:
    rendered = root(
        {"addon": "cert-manager"},
        chartRepository="http://mirror.example.org/charts",
        addons={"cert-manager": {"version": "v1.2.4"}},
    )
    found = source(rendered, "cert-manager")
    assert (found["repoURL"], found["targetRevision"]) == ("http://mirror.example.org/charts", "v1.2.4")


def test_what_a_chart_keeps_changing_is_ignored_when_it_is_applied_too(root: Root) -> None:
    spec = root({"addon": "cert-manager"}).applications["cert-manager"]["spec"]
    assert spec["ignoreDifferences"] == ADDON["ignoreDifferences"]
    assert "RespectIgnoreDifferences=true" in spec["syncPolicy"]["syncOptions"]


def test_a_namespace_is_made_and_labelled_unless_the_platform_has_a_tree_of_them(root: Root) -> None:
    policy = root({"addon": "cert-manager"}).applications["cert-manager"]["spec"]["syncPolicy"]
    assert "CreateNamespace=true" in policy["syncOptions"]
    assert policy["managedNamespaceMetadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "baseline"}

    own = root({"name": "namespaces", "wave": 2, "path": "namespaces"}, {"addon": "cert-manager"})
    policy = own.applications["cert-manager"]["spec"]["syncPolicy"]
    assert "CreateNamespace=true" not in policy["syncOptions"]
    assert "managedNamespaceMetadata" not in policy


def test_the_clusters_own_namespace_keeps_its_labels(root: Root) -> None:
    policy = root({"addon": "cert-manager", "namespace": "kube-system"}).applications["cert-manager"]["spec"][
        "syncPolicy"
    ]
    assert "CreateNamespace=true" not in policy["syncOptions"]
    assert "managedNamespaceMetadata" not in policy


@pytest.mark.parametrize(
    ("enabled", "site", "there"),
    [
        (None, None, True),
        (False, None, False),
        ("{{ eq .Values.environment `prod` }}", None, True),
        ("{{ eq .Values.environment `staging` }}", None, False),
        (False, True, True),
        (True, False, False),
    ],
)
def test_a_child_is_on_as_the_platform_says_until_the_site_says_otherwise(
    root: Root, enabled: bool | str | None, site: bool | None, there: bool
) -> None:
    switch = {} if enabled is None else {"enabled": enabled}
    says = {} if site is None else {"enabled": site}
    rendered = root(
        {"name": "ingress", "wave": 70, "path": "ingress", **switch},
        {"addon": "cert-manager", **switch},
        children={"ingress": says},
        addons={"cert-manager": says},
    )
    assert set(rendered.applications) == ({"ingress", "cert-manager"} if there else set())


def test_an_addon_that_wants_to_be_asked_for_is_off_until_somebody_asks(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ADDON, "optIn", True)
    assert not root({"addon": "cert-manager"}).applications
    assert root({"addon": "cert-manager", "enabled": True}).applications
    assert root({"addon": "cert-manager"}, addons={"cert-manager": {"enabled": True}}).applications


def test_a_project_can_belong_to_one_environment(root: Root) -> None:
    projects = [
        {**PROJECT, "name": name, "enabled": f"{{{{ eq .Values.environment `{name}` }}}}"}
        for name in ("staging", "prod")
    ]
    assert [resource["metadata"]["name"] for resource in root(projects=projects).root] == ["prod"]


def test_a_site_value_reaches_a_tree_as_text_and_never_as_structure(root: Root) -> None:
    patch = {
        "patches": [{"patch": "- {op: add, path: /metadata/annotations/host, value: {{ .Values.domain | toJson }}}"}]
    }
    rendered = root(
        {"name": "ingress", "wave": 70, "path": "ingress", "kustomize": patch}, domain='a.example.org", x: "y'
    )
    text = source(rendered, "ingress")["kustomize"]["patches"][0]["patch"]
    assert yaml.safe_load(text) == [
        {"op": "add", "path": "/metadata/annotations/host", "value": 'a.example.org", x: "y'}
    ]


def test_a_project_admits_the_repositories_of_its_children_and_no_others(root: Root) -> None:
    (project,) = [
        resource
        for resource in root({"name": "crds", "wave": 0, "path": "crds"}, {"addon": "cert-manager"}).root
        if resource["kind"] == "AppProject"
    ]
    assert project["spec"] == {
        "sourceRepos": [SITE["repository"], "quay.io/jetstack/charts"],
        "destinations": [{"namespace": "demo", "server": "https://kubernetes.default.svc"}],
    }


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"domian": "example.org"}, "domian: no root value of the platform demo; it has .*domain"),
        (
            {"addons": {"cert-manger": {"enabled": False}}},
            "addons.cert-manger: the platform demo has no such child; it has cert-manager",
        ),
        (
            {"children": {"ingres": {"enabled": False}}},
            "children.ingres: the platform demo has no such child; it has ingress",
        ),
        ({"environment": "production"}, "environment: the platform demo has staging, prod, not production"),
        ({"vpc": ""}, r"vpc: the platform demo needs it from the inventory \(argocd_root_values.vpc\)"),
        ({"repository": ""}, "repository"),
        ({"addons": {"cert-manager": {"enable": False}}}, "enable"),
        ({"prefix": "/gitops/"}, "prefix"),
    ],
)
def test_what_is_wrong_is_refused_by_name(root: Root, values: dict[str, Any], said: str) -> None:
    with pytest.raises(RenderError, match=said):
        root(
            {"name": "ingress", "wave": 70, "path": "ingress"},
            {"addon": "cert-manager"},
            **{"own": {"vpc": None}, "vpc": "vpc-1", **values},
        )


def test_a_missing_addon_says_who_writes_it(root: Root) -> None:
    with pytest.raises(
        RenderError, match=r"addons/harbor/addon.yaml is not in the root chart: new_platform.yml writes it"
    ):
        root({"addon": "harbor"})
