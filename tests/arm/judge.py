"""A judge that we did not write: what is sent to ARM and what the stand-in answers, held against Azure's own models.

The models are those of the azure-mgmt packages that requirements-dev.in asks for. Where a package knows our version of
an API it is that version's model; else it is the package's only one, which is newer, and the run's summary says so. A
property that the model does not know or that is read-only, a wrong type, and a value that its enum has not, are
problems. What is required, and whether Azure takes the values together, is not judged; neither is what a PUT only gives
back as it was given, which ARM asks every service to take.
"""

from __future__ import annotations

import datetime
import importlib
import importlib.util
import inspect
import re
import sys
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.arm.fake import Request, is_collection, type_of

MGMT = "azure.mgmt"


@dataclass(frozen=True)
class Judge:
    """Where the models of a type are: of what is sent, and of what is answered if that is another one."""

    package: str
    sent: str
    answered: str = ""

    def model(self, answered: bool) -> type:
        models = importlib.import_module(f"{MGMT}.{self.package}.models")
        found: type = getattr(models, (answered and self.answered) or self.sent)
        return found

    @property
    def api_version(self) -> str:
        """Which version of the API the models are of."""
        if version := re.search(r"\.v(\d{4})_(\d\d)_(\d\d)(_preview)?$", self.package):
            year, month, day, preview = version.groups("")
            return f"{year}-{month}-{day}{preview.replace('_', '-')}"
        (place,) = importlib.import_module(f"{MGMT}.{self.package}.operations").__path__
        operations = "".join(file.read_text() for file in Path(place).glob("*_operations.py"))
        versions = re.findall(r'"(\d{4}-\d\d-\d\d(?:-preview)?)"', operations)
        return max(versions, key=lambda version: (version[:10], "preview" not in version))


