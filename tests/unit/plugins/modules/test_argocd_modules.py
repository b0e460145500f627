# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused before any API is asked, and what check mode makes of a cluster that is yet to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]

NOWHERE = "/nowhere/admin.conf"
SOURCE = {"repo_url": "https://git.example.com/platforms.git", "path": "eco2"}
ECO2 = {"name": "eco2", "source": SOURCE, "destination": {"name": "in-cluster"}}


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        ("application", {}, "one of the following is required: name, applications"),
        ("application", {"applications": [ECO2], "project": "eco2"}, "mutually exclusive: applications|project"),
        ("application", {**ECO2, "source": {"path": "eco2"}}, "missing required arguments: repo_url found in source"),
        ("application", {**ECO2, "sync_policy": {"automatic": True}}, "Unsupported parameters"),
        ("application", {**ECO2, "cascade": "sideways"}, "value of cascade must be one of"),
        ("application", {"applications": [ECO2, ECO2]}, "applications names eco2 more than once"),
        ("project", {"projects": [{"name": "a"}, {"name": "a"}]}, "projects names a more than once"),
        ("repository", {}, "missing required arguments: repositories"),
        ("repository", {"repositories": [{"url": "a", "type": "svn"}]}, "value of type must be one of"),
        ("cluster", {"clusters": [{"server": "a"}, {"server": "a/"}]}, "is there twice"),
        ("health", {"names": ["eco2"], "state": "gone"}, "value of state must be one of"),
        ("application", ECO2, f"{NOWHERE} does not exist on this host"),
    ],
)
def test_a_wrong_request_is_refused_in_words(
    run_module: Run, module: str, options: dict[str, Any], message: str
) -> None:
    refused = run_module(f"argocd_{module}", {"kubeconfig": NOWHERE, **options})
    assert refused["failed"]
    assert message in refused["msg"]


@pytest.mark.parametrize(
    ("module", "options", "created"),
    [
        ("application", {**ECO2, "project": "to-be-made"}, ["eco2"]),
        ("project", {"projects": [{"name": "eco2"}]}, ["eco2"]),
        ("repository", {"repositories": [{"url": "https://git.example.com/a.git"}]}, ["https://git.example.com/a.git"]),
        ("cluster", {"clusters": [{"server": "https://api.example.com", "name": "production"}]}, ["production"]),
    ],
)
def test_on_a_cluster_that_is_yet_to_be_everything_would_be_created(
    run_module: Run, module: str, options: dict[str, Any], created: list[str]
) -> None:
    would = run_module(f"argocd_{module}", {"kubeconfig": NOWHERE, "assume": ["api"], **options}, check=True, diff=True)
    assert (would["failed"], would["changed"], would["created"]) == (False, True, created)
    assert would["diff"][0]["after"]
    assert run_module(f"argocd_{module}", {"kubeconfig": NOWHERE, "assume": ["api"], **options})["failed"]


def test_a_problem_of_one_application_names_it(run_module: Run) -> None:
    both = {**ECO2, "name": "both", "sources": [SOURCE]}
    nowhere = {**ECO2, "name": "nowhere", "destination": {"namespace": "eco2"}}
    options = {"kubeconfig": NOWHERE, "assume": ["api"], "applications": [both, nowhere]}
    assert run_module("argocd_application", options, check=True)["msg"].splitlines() == [
        "Application both needs exactly one of source, sources, source_hydrator and has source and sources",
        "Application nowhere needs in destination either server or name",
    ]
