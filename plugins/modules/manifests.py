#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: manifests
short_description: Apply upstream manifests byte for byte, plus declared patches
version_added: 0.1.0
description:
  - Applies a file of Kubernetes manifests by server-side apply, exactly as its authors published it.
  - What a cluster needs differently is declared as Kustomize patches and images, so that the difference to upstream is
    readable and an upstream update stays a change of one address.
  - Runs where C(kubectl) and an admin kubeconfig are, by default on a control plane.
author: Groundwork founders (@groundwork)
options:
  source:
    description:
      - Where the manifests are, either an C(http://) or C(https://) address or the path of a file on the host the
        module runs on.
    type: str
  objects:
    description:
      - The manifests themselves, as a list of mappings, for the few objects that an upstream file leaves to its user.
    type: list
    elements: dict
  content:
    description:
      - >-
        The manifests themselves, as text, such as what P(groundwork.kube.helm_template#lookup) has rendered. As there
        may be Secrets among them, they are in no log.
    type: str
  checksum:
    description:
      - The SHA-256 that the file of O(source) must have, as C(sha256:<hex>). Anything else is refused before the
        cluster is asked.
    type: str
  proxy:
    description: The proxy to read O(source) through, which may hold a password. Empty reads it without.
    type: str
    default: ""
  no_proxy:
    description: Hosts and domains to read from without the proxy.
    type: list
    elements: str
    default: []
  patches:
    description:
      - Kustomize patches, in order.
    type: list
    elements: dict
    default: []
    suboptions:
      target:
        description:
          - Which objects are patched, by C(kind), C(name), C(namespace), C(group), C(version), C(labelSelector).
          - Without it the patch is a strategic merge patch that names its object itself, and a name that upstream no
            longer has is an error. Kustomize passes over a target that matches nothing.
        type: dict
      patch:
        description: The patch itself, a strategic merge patch (a mapping) or, with a target, a JSON patch (a list).
        type: raw
        required: true
  images:
    description:
      - Kustomize image replacements, mappings of C(name) to C(newName), C(newTag) or C(digest).
    type: list
    elements: dict
    default: []
  namespace:
    description:
      - The namespace of every namespaced object, for manifests that leave it to their user. It has to exist, except in
        check mode, where an earlier task would have made it.
    type: str
  state:
    description:
      - >-
        V(present) applies the objects, V(absent) deletes them and waits until they are gone. What shall stay is taken
        out by a patch that says C($patch: delete).
    type: str
    choices: [present, absent]
    default: present
  kubeconfig:
    description: The admin kubeconfig on the host the module runs on. E(K8S_AUTH_KUBECONFIG) is used if it is set.
    type: path
    default: /etc/kubernetes/admin.conf
  field_manager:
    description: The name under which the API server records these fields.
    type: str
    default: groundwork
  timeout:
    description: Seconds for the download and for each call of kubectl.
    type: int
    default: 120
  assume:
    description:
      - What earlier phases of a check mode run would have made. With V(api) in the list a cluster that does not answer
        is one that would have been made by then, and every object is reported as would be created.
    type: list
    elements: str
    choices: [packages, runtime, api]
    default: []
attributes:
  check_mode:
    support: full
    description: The API server is asked by a dry run.
  diff_mode:
    support: full
    description: Each object that changes is shown before and after, without status and server-kept fields.
    details: Of a Secret it shows which values change, but no value.
"""

EXAMPLES = r"""
- name: Calico, with the pod network of this cluster
  groundwork.kube.manifests:
    source: https://raw.githubusercontent.com/projectcalico/calico/v3.32.1/manifests/calico-vxlan.yaml
    patches:
      - patch:
          apiVersion: apps/v1
          kind: DaemonSet
          metadata: {name: calico-node, namespace: kube-system}
          spec:
            template:
              spec:
                containers:
                  - name: calico-node
                    env:
                      - {name: CALICO_IPV4POOL_CIDR, value: 192.168.0.0/16}
"""

RETURN = r"""
created:
  description: Objects that were not there before, as C(Kind namespace/name).
  returned: always
  type: list
  elements: str
updated:
  description: Objects that were changed, as C(Kind namespace/name).
  returned: always
  type: list
  elements: str
deleted:
  description: Objects that were deleted, as C(Kind namespace/name).
  returned: always
  type: list
  elements: str
unchanged:
  description: How many objects were already as declared.
  returned: always
  type: int
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ansible.module_utils.basic import AnsibleModule, env_fallback
from ansible.module_utils.urls import open_url

from ansible_collections.groundwork.kube.plugins.module_utils.api import ASSUME_ARGUMENT_SPEC
from ansible_collections.groundwork.kube.plugins.module_utils.program import run_program

Object = dict[str, Any]

# Fields that the server keeps by itself: a difference in them alone is no change of ours.
_SERVER_KEPT = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")

# Where a client-side apply keeps a copy of the whole object.
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class ManifestsError(Exception):
    """What went wrong and what to do, for the operator."""


def identity(item: Object) -> str:
    """``Kind namespace/name`` of an object, the words used in results and diffs."""
    metadata = item["metadata"]
    namespace = metadata.get("namespace")
    return f"{item['kind']} {namespace + '/' if namespace else ''}{metadata['name']}"


def declared_part(item: Object) -> Object:
    """The object without status and server-kept metadata, so that two readings can be compared."""
    kept = {key: value for key, value in item.items() if key != "status"}
    kept["metadata"] = {key: value for key, value in item["metadata"].items() if key not in _SERVER_KEPT}
    return kept


def compare(before: Sequence[Object], after: Sequence[Object]) -> list[tuple[str, Object, Object]]:
    """``(identity, before, after)`` for each object that differs; an absent object is ``{}``."""
    observed = {identity(item): declared_part(item) for item in before}
    changes = []
    for item in after:
        name, declared = identity(item), declared_part(item)
        old = observed.pop(name, {})
        if old != declared:
            changes.append((name, old, declared))
    return changes + [(name, old, {}) for name, old in observed.items()]


def shown(item: Object, former: Object) -> str:
    """The object as a diff shows it; of a Secret, which values are not those of ``former``, and none of them."""
    return json.dumps(_concealed(item, former), indent=2, sort_keys=True) + "\n" if item else ""


def _concealed(item: Object, former: Object) -> Object:
    if item["kind"] != "Secret":
        return item
    concealed = dict(item)
    for part in ("data", "stringData"):
        values, known = item.get(part) or {}, former.get(part) or {}
        if values:
            concealed[part] = {
                key: "(another value)" if known.get(key, value) != value else "(a value)"
                for key, value in values.items()
            }
    annotations = item["metadata"].get("annotations") or {}
    if _LAST_APPLIED in annotations:
        concealed["metadata"] = {**item["metadata"], "annotations": {**annotations, _LAST_APPLIED: "(a copy)"}}
    return concealed


def kustomization(patches: Sequence[Object], images: Sequence[Object], namespace: str | None = None) -> str:
    """A Kustomization over ``upstream.yaml``, written as JSON (which is YAML) so that a host needs no PyYAML."""
    return json.dumps(
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            **({"namespace": namespace} if namespace else {}),
            "resources": ["upstream.yaml"],
            "patches": [
                {**({"target": patch["target"]} if patch.get("target") else {}), "patch": json.dumps(patch["patch"])}
                for patch in patches
            ],
            "images": list(images),
        }
    )


def objects_of(output: str) -> list[Object]:
    """Objects in what ``kubectl -o json`` printed: a List, or one after the other, or nothing."""
    decoder, text = json.JSONDecoder(), output.lstrip()
    found: list[Object] = []
    while text:
        document, end = decoder.raw_decode(text)
        found += document["items"] if document.get("kind") == "List" else [document]
        text = text[end:].lstrip()
    return found


@contextmanager
def proxied(proxy: str, exceptions: Sequence[str]) -> Iterator[None]:
    """Downloads alone see the proxy: kubectl finds the API without."""
    before = dict(os.environ)
    if proxy:
        os.environ.update(http_proxy=proxy, https_proxy=proxy, no_proxy=",".join(exceptions))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Manifests:
    """One file of manifests on its way into the cluster."""

    def __init__(self, module: AnsibleModule, directory: str) -> None:
        self.module = module
        self.directory = directory
        self.rendered = os.path.join(directory, "rendered.yaml")

    def kubectl(self, *arguments: str) -> tuple[int, str, str]:
        command = ["kubectl", "--kubeconfig", self.module.params["kubeconfig"], *arguments]
        return run_program(self.module, command)

    @property
    def name(self) -> str:
        """What the manifests are called in messages."""
        return str(self.module.params["source"] or "the task's manifests")

    def fetch(self) -> bytes:
        if self.module.params["content"] is not None:
            return str(self.module.params["content"]).encode()
        if self.module.params["objects"] is not None:
            return json.dumps({"apiVersion": "v1", "kind": "List", "items": self.module.params["objects"]}).encode()
        source, checksum = self.module.params["source"], self.module.params["checksum"]
        try:
            if source.startswith(("http://", "https://")):
                with proxied(self.module.params["proxy"], self.module.params["no_proxy"]):
                    content: bytes = open_url(source, timeout=self.module.params["timeout"]).read()
            else:
                with open(source, "rb") as stream:
                    content = stream.read()
        except Exception as error:
            raise ManifestsError(
                f"cannot read the manifests at {source}: {error}. Give an address this host can reach, or a file on it."
            ) from error
        found = "sha256:" + hashlib.sha256(content).hexdigest()
        if checksum and checksum != found:
            raise ManifestsError(f"{source} has the checksum {found}, not {checksum}. Nothing was applied.")
        return content

    def render(self) -> None:
        content = self.fetch()
        if not content.strip():
            # Else a removal would find nothing to remove.
            raise ManifestsError(f"{self.name}: nothing is in it. See whether what should have written it has failed.")
        patches, images, namespace = (self.module.params[name] for name in ("patches", "images", "namespace"))
        if not patches and not images and not namespace:
            with open(self.rendered, "wb") as stream:
                stream.write(content)
            return
        with open(os.path.join(self.directory, "upstream.yaml"), "wb") as stream:
            stream.write(content)
        with open(os.path.join(self.directory, "kustomization.yaml"), "w", encoding="utf-8") as text:
            text.write(kustomization(patches, images, namespace))
        code, out, err = run_program(self.module, ["kubectl", "kustomize", self.directory])
        if code:
            raise ManifestsError(f"the patches do not fit {self.name}: {err.strip()}")
        with open(self.rendered, "w", encoding="utf-8") as text:
            text.write(out)

    def observed(self) -> list[Object]:
        code, out, err = self.kubectl("get", "--ignore-not-found", "-o", "json", "-f", self.rendered)
        if code and "no matches for kind" not in err:
            raise ManifestsError(f"the cluster could not be read: {err.strip()}")
        return objects_of(out)

    def apply(self, dry_run: bool) -> list[Object]:
        code, out, err = self.kubectl(
            "apply",
            "--server-side",
            # The server refuses fields that it does not know in any case. kubectl's own validation would ask every API,
            # also those that an extension of the server serves and that may be away.
            "--validate=false",
            "--force-conflicts",
            f"--field-manager={self.module.params['field_manager']}",
            f"--dry-run={'server' if dry_run else 'none'}",
            "-o",
            "json",
            "-f",
            self.rendered,
        )
        if code:
            raise ManifestsError(f"{self.name} was not applied: {err.strip()}")
        return objects_of(out)

    def apply_in_missing_namespace(self) -> list[Object]:
        """What an apply would make where the API server has no namespace yet to try it in."""
        code, out, err = self.kubectl(
            "create", "--dry-run=client", "--validate=false", "-o", "json", "-f", self.rendered
        )
        if code:
            raise ManifestsError(f"{self.name} could not be read: {err.strip()}")
        return objects_of(out)

    def delete(self, dry_run: bool) -> None:
        code, _out, err = self.kubectl(
            "delete",
            "--ignore-not-found",
            f"--dry-run={'server' if dry_run else 'none'}",
            f"--timeout={self.module.params['timeout']}s",
            "-f",
            self.rendered,
        )
        if code:
            raise ManifestsError(f"{self.name} was not deleted: {err.strip()}")

    def namespace_is_missing(self) -> bool:
        name = self.module.params["namespace"]
        return bool(name) and not self.kubectl("get", "namespace", name, "--ignore-not-found", "-o", "name")[1]

    def reachable(self) -> bool:
        if not os.path.exists(self.module.params["kubeconfig"]):
            return False
        return bool(self.kubectl("get", "--raw", "/livez", "--request-timeout=5s")[0] == 0)


def carry_out(manifests: Manifests, check: bool) -> tuple[list[Object], list[Object]]:
    """Apply or delete, in check mode only as a dry run; return the objects before and after."""
    before = manifests.observed()
    if manifests.module.params["state"] == "absent":
        if before:
            manifests.delete(dry_run=check)
        return before, []
    if check and manifests.namespace_is_missing():
        return before, manifests.apply_in_missing_namespace()
    return before, manifests.apply(dry_run=check)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Plan and, outside check mode, act; returns the module's result."""
    with tempfile.TemporaryDirectory() as directory:
        manifests = Manifests(module, directory)
        if "api" in module.params["assume"] and not manifests.reachable():
            if module.params["state"] == "absent":
                return {"changed": False, "created": [], "updated": [], "deleted": [], "unchanged": 0, "diff": []}
            return {
                "changed": True,
                "created": [],
                "updated": [],
                "deleted": [],
                "unchanged": 0,
                "diff": [{"before": "", "after": f"# every object of {manifests.name}\n"}],
                "msg": f"would apply every object of {manifests.name}",
            }
        manifests.render()
        before, after = carry_out(manifests, module.check_mode)
        changes = compare(before, after)
    return {
        "changed": bool(changes),
        "created": [name for name, old, new in changes if not old],
        "updated": [name for name, old, new in changes if old and new],
        "deleted": [name for name, old, new in changes if not new],
        "unchanged": len(after) - sum(bool(new) for _name, _old, new in changes),
        "diff": [
            {
                "before_header": name,
                "after_header": name,
                "before": shown(old, {}),
                "after": shown(new, old),
            }
            for name, old, new in changes
        ],
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "str"},
            "objects": {"type": "list", "elements": "dict"},
            # Long, and maybe with Secrets in it: neither is for the node's journal or for what a result repeats.
            "content": {"type": "str", "no_log": True},
            "checksum": {"type": "str"},
            # A secret must not be in the node's journal, which only this keeps it out of.
            "proxy": {"type": "str", "default": "", "no_log": True},
            "no_proxy": {"type": "list", "elements": "str", "default": []},
            "patches": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "target": {"type": "dict"},
                    "patch": {"type": "raw", "required": True},
                },
            },
            "images": {"type": "list", "elements": "dict", "default": []},
            "namespace": {"type": "str"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "kubeconfig": {
                "type": "path",
                "default": "/etc/kubernetes/admin.conf",
                "fallback": (env_fallback, ["K8S_AUTH_KUBECONFIG"]),
            },
            "field_manager": {"type": "str", "default": "groundwork"},
            "timeout": {"type": "int", "default": 120},
            **ASSUME_ARGUMENT_SPEC,
        },
        mutually_exclusive=[("source", "objects", "content")],
        required_one_of=[("source", "objects", "content")],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except ManifestsError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
