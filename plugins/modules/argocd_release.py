#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_release
short_description: Move a root application from one revision of Git to another
version_added: 0.1.0
description:
  - Sets the revision of an application, and the C(revision) among its chart's values, by which the applications that it
    grows follow it. Syncs of the revision before that are still under way are ended, so that going back never waits for
    what does not come up.
  - Shows before what would change in the cluster, as Argo CD itself renders it, for the application and each one it has
    grown. What a new application brings is not among it, only that there is one.
  - Lists what no revision of Git can put back, so that it can be backed up.
  - It does not wait; M(groundwork.kube.argocd_health) does.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
  - groundwork.kube.argocd
options:
  name:
    description: Name of the application.
    type: str
    required: true
  revision:
    description: Branch, tag or commit. A commit is the only one of them that stays what it is.
    type: str
    required: true
  render:
    description:
      - Whether to have Argo CD render what would change. This takes C(kubectl) on the host the module runs on, and some
        seconds for each application.
    type: bool
    default: true
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
    details: Secrets are left out.
seealso:
  - module: groundwork.kube.argocd_application
  - module: groundwork.kube.argocd_health
"""

EXAMPLES = r"""
- name: See what a release would change
  groundwork.kube.argocd_release:
    name: eco2
    revision: 4f1c2d9
  check_mode: true
  diff: true
"""

RETURN = r"""
before:
  description: The revision before.
  returned: success
  type: str
commit:
  description: The commit that the revision before stands for, as Argo CD last saw it.
  returned: success
  type: str
rendered:
  description: What changes in the cluster, application by application.
  returned: success
  type: dict
  sample: {web: "--- web"}
images:
  description: The images that the revision brings, so that they can be judged before.
  returned: success
  type: list
  elements: str
  sample: ["registry.example.org/shop/web:3f1c2ab@sha256:9f86…"]
irreplaceable:
  description: What no revision of Git can put back, of the namespaces that the applications are about.
  returned: success
  type: dict
  contains:
    claims: {description: Claims of volumes., type: list, elements: str, sample: [shop/data]}
    secrets: {description: Secrets that did not come from Git., type: list, elements: str, sample: [shop/session-key]}
applications:
  description: The specifications of the application and of those it has grown, as they were.
  returned: success
  type: dict
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import (
    ADMIN_KUBECONFIG,
    ApiError,
    ApiModule,
)
from ansible_collections.groundwork.kube.plugins.module_utils.argocd import APPLICATION, ENDED, REFRESH, Argo
from ansible_collections.groundwork.kube.plugins.module_utils.program import run_program

Object = dict[str, Any]

CONTROLLER = "statefulset/argocd-application-controller"
TRACKING = "argocd.argoproj.io/tracking-id"
# Secrets that a controller makes again by itself.
_MADE_AGAIN = ("kubernetes.io/service-account-token", "helm.sh/release.v1", "bootstrap.kubernetes.io/token")

_NEW_IMAGE = re.compile(r"""^\+ *(?:- )?image: +["']?([^\s"']+)""", re.MULTILINE)

_SEPARATOR = "# groundwork: "
# Argo CD's program takes a kubeconfig only, also where it runs in a pod. A slim image has a shell, cat and rm.
_RENDER = f"""
KUBECONFIG="$HOME/.groundwork-$$"
trap 'rm -f "$KUBECONFIG"' EXIT
export ARGOCD_NAMESPACE="$1" KUBECONFIG
cat > "$KUBECONFIG"
before="$2" after="$3"
shift 3
for application; do
  for revision in "$before" "$after"; do
    echo "{_SEPARATOR}$application"
    argocd app manifests "$application" --core --revision "$revision" || exit
  done
done
"""
_POD = "/var/run/secrets/kubernetes.io/serviceaccount"
_CLUSTER = {"server": "https://kubernetes.default.svc", "certificate-authority": f"{_POD}/ca.crt"}


class ReleaseError(Exception):
    """Why nothing was released, and what to do."""


@dataclass(frozen=True)
class Family:
    """An application and those it has grown."""

    root: Object
    children: tuple[Object, ...]

    @property
    def members(self) -> tuple[Object, ...]:
        return (self.root, *self.children)

    @property
    def source(self) -> Object:
        source: Object = self.root["spec"].get("source") or {}
        return source

    @property
    def revision(self) -> str:
        return str(self.source.get("targetRevision", ""))

    @property
    def commit(self) -> str:
        return str(((self.root.get("status") or {}).get("sync") or {}).get("revision") or "")

    def followers(self) -> list[Object]:
        """The applications that are of the same revision of the same repository."""
        return [member for member in self.members if self._follows(member["spec"].get("source") or {})]

    def namespaces(self) -> set[str]:
        found = {member["spec"]["destination"].get("namespace") for member in self.children}
        for member in self.children:
            found.update(item.get("namespace") for item in (member.get("status") or {}).get("resources") or [])
        return {namespace for namespace in found if namespace}

    def _follows(self, source: Mapping[str, Any]) -> bool:
        return all(source.get(key) == self.source.get(key) for key in ("repoURL", "targetRevision"))


