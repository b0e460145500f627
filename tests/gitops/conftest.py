"""What judges a rendered platform: the schemas of a real API server and of every CRD at hand."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiClient, ApiError
from lab.api import ApiServer
from tests.api.conftest import argocd_crds
from tests.gitops.rendering import Object, crds_at_hand

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
APPLY_PATCH = "application/apply-patch+yaml"


class Unknown(Exception):
    """The server knows no such kind: its CRD is not at hand."""


def _base(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


class Judge:
    """The API server, asked what it would say to an object. Only CRDs and namespaces are made for real."""

    def __init__(self, server: ApiServer) -> None:
        self.client = ApiClient.from_options({"kubeconfig": str(server.kubeconfig)})
        self._kinds: dict[str, dict[str, Object]] = {}

    def serve(self, crds: Iterable[Object]) -> None:
        """Make these kinds known, where they are not."""
        made = []
        for crd in crds:
            name = crd["metadata"]["name"]
            if not self.client.get(f"{CRDS}/{name}"):
                # Conversion is by a webhook that does not run here.
                spec = {key: value for key, value in crd["spec"].items() if key != "conversion"}
                self.client.create(CRDS, {**crd, "spec": spec})
                made.append(name)
        deadline = time.monotonic() + 60
        for name in made:
            while not self._established(name):
                assert time.monotonic() < deadline, f"{name} is not served"
                time.sleep(0.1)
        self._kinds.clear()

    def admit(self, namespaces: Iterable[str]) -> None:
        for name in set(namespaces):
            if not self.client.get(f"/api/v1/namespaces/{name}"):
                self.client.create("/api/v1/namespaces", {"metadata": {"name": name}})

    def refusal(self, resource: Object, namespace: str) -> str:
        """What the server says against the object, applied in strict validation; nothing if it would take it."""
        try:
            self.client.patch(
                self._path(resource, namespace),
                resource,
                {"dryRun": "All", "fieldValidation": "Strict", "force": "true"},
                APPLY_PATCH,
            )
        except ApiError as error:
            return error.message
        return ""

    def pod_refusal(self, spec: Object, level: str) -> str:
        """What pod security at this level says against a pod as its controller would make it.

        It is judged without its priority class, which need not be there.
        """
        namespace = f"pods-{level}"
        if not self.client.get(f"/api/v1/namespaces/{namespace}"):
            labels = {"pod-security.kubernetes.io/enforce": level}
            self.client.create("/api/v1/namespaces", {"metadata": {"name": namespace, "labels": labels}})
        spec = {key: value for key, value in spec.items() if key != "priorityClassName"}
        return self.refusal({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": spec}, namespace)

    def knows(self, kind: str) -> bool:
        """Of a kind with its version before it."""
        version, _, name = kind.rpartition(" ")
        return name in self._served(version)

    def _path(self, resource: Object, namespace: str) -> str:
        version, kind, metadata = resource["apiVersion"], resource["kind"], resource["metadata"]
        found = self._served(version).get(kind)
        if found is None:
            raise Unknown(f"{version} {kind}")
        place = f"/namespaces/{metadata.get('namespace') or namespace}" if found["namespaced"] else ""
        return f"{_base(version)}{place}/{found['name']}/{metadata['name']}"

    def _served(self, version: str) -> dict[str, Object]:
        if version not in self._kinds:
            served = self.client.get(_base(version)) or {"resources": []}
            self._kinds[version] = {found["kind"]: found for found in served["resources"] if "/" not in found["name"]}
        return self._kinds[version]

    def _established(self, name: str) -> bool:
        crd = self.client.get(f"{CRDS}/{name}") or {}
        conditions = crd.get("status", {}).get("conditions") or []
        if not any(item["type"] == "Established" and item["status"] == "True" for item in conditions):
            return False
        return self.client.get(f"/apis/{crd['spec']['group']}/{crd['spec']['versions'][0]['name']}") is not None


@pytest.fixture(scope="session")
def judge(api_server: ApiServer) -> Iterator[Judge]:
    judge = Judge(api_server)
    judge.serve([*argocd_crds(), *crds_at_hand()])
    yield judge
    judge.client.close()