AUTHORIZATION = "authorization.v2022_04_01"
COLLECTION, PRIVATE_LINK = "monitor.v2022_06_01", "monitor.v2021_07_01_preview"
IDENTITY = "msi.v2024_11_30"
JUDGES = {
    "Microsoft.Authorization/roleAssignments": Judge(AUTHORIZATION, "RoleAssignmentCreateParameters", "RoleAssignment"),
    "Microsoft.Authorization/roleDefinitions": Judge(AUTHORIZATION, "RoleDefinition"),
    "Microsoft.CognitiveServices/accounts": Judge("cognitiveservices", "Account"),
    "Microsoft.CognitiveServices/accounts/deployments": Judge("cognitiveservices", "Deployment"),
    "Microsoft.CognitiveServices/accounts/projects": Judge("cognitiveservices", "Project"),
    "Microsoft.ContainerRegistry/registries": Judge("containerregistry", "Registry"),
    "Microsoft.ContainerRegistry/registries/importImage": Judge("containerregistry", "ImportImageParameters"),
    "Microsoft.ContainerService/managedClusters": Judge("containerservice", "ManagedCluster"),
    "Microsoft.ContainerService/managedClusters/agentPools": Judge("containerservice", "AgentPool"),
    "Microsoft.ContainerService/managedClusters/agentPools/upgradeProfiles": Judge(
        "containerservice", "AgentPoolUpgradeProfile"
    ),
    "Microsoft.ContainerService/managedClusters/runCommand": Judge("containerservice", "RunCommandRequest"),
    "Microsoft.DBforPostgreSQL/flexibleServers": Judge("postgresqlflexibleservers", "Server"),
    "Microsoft.DBforPostgreSQL/flexibleServers/configurations": Judge("postgresqlflexibleservers", "Configuration"),
    "Microsoft.DBforPostgreSQL/flexibleServers/databases": Judge("postgresqlflexibleservers", "Database"),
    "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules": Judge("postgresqlflexibleservers", "FirewallRule"),
    "Microsoft.Dashboard/grafana": Judge("dashboard", "ManagedGrafana"),
    "Microsoft.Dashboard/grafana/managedPrivateEndpoints": Judge("dashboard", "ManagedPrivateEndpointModel"),
    "Microsoft.Insights/dataCollectionEndpoints": Judge(COLLECTION, "DataCollectionEndpointResource"),
    "Microsoft.Insights/dataCollectionRuleAssociations": Judge(
        COLLECTION, "DataCollectionRuleAssociationProxyOnlyResource"
    ),
    "Microsoft.Insights/dataCollectionRules": Judge(COLLECTION, "DataCollectionRuleResource"),
    "Microsoft.Insights/privateLinkScopes": Judge(PRIVATE_LINK, "AzureMonitorPrivateLinkScope"),
    "Microsoft.Insights/privateLinkScopes/scopedResources": Judge(PRIVATE_LINK, "ScopedResource"),
    "Microsoft.KeyVault/vaults": Judge("keyvault", "VaultCreateOrUpdateParameters", "Vault"),
    "Microsoft.KeyVault/vaults/secrets": Judge("keyvault", "SecretCreateOrUpdateParameters", "Secret"),
    "Microsoft.ManagedIdentity/userAssignedIdentities": Judge(IDENTITY, "Identity"),
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": Judge(
        IDENTITY, "FederatedIdentityCredential"
    ),
    "Microsoft.Monitor/accounts": Judge("monitorworkspaces", "AzureMonitorWorkspaceResource"),
    "Microsoft.Network/azureFirewalls": Judge("network", "AzureFirewall"),
    "Microsoft.Network/firewallPolicies": Judge("network", "FirewallPolicy"),
    "Microsoft.Network/firewallPolicies/ruleCollectionGroups": Judge("network", "FirewallPolicyRuleCollectionGroup"),
    "Microsoft.Network/privateDnsZones": Judge("privatedns", "PrivateZone"),
    "Microsoft.Network/privateDnsZones/A": Judge("privatedns", "RecordSet"),
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": Judge("privatedns", "VirtualNetworkLink"),
    "Microsoft.Network/privateEndpoints": Judge("network", "PrivateEndpoint"),
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": Judge("network", "PrivateDnsZoneGroup"),
    "Microsoft.Network/publicIPAddresses": Judge("network", "PublicIPAddress"),
    "Microsoft.Network/routeTables": Judge("network", "RouteTable"),
    "Microsoft.Network/virtualNetworks": Judge("network", "VirtualNetwork"),
    "Microsoft.Network/virtualNetworks/subnets": Judge("network", "Subnet"),
    "Microsoft.Network/virtualNetworks/virtualNetworkPeerings": Judge("network", "VirtualNetworkPeering"),
    "Microsoft.OperationalInsights/workspaces": Judge("loganalytics", "Workspace"),
    "Microsoft.Resources/resourceGroups": Judge("resource.resources", "ResourceGroup"),
    "Microsoft.ServiceLinker/linkers": Judge("servicelinker", "LinkerResource"),
}
# What Azure documents and its models do not have, or not yet.
DOCUMENTED = {
    # The stream of managed Prometheus.
    "properties.dataFlows[].streams[]: 'Microsoft-PrometheusMetrics' is none of ",
    # Each resource of ARM has a type.
    "privateDnsZoneGroups answered: type: PrivateDnsZoneGroup has no such property",
}
_JUDGES = {name.lower(): judge for name, judge in JUDGES.items()}


def problems(log: Iterable[Request], judged: set[tuple[str, str]]) -> list[str]:
    """What is wrong in the requests of a log and in their answers; the types and versions it spoke of are noted."""
    shown: dict[str, Any] = {}
    found = dict.fromkeys(problem for request in log for problem in _of_request(request, judged, shown))
    return [problem for problem in found if not any(known in problem for known in DOCUMENTED)]


def newer_models(judged: Iterable[tuple[str, str]]) -> list[str]:
    """The types whose version is not the one that their model is of."""
    return [
        f"{kind} {version}: judged by the model of {judge.api_version}"
        for kind, version in sorted(judged)
        if (judge := _JUDGES[kind.lower()]).api_version != version
    ]


