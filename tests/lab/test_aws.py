# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines of AWS, as far as a lab can play them: molecule/aws makes them from nothing and runs this in order.

What only AWS would do is let in what a security group says and drop the rest. Here each node's own firewall does it,
made of the rules that are in the account, so that a rule too few is as painful as it is there.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import yaml

from lab.state import CHECKOUT, Lab
from tests.aws.conftest import REGION, Account
from tests.gitops.rendering import Object, render
from tests.lab.conftest import CONTROL_PLANE, Machines
from tests.lab.test_openbao import external_secrets, until

LAB = Lab(os.environ.get("GROUNDWORK_LAB") or "aws")
SCENARIO = CHECKOUT / "molecule/aws"
API, WORKER = "k8s-api-auth", "k8s-worker-ai"
CLUSTER = "eco2"
TYPHA = 5473
KUBECTL = "kubectl --kubeconfig=/etc/kubernetes/admin.conf"
GP3 = """\
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: gp3
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: ebs.csi.aws.com
volumeBindingMode: WaitForFirstConsumer
"""

# Of wave 11, what Redis needs: the store and its own ExternalSecret.
WAVE_11 = {"parameter-store", "redis"}
REDIS = """\
apiVersion: v1
kind: Namespace
metadata: {name: redis}
---
apiVersion: v1
kind: Pod
metadata: {name: redis, namespace: redis}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: redis
      image: docker.io/library/busybox:1.37.0
      command: [sleep, infinity]
      volumeMounts: [{name: secret, mountPath: /run/secret}]
  volumes: [{name: secret, secret: {secretName: redis}}]
"""

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not (LAB.state / "account.pid").exists(), reason="molecule/aws builds its cluster"),
]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Account:
    return Account(os.environ["AWS_ENDPOINT_URL"], tmp_path_factory.mktemp("aws"))


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Machines:
    """As the inventory that asks AWS knows them."""
    return Machines(LAB, tmp_path_factory.mktemp("inventory") / "edited.json", SCENARIO / "aws_ec2.yml")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Machines:
    """As somebody has written them down, of which the account's are made."""
    return Machines(LAB, tmp_path_factory.mktemp("inventory") / "edited.json", SCENARIO / "hosts.yml")


def sources(rule: dict[str, Any], instances: dict[str, dict[str, Any]]) -> Iterator[str]:
    """The addresses that a security group's rule lets in."""
    yield from (each["CidrIp"] for each in rule["IpRanges"])
    named = {pair["GroupId"] for pair in rule["UserIdGroupPairs"]}
    for instance in instances.values():
        if named & {group["GroupId"] for group in instance["SecurityGroups"]}:
            yield instance["PrivateIpAddress"]


def enforce_security_groups(account: Account) -> None:
    """Let each node take what the groups of its instance let in, and ssh from this machine, which is the way in."""
    groups = {each["GroupId"]: each for each in account.client("ec2").describe_security_groups()["SecurityGroups"]}
    instances = account.instances()
    for name, instance in instances.items():
        rules = [
            f"ip saddr {source} {rule['IpProtocol']} dport {rule['FromPort']}-{rule['ToPort']} accept"
            for group in instance["SecurityGroups"]
            for rule in groups[group["GroupId"]]["IpPermissions"]
            for source in sources(rule, instances)
        ]
        table = "table inet security_groups"
        chain = [
            "type filter hook prerouting priority mangle; policy accept;",
            'iifname != "eth0" accept',
            "ct state established,related accept",
            f"ip saddr {LAB.require_record().host_address} tcp dport 22 accept",
            *rules,
            "drop",
        ]
        rendered = "\n".join([table, f"delete {table}", f"{table} {{ chain in {{", *chain, "}", "}"])
        in_its_network = ["ip", "netns", "exec", LAB.network_namespace(name)]
        subprocess.run([*in_its_network, "nft", "--file", "-"], input=rendered, text=True, check=True)


