"""A dead machine does not stop the living, and the exit code still says so."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.lab

DEAD, ALIVE = "k8s-worker-ai", "k8s-api-auth"


def names_the_dead_one(run: Any) -> bool:
    return run.rc != 0 and [host for host, counts in run.recap.items() if counts["unreachable"]] == [DEAD]


def test_the_others_become_a_cluster_without_it(bare_machines: Any) -> None:
    bare_machines.stop(DEAD)
    run = bare_machines.playbook("site")
    assert names_the_dead_one(run)
    assert not any(counts["failed"] for counts in run.recap.values())
    assert bare_machines.ready() == [ALIVE, "k8s-master"]
    assert bare_machines.labels(ALIVE)["domain"] == "auth"


def test_it_joins_when_it_is_back(bare_machines: Any) -> None:
    bare_machines.start(DEAD)
    assert bare_machines.playbook("site").rc == 0
    assert bare_machines.ready() == [ALIVE, "k8s-master", DEAD]
    run = bare_machines.playbook("site")
    assert (run.rc, run.changed) == (0, {})


def test_a_member_that_dies_does_not_stop_work_on_the_rest(bare_machines: Any) -> None:
    bare_machines.kubectl("label", "node", ALIVE, "domain=web", "--overwrite")
    bare_machines.stop(DEAD)
    run = bare_machines.playbook("site")
    assert names_the_dead_one(run)
    assert not any(counts["failed"] for counts in run.recap.values())
    assert bare_machines.labels(ALIVE)["domain"] == "auth"


def test_and_is_a_member_again_when_it_is_back(bare_machines: Any) -> None:
    bare_machines.start(DEAD)
    run = bare_machines.playbook("site")
    assert run.rc == 0
    assert bare_machines.ready() == [ALIVE, "k8s-master", DEAD]
