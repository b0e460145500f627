"""What machines of one's own lack: addresses, certificates and volumes, all of it from the inventory."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.gitops.rendering import Object, Rendered, RenderError, render, site

ISSUERS = ("Issuer", "ClusterIssuer")
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


@cache
def rendered() -> Rendered:
    return render("onprem", "site")


def issuers(result: Rendered) -> dict[str, Object]:
    return {found["metadata"]["name"]: found for found in result.children["issuers"] if found["kind"] in ISSUERS}


def solver(name: str) -> Any:
    (only,) = issuers(rendered())[name]["spec"]["acme"]["solvers"]
    return only


def test_every_pool_is_announced_where_the_inventory_says() -> None:
    found = {(each["kind"], each["metadata"]["name"]): each["spec"] for each in rendered().children["addresses"]}
    assert found["IPAddressPool", "default"] == {"addresses": ["192.0.2.200-192.0.2.219"]}
    assert found["L2Advertisement", "default"] == {"ipAddressPools": ["default"]}
    assert found["IPAddressPool", "edge"]["autoAssign"] is False
    assert found["L2Advertisement", "edge"] == {
        "ipAddressPools": ["edge"],
        "interfaces": ["eth1"],
        "nodeSelectors": [{"matchLabels": {"edge": "true"}}],
    }


def test_an_authority_of_the_clusters_own_is_made_or_named() -> None:
    made = {each["metadata"]["name"]: each for each in rendered().children["issuers"] if each["kind"] == "Certificate"}
    assert set(made) == {"internal-authority"}
    assert made["internal-authority"]["spec"]["isCA"] is True
    assert (
        issuers(rendered())["internal"]["spec"]["ca"]["secretName"] == made["internal-authority"]["spec"]["secretName"]
    )
    assert issuers(rendered())["rack"]["spec"] == {"ca": {"secretName": "rack-ca"}}
    assert issuers(rendered())["rack"]["metadata"]["namespace"] == "web"


def test_lets_encrypt_has_a_name_and_another_server_its_url() -> None:
    servers = {name: issuer["spec"].get("acme", {}).get("server") for name, issuer in issuers(rendered()).items()}
    assert servers["public"] == "https://acme-v02.api.letsencrypt.org/directory"
    assert servers["edge"] == "https://acme-staging-v02.api.letsencrypt.org/directory"
    assert servers["wildcard"] == "https://acme.example.org/directory"


def test_a_name_is_proved_by_http_or_by_dns() -> None:
    assert solver("edge")["http01"]["gatewayHTTPRoute"]["parentRefs"] == [
        {"kind": "Gateway", "name": "edge", "namespace": "edge"}
    ]
    assert solver("nginx") == {"http01": {"ingress": {"ingressClassName": "nginx"}}}
    assert solver("wildcard")["dns01"]["rfc2136"]["nameserver"] == "192.0.2.53:53"


def test_without_a_gateway_an_address_leads_to_what_answers_and_can_have_other_ports() -> None:
    (service,) = (each for each in rendered().children["issuers"] if each["kind"] == "Service")
    assert service["metadata"]["namespace"] == "web"
    assert set(service["metadata"]["annotations"].values()) == {"192.0.2.200"}
    assert service["spec"]["selector"] == {"acme.cert-manager.io/http01-solver": "true"}
    assert service["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": 8089}]


@pytest.mark.parametrize(
    ("issuer", "says"),
    [
        ({"name": "nobody"}, "issuer nobody: it has neither ca nor acme"),
        ({"name": "mute", "acme": {"server": "letsencrypt", "http01": {}}}, "issuer mute: http01 wants a gateway"),
        (
            {"name": "astray", "acme": {"server": "letsencrypt", "http01": {"address": "192.0.2.200"}}},
            "an address and the issuer's namespace",
        ),
    ],
)
def test_an_issuer_that_could_not_work_is_refused(issuer: dict[str, Any], says: str) -> None:
    with pytest.raises(RenderError, match=says):
        render("onprem", "site", {"issuers": [issuer]})


def test_volumes_are_on_the_nodes_own_disks_unless_there_is_an_nfs_server() -> None:
    with_server = rendered().applications
    (classes,) = with_server["csi-driver-nfs"]["spec"]["source"]["helm"]["valuesObject"]["storageClasses"]
    assert classes["parameters"] == site("onprem")["nfs"]
    assert classes["annotations"] == {DEFAULT_CLASS: "true"}
    assert not local(with_server)["defaultClass"]
    without = render("onprem", "site", {"nfs": {}}).applications
    assert "csi-driver-nfs" not in without
    assert local(without)["defaultClass"]


def local(applications: dict[str, Object]) -> Any:
    return applications["local-path-provisioner"]["spec"]["source"]["helm"]["valuesObject"]["storageClass"]


def test_the_older_provisioner_has_the_same_server_where_it_is_asked_for() -> None:
    older = "nfs-subdir-external-provisioner"
    assert older not in rendered().applications
    asked = render("onprem", "site", {"addons": {older: {"enabled": True}}}).applications[older]
    values = asked["spec"]["source"]["helm"]["valuesObject"]
    assert values["nfs"] == {"server": "nfs.example.org", "path": "/export"}
    assert values["storageClass"] == {"onDelete": "retain"}


def test_a_chart_of_a_git_repository_comes_from_its_tag_or_from_the_sites_own_repository() -> None:
    upstream = source(rendered())
    assert (upstream["path"], upstream["targetRevision"]) == ("deploy/chart/local-path-provisioner", "v0.0.30")
    own = source(render("onprem", "site", {"chartRepository": "https://charts.example.org"}))
    assert own["repoURL"] == "https://charts.example.org"
    assert (own["chart"], own["targetRevision"]) == ("local-path-provisioner", "0.0.30")


def source(result: Rendered) -> Any:
    return result.applications["local-path-provisioner"]["spec"]["source"]
