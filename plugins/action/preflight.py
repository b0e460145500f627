# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.action import ActionBase

from ansible_collections.groundwork.kube.plugins.module_utils import preflight, topology
from ansible_collections.groundwork.kube.plugins.module_utils.preflight import Settings

_KUBEADM_DEFAULTS = Path(__file__).resolve().parents[2] / "roles" / "kubeadm" / "defaults" / "main.yml"


class ActionModule(ActionBase):
    """Gathers on the controller what the machines said, and judges it; no machine is asked anything more."""

    TRANSFERS_FILES = False
    BYPASS_HOST_LOOP = True
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            argument_spec={
                "allow_unsupported_os": {"type": "bool", "default": False},
                "time_skew_seconds": {"type": "float", "default": 2},
                "daemonsets": {"type": "list", "elements": "dict", "default": []},
                "report": {"type": "bool", "default": False},
            }
        )
        if not task_vars or "groundwork" not in task_vars:
            raise AnsibleError("preflight needs the plan (groundwork): run playbooks/plan.yml before it.")
        hostvars = task_vars["hostvars"]
        variables = {host: hostvars[host] for host in task_vars["ansible_play_hosts"]}
        return {**result, **_judge(self._templar.template(task_vars["groundwork"]), variables, options, self._show)}

    def _show(self, lines: list[str]) -> None:
        for line in lines:
            self._display.display(line)


def _judge(
    plan: Mapping[str, Any],
    variables: Mapping[str, Mapping[str, Any]],
    options: Mapping[str, Any],
    show: Callable[[list[str]], None],
) -> dict[str, Any]:
    states = {host: of_host["host_state"] for host, of_host in variables.items() if "host_state" in of_host}
    settings = _settings(options, {host: variables[host] for host in states})
    members = frozenset(host for host, state in states.items() if state["kubeadm"]["kubelet_conf"])
    try:
        budget = preflight.budget(plan, states, settings)
        found = preflight.problems(plan, states, settings)
    except ValueError as error:
        raise AnsibleError(f"kubeadm_reserved or preflight_daemonsets: {error}.") from error
    found += preflight.port_problems(
        plan,
        _of_each(variables, "_preflight_probe", "closed", []),
        _of_each(variables, "_preflight_listen", "served", []),
        members,
    )
    found += preflight.url_problems(_of_each(variables, "_preflight_probe", "answers", {}))
    if options["report"]:
        show(table(budget))
    result: dict[str, Any] = {"changed": False, "problems": [asdict(problem) for problem in found]}
    if not found:
        result["budget"] = budget
    else:
        lines = topology.summary(found)
        count = "one problem" if len(lines) == 1 else f"{len(lines)} problems"
        result["failed"] = True
        result["msg"] = "\n".join([f"Preflight found {count}; nothing was changed.", *(f"- {line}" for line in lines)])
    return result


def _settings(options: Mapping[str, Any], variables: Mapping[str, Mapping[str, Any]]) -> Settings:
    reserved = yaml_load(_KUBEADM_DEFAULTS.read_text())["kubeadm_reserved"]
    return Settings(
        allow_unsupported_os=options["allow_unsupported_os"],
        time_skew_seconds=options["time_skew_seconds"],
        daemonsets=tuple(options["daemonsets"]),
        reserved={host: of_host.get("kubeadm_reserved", reserved) for host, of_host in variables.items()},
        hosts={
            host: {name: of_host[name] for name in preflight.HOST_VARIABLES if name in of_host}
            for host, of_host in variables.items()
        },
    )


def _of_each(variables: Mapping[str, Mapping[str, Any]], name: str, key: str, nothing: Any) -> dict[str, Any]:
    """What a registered result says on each host; it says nothing where its task was skipped."""
    return {host: of_host.get(name, {}).get(key, nothing) for host, of_host in variables.items()}


def table(budget: list[dict[str, Any]]) -> list[str]:
    """What pods may request, a line for each machine."""
    header = f"{'host':24} {'memory':>8} {'reserved':>9} {'DaemonSets':>11} {'left for pods':>22}"
    return [
        header,
        *(
            f"{row['host']:24} {row['memory_mib']:>4} MiB {row['reserved_mib']:>5} MiB {row['daemonsets_mib']:>7} MiB"
            f" {row['left_mib']:>8} MiB, {row['left_millicores']:>6}m"
            for row in budget
        ),
    ]
