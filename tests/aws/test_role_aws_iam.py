"""What a cluster's machines may do: no more than their work asks for, as far as AWS can tell things apart."""

from __future__ import annotations

import json
import urllib.parse
from pathlib import Path
from typing import Any

import jinja2
import parliament
import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.aws import tag_list
from tests.aws.conftest import REGION, Account, Play, Run, made_once

ROLE = Path(__file__).parents[2] / "roles/aws_iam"
POLICIES = sorted(path.name.removesuffix(".json.j2") for path in (ROLE / "templates").iterdir())
# What templates are written with; the account is moto's.
NAMES = {
    "_aws_iam_cluster": "eco2",
    "_aws_iam_region": REGION,
    "_aws_iam_account": "123456789012",
    "aws_iam_hosted_zone_id": "Z0123456789ABCDEFGHIJ",
    "aws_iam_backup_bucket": "eco2-etcd-backup",
    "aws_iam_images_bucket": "eco2-images",
    "aws_iam_parameters_path": "/eco2",
    "aws_iam_log_group": "/eco2",
}
# Reading what there is: AWS knows no resources for these.
LOOKS = ("Describe", "List")
# A customer managed policy has no more than these characters, blanks aside.
LIMIT = 6144


def rendered(policy: str) -> str:
    text = (ROLE / "templates" / f"{policy}.json.j2").read_text()
    return jinja2.Template(text, undefined=jinja2.StrictUndefined).render(NAMES)


every_policy = pytest.mark.parametrize("policy", POLICIES)


def findings(text: str) -> list[str]:
    """What is wrong with a policy; parliament reads each statement by itself."""
    statements = json.loads(text)["Statement"]
    return [
        str(found)
        for found in parliament.analyze_policy_string(text).findings
        if not (found.issue == "RESOURCE_MISMATCH" and all(granted(each, statements) for each in found.detail))
        # Newer than parliament's list, older than the controller's own policy, which has it.
        and "Unknown condition elasticloadbalancing:CreateAction" not in str(found)
    ]


def granted(missing: dict[str, str], statements: list[dict[str, Any]]) -> bool:
    """Whether another statement has what an action needs, too: each thing it touches may have its own condition."""
    kind = missing["required_format"].split(":", 5)[5].split("/")[0]
    resources = [
        resource
        for statement in statements
        if missing["action"] in several(statement["Action"])
        for resource in several(statement["Resource"])
    ]
    return kind in {resource.split(":", 5)[5].split("/")[0] for resource in resources}


def several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@every_policy
def test_each_action_exists_and_takes_the_resources_it_is_given(policy: str) -> None:
    assert findings(rendered(policy)) == []


@every_policy
def test_only_what_looks_may_do_so_everywhere(policy: str) -> None:
    for statement in json.loads(rendered(policy))["Statement"]:
        actions = several(statement["Action"])
        assert not [action for action in actions if "*" in action]
        if statement["Resource"] == "*":
            assert [action for action in actions if not action.split(":")[1].startswith(LOOKS)] == []


@every_policy
def test_a_policy_fits_into_one(policy: str) -> None:
    assert len("".join(rendered(policy).split())) <= LIMIT


def test_parliament_knows_a_wrong_policy() -> None:
    assert "UNKNOWN_ACTION" in findings(rendered("logs").replace("logs:PutLogEvents", "logs:PutLogEvent"))[0]
    assert "RESOURCE_STAR" in findings(rendered("etcd-backup").replace("arn:aws:s3:::eco2-etcd-backup/*", "*"))[0]
    assert "RESOURCE_MISMATCH" in findings(rendered("etcd-backup").replace("backup/*", "backup"))[0]


@pytest.fixture
def role(play: Play, cluster_play: Any) -> Any:
    def run(*arguments: str, part: str = "main", **variables: Any) -> Run:
        return play(*cluster_play("aws_iam", part), *arguments, groundwork_aws_region=REGION, **variables)

    return run


def policies_of(aws: Account, name: str) -> dict[str, Any]:
    """The documents that the machines of an instance profile act by."""
    iam = aws.client("iam")
    (of_profile,) = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
    found = {}
    for attached in iam.list_attached_role_policies(RoleName=of_profile["RoleName"])["AttachedPolicies"]:
        version = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=attached["PolicyArn"], VersionId=version)["PolicyVersion"][
            "Document"
        ]
        found[attached["PolicyName"]] = (
            document if isinstance(document, dict) else json.loads(urllib.parse.unquote(document))
        )
    return found


def test_profiles_are_made_once_and_taken_away_whole(role: Any, aws: Account) -> None:
    before = aws.contents()
    made_once(aws, role)
    assert policies_of(aws, "eco2-node") == {"eco2-logs": json.loads(rendered("logs"))}
    controllers = policies_of(aws, "eco2-control-plane")
    assert controllers["eco2-ebs-csi"] == json.loads(rendered("ebs-csi"))
    assert "eco2-external-dns" not in controllers

    assert role(part="remove").returncode == 0
    assert aws.contents() == before


def test_a_policy_that_leaves_the_inventory_leaves_its_machines(role: Any, aws: Account) -> None:
    storage = {"node": ["logs"], "storage": ["logs", "images"]}
    run = role(aws_iam_profiles=storage, aws_iam_images_bucket="eco2-images", aws_iam_session_manager=True)
    assert run.returncode == 0, run.failures
    assert set(policies_of(aws, "eco2-storage")) == {"eco2-logs", "eco2-images", "AmazonSSMManagedInstanceCore"}
    assert role(aws_iam_profiles={"node": ["logs"], "storage": ["logs"]}).returncode == 0
    assert set(policies_of(aws, "eco2-storage")) == {"eco2-logs"}


def test_a_role_that_somebody_else_has_made_is_left_alone(role: Any, aws: Account) -> None:
    aws.client("iam").create_role(RoleName="eco2-node", AssumeRolePolicyDocument="{}")
    before = aws.contents()
    for part in ("main", "remove"):
        run = role(part=part)
        assert "eco2-node: there is such a role in the account, and Groundwork has not made it" in run.failures[0]
        assert (run.changed, aws.contents()) == ([], before)


def test_a_cluster_of_the_same_name_in_another_region_keeps_its_roles(role: Any, aws: Account) -> None:
    tags = {"groundwork.kube/cluster": "eco2", "groundwork.kube/region": "us-east-1"}
    aws.client("iam").create_role(RoleName="eco2-node", AssumeRolePolicyDocument="{}", Tags=tag_list(tags))
    before = aws.contents()
    refused = role()
    assert "eco2-node: there is such a role for the cluster eco2 in us-east-1" in refused.output
    assert (refused.returncode != 0, refused.changed, aws.contents()) == (True, [], before)


def test_a_policy_that_nobody_has_written_is_refused(role: Any, aws: Account) -> None:
    before = aws.contents()
    run = role(aws_iam_profiles={"node": ["logs", "ebs_csi"]})
    assert "there is no policy ebs_csi. Remedy: choose from cloud-controller, ebs-csi," in run.failures[0]
    assert (run.returncode != 0, aws.contents()) == (True, before)


def test_a_policy_for_a_bucket_without_a_name_is_refused(role: Any, aws: Account) -> None:
    before = aws.contents()
    run = role(aws_iam_profiles={"storage": ["images"]})
    assert "Remedy: set aws_iam_images_bucket." in run.output
    assert (run.returncode != 0, aws.contents()) == (True, before)
