"""Any resource, declared: what is sent, what is told, and what is not done."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.groundwork.kube.plugins.module_utils import arm
from tests.arm.conftest import Call, Kill, Killed, Play
from tests.arm.fake import SUBSCRIPTION, Answer, FakeArm, Refusal

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/network"
NETWORK = f"{GROUP}/providers/Microsoft.Network"
HUB = f"{NETWORK}/virtualNetworks/hub"

Json = dict[str, Any]

pytestmark = pytest.mark.made_up


def group(name: str = "network", **more: Any) -> Json:
    body = {"location": "koreacentral"}
    return {
        "type": "Microsoft.Resources/resourceGroups",
        "name": name,
        "api_version": "2022-09-01",
        "body": body,
        **more,
    }


def network(kind: str, name: str, body: Json | None = None, **more: Any) -> Json:
    where = {"type": f"Microsoft.Network/{kind}", "name": name, "resource_group": "network"}
    return {**where, "api_version": "2024-05-01", "body": body or {}, **more}


def hub(**properties: Any) -> Json:
    space = {"addressSpace": {"addressPrefixes": ["10.100.0.0/16"]}}
    return network("virtualNetworks", "hub", {"location": "koreacentral", "properties": {**space, **properties}})


def verbs(result: Json) -> list[tuple[str, str]]:
    return [(change["verb"], change["key"]) for change in result["changes"]]


def test_what_is_not_there_is_made_and_left_alone_afterwards(azure: FakeArm, declare: Call) -> None:
    resources = [group(), hub(), network("virtualNetworks/subnets", "hub/firewall", {"properties": {"a": [{"b": 1}]}})]
    first = declare(*resources)
    assert verbs(first) == [("create", "network"), ("create", "hub"), ("create", "hub/firewall")]
    assert first["resources"]["hub"]["id"] == HUB
    made = azure.sent("PUT")
    assert made == [f"PUT {GROUP}", f"PUT {HUB}", f"PUT {HUB}/subnets/firewall"]
    before = len(azure.log)
    assert not declare(*resources)["changed"]
    assert azure.sent("PUT") == made
    # One login for all of them.
    logins = [request for request in azure.log[before:] if request.path.endswith("/token")]
    assert len(logins) == 1


def test_nothing_declared_is_nothing_done(azure: FakeArm, declare: Call) -> None:
    assert not declare()["changed"]


def test_check_mode_in_an_empty_subscription_lists_what_would_be_made_and_sends_nothing(
    azure: FakeArm, declare: Call
) -> None:
    result = declare(group(), hub(), check=True)
    assert result["changed"]
    assert verbs(result) == [("create", "network"), ("create", "hub")]
    assert azure.written == []
    assert result["resources"]["hub"]["id"] == HUB


def test_check_mode_says_what_the_run_then_does(azure: FakeArm, declare: Call) -> None:
    declare(group(), hub())
    azure.resource(HUB)["properties"]["addressSpace"]["addressPrefixes"] = ["10.0.0.0/8"]
    wanted = [group(), hub(), network("routeTables", "egress")]
    told = declare(*wanted, check=True)
    done = declare(*wanted)
    assert (told["changes"], told["diff"]) == (done["changes"], done["diff"])


def test_drift_is_told_by_its_path_and_mended_and_what_nobody_declared_stays(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    wanted = hub(enableDdosProtection=False)
    declare(wanted)
    azure.resource(HUB)["properties"] |= {"enableDdosProtection": True, "flowTimeoutInMinutes": 4}
    azure.resource(HUB)["tags"] = {"owner": "somebody"}
    result = declare(wanted)
    assert result["changes"][0]["differences"] == ["properties.enableDdosProtection: true -> false"]
    named = {"location": "koreacentral", "properties": {"addressSpace": {"addressPrefixes": ["10.100.0.0/16"]}}}
    assert result["diff"][0]["before"]["properties"]["enableDdosProtection"] is True
    assert set(result["diff"][0]["before"]) == set(named)
    there = azure.resource(HUB)
    assert there["properties"]["enableDdosProtection"] is False
    assert there["properties"]["flowTimeoutInMinutes"] == 4
    assert there["tags"] == {"owner": "somebody"}


def test_what_the_service_keeps_is_not_sent_back(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    azure.plant(HUB, location="koreacentral", properties={"rules": [{"name": "a", "etag": "x"}]})
    declare(hub())
    sent = next(request.body for request in azure.log if request.method == "PUT")
    assert set(sent) == {"location", "properties"}
    assert sent["properties"]["rules"] == [{"name": "a"}]
    assert "provisioningState" not in sent["properties"]


def test_a_patch_sends_only_what_differs(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    azure.plant(HUB, location="koreacentral", properties={"a": 1, "b": {"c": 2, "d": 3}}, tags={"gone": "x"})
    body = {"location": "koreacentral", "properties": {"a": 1, "b": {"c": 5}}, "tags": {"gone": None}}
    result = declare(network("virtualNetworks", "hub", body, update="patch"))
    assert result["changed"]
    sent = next(request.body for request in azure.log if request.method == "PATCH")
    assert sent == {"properties": {"b": {"c": 5}}, "tags": {"gone": None}}
    assert azure.resource(HUB)["properties"]["b"] == {"c": 5, "d": 3}
    assert azure.resource(HUB)["tags"] == {}


@pytest.mark.parametrize("operations", ["Azure-AsyncOperation", "Location", "state"])
def test_an_operation_is_waited_for_however_azure_tells_of_it(azure: FakeArm, declare: Call, operations: str) -> None:
    azure.operations = operations
    subnet = network("virtualNetworks/subnets", "hub/firewall")
    result = declare(group(), hub(), subnet)
    assert result["resources"]["hub"]["properties"]["provisioningState"] == "Succeeded"
    # Had the network not been waited for, the subnet would have been refused once.
    assert azure.sent("PUT").count(f"PUT {HUB}/subnets/firewall") == 1
    assert not declare(group(), hub(), subnet)["changed"]
    gone = declare(hub() | {"state": "absent"}, subnet | {"state": "absent"})
    assert verbs(gone) == [("delete", "hub"), ("delete", "hub/firewall")]
    assert azure.sent("DELETE") == [f"DELETE {HUB}/subnets/firewall", f"DELETE {HUB}"]
    assert gone["resources"] == {}


@pytest.mark.parametrize("operations", ["Azure-AsyncOperation", "Location"])
def test_an_operation_that_fails_says_what_azure_says(azure: FakeArm, declare: Call, operations: str) -> None:
    azure.plant(GROUP)
    azure.operations = operations
    azure.operation_error = {
        "code": "SubnetTooSmall",
        "message": "It is too small.",
        "target": "addressPrefix",
        "details": [{"code": "Hint", "message": "Take a /26."}],
    }
    result = declare(hub())
    assert result["failed"]
    for part in ("create Microsoft.Network/virtualNetworks hub", "SubnetTooSmall: It is too small.", "Take a /26."):
        assert part in result["msg"]
    failure = result["failures"][0]
    assert (failure["key"], failure["code"], failure["target"]) == ("hub", "SubnetTooSmall", "addressPrefix")
    assert failure["correlation_id"] == "c0ffee"
    assert not result["changed"]


def test_a_resource_that_ends_failed_without_a_word_is_a_failure(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    azure.operations = "state"
    azure.operation_error = {}
    assert "ended as Failed" in declare(hub())["msg"]


def test_what_an_earlier_run_left_failed_is_made_again(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    declare(hub())
    azure.resource(HUB)["properties"]["provisioningState"] = "Failed"
    result = declare(hub() | {"update": "patch"})
    assert result["changes"][0]["differences"] == ['properties.provisioningState: "Failed" -> "Succeeded"']
    assert azure.written[-1] == f"PUT {HUB}"
    assert not declare(hub())["changed"]


def test_what_an_earlier_run_began_is_waited_for_and_not_begun_again(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    declare(hub())
    azure.resource(HUB)["properties"]["provisioningState"] = "Updating"
    azure.resource(HUB).update(_polls=3, _state="Succeeded")
    result = declare(hub())
    assert not result["changed"]
    assert result["resources"]["hub"]["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    "fault",
    [
        Answer(429, {"error": {"code": "TooManyRequests", "message": "Slow down."}}, {"retry-after-ms": "1"}),
        Answer(500, {"error": {"code": "InternalServerError", "message": "Oh."}}, {"retry-after-ms": "1"}),
        Answer(503, None, {"retry-after-ms": "1"}),
        Refusal(409, "AnotherOperationInProgress", "Another operation is in progress."),
        Refusal(400, "PrincipalNotFound", "The principal does not exist in the directory."),
    ],
    ids=["429", "500", "503", "AnotherOperationInProgress", "PrincipalNotFound"],
)
def test_a_passing_refusal_is_outlived(azure: FakeArm, declare: Call, fault: Answer | Refusal) -> None:
    azure.plant(GROUP)
    azure.fault("PUT", "/hub", fault, fault)
    assert verbs(declare(hub())) == [("create", "hub")]
    assert azure.written == [f"PUT {HUB}"] * 3


def test_an_expired_token_is_replaced(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    expired = Refusal(401, "ExpiredAuthenticationToken", "The access token expiry is before the current time.")
    azure.fault("GET", "/hub", expired)
    azure.fault("PUT", "/hub", expired)
    assert verbs(declare(hub())) == [("create", "hub")]


def test_a_run_killed_at_any_request_is_finished_by_the_next(azure: FakeArm, declare: Call, kill: Kill) -> None:
    wanted = [group(), hub(), network("virtualNetworks/subnets", "hub/a"), network("routeTables", "egress")]
    survived = 0
    while True:
        azure.store.clear()
        azure.operations = "Azure-AsyncOperation"
        kill(survived)
        try:
            declare(*wanted, parallel=1)
            break
        except Killed:
            kill(None)
            assert not declare(*wanted)["failed"]
            assert not declare(*wanted)["changed"]
            assert len(azure.store) == len(wanted)
            survived += 1
    # Metadata, one look at each resource and at the provider, and a write and a look for each.
    assert survived == 1 + len(wanted) + 1 + 2 * len(wanted)


def test_a_refusal_names_the_deed_and_azures_reason(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    azure.fault("PUT", "/hub", Refusal(400, "InvalidPrefix", "That is no prefix.", target="addressPrefixes"))
    result = declare(hub())
    assert result["msg"] == (
        "create Microsoft.Network/virtualNetworks hub: 400 InvalidPrefix: That is no prefix. "
        "(target addressPrefixes, correlation id c0ffee)"
    )


def test_once_one_request_is_told_to_wait_all_do(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(arm.time, "sleep", slept.append)
    throttle = arm.Throttle()
    throttle.wait(None)

    class Told:
        class http_response:  # noqa: N801
            status_code = 429
            headers = {"retry-after": "17"}

    throttle.note(Told)
    throttle.wait(None)
    assert [round(seconds) for seconds in slept] == [17]


def test_a_provider_is_registered_when_something_of_its_is_first_made(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    azure.unregistered = {"Microsoft.Network"}
    told = declare(hub(), check=True)
    assert azure.written == []
    assert verbs(told) == [("register", "Microsoft.Network"), ("create", "hub")]
    assert verbs(declare(hub())) == verbs(told)
    provider = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Network"
    assert azure.written == [f"POST {provider}/register", f"PUT {HUB}"]
    before = len(azure.log)
    assert not declare(hub())["changed"]
    assert provider not in [request.path for request in azure.log[before:]]


def test_a_provider_that_may_not_be_registered_is_said_before_anything_is_made(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    azure.unregistered = {"Microsoft.Network"}
    for check in (True, False):
        result = declare(hub(), register_providers=False, check=check)
        assert "az provider register --namespace Microsoft.Network" in result["msg"]
    assert azure.written == []


def test_who_may_not_read_providers_is_believed_to_have_them(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    azure.fault("GET", "/providers/microsoft.network", Refusal(403, "AuthorizationFailed", "You may not."))
    assert verbs(declare(hub())) == [("create", "hub")]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"subscription_id": "another"}, "404 SubscriptionNotFound: The subscription 'another' could not be found."),
        (
            {"type": "Contoso.Nets/nets"},
            "404 InvalidResourceNamespace: The resource namespace 'Contoso.Nets' is invalid.",
        ),
    ],
)
def test_what_can_never_be_is_said_in_check_mode_already(
    azure: FakeArm, declare: Call, wrong: dict[str, str], said: str
) -> None:
    kind = {"type": wrong["type"]} if "type" in wrong else {}
    options = {} if kind else wrong
    assert said in declare({**hub(), **kind}, check=True, **options)["msg"]


def test_what_waits_for_a_failure_is_not_begun_and_the_rest_is_done(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    policy = {"properties": {"firewallPolicy": {"id": f"{NETWORK}/firewallPolicies/policy"}}}
    azure.fault("PUT", "/policy", Refusal(400, "BadPolicy", "No."))
    result = declare(
        network("routeTables", "egress"),
        network("firewallPolicies", "policy"),
        network("azureFirewalls", "firewall", policy),
        network("privateEndpoints", "endpoint", depends_on=["firewall"]),
        network("publicIPAddresses", "address"),
    )
    assert result["not_begun"] == ["firewall", "endpoint"]
    assert result["msg"].endswith(". Not begun: firewall, endpoint")
    assert [failure["key"] for failure in result["failures"]] == ["policy"]
    assert result["changed"]
    assert verbs(result) == [("create", "egress"), ("create", "address")]
    assert not any("firewalls" in each.lower() or "endpoint" in each for each in azure.written)


def test_independent_resources_are_made_side_by_side(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    # Each PUT is answered once all three are there.
    azure.meeting = threading.Barrier(3)
    names = ["one", "two", "three"]
    assert len(declare(*(network("routeTables", name) for name in names))["changes"]) == 3


def test_what_is_within_one_resource_is_changed_one_at_a_time(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    azure.plant(HUB)
    azure.operations = "Azure-AsyncOperation"
    declare(*(network("virtualNetworks/subnets", f"hub/{name}") for name in "abcd"))
    # Not one was refused and had to be sent again.
    assert len(azure.written) == 4


def test_order_is_said_by_depends_on(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    declare(
        network("routeTables", "last", depends_on=["middle"]),
        network("publicIPAddresses", "first"),
        network("natGateways", "second", key="middle", depends_on=["first"]),
    )
    assert [each.rpartition("/")[2] for each in azure.written] == ["first", "second", "last"]


def test_ids_and_names_have_no_case_and_a_location_no_spaces(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    identity = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/Node"
    azure.plant(
        HUB,
        location="koreacentral",
        identity={"userAssignedIdentities": {identity.lower(): {"clientId": "x"}}},
        properties={"rules": [{"name": "Firewall", "id": HUB.upper() + "/RULES/FIREWALL"}], "ADMIN": "a"},
    )
    body = {
        "location": "Korea Central",
        "identity": {"userAssignedIdentities": {identity: {}}},
        "properties": {"rules": [{"name": "firewall", "id": f"{HUB}/rules/firewall"}], "admin": "a"},
    }
    assert not declare(network("virtualNetworks", "hub", body))["changed"]


def test_a_write_only_property_is_sent_and_not_compared(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    azure.never_returned = {"createMode"}
    body = {"properties": {"createMode": "Default", "size": 1}}
    wanted = network("virtualNetworks", "hub", body, write_only=["properties.createMode"])
    declare(wanted)
    assert not declare(wanted)["changed"]
    wanted["body"]["properties"]["size"] = 2
    result = declare(wanted)
    assert result["changes"][0]["differences"] == ["properties.size: 1 -> 2"]
    assert "createMode" not in str(result["diff"])
    sent = [request.body["properties"]["createMode"] for request in azure.log if request.method == "PUT"]
    assert sent == ["Default", "Default"]
    assert "warnings" not in result


def test_an_initial_property_is_said_once_and_then_left_alone(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    body = {"properties": {"size": 1, "pools": [{"name": "a", "count": 3}]}}
    wanted = network("virtualNetworks", "hub", body, initial=["properties.pools.count"])
    declare(wanted)
    assert azure.resource(HUB)["properties"]["pools"] == [{"name": "a", "count": 3}]
    azure.resource(HUB)["properties"]["pools"][0]["count"] = 7
    assert not declare(wanted)["changed"]
    wanted["body"]["properties"]["size"] = 2
    assert declare(wanted, check=True)["resources"]["hub"]["properties"]["pools"] == [{"name": "a", "count": 7}]
    assert declare(wanted)["changes"][0]["differences"] == ["properties.size: 1 -> 2"]
    assert azure.resource(HUB)["properties"]["pools"] == [{"name": "a", "count": 7}]


def test_what_azure_took_and_does_not_give_back_is_pointed_out(azure: FakeArm, declare: Call) -> None:
    azure.plant(GROUP)
    azure.never_returned = {"createMode"}
    result = declare(network("virtualNetworks", "hub", {"properties": {"createMode": "Default"}}))
    assert 'properties.createMode: absent -> "Default"' in str(result["warnings"])
    assert "write_only" in str(result["warnings"])


class TestSecrets:
    WANTED = 'it\'s "secret" / and\nlong'
    OLDER = "the one that was there"

    def server(self, **more: Any) -> Json:
        secret = {"properties": {"password": self.WANTED, "users": [{"name": "b", "key": self.WANTED + "2"}]}}
        body = {"properties": {"users": [{"name": "a"}, {"name": "b"}]}}
        return network("virtualNetworks", "hub", body, secret_body=secret, **more)

    def is_told(self, text: str) -> bool:
        return any(each in text for each in (self.WANTED, json.dumps(self.WANTED)[1:-1], self.OLDER))

    def test_they_are_sent_with_the_body(self, azure: FakeArm, declare: Call) -> None:
        azure.plant(GROUP)
        declare(self.server())
        properties = azure.resource(HUB)["properties"]
        assert properties["password"] == self.WANTED
        assert {user["name"]: user.get("key") for user in properties["users"]} == {"a": None, "b": self.WANTED + "2"}

    def test_one_that_azure_keeps_to_itself_is_not_compared(self, azure: FakeArm, declare: Call) -> None:
        azure.plant(GROUP)
        azure.never_returned = {"password"}
        declare(self.server())
        result = declare(self.server())
        assert not result["changed"]
        assert "warnings" not in result

    def test_no_result_diff_or_log_shows_the_new_or_the_old_one(
        self, azure: FakeArm, declare: Call, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        logged: list[str] = []
        monkeypatch.setattr(AnsibleModule, "log", lambda _self, text, **more: logged.append(f"{text} {more}"))
        azure.plant(GROUP)
        azure.plant(HUB, properties={"password": self.OLDER, "users": [{"name": "a"}, {"name": "b"}]})
        result = declare(self.server())
        assert result["changed"]
        assert azure.resource(HUB)["properties"]["password"] == self.WANTED
        assert logged
        for shown in (str(result), json.dumps(result), *logged):
            assert not self.is_told(shown)

    def test_an_error_that_repeats_it_does_not(self, azure: FakeArm, declare: Call) -> None:
        azure.plant(GROUP)
        said = f"The password {self.WANTED} ({json.dumps(self.WANTED)}) is too weak."
        azure.fault("PUT", "/hub", Refusal(400, "Weak", said))
        result = declare(self.server())
        assert "Weak: The password" in result["msg"]
        assert not self.is_told(str(result) + json.dumps(result))

    def test_a_play_at_every_verbosity_shows_neither_it_nor_the_login(
        self, azure: FakeArm, play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        azure.plant(GROUP)
        secret = tmp_path / "secret"
        secret.write_text(azure.trusted_secret)
        monkeypatch.delenv("AZURE_SECRET")
        read = f"{{{{ lookup('file', '{secret}') }}}}"
        server = self.server() | {"secret_body": {"properties": {"password": read}}}
        run = play([{"groundwork.kube.arm_resource": {"secret": read, "resources": [server]}}], "-vvvvv", "--diff")
        assert "verb: create" in run.printed
        assert azure.resource(HUB)["properties"]["password"] == azure.trusted_secret
        assert azure.trusted_secret not in run.printed
        assert not any(token in run.printed for token in azure.tokens)


class TestActions:
    STOP = network("virtualNetworks", "hub", action="stop", key="stop")

    @pytest.fixture(autouse=True)
    def cluster(self, azure: FakeArm) -> None:
        azure.plant(GROUP)
        azure.plant(HUB, properties={"powerState": {"code": "Running"}})
        azure.actions["stop"] = lambda resource, body: resource["properties"].update(powerState={"code": "Stopped"})
        azure.actions["runCommand"] = lambda resource, body: {"exitCode": 3, "logs": body["command"]}

    def test_check_mode_tells_and_does_not(self, azure: FakeArm, declare: Call) -> None:
        result = declare(self.STOP, check=True)
        assert verbs(result) == [("stop", "stop")]
        assert azure.written == []

    def test_one_that_is_needless_is_not_done(self, azure: FakeArm, declare: Call) -> None:
        stop = self.STOP | {"unless": {"properties": {"powerState": {"code": "Stopped"}}}}
        assert declare(stop)["changed"]
        assert azure.written == [f"POST {HUB}/stop"]
        assert not declare(stop)["changed"]
        assert len(azure.written) == 1

    @pytest.mark.parametrize("operations", ["", "Location"])
    def test_its_answer_is_handed_back(self, azure: FakeArm, declare: Call, operations: str) -> None:
        azure.operations = operations
        command = network("virtualNetworks", "hub", {"command": "kubectl get nodes"}, action="runCommand")
        assert declare(command)["responses"] == {"hub": {"exitCode": 3, "logs": "kubectl get nodes"}}

    def test_it_comes_after_its_resource_was_made_what_it_is_to_be(self, azure: FakeArm, declare: Call) -> None:
        declare(self.STOP, hub())
        assert azure.written == [f"PUT {HUB}", f"POST {HUB}/stop"]

    def test_a_failed_one_is_named(self, azure: FakeArm, declare: Call) -> None:
        azure.fault("POST", "/stop", Refusal(400, "NotNow", "It is upgrading."))
        assert declare(self.STOP)["msg"].startswith("stop Microsoft.Network/virtualNetworks hub (stop): 400 NotNow")


@pytest.mark.parametrize(
    ("resources", "problem"),
    [
        ([network("virtualNetworks/subnets", "hub")], "takes 2 names, the outermost first"),
        ([network("", "hub", type="Network")], "type Network: write it as in a template"),
        ([hub() | {"api_version": "latest"}], "api_version latest: is written YYYY-MM-DD"),
        ([hub() | {"write_only": ["properties.adressSpace"]}], "did you mean properties.addressspace?"),
        ([hub() | {"action": "stop", "state": "absent"}], "goes with state present alone"),
        ([hub() | {"unless": {"a": 1}}], "there is no action"),
        ([hub(), hub() | {"key": "again"}], "is declared more than once"),
        ([hub(), network("routeTables", "hub")], "2 resources are called so; give each a key of its own"),
        ([hub(), network("routeTables", "egress", depends_on=["hob"])], "no resource is called so; did you mean hub?"),
        ([hub() | {"depends_on": ["a"]}, network("routeTables", "a", depends_on=["hub"])], "each of these waits for"),
        ([hub() | {"scope": HUB}], "mutually exclusive"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_azure_is_asked(
    azure: FakeArm, declare: Call, resources: list[Json], problem: str
) -> None:
    result = declare(*resources)
    assert result["failed"]
    assert problem in result["msg"]
    assert azure.log == []
