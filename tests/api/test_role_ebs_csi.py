# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The EBS driver's objects on a real API server: of its own chart where that was fetched, and of a stand-in for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.modules.storage_class import CLASSES, VOLUMES
from ansible_collections.groundwork.kube.plugins.modules.volume_check import STORAGE
from tests.api.charts import chart_fixture
from tests.api.conftest import Api, Play, ended
from tests.api.controllers import Controllers

DRIVER = "ebs.csi.aws.com"
NODES = ("k8s-master", "k8s-redis")
WORKLOADS = "/apis/apps/v1/namespaces/kube-system"
CONTROLLER, ON_NODES = f"{WORKLOADS}/deployments/ebs-csi-controller", f"{WORKLOADS}/daemonsets/ebs-csi-node"

CONTROLLER_TEMPLATE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: ebs-csi-controller, namespace: {{ .Release.Namespace }}}
spec:
  replicas: {{ .Values.controller.replicaCount }}
  selector: {matchLabels: {app: ebs-csi-controller}}
  template:
    metadata: {labels: {app: ebs-csi-controller}}
    spec:
      nodeSelector: {{ toJson .Values.controller.nodeSelector }}
      tolerations: {{ toJson .Values.controller.tolerations }}
      containers:
        - name: ebs-plugin
          image: ebs-csi-driver
          args: ["--k8s-tag-cluster-id={{ .Values.controller.k8sTagClusterId }}"]
          env: [{name: AWS_REGION, value: {{ .Values.controller.region }}}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: ebs-csi-node, namespace: {{ .Release.Namespace }}}
spec:
  selector: {matchLabels: {app: ebs-csi-node}}
  template:
    metadata: {labels: {app: ebs-csi-node}}
    spec: {containers: [{name: ebs-plugin, image: ebs-csi-driver}]}
---
apiVersion: storage.k8s.io/v1
kind: CSIDriver
metadata: {name: ebs.csi.aws.com}
spec: {}
"""

Run = Callable[..., str]
chart = chart_fixture("aws-ebs-csi-driver", "ebs_csi_chart", {"templates/all.yaml": CONTROLLER_TEMPLATE})


@pytest.fixture
def run(api: Api, play: Play, chart: Path, cluster_programs: None) -> Iterator[Run]:
    for node in NODES:
        api.plant(node, providerID=f"aws:///ap-northeast-2a/i-{node}")
        drivers = [{"name": DRIVER, "nodeID": node, "topologyKeys": ["topology.ebs.csi.aws.com/zone"]}]
        api.client.create(f"{STORAGE}/csinodes", {"metadata": {"name": node}, "spec": {"drivers": drivers}})
    controllers = Controllers(api, CONTROLLER, ON_NODES)
    controllers.start()

    def run(*arguments: str, succeeds: bool = True, **variables: Any) -> str:
        given = {
            "groundwork": {"cluster": {"name": "eco2"}, "nodes": {node: {} for node in NODES}},
            "groundwork_aws_region": "ap-northeast-2",
            "ebs_csi_chart": str(chart),
            "ebs_csi_replicas": 1,
            "ebs_csi_timeout": 60,
        }
        task = {"import_role": {"name": "groundwork.kube.ebs_csi"}}
        return ended(play([task], *arguments, **{**given, **variables}), succeeds=succeeds)

    yield run
    controllers.stop()
    api.client.delete(VOLUMES)
    for kind in ("storageclasses", "csidrivers", "csinodes"):
        api.client.delete(f"{STORAGE}/{kind}")
    for path in (CONTROLLER, ON_NODES):
        api.client.delete(path)


def test_its_controller_runs_where_the_rights_are_on_a_cluster_that_is_tainted_all_over(run: Run, api: Api) -> None:
    run("--check")
    assert api.client.get(CONTROLLER) is None

    run()
    made = api.client.get(CONTROLLER)
    assert made
    pod = made["spec"]["template"]["spec"]
    assert "node-role.kubernetes.io/control-plane" in pod["nodeSelector"]
    assert {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists", "effect": "NoSchedule"} in pod[
        "tolerations"
    ]
    plugin = next(container for container in pod["containers"] if container["name"] == "ebs-plugin")
    assert "--k8s-tag-cluster-id=eco2" in plugin["args"]
    assert {"name": "AWS_REGION", "value": "ap-northeast-2"} in plugin["env"]
    assert [item["metadata"]["name"] for item in api.client.list(f"{STORAGE}/csidrivers")] == [DRIVER]
    assert [item["metadata"]["name"] for item in api.client.list(CLASSES)] == ["gp3"]

    assert "changed=0" in run()


def test_a_platform_in_git_keeps_its_class(run: Run, api: Api) -> None:
    run(ebs_csi_storage_class="")
    assert api.client.list(CLASSES) == []


def test_the_driver_stays_while_there_are_volumes_and_goes_when_it_is_told_by_name(run: Run, api: Api) -> None:
    run()
    volume = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "csi": {"driver": DRIVER, "volumeHandle": "vol-1"},
        "claimRef": {"namespace": "data", "name": "redis-0"},
    }
    api.client.create(VOLUMES, {"metadata": {"name": "pvc-1"}, "spec": volume})
    gone = {"ebs_csi_state": "absent", "groundwork_confirm": "eco2"}
    assert "data/redis-0" in run(succeeds=False, **gone)
    assert api.client.get(CONTROLLER)

    api.delete_volume("pvc-1")
    assert "groundwork_confirm=eco2" in run(succeeds=False, ebs_csi_state="absent")
    assert api.client.get(CONTROLLER)

    run(**gone)
    assert api.client.list(CLASSES) == []
    assert api.client.list(f"{STORAGE}/csidrivers") == []