def _of_request(request: Request, judged: set[tuple[str, str]], shown: dict[str, Any]) -> Iterator[str]:
    path = request.path.rstrip("/")
    if not path.startswith("/subscriptions/") or "/operations/" in path:
        return
    if not re.search(r"/resourcegroups/[^/]+$|/providers/[^/]+/.", path, re.IGNORECASE):
        return
    kind = type_of(path.rpartition("/")[0] + "/x" if is_collection(path.lower()) else path)
    if request.method == "POST":
        kind = f"{type_of(path.rpartition('/')[0])}/{path.rpartition('/')[2]}"
    elif request.method == "DELETE" or (request.answer and request.answer.status >= 400):
        return
    judge = _JUDGES.get(kind.lower())
    if judge is None:
        if request.body:
            yield f"{kind}: no model of it is known to the judge"
        return
    judged.add((kind, request.query["api-version"]))
    where = f"{request.method} {kind}"
    if request.body:
        body = _said_anew(request.body, shown.get(path.lower()))
        yield from _wrong(body, judge.model(answered=False), f"{where} sent: ", sent=True)
    if request.answer and request.answer.body and request.method != "POST":
        body = shown[path.lower()] = request.answer.body
        for each in body["value"] if is_collection(path.lower()) else [body]:
            yield from _wrong(each, judge.model(answered=True), f"{where} answered: ", sent=False)


def _said_anew(sent: Any, shown: Any) -> Any:
    """What is sent, without what is so already."""
    if isinstance(sent, dict) and isinstance(shown, dict):
        return {name: _said_anew(value, shown.get(name)) for name, value in sent.items() if value != shown.get(name)}
    if isinstance(sent, list) and isinstance(shown, list):
        return [_said_anew(*pair) for pair in zip_longest(sent, shown[: len(sent)]) if pair[0] != pair[1]]
    return sent


@dataclass(frozen=True)
class Property:
    """What a model says of one property. A flattened one has properties of its own, and no type."""

    hint: Any
    read_only: bool = False


def _wrong(value: Any, hint: Any, path: str, sent: bool) -> Iterator[str]:
    """What speaks against a value that is to be of a type."""
    if value is None or hint in (Any, object):
        return
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(hint, dict) or _is_model(hint):
        yield from _wrong_properties(value, hint, path, sent)
    elif known := _known_values(hint):
        if value not in known:
            yield f"{path}: {value!r} is none of {', '.join(known)}"
    elif origin is typing.Union:
        choices = [list(_wrong(value, choice, path, sent)) for choice in arguments if choice is not type(None)]
        yield from [] if [] in choices else choices[0]
    elif inspect.isclass(origin) and issubclass(origin, list):
        if isinstance(value, list):
            for each in value:
                yield from _wrong(each, arguments[0], f"{path}[]", sent)
        else:
            yield f"{path}: {value!r} is no list"
    elif inspect.isclass(origin) and issubclass(origin, dict | typing.MutableMapping):
        if isinstance(value, dict):
            for name, each in value.items():
                yield from _wrong(each, arguments[1], f"{path}.{name}", sent)
        else:
            yield f"{path}: {value!r} is no object"
    elif not _is_scalar(value, hint):
        yield f"{path}: {value!r} is no {getattr(hint, '__name__', hint)}"


def _known_values(hint: Any) -> list[str]:
    """The values of an enum, which the models write as itself, as one beside str, or as one of its members."""
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return [member.value for member in hint]
    if typing.get_origin(hint) is typing.Literal:
        return [member.value for member in typing.get_args(hint)]
    return [value for choice in typing.get_args(hint) if inspect.isclass(choice) for value in _known_values(choice)]


