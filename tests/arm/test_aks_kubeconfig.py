"""The login to a cluster that Azure hands out, made one that needs nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.arm.fake import SUBSCRIPTION, FakeArm, Json
from tests.arm.services import credential, kubeconfig

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-cloudtr-prd"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/aks-cloudtr-prd"
APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
# As Azure writes it, for kubectl of today and of yesterday.
ENTRA = {
    "exec": {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "kubelogin",
        "args": ["get-token", "--environment", "AzurePublicCloud", "--server-id", APPLICATION, "--login", "devicecode"],
    }
}
OLDER_ENTRA = {"auth-provider": {"name": "azure", "config": {"apiserver-id": APPLICATION, "config-mode": "1"}}}

Login = Callable[..., Json]


@pytest.fixture
def login(azure: FakeArm, run_module: Callable[..., Json], tmp_path: Path) -> Login:
    azure.plant(GROUP)
    azure.plant(CLUSTER)

    def login(user: Json, check: bool = False, **where: Any) -> Json:
        azure.actions["listClusterUserCredential"] = lambda cluster, body: credential(kubeconfig(user, **where))
        options = {"resource_group": "rg-cloudtr-prd", "name": "aks-cloudtr-prd", "path": str(tmp_path / "kube/aks")}
        return run_module("aks_kubeconfig", options, check=check)

    return login


@pytest.mark.parametrize("user", [ENTRA, OLDER_ENTRA])
def test_the_login_to_azure_gets_the_token_that_the_cluster_asks_for(
    azure: FakeArm, login: Login, tmp_path: Path, user: Json
) -> None:
    file = tmp_path / "kube/aks"

    assert login(user, check=True)["changed"]
    assert not file.exists()

    done = login(user)
    assert (done["changed"], done["host"], done["port"]) == (
        True,
        "aks-cloudtr-prd-0a1b.hcp.koreacentral.azmk8s.io",
        443,
    )
    assert f"{APPLICATION}/.default" in {grant["scope"] for grant in azure.grants}
    (entry,) = yaml.safe_load(file.read_text())["users"]
    assert entry["user"].keys() == {"token"}
    assert entry["user"]["token"] in azure.tokens
    assert entry["user"]["token"] not in str(done)
    assert file.stat().st_mode & 0o777 == 0o600

    # Another token, the same cluster.
    assert not login(user)["changed"]
    assert yaml.safe_load(file.read_text())["users"] != [entry]
    assert login(user, server="https://another.hcp.koreacentral.azmk8s.io:443")["changed"]


def test_a_kubeconfig_that_is_a_login_by_itself_is_kept(azure: FakeArm, login: Login, tmp_path: Path) -> None:
    user = {"client-certificate-data": "Y2VydA==", "client-key-data": "a2V5"}
    login(user)
    (entry,) = yaml.safe_load((tmp_path / "kube/aks").read_text())["users"]
    assert entry["user"] == user
    assert len(azure.grants) == 1


def test_a_cluster_that_is_not_there_is_named(azure: FakeArm, login: Login) -> None:
    del azure.store[CLUSTER.lower()]
    assert "log in to aks-cloudtr-prd: 404 ResourceNotFound" in login(ENTRA)["msg"]