def apply(machines: Machines, objects: Iterable[Object]) -> bool:
    """From the control plane, because nobody outside is let in to the API."""
    machines.node(
        CONTROL_PLANE, f"{KUBECTL} apply --server-side --filename=- <<'END'\n{yaml.safe_dump_all(objects)}END"
    )
    return True


def provider_ids(machines: Machines) -> dict[str, str]:
    return {each["metadata"]["name"]: each["spec"].get("providerID", "") for each in machines.read("nodes")["items"]}


def of_the_account(account: Account) -> dict[str, str]:
    return {
        name: f"aws:///{each['Placement']['AvailabilityZone']}/{each['InstanceId']}"
        for name, each in account.instances().items()
    }


def test_each_node_is_the_instance_that_has_its_address(machines: Machines, account: Account) -> None:
    assert machines.ready() == sorted([CONTROL_PLANE, API, WORKER])
    assert provider_ids(machines) == of_the_account(account)
    addresses = {name: each["PrivateIpAddress"] for name, each in account.instances().items()}
    assert addresses == {name: machines.record.node(name).address for name in machines.names}
    assert machines.labels(WORKER)["topology.kubernetes.io/zone"] == f"{REGION}a"


def test_what_aws_says_of_them_is_what_was_written_down(machines: Machines) -> None:
    again = machines.playbook("site")
    assert (again.rc, again.changed) == (0, {})


def test_the_security_groups_let_in_all_that_a_cluster_dials(machines: Machines, account: Account) -> None:
    enforce_security_groups(account)
    machines.kubectl("-n", "kube-system", "rollout", "restart", "daemonset/calico-node")
    machines.kubectl("-n", "kube-system", "rollout", "status", "daemonset/calico-node", "--timeout=180s")
    verified = machines.playbook("verify")
    assert verified.rc == 0, verified.stdout


def test_what_is_in_the_parameter_store_reaches_a_pod_and_so_does_a_rotated_value(
    machines: Machines, account: Account
) -> None:
    """Wave 11 of Eco²'s platform, by the real External Secrets, of what bootstrap_cluster has made up."""
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    told = {"AWS_SSM_ENDPOINT": account.endpoint, **{name: account.environment[name] for name in names}}
    apply(machines, external_secrets(extraEnv=[{"name": name, "value": value} for name, value in told.items()]))
    wave = [
        each
        for each in render("eco2", "prod", {"region": REGION}).children["secrets"]
        if each["metadata"]["name"] in WAVE_11
    ]
    assert len(wave) == len(WAVE_11)
    # Its webhook is a while in coming.
    until(lambda: apply(machines, [*yaml.safe_load_all(REDIS), *wave]))

    ssm, given = account.client("ssm"), "/eco2/prod/redis"
    made_up = json.loads(ssm.get_parameter(Name=given, WithDecryption=True)["Parameter"]["Value"])["password"]
    machines.kubectl("-n=redis", "wait", "--for=condition=Ready", "pod/redis", "--timeout=300s")
    assert digest_in_the_pod(machines) == digest(made_up)

    rotated = secrets.token_hex(16)
    ssm.put_parameter(Name=given, Type="SecureString", Value=json.dumps({"password": rotated}), Overwrite=True)
    machines.kubectl("-n=redis", "annotate", "externalsecret", "redis", "force-sync=now")
    until(lambda: digest_in_the_pod(machines) == digest(rotated))


def digest(secret: str) -> str:
    """What is compared instead of it, because what is not equal is shown."""
    return hashlib.sha256(secret.encode()).hexdigest()


def digest_in_the_pod(machines: Machines) -> str:
    return machines.node(
        CONTROL_PLANE, f"{KUBECTL} -n redis exec redis -- cat /run/secret/password | sha256sum"
    ).split()[0]


