"""What an AppProject permits, by the rules of Argo CD's own AppProject: source, destination, kind and name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from tests.gitops.rendering import Object, Rendered

# The kinds outside of any namespace among those that the platforms bring.
CLUSTER_KINDS = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "PriorityClass",
    "StorageClass",
    "CSIDriver",
    "APIService",
    "ClusterIssuer",
    "GatewayClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
}


def projects(rendered: Rendered) -> dict[str, Object]:
    return {item["metadata"]["name"]: item for item in rendered.root if item["kind"] == "AppProject"}


def refusals(project: Object, application: Object, resources: list[Object]) -> Iterator[str]:
    """Why the project would not have this application, or not these objects of it."""
    spec = project["spec"]
    source, destination = application["spec"]["source"], application["spec"]["destination"]
    if source["repoURL"] not in spec["sourceRepos"]:
        yield f"source {source['repoURL']}"
    if not _destined(spec, destination["server"], destination.get("namespace", "")):
        yield f"destination {destination}"
    for resource in resources:
        group = resource["apiVersion"].rpartition("/")[0]
        kind, metadata = resource["kind"], resource["metadata"]
        if kind in CLUSTER_KINDS:
            permitted = _listed(spec.get("clusterResourceWhitelist", []), group, kind, metadata["name"])
        else:
            namespace = metadata.get("namespace") or destination.get("namespace", "")
            whitelist = spec.get("namespaceResourceWhitelist")
            permitted = whitelist is None or _listed(whitelist, group, kind, metadata["name"])
            if not _destined(spec, destination["server"], namespace):
                yield f"{kind} {metadata['name']} in {namespace}"
        if not permitted:
            yield f"{kind} {metadata['name']}"


def _destined(spec: Mapping[str, Any], server: str, namespace: str) -> bool:
    return any(
        fnmatchcase(server, item["server"]) and fnmatchcase(namespace, item["namespace"])
        for item in spec["destinations"]
    )


def _listed(items: list[dict[str, str]], group: str, kind: str, name: str) -> bool:
    return any(
        fnmatchcase(group, item["group"])
        and fnmatchcase(kind, item["kind"])
        and fnmatchcase(name, item.get("name") or "*")
        for item in items
    )
