#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_application
short_description: Register Argo CD applications, sync them, and wait for them wave by wave
version_added: 0.1.0
description:
  - Creates, changes and deletes Applications of Argo CD, one or many in one call.
  - Then waits until they are Synced and Healthy, and so are the applications they grow, wave by wave. While it waits it
    prints a line whenever something has changed. If it gives up, or a sync has failed, it names the application, its
    wave, since when, the resources that are not well and what they say.
  - An application of which only the name is given is left as it is, which is for O(sync) and O(wait) alone.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
  - groundwork.kube.argocd
  - groundwork.kube.argocd.writes
options:
  name:
    description: Name of the application. Either this or O(applications) is needed.
    type: str
  applications:
    description: Many applications, each with the options that one has.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the application.
        type: str
        required: true
      labels: &labels
        description: Labels of the Application. Values are text to Kubernetes, and whatever is given is made so.
        type: dict
      annotations: &annotations
        description:
          - Annotations of the Application, such as C(argocd.argoproj.io/sync-wave) for one that another one grows.
          - Values are text to Kubernetes, and whatever is given is made so.
        type: dict
      project: &project
        description: The project it belongs to, which must exist. By default V(default).
        type: str
      source: &source
        description: Where its manifests come from. This, O(sources) or O(source_hydrator) is needed.
        type: dict
        suboptions: &source_options
          repo_url:
            description: URL of the Git repository, of the Helm repository, or C(oci://) and so on.
            type: str
            required: true
          path: {description: Directory in the repository., type: str}
          chart: {description: Name of the chart in a Helm repository., type: str}
          target_revision:
            description: Branch, tag or commit, or version of the chart. By default the repository's C(HEAD).
            type: str
          tag_prefix: {description: Prefix that tags of this application have in a repository of many., type: str}
          ref:
            description: Name by which value files of other sources reach this one, as in C($values/values.yaml).
            type: str
          name: {description: Name of this source among several., type: str}
          helm: &helm
            description: For charts.
            type: dict
            suboptions:
              release_name: {description: Name of the release. By default that of the application., type: str}
              namespace: {description: Namespace of the release., type: str}
              version: {description: Major version of Helm., type: str}
              values: {description: Values as text of a values file., type: str}
              values_object: {description: Values as a mapping. It wins over O(ignore:values)., type: dict}
              value_files: {description: Value files in the repository., type: list, elements: str}
              ignore_missing_value_files: {description: Whether a value file may be missing., type: bool}
              parameters:
                description: Single values, as C(helm --set).
                type: list
                elements: dict
                suboptions:
                  name: {description: Path of the value., type: str, required: true}
                  value: {description: The value. What is not text is written as JSON., type: raw}
                  force_string: {description: Whether C(true) and numbers stay text., type: bool}
              file_parameters:
                description: Single values out of files, as C(helm --set-file).
                type: list
                elements: dict
                suboptions:
                  name: {description: Path of the value., type: str, required: true}
                  path: {description: File in the repository., type: str, required: true}
              pass_credentials: {description: Whether credentials go to other domains too., type: bool}
              skip_crds:
                description: Whether the chart's C(crds) directory is left out. CRDs among its templates are not.
                type: bool
              skip_schema_validation: {description: Whether the chart's schema is not asked., type: bool}
              skip_tests: {description: Whether the chart's tests are left out., type: bool}
              kube_version: {description: Version of Kubernetes to render for., type: str}
              api_versions: {description: API versions to render for., type: list, elements: str}
          kustomize: &kustomize
            description: For Kustomize trees.
            type: dict
            suboptions:
              name_prefix: {description: Prefix of all names., type: str}
              name_suffix: {description: Suffix of all names., type: str}
              namespace: {description: Namespace of all objects., type: str}
              version: {description: Version of Kustomize., type: str}
              images: {description: "Images, as C(name=newname:tag@digest).", type: list, elements: str}
              replicas:
                description: Replica counts.
                type: list
                elements: dict
                suboptions:
                  name: {description: Name of the workload., type: str, required: true}
                  count: {description: How many., type: int, required: true}
              patches:
                description: Patches, in order.
                type: list
                elements: dict
                suboptions:
                  patch: {description: The patch as text or as a mapping or list., type: raw}
                  path: {description: File in the repository that holds it., type: str}
                  target:
                    description: What it patches.
                    type: dict
                    suboptions:
                      group: {description: API group., type: str}
                      version: {description: API version., type: str}
                      kind: {description: Kind., type: str}
                      name: {description: Name., type: str}
                      namespace: {description: Namespace., type: str}
                      label_selector: {description: Label selector., type: str}
                      annotation_selector: {description: Annotation selector., type: str}
                  options: {description: "Such as C(allowNameChange), true or false.", type: dict}
              components: {description: Components to add., type: list, elements: str}
              ignore_missing_components: {description: Whether a component may be missing., type: bool}
              common_labels: {description: Labels of all objects., type: dict}
              label_without_selector: {description: Whether selectors go without them., type: bool}
              label_include_templates: {description: Whether templates get them all the same., type: bool}
              force_common_labels: {description: Whether they replace those in the tree., type: bool}
              common_annotations: {description: Annotations of all objects., type: dict}
              common_annotations_envsubst: {description: Whether build variables in them are replaced., type: bool}
              force_common_annotations: {description: Whether they replace those in the tree., type: bool}
              kube_version: {description: Version of Kubernetes to render for., type: str}
              api_versions: {description: API versions to render for., type: list, elements: str}
          directory: &directory
            description: For plain manifests and Jsonnet.
            type: dict
            suboptions:
              recurse: {description: Whether to look into subdirectories., type: bool}
              include: {description: Glob of files to take., type: str}
              exclude: {description: Glob of files to leave out., type: str}
              disable_extension_filter: {description: "Whether every file is taken, whatever it is called.", type: bool}
              jsonnet:
                description: For Jsonnet.
                type: dict
                suboptions:
                  ext_vars: &jsonnet_variables
                    description: Variables.
                    type: list
                    elements: dict
                    suboptions:
                      name: {description: Name., type: str, required: true}
                      value: {description: Value. What is not text is written as JSON., type: raw, required: true}
                      code: {description: Whether the value is Jsonnet., type: bool}
                  tlas: *jsonnet_variables
                  libs: {description: Directories of libraries., type: list, elements: str}
          plugin: &plugin
            description: For a config management plugin.
            type: dict
            suboptions:
              name: {description: Name of the plugin., type: str}
              env:
                description: Its environment. No place for secrets.
                type: list
                elements: dict
                suboptions:
                  name: {description: Name., type: str, required: true}
                  value: {description: Value., type: str, required: true}
              parameters:
                description: Its parameters, each with one of the three kinds of value.
                type: list
                elements: dict
                suboptions:
                  name: {description: Name., type: str, required: true}
                  string: {description: A text., type: str}
                  array: {description: A list., type: list, elements: str}
                  map: {description: A mapping., type: dict}
      sources: &sources
        description: Several sources, whose manifests together are the application.
        type: list
        elements: dict
        suboptions: *source_options
      source_hydrator: &source_hydrator
        description: For manifests that Argo CD renders into a branch and syncs from there.
        type: dict
        suboptions:
          dry_source:
            description: What is rendered.
            type: dict
            required: true
            suboptions:
              repo_url: {description: URL of the Git repository., type: str, required: true}
              path: {description: Directory in it., type: str, required: true}
              target_revision: {description: "Branch, tag or commit.", type: str, required: true}
              helm: *helm
              kustomize: *kustomize
              directory: *directory
              plugin: *plugin
          sync_source:
            description: What is synced.
            type: dict
            required: true
            suboptions:
              repo_url: {description: URL of the Git repository. By default that of the dry source., type: str}
              path: {description: Directory in it., type: str, required: true}
              target_branch: {description: Branch., type: str, required: true}
          hydrate_to:
            description: Where the rendering goes first, for a pull request to move it on.
            type: dict
            suboptions:
              target_branch: {description: Branch., type: str, required: true}
      destination: &destination
        description: Where it is grown. Needed where a source is given, with one of the cluster's server or name.
        type: dict
        suboptions:
          server: {description: "URL of the cluster's API, such as C(https://kubernetes.default.svc).", type: str}
          name: {description: "Name of the cluster, such as V(in-cluster).", type: str}
          namespace: {description: Namespace for objects that name none., type: str}
      sync_policy: &sync_policy
        description: When and how it is synced.
        type: dict
        suboptions:
          automated:
            description: Sync by itself. An empty mapping does, with all of these off but O(ignore:enabled).
            type: dict
            suboptions:
              enabled: {description: Whether it does. By default yes., type: bool}
              prune: {description: Whether what has left Git is deleted., type: bool}
              self_heal: {description: Whether what was changed in the cluster is changed back., type: bool}
              allow_empty: {description: Whether it may come to have no objects at all., type: bool}
          sync_options:
            description: Such as V(CreateNamespace=true) and V(ServerSideApply=true).
            type: list
            elements: str
          retry: &retry
            description: When a sync that failed is tried again.
            type: dict
            suboptions:
              limit: {description: How often. Negative is without end., type: int}
              refresh: {description: Whether a retry takes the newest revision., type: bool}
              backoff:
                description: How long it waits in between.
                type: dict
                suboptions:
                  duration: {description: "The first time, such as V(5s).", type: str}
                  factor: {description: By how much it grows., type: int}
                  max_duration: {description: "At most, such as V(3m).", type: str}
          managed_namespace_metadata:
            description: Labels and annotations of the namespace that V(CreateNamespace=true) makes.
            type: dict
            suboptions:
              labels: {description: Labels., type: dict}
              annotations: {description: Annotations., type: dict}
      ignore_differences: &ignore_differences
        description: Fields that are somebody else's.
        type: list
        elements: dict
        suboptions:
          group: {description: API group., type: str}
          kind: {description: Kind., type: str, required: true}
          name: {description: Name., type: str}
          namespace: {description: Namespace., type: str}
          json_pointers: {description: Fields by JSON pointer., type: list, elements: str}
          jq_path_expressions: {description: Fields by jq path., type: list, elements: str}
          managed_fields_managers: {description: Fields by their managers., type: list, elements: str}
      info: &info
        description: Lines that the user interface shows.
        type: list
        elements: dict
        suboptions:
          name: {description: Title., type: str, required: true}
          value: {description: Text., type: str, required: true}
      revision_history_limit: &revision_history_limit
        description: How many revisions are remembered.
        type: int
  labels: *labels
  annotations: *annotations
  project: *project
  source: *source
  sources: *sources
  source_hydrator: *source_hydrator
  destination: *destination
  sync_policy: *sync_policy
  ignore_differences: *ignore_differences
  info: *info
  revision_history_limit: *revision_history_limit
  cascade:
    description:
      - What becomes of an application's objects when it is deleted. V(foreground) deletes them and what they own before
        it is gone, V(background) leaves what they own to Kubernetes, V(orphan) leaves all of them running.
      - With O(state=absent) it is how it is deleted now, by default V(foreground).
      - With O(state=present) it is written on the application as a finalizer, for whoever deletes it. By default the
        finalizers are left as they are.
    type: str
    choices: [foreground, background, orphan]
  refresh:
    description:
      - Whether Argo CD reads Git anew before it is waited for, for these applications and those they grow.
      - By default it does if something was changed or O(sync) is given. Otherwise it looks by itself every few minutes.
    type: bool
  sync:
    description:
      - Begin a sync now, if the applications are not Synced. An empty mapping is enough.
      - A sync that is already on its way to the same revision is joined.
    type: dict
    suboptions:
      revision:
        description:
          - What to sync to, other than the revision in the source.
          - A commit that was synced to before is not again; a branch or a tag is always looked up.
          - Refused where automated sync would at once put the source's revision back. There Git is the lever, or the
            revision in the source.
        type: str
      prune: {description: Whether what has left Git is deleted., type: bool}
      dry_run: {description: Whether Argo CD only tries., type: bool}
      force: {description: Whether what cannot be changed is deleted and made anew., type: bool}
      resources:
        description: Only these objects.
        type: list
        elements: dict
        suboptions:
          group: {description: API group., type: str}
          kind: {description: Kind., type: str, required: true}
          name: {description: Name., type: str, required: true}
          namespace: {description: Namespace., type: str}
      sync_options:
        description: Such as V(ServerSideApply=true). By default those of the sync policy.
        type: list
        elements: str
      retry: *retry
      info: *info
  wait:
    description:
      - Whether to wait until the applications are Synced and Healthy, or with O(state=absent) gone.
      - What only Argo CD can know, such as a repository that does not answer or a revision that does not exist, is an
        error only if it is waited for.
      - A sync that had failed for good before, which Argo CD itself does not try again until Git changes, is begun
        again once.
    type: bool
    default: true
  wait_waves:
    description: Whether to wait for the applications that these grow, too.
    type: bool
    default: true
  wait_timeout:
    description: How long to wait, in seconds.
    type: int
    default: 600
seealso:
  - module: groundwork.kube.argocd_health
  - module: groundwork.kube.argocd_info
"""

EXAMPLES = r"""
- name: The root application, whose values come from the inventory
  groundwork.kube.argocd_application:
    name: eco2
    project: eco2
    source:
      repo_url: https://git.example.com/platforms.git
      path: eco2/root
      target_revision: main
      helm:
        values_object:
          domain: example.com
          nodeTiers: [worker, infra]
    destination:
      server: https://kubernetes.default.svc
      namespace: argocd
    sync_policy:
      automated: {prune: true, self_heal: true}
      sync_options: [ServerSideApply=true]
    cascade: foreground
    wait_timeout: 1800

- name: Sync what is there to what Git says now
  groundwork.kube.argocd_application:
    name: eco2
    sync: {prune: true}

- name: Take the platform away and leave what it runs
  groundwork.kube.argocd_application:
    name: eco2
    state: absent
    cascade: orphan
"""

RETURN = r"""
created:
  description: Names of the applications that were not there before.
  returned: success
  type: list
  elements: str
updated:
  description: Names of the applications that were changed.
  returned: success
  type: list
  elements: str
deleted:
  description: Names of the applications that were deleted.
  returned: success
  type: list
  elements: str
synced:
  description: Names of the applications of which a sync was begun.
  returned: success
  type: list
  elements: str
applications:
  description: The applications, as they were last seen. In check mode as they are.
  returned: success
  type: list
  elements: dict
  contains: &state
    name: {description: Its name., type: str}
    wave: {description: Its sync wave., type: int}
    parent: {description: The application that grows it., type: str}
    sync: {description: Whether it is as Git says., type: str, sample: Synced}
    health: {description: How its objects are., type: str, sample: Healthy}
    phase: {description: How its last sync went., type: str, sample: Succeeded}
    revision: {description: The revision it was compared with., type: str}
    ready: {description: Whether it is Synced and Healthy and its last sync has succeeded., type: bool}
    since: {description: Since when it is as it is., type: str, sample: "2026-11-21T13:05:00Z"}
    why: {description: Why it is not ready., type: str}
    resources:
      description: The objects that are not well, and what they say.
      type: list
      elements: dict
      sample: [{resource: Deployment monitoring/grafana, message: "0/1, pod grafana-0: ImagePullBackOff"}]
children:
  description: The applications that these grow, and those these grow in turn, in the order of their waves.
  returned: when waited for
  type: list
  elements: dict
  contains: *state
summary:
  description: Everything in one line.
  returned: when waited for
  type: str
  sample: "3/9 Synced and Healthy, wave 20: grafana (Progressing)"
"""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiError, ApiModule
from ansible_collections.groundwork.kube.plugins.module_utils.argocd import (
    APPLICATION,
    PROJECT,
    Argo,
    Change,
    Object,
    outcome,
)
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_health import (
    automated,
    busy,
    compared_now,
    errors,
    state_of,
)
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_spec import (
    APPLICATION_ARGUMENT_SPEC,
    APPLICATION_OPTIONS,
    APPLICATION_SPEC,
    SYNC_SPEC,
    RequestError,
    exclusive,
    fields,
    wanted,
)

SOURCES = ("source", "sources", "source_hydrator")
FINALIZER = "resources-finalizer.argocd.argoproj.io"
CASCADES = {"foreground": [FINALIZER], "background": [f"{FINALIZER}/background"], "orphan": []}

# How long Argo CD may take to look at an application before a sync is decided on, and how often to ask.
LOOK_TIMEOUT = 60
LOOK_INTERVAL = 2


def manifest(namespace: str, options: Mapping[str, Any], cascade: str | None) -> Object:
    """The Application that these options declare."""
    spec = {"project": "default", **fields(APPLICATION_SPEC, options)}
    application = APPLICATION.manifest(namespace, options, spec=spec)
    if cascade:
        application["metadata"]["finalizers"] = CASCADES[cascade]
    return application


def declares(options: Mapping[str, Any]) -> bool:
    """Whether more is said of the application than its name."""
    return any(options[option] is not None for option in APPLICATION_OPTIONS)


def mistake(options: Mapping[str, Any]) -> str:
    """What is wrong with the options of an application to be, or nothing."""
    given = [source for source in SOURCES if options[source]]
    destination = options["destination"] or {}
    if len(given) != 1:
        found = f"has {' and '.join(given)}" if given else "has none of them"
        return f"needs exactly one of {', '.join(SOURCES)} and {found}"
    if bool(destination.get("server")) == bool(destination.get("name")):
        return "needs in destination either server or name"
    return ""


def with_cascade(finalizers: Sequence[str], cascade: str) -> list[str]:
    return [item for item in finalizers if not item.startswith(FINALIZER)] + CASCADES[cascade]


def refusal(app: Mapping[str, Any], revision: str | None) -> str:
    """Why the application must not be synced to this revision, or nothing."""
    spec = app["spec"]
    name = app["metadata"]["name"]
    if app["metadata"].get("deletionTimestamp"):
        return f"Application {name} is being deleted"
    if not revision:
        return ""
    if spec.get("sources"):
        return f"Application {name} has several sources; set target_revision of the one that is to change"
    declared = (spec.get("source") or {}).get("targetRevision") or "HEAD"
    if automated(app) and revision != declared:
        return (
            f"Application {name} syncs itself to {declared}, which would undo a sync to {revision}; "
            "set source.target_revision instead, or revert in Git"
        )
    return ""


def needs_sync(app: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Whether a sync must be begun for the application to be as requested."""
    if busy(app):
        return False
    status = app.get("status") or {}
    sync, phase = status.get("sync") or {}, (status.get("operationState") or {}).get("phase")
    resources = {(item.get("group") or "", item["kind"], item["name"]) for item in request["resources"] or []}
    if resources:
        states = {
            (item.get("group") or "", item["kind"], item["name"]): item.get("status")
            for item in status.get("resources") or []
        }
        return any(states.get(resource) != "Synced" for resource in resources)
    declared = (app["spec"].get("source") or {}).get("targetRevision") or "HEAD"
    if request["revision"] not in (None, declared):
        tried = (status.get("operationState") or {}).get("syncResult") or {}
        return phase != "Succeeded" or request["revision"] != tried.get("revision")
    return sync.get("status") != "Synced" or phase in ("Failed", "Error")


def operation(app: Mapping[str, Any], request: Mapping[str, Any]) -> Object:
    """The operation as Argo CD's own API would begin it."""
    policy = app["spec"].get("syncPolicy") or {}
    said = fields(SYNC_SPEC, request)
    retry, info, force = said.pop("retry", policy.get("retry")), said.pop("info", None), said.pop("force", None)
    said.setdefault("syncOptions", policy.get("syncOptions") or [])
    if force:
        said["syncStrategy"] = {"hook": {"force": True}}
    begun: Object = {"initiatedBy": {"username": "groundwork"}, "sync": said}
    return {**begun, **({"retry": retry} if retry else {}), **({"info": info} if info else {})}


class Registration:
    """One call of the module."""

    def __init__(self, module: ApiModule) -> None:
        self.module = module
        self.params = module.params
        self.argo = Argo(module)
        self.wanted = wanted(self.params, "applications", APPLICATION_OPTIONS)
        self.names = [options["name"] for options in self.wanted]

    def run(self) -> None:
        self.live = self.argo.read(APPLICATION)
        if self.params["state"] == "absent":
            changes, synced = self._remove(), []
        else:
            changes = self._bring()
            synced = self._sync({item.name for item in changes})
        result = outcome(changes)
        result.update(changed=bool(changes or synced), synced=synced, applications=self._states())
        if self.argo.errors:
            self.module.fail_json(msg="\n".join(map(str, self.argo.errors)), **result)
        self.module.exit_json(**result)

    def _bring(self) -> list[Change]:
        declared = [options for options in self.wanted if declares(options)]
        self._refuse_mistakes(declared)
        self._refuse_unknown_projects(declared)
        manifests = [manifest(self.argo.namespace, options, self.params["cascade"]) for options in declared]
        changes = self.argo.apply(APPLICATION, manifests, self.live)
        self._refresh({item.name for item in changes})
        return changes

    def _remove(self) -> list[Change]:
        cascade = self.params["cascade"] or "foreground"

        def finalizers(app: Object) -> Object | None:
            present = app["metadata"].get("finalizers") or []
            wished = with_cascade(present, cascade)
            return None if wished == present else {"metadata": {"finalizers": wished}}

        changes = []
        for name in self.names:
            live = self.live.get(name)
            if live and not live["metadata"].get("deletionTimestamp"):
                self.argo.amend(APPLICATION, live, finalizers)
                changes += self.argo.delete(APPLICATION, name, self.live)
        return changes

    def _sync(self, changed: Collection[str]) -> list[str]:
        """Begin the syncs that are due; in check mode say which, those of what would be changed among them."""
        request = self.params["sync"]
        if request is None:
            return []
        problems = [problem for app in self._present() if (problem := refusal(app, request["revision"]))]
        if problems:
            raise RequestError("\n".join(problems))
        begun = [name for name in self.names if self.module.check_mode and name in changed]
        for app in self._present():
            name = app["metadata"]["name"]
            if name not in begun and needs_sync(self._looked_at(app), request):
                self._begin(name, request)
                begun.append(name)
        return begun

    def _present(self) -> list[Object]:
        return [self.live[name] for name in self.names if name in self.live]

    def _states(self) -> list[dict[str, Any]]:
        return [state_of(app["metadata"]["name"], app).result() for app in self._present()]

    def _refuse_mistakes(self, declared: Sequence[Mapping[str, Any]]) -> None:
        problems = [f"Application {options['name']} {problem}" for options in declared if (problem := mistake(options))]
        known = {*self.live, *(options["name"] for options in declared)}
        unknown = [] if self.module.assumes_api else [name for name in self.names if name not in known]
        problems += [f"there is no Application {name}, and nothing but its name is said of it" for name in unknown]
        if problems:
            raise RequestError("\n".join(problems))

    def _refuse_unknown_projects(self, declared: Sequence[Mapping[str, Any]]) -> None:
        wished = {options["project"] or "default" for options in declared} - {"default"}
        if not wished or self.module.assumes_api:
            return
        known = self.argo.read(PROJECT)
        unknown = sorted(wished - set(known))
        if unknown:
            raise RequestError(
                f"there is no AppProject {', '.join(unknown)}; this Argo CD has: {', '.join(sorted(known)) or 'none'}"
            )

    def _refresh(self, changed: Collection[str]) -> None:
        wish = self.params["refresh"]
        for name in [] if self.module.check_mode else self.names:
            due = name in changed or self.params["sync"] is not None if wish is None else wish
            if due and name in self.live:
                self.live[name] = self.argo.refresh(name)

    def _looked_at(self, app: Object) -> Object:
        """The application once Argo CD has compared it as it is now; a sync on its way is as good."""
        name = app["metadata"]["name"]
        deadline = time.monotonic() + LOOK_TIMEOUT
        while not (self.module.check_mode or compared_now(app) or busy(app)):
            why = "; ".join(error["message"] for error in errors(app))
            if why or time.monotonic() > deadline:
                silence = f"Argo CD's application controller has not looked at it within {LOOK_TIMEOUT} s"
                raise RequestError(f"Application {name} cannot be synced: {why or silence}")
            time.sleep(LOOK_INTERVAL)
            app = self.argo.api.request("GET", APPLICATION.path(self.argo.namespace, name))
        self.live[name] = app
        return app

    def _begin(self, name: str, request: Mapping[str, Any]) -> None:
        def begin(app: Object) -> Object | None:
            # As Argo CD's own API does it: what the sync before left behind goes with it.
            started = {"operation": operation(app, request), "status": {"operationState": None}}
            return started if needs_sync(app, request) else None

        self.live[name] = self.argo.amend(APPLICATION, self.live[name], begin)


def main() -> None:
    """Register, and begin what is to begin; waiting is the business of the action plugin of the same name."""
    module = ApiModule(
        APPLICATION_ARGUMENT_SPEC,
        mutually_exclusive=exclusive("applications", APPLICATION_OPTIONS),
        required_one_of=[("name", "applications")],
    )
    try:
        Registration(module).run()
    except RequestError as error:
        module.fail_json(msg=str(error))
    except ApiError as error:
        module.fail_with(error)


if __name__ == "__main__":
    main()