def test_a_claim_without_a_driver_is_told_what_it_waits_for(machines: Machines) -> None:
    apply(machines, yaml.safe_load_all(GP3))
    try:
        verified = machines.playbook("verify", extra_vars={"verify_volume": True, "verify_volume_timeout": 20})
    finally:
        machines.kubectl("delete", "storageclass", "gp3")
    assert verified.rc != 0
    assert "there is no CSIDriver ebs.csi.aws.com: the driver was never installed" in verified.stdout
    assert "groundwork_storage: ebs_csi" in verified.stdout


def test_a_node_that_aws_does_not_know_is_named_and_the_remedy_mends_it(machines: Machines, account: Account) -> None:
    # As a kubelet registers that was never told.
    machines.node(WORKER, "systemctl stop kubelet && sed -i /^providerID:/d /var/lib/kubelet/config.yaml")
    machines.kubectl("delete", "node", WORKER)
    machines.node(WORKER, "systemctl start kubelet")
    machines.kubectl("wait", "--for=create", f"node/{WORKER}", "--timeout=120s")
    machines.kubectl("wait", "--for=condition=Ready", f"node/{WORKER}", "--timeout=120s")
    assert provider_ids(machines)[WORKER] == ""

    verified = machines.playbook("verify")
    assert verified.rc != 0
    assert WORKER in verified.stdout
    assert "groundwork_cloud: provider_id (or aws_ccm) and run site.yml" in verified.stdout

    mended = machines.playbook("site")
    assert (mended.rc, set(mended.changed) - {WORKER, CONTROL_PLANE}) == (0, set()), mended.stdout
    assert provider_ids(machines) == of_the_account(account)


def test_another_machines_name_is_refused_before_any_kubelet_hears_of_it(machines: Machines) -> None:
    another = {API: {"kubeadm_provider_id": f"aws:///{REGION}a/i-0a"}}
    refused = machines.playbook("site", host_vars=another)
    assert (refused.rc != 0, refused.changed) == (True, {})
    assert f"is aws:///{REGION}a/i-0a, and the machine has joined as" in refused.stdout


def test_reset_leaves_nothing_of_the_cluster_on_the_machines(machines: Machines) -> None:
    confirmed = {"groundwork_confirm": CLUSTER}
    assert machines.playbook("reset", extra_vars=confirmed).rc == 0
    assert machines.playbook("reset", extra_vars=confirmed).changed == {}


def test_typhas_port_closed_between_machines_is_found_before_there_is_a_cluster(
    machines: Machines, written: Machines, account: Account
) -> None:
    """What Eco² met in AWS: calico-node had nobody to ask, for want of a rule."""
    ec2 = account.client("ec2")
    (group,) = (
        each for each in ec2.describe_security_groups()["SecurityGroups"] if each["GroupName"] == f"{CLUSTER}-node"
    )
    rule = next(each for each in group["IpPermissions"] if each["FromPort"] == TYPHA)
    ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[rule])
    enforce_security_groups(account)

    refused = machines.playbook("preflight")
    assert refused.rc != 0
    assert f"{TYPHA}/tcp" in refused.stdout
    assert "Calico Typha" in refused.stdout

    mended = written.playbook("bootstrap_cluster", "--tags=aws_network")
    assert (mended.rc, list(mended.changed)) == (0, [CONTROL_PLANE])
    enforce_security_groups(account)
    assert machines.playbook("preflight").rc == 0


def test_destroy_leaves_an_empty_account(written: Machines, account: Account) -> None:
    gone = written.playbook(
        "destroy_cluster", "--tags=all,aws_backup_bucket", extra_vars={"groundwork_confirm": CLUSTER}
    )
    assert gone.rc == 0, gone.stdout
    left = account.contents()
    account.reset()
    # A new account has a network of AWS' own, under other names each time.
    assert Counter(map(kind, left)) == Counter(map(kind, account.contents()))


def kind(listed: str) -> str:
    return listed.split()[0]
