#!/usr/bin/python
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
module: argocd_health
short_description: Wait until Argo CD applications are Synced and Healthy, wave by wave, and say what is waited for
version_added: 0.1.0
description:
  - Looks at applications, and at those they grow, again and again until all are Synced and Healthy and no sync has
    failed.
  - >-
    While it waits it prints a line whenever something has changed, such as
    "3/9 Synced and Healthy, wave 20: grafana (Progressing)".
  - A sync that has failed for good ends the wait at once. What Argo CD cannot even compare, such as a revision that
    does not exist, ends it after half a minute.
  - An API that is restarting is waited for too.
author: Groundwork founders (@groundwork)
extends_documentation_fragment:
  - groundwork.kube.api
  - groundwork.kube.argocd
options:
  names:
    description: Names of the applications.
    type: list
    elements: str
    required: true
  state:
    description: Whether to wait until they are well, or with V(absent) until they are gone.
    type: str
    choices: [present, absent]
    default: present
  waves:
    description: Whether to wait for the applications that these grow, too.
    type: bool
    default: true
  refresh:
    description:
      - Whether Argo CD compares them with Git anew first, as after a push.
      - What it could not compare it is asked to compare again in any case, before that is believed.
      - A sync that waits for the applications it grows, to a revision that Git has left meanwhile, is ended on that
        occasion. Argo CD would not go on to the revision of now before it. So is one that is still to be tried again
        although its application is being deleted.
    type: bool
    default: true
  explain:
    description:
      - Whether the live objects of what is not well are asked why, a request or two for each.
      - While it waits it does not, and when it gives up it does.
    type: bool
    default: true
  timeout:
    description: How long to wait, in seconds. With V(0) it looks once, and fails if something is not as it should be.
    type: int
    default: 600
  interval:
    description: How long to wait between two looks, in seconds. At least 2.
    type: int
    default: 5
attributes:
  check_mode:
    description: Changes nothing.
    support: full
    details: It looks once, does not wait, does not refresh and does not fail over what it sees.
  diff_mode:
    description: Shows before and after.
    support: N/A
    details: It changes nothing.
seealso:
  - module: groundwork.kube.argocd_application
  - module: groundwork.kube.argocd_info
"""

EXAMPLES = r"""
- name: Wait until what was pushed runs
  groundwork.kube.argocd_health:
    names: [eco2]
    timeout: 900

- name: Look once
  groundwork.kube.argocd_health:
    names: [eco2]
    refresh: false
    timeout: 0
"""

RETURN = r"""
healthy:
  description: Whether everything is as it should be.
  returned: success
  type: bool
summary:
  description: Everything in one line.
  returned: always
  type: str
  sample: "3/9 Synced and Healthy, wave 20: grafana (Progressing)"
report:
  description: What is not well, since when and why, line by line.
  returned: always
  type: list
  elements: str
applications:
  description: The applications.
  returned: always
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
    ready: {description: Whether it is Synced and Healthy and its last sync has not failed., type: bool}
    failed: {description: Whether its sync has failed and will not be tried again., type: bool}
    erring: {description: Whether Argo CD cannot compare it., type: bool}
    broken: {description: "Whether Argo CD cannot compare it, and waiting will not mend that.", type: bool}
    overtaken: {description: Whether a sync that Git or its own deletion has left is in its way., type: bool}
    since: {description: Since when it is as it is., type: str, sample: "2026-11-21T13:05:00Z"}
    brief: {description: "Why it is not ready, in a word or two.", type: str}
    why: {description: Why it is not ready., type: str}
    resources:
      description: The objects that are not well, and what they say.
      type: list
      elements: dict
      sample: [{resource: Deployment monitoring/grafana, message: "0/1; pod grafana-0: ImagePullBackOff"}]
