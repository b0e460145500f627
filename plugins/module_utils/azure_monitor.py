# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a cluster's logs and metrics go: workspaces, what collects for them, the private way to them, and Grafana."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.groundwork.kube.plugins.module_utils import azure_identity
from ansible_collections.groundwork.kube.plugins.module_utils.azure_plan import (
    Plan,
    Resource,
    identity,
    placed,
    public_access,
    refuse,
    resource,
    resource_id,
)

LOGS = ("Microsoft.OperationalInsights/workspaces", "2023-09-01")
METRICS = ("Microsoft.Monitor/accounts", "2023-04-03")
ENDPOINT = ("Microsoft.Insights/dataCollectionEndpoints", "2022-06-01")
RULE = ("Microsoft.Insights/dataCollectionRules", "2022-06-01")
ASSOCIATION = ("Microsoft.Insights/dataCollectionRuleAssociations", "2022-06-01")
SCOPE = ("Microsoft.Insights/privateLinkScopes", "2021-07-01-preview")
SCOPED = ("Microsoft.Insights/privateLinkScopes/scopedResources", "2021-07-01-preview")
GRAFANA = ("Microsoft.Dashboard/grafana", "2023-09-01")
MANAGED_ENDPOINT = ("Microsoft.Dashboard/grafana/managedPrivateEndpoints", "2023-09-01")

_STREAM = "Microsoft-PrometheusMetrics"


def resources(plan: Plan) -> list[Resource]:
    """All of it but what belongs to a cluster, as arm_resource takes it."""
    refuse("azure_monitor", plan, _problems(plan))
    return [
        _logs(plan),
        _made(plan, METRICS, plan["metrics_workspace"], publicNetworkAccess=public_access(plan)),
        _endpoint(plan),
        _rule(plan),
        *(_private_link(plan) if plan["private_link_scope"] else ()),
        *(_grafana(plan) if plan["grafana"] else ()),
    ]


def assignments(plan: Plan, made: Mapping[str, Any], assume: bool = False) -> list[Resource]:
    """Grafana reads metrics by the identity that Azure has made for it."""
    if not plan["grafana"]:
        return []
    grafana = {"properties": made["grafana"]["identity"]}
    reads = {
        "identity": "grafana",
        "role": "Monitoring Data Reader",
        "scope": _id(plan, METRICS, plan["metrics_workspace"]),
    }
    return azure_identity.own_assignments(plan, [reads], {"grafana": grafana}, assume)


def associations(plan: Plan) -> list[Resource]:
    """What tells a cluster's agents where to send its metrics, and where to ask what they are to do."""
    refuse("azure_monitor", plan, _problems(plan))
    told = {
        # AKS looks for the first by the name of the rule, and Azure wants the second to be called just so.
        plan["collection"]: {"dataCollectionRuleId": _id(plan, RULE, plan["collection"])},
        "configurationAccessEndpoint": {"dataCollectionEndpointId": _id(plan, ENDPOINT, plan["collection"])},
    }
    kind, api = ASSOCIATION
    common = {"type": kind, "scope": plan["cluster_id"], "api_version": api}
    return [{**common, "name": name, "body": {"properties": properties}} for name, properties in told.items()]


def _problems(plan: Plan) -> Iterator[str]:
    if not plan["public_access"] and not plan["private_link_scope"]:
        yield "azure_monitor_private_link_scope: without one, what is not public is reached by nobody"
    if not 30 <= plan["retention_days"] <= 730:
        yield f"azure_monitor_retention_days: {plan['retention_days']} is not within 30 to 730"
    zone = f"privatelink.{plan['location']}.prometheus.monitor.azure.com"
    if not plan["public_access"] and plan["grafana"] and zone not in plan["private_dns_zones"]:
        yield f"azure_network_private_dns_zones: lacks {zone}, without which nobody within asks for metrics"


def _id(plan: Plan, what: tuple[str, str], name: str) -> str:
    return resource_id(plan, what[0], name)


def _made(plan: Plan, what: tuple[str, str], name: str, **properties: Any) -> Resource:
    kind, api = what
    return resource(plan, kind, name, api, placed(plan, properties=properties))


def _logs(plan: Plan) -> Resource:
    return _made(
        plan,
        LOGS,
        plan["log_workspace"],
        sku={"name": "PerGB2018"},
        retentionInDays=plan["retention_days"],
        publicNetworkAccessForIngestion=public_access(plan),
        publicNetworkAccessForQuery=public_access(plan),
    )


def _endpoint(plan: Plan) -> Resource:
    kind, api = ENDPOINT
    properties = {"networkAcls": {"publicNetworkAccess": public_access(plan)}}
    body = placed(plan, kind="Linux", properties=properties)
    return resource(plan, kind, plan["collection"], api, body, key="collection endpoint")


def _rule(plan: Plan) -> Resource:
    kind, api = RULE
    destination = {"name": "metrics", "accountResourceId": _id(plan, METRICS, plan["metrics_workspace"])}
    properties = {
        "dataCollectionEndpointId": _id(plan, ENDPOINT, plan["collection"]),
        "dataSources": {"prometheusForwarder": [{"name": "prometheus", "streams": [_STREAM]}]},
        "destinations": {"monitoringAccounts": [destination]},
        "dataFlows": [{"streams": [_STREAM], "destinations": ["metrics"]}],
    }
    body = placed(plan, kind="Linux", properties=properties)
    return resource(plan, kind, plan["collection"], api, body, key="collection rule")


def _private_link(plan: Plan) -> Iterator[Resource]:
    """The workspace of logs, and what takes metrics in: the workspace of metrics itself is no part of a scope."""
    kind, api = SCOPE
    name = plan["private_link_scope"]
    modes = {"ingestionAccessMode": "PrivateOnly", "queryAccessMode": "PrivateOnly"}
    yield resource(plan, kind, name, api, placed(plan, "global", properties={"accessModeSettings": modes}))
    kind, api = SCOPED
    for label, linked in (
        ("logs", _id(plan, LOGS, plan["log_workspace"])),
        ("metrics", _id(plan, ENDPOINT, plan["collection"])),
    ):
        yield resource(plan, kind, f"{name}/{label}", api, {"properties": {"linkedResourceId": linked}})


def _grafana(plan: Plan) -> Iterator[Resource]:
    metrics = _id(plan, METRICS, plan["metrics_workspace"])
    kind, api = GRAFANA
    asked = [{"azureMonitorWorkspaceResourceId": metrics}]
    properties = {
        "publicNetworkAccess": public_access(plan),
        "grafanaIntegrations": {"azureMonitorWorkspaceIntegrations": asked},
    }
    body = placed(plan, sku={"name": "Standard"}, identity=identity(""), properties=properties)
    yield resource(plan, kind, plan["grafana"], api, body, key="grafana")
    if not plan["public_access"]:
        kind, api = MANAGED_ENDPOINT
        properties = {"privateLinkResourceId": metrics, "groupIds": ["prometheusMetrics"]}
        body = placed(plan, properties=properties)
        yield resource(plan, kind, f"{plan['grafana']}/metrics", api, body)