def _is_scalar(value: Any, hint: Any) -> bool:
    if hint is bool or isinstance(value, bool):
        return hint is bool and isinstance(value, bool)
    if hint in (int, float):
        return isinstance(value, int if hint is int else (int, float))
    if hint in (str, bytes, datetime.datetime, datetime.date, datetime.timedelta):
        return isinstance(value, str)
    raise TypeError(f"{hint}: the judge knows no such type")


def _wrong_properties(value: Any, hint: Any, path: str, sent: bool) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no object"
        return
    model = hint if isinstance(hint, dict) else _kind_of(value, hint)
    known = model if isinstance(model, dict) else _properties(model)
    for name, each in value.items():
        place = f"{path}.{name}".replace(": .", ": ")
        if name not in known:
            yield f"{place}: {getattr(model, '__name__', 'the model')} has no such property"
        elif sent and known[name].read_only:
            yield f"{place}: is read-only"
        else:
            yield from _wrong(each, known[name].hint, place, sent)


# --- the two kinds of models that Azure's libraries have ---


def _is_model(hint: Any) -> bool:
    return inspect.isclass(hint) and hasattr(hint, "as_dict")


def _kind_of(value: dict[str, Any], model: Any) -> type:
    """The model, or the one of its kinds that the value says it is."""
    while True:
        found = None
        for attribute, kinds in getattr(model, "_subtype_map", {}).items():
            name = model._attribute_map[attribute]["key"]
            found = getattr(sys.modules[model.__module__], kinds.get(value.get(name), ""), None)
        for attribute, field in _rest_fields(model).items():
            if field._is_discriminator:
                name = field._rest_name_input or attribute
                found = getattr(model, "__mapping__", {}).get(value.get(name))
        if found is None or found is model:
            kind: type = model
            return kind
        model = found


@cache
def _properties(model: type) -> dict[str, Property]:
    if hasattr(model, "_attribute_map"):
        return _of_attribute_map(model)
    hints = typing.get_type_hints(model, _names(model))
    return {
        field._rest_name_input or attribute: Property(hints[attribute], field._visibility == ["read"])
        for attribute, field in _rest_fields(model).items()
    }


def _rest_fields(model: type) -> dict[str, Any]:
    fields = (item for base in reversed(model.__mro__) for item in vars(base).items())
    return {name: value for name, value in fields if type(value).__name__ == "_RestField"}


def _names(model: type) -> dict[str, Any]:
    """What the annotations of a model's module speak of, some of which it imports for type checkers alone."""
    module = sys.modules[model.__module__]
    package = importlib.import_module(module.__name__.rpartition(".")[0])
    names: dict[str, Any] = {"_models": package, "datetime": datetime, "JSON": Any, **vars(module)}
    unions = importlib.util.find_spec(f"{package.__name__.rpartition('.')[0]}._unions")
    return {**names, "_types": importlib.import_module(unions.name) if unions else ModuleType("_types")}


def _of_attribute_map(model: Any) -> dict[str, Property]:
    hints = typing.get_type_hints(model.__init__, _names(model))
    tree: dict[str, Property] = {}
    for attribute, said in model._attribute_map.items():
        hint = hints.get(attribute) or _hint_of(said["type"], sys.modules[model.__module__])
        read_only = model._validation.get(attribute, {}).get("readonly", False)
        *outer, name = re.split(r"(?<!\\)\.", said["key"])
        place = tree
        for part in outer:
            place = place.setdefault(part, Property({})).hint
        place[name.replace("\\", "")] = Property(hint, read_only)
    return tree


_SCALARS = {"str": str, "int": int, "long": int, "float": float, "bool": bool, "iso-8601": str, "duration": str}


def _hint_of(said: str, module: ModuleType) -> Any:
    """What the older models say of a type, as one that newer ones would."""
    if said.startswith("["):
        return list[_hint_of(said[1:-1], module)]  # type: ignore[misc]
    if said.startswith("{"):
        return dict[str, _hint_of(said[1:-1], module)]  # type: ignore[misc]
    return _SCALARS.get(said) or getattr(module, said, Any)