children:
  description: The applications that these grow, and those these grow in turn, in the order of their waves.
  returned: always
  type: list
  elements: dict
  contains: *state
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils.api import ApiError, ApiModule, ApiUnreachableError
from ansible_collections.groundwork.kube.plugins.module_utils.argocd import APPLICATION, APPLICATION_SET, ENDED, Argo
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_explain import Explainer
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_health import (
    State,
    application_sets,
    blocking,
    children,
    going,
    overtaken,
    report,
    state_of,
    summary,
)
from ansible_collections.groundwork.kube.plugins.module_utils.argocd_spec import HEALTH_ARGUMENT_SPEC


class Look:
    """One look at applications and what they grow: one LIST, and one GET for each ApplicationSet."""

    def __init__(self, module: ApiModule) -> None:
        self.params = module.params
        self.argo = Argo(module)
        self.names: list[str] = module.params["names"]
        self.apps = self.argo.read(APPLICATION)
        self.roots: list[State] = []
        self.grown: list[State] = []
        refresh = self.params["refresh"] and not module.check_mode
        if self.params["state"] == "absent":
            if refresh:
                self._stir(self.names)
            self.roots = [going(name, self.apps.get(name)) for name in self.names]
        else:
            self._see(refresh)

    def result(self) -> dict[str, Any]:
        if self.params["explain"]:
            self._explain()
        everything = [*self.roots, *self.grown]
        line = summary(self.roots, self.grown)
        if self.params["state"] == "absent":
            left = [state for state in self.roots if not state.ready]
            line = f"{len(self.roots) - len(left)}/{len(self.roots)} gone" + "".join(f", {state}" for state in left)
        return {
            "healthy": all(state.ready for state in everything),
            "summary": line,
            "report": report(self.roots, self.grown),
            "applications": [state.result() for state in self.roots],
            "children": [state.result() for state in self.grown],
        }

    def _see(self, refresh: bool) -> None:
        sets: Mapping[str, Any] = {}
        if self.params["waves"]:
            path = APPLICATION_SET.path
            names = application_sets(self.names, self.apps)
            sets = {name: self.argo.api.get(path(self.argo.namespace, name)) for name in names}
        if refresh:
            grown = [state.name for state in children(self.names, self.apps, sets)] if self.params["waves"] else []
            self._stir([*self.names, *grown])
        self.roots = [state_of(name, self.apps.get(name)) for name in self.names]
        self.grown = children(self.names, self.apps, sets) if self.params["waves"] else []

    def _stir(self, names: list[str]) -> None:
        """End the syncs that nobody waits for any more, and have Argo CD compare anew. What went meanwhile is gone."""
        for name in [name for name in names if name in self.apps]:
            try:
                self.argo.amend(APPLICATION, self.apps[name], lambda app: ENDED if overtaken(app) else None)
                self.apps[name] = self.argo.refresh(name)
            except ApiError as error:
                if error.status != 404:
                    raise
                del self.apps[name]

    def _explain(self) -> None:
        explainer = Explainer(self.argo.api)
        ask = explainer.remaining if self.params["state"] == "absent" else explainer.unwell
        culprits = {state.name for state in [*blocking(self.grown), *blocking(self.roots)]} & set(self.apps)

        def explained(state: State) -> State:
            if state.name not in culprits:
                return state
            known = {resource["resource"] for resource in state.resources}
            more = [item for item in ask(self.apps[state.name]) if item["resource"] not in known]
            return dataclasses.replace(state, resources=(*state.resources, *more))

        self.roots = [explained(state) for state in self.roots]
        self.grown = [explained(state) for state in self.grown]


def look(module: ApiModule) -> dict[str, Any]:
    try:
        return Look(module).result()
    except ApiError as error:
        # An API that is being restarted refuses connections or answers 5xx; it is what the wait is for.
        if not isinstance(error, ApiUnreachableError) and error.status < 500:
            raise
        return {"healthy": False, "summary": str(error), "report": [], "applications": [], "children": []}


def main() -> None:
    """Look once; waiting is the business of the action plugin of the same name, which can print meanwhile."""
    module = ApiModule(HEALTH_ARGUMENT_SPEC)
    try:
        module.exit_json(changed=False, **look(module))
    except ApiError as error:
        module.fail_with(error)


if __name__ == "__main__":
    main()