def family(name: str, applications: Mapping[str, Object]) -> Family:
    root = applications.get(name)
    if root is None:
        raise ReleaseError(f"there is no application {name}; run site.yml, which plants it")
    if not root["spec"].get("source"):
        raise ReleaseError(f"the application {name} has several sources, and a release sets the revision of one")
    grown = [
        item["name"] for item in (root.get("status") or {}).get("resources") or [] if item["kind"] == APPLICATION.name
    ]
    return Family(root, tuple(applications[each] for each in grown if each in applications))


def is_syncing(application: Mapping[str, Any]) -> bool:
    operation = (application.get("status") or {}).get("operationState") or {}
    return bool(operation.get("phase") == "Running")


def ending(application: Mapping[str, Any]) -> Object | None:
    """What ends a sync, if one is under way: written on one that has ended, it would never end again."""
    return dict(ENDED) if is_syncing(application) else None


def moving(root: Mapping[str, Any], revision: str) -> Object:
    source: Object = {"targetRevision": revision}
    if "revision" in ((root["spec"]["source"].get("helm") or {}).get("valuesObject") or {}):
        source["helm"] = {"valuesObject": {"revision": revision}}
    return {
        "metadata": {"annotations": {REFRESH: "normal"}},
        "spec": {"source": source},
        **(ending(root) or {}),
    }


def move(argo: Argo, found: Family, revision: str) -> None:
    """The root comes last: its followers' syncs are of the revision before."""
    for member in found.followers():
        if member is not found.root:
            argo.amend(APPLICATION, member, ending)
    argo.amend(APPLICATION, found.root, lambda root: moving(root, revision))


def irreplaceable(found: Family, claims: Iterable[Object], secrets: Iterable[Object]) -> dict[str, list[str]]:
    namespaces = found.namespaces()

    def named(items: Iterable[Object]) -> list[str]:
        places = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items]
        return sorted(f"{namespace}/{name}" for namespace, name in places if namespace in namespaces)

    foreign = [
        item
        for item in secrets
        if item.get("type") not in _MADE_AGAIN and TRACKING not in (item["metadata"].get("annotations") or {})
    ]
    return {"claims": named(claims), "secrets": named(foreign)}


def pod_kubeconfig(namespace: str) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "own", "cluster": _CLUSTER}],
            "users": [{"name": "own", "user": {"tokenFile": f"{_POD}/token"}}],
            "contexts": [{"name": "own", "context": {"cluster": "own", "user": "own", "namespace": namespace}}],
            "current-context": "own",
        }
    )


def render(module: ApiModule, found: Family, revision: str) -> dict[str, str]:
    """The difference between two revisions of each follower, as Argo CD's own program in its own pod renders them."""
    namespace, kubeconfig = module.params["namespace"], module.params["kubeconfig"] or ADMIN_KUBECONFIG
    names = [member["metadata"]["name"] for member in found.followers()]
    program = ["sh", "-c", _RENDER, "render", namespace, found.commit or found.revision, revision, *names]
    code, out, err = run_program(
        module,
        [
            "kubectl",
            "--kubeconfig",
            kubeconfig,
            "--namespace",
            namespace,
            "exec",
            "--stdin",
            CONTROLLER,
            "--",
            *program,
        ],
        data=pod_kubeconfig(namespace),
    )
    if code:
        raise ReleaseError(f"Argo CD cannot render {revision}: {reason(err) or out.strip()}")
    texts = [part.partition("\n")[2].splitlines() for part in out.split(_SEPARATOR)[1:]]
    pairs = zip(names, texts[::2], texts[1::2])
    differences = {name: "\n".join(unified_diff(old, new, name, name, lineterm="")) for name, old, new in pairs}
    return {name: text for name, text in differences.items() if text}


def images(rendered: Mapping[str, str]) -> list[str]:
    """Those on the lines that are new."""
    return sorted({image for text in rendered.values() for image in _NEW_IMAGE.findall(text)})


def reason(log: str) -> str:
    """What the program's last line of log says, which it writes as JSON."""
    for line in reversed(log.splitlines()):
        try:
            return str(json.loads(line)["msg"])
        except (ValueError, KeyError, TypeError):
            continue
    return log.strip()


def release(module: ApiModule, argo: Argo) -> dict[str, Any]:
    revision = module.params["revision"]
    found = family(module.params["name"], argo.read(APPLICATION))
    changed = found.revision != revision
    rendered = {}
    if changed and module.params["render"]:
        rendered = render(module, found, revision)
    lost = irreplaceable(found, argo.api.list("/api/v1/persistentvolumeclaims"), argo.api.list("/api/v1/secrets"))
    if changed and not module.check_mode:
        move(argo, found, revision)
    told = "".join(f"{text}\n" for text in rendered.values())
    return {
        "changed": changed,
        "before": found.revision,
        "commit": found.commit,
        "rendered": rendered,
        "images": images(rendered),
        "irreplaceable": lost,
        "applications": {member["metadata"]["name"]: member["spec"] for member in found.members},
        "diff": [
            {"before_header": "revision", "before": f"{found.revision}\n", "after": f"{revision}\n"},
            *([{"prepared": told}] if told else []),
        ],
    }


def main() -> None:
    module = ApiModule(
        {
            "namespace": {"type": "str", "default": "argocd"},
            "name": {"type": "str", "required": True},
            "revision": {"type": "str", "required": True},
            "render": {"type": "bool", "default": True},
        }
    )
    try:
        result = release(module, Argo(module))
    except ApiError as error:
        module.fail_with(error)
    except ReleaseError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
