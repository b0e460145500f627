# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.metadata import (
    MetadataError,
    Taint,
    check_annotation_value,
    check_label_key,
    check_label_value,
    kubelet_may_set,
    parse_taint,
    parse_taints,
    protected_key,
    writer,
)


@pytest.mark.parametrize(
    ("text", "taint"),
    [
        ("domain=redis:NoSchedule", Taint("domain", "redis", "NoSchedule")),
        ("gpu:NoExecute", Taint("gpu", "", "NoExecute")),
        ("gpu=:NoExecute", Taint("gpu", "", "NoExecute")),
        ("example.com/tier=a:PreferNoSchedule", Taint("example.com/tier", "a", "PreferNoSchedule")),
    ],
)
def test_a_taint_is_read_as_kubectl_writes_it(text: str, taint: Taint) -> None:
    assert parse_taint(text) == taint


def test_a_taint_is_written_as_kubectl_reads_it() -> None:
    assert str(Taint("domain", "redis", "NoSchedule")) == "domain=redis:NoSchedule"
    assert str(Taint("gpu", "", "NoExecute")) == "gpu:NoExecute"


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("domain=redis:NoSchedul", "did you mean NoSchedule?"),
        ("domain=redis:noexecute", "did you mean NoExecute?"),
        ("domain=redis:PreferNoSched", "did you mean PreferNoSchedule?"),
        ("domain=redis:Please", "write NoSchedule, PreferNoSchedule or NoExecute"),
        ("domain=redis", "write domain=redis:NoSchedule, PreferNoSchedule or NoExecute"),
        ({"domain=redis": "NoSchedule"}, "without a space after the colon: domain=redis:NoSchedule"),
        (7, "write key=value:Effect"),
        ("=redis:NoSchedule", "the name must be"),
        ("domain=re dis:NoSchedule", "letters, digits"),
    ],
)
def test_a_wrong_taint_names_its_cure(text: Any, cure: str) -> None:
    with pytest.raises(MetadataError) as refusal:
        parse_taint(text)
    assert cure in str(refusal.value)


def test_two_taints_of_one_key_and_effect_are_refused() -> None:
    with pytest.raises(MetadataError, match="same key and effect"):
        parse_taints(["domain=redis:NoSchedule", "domain=auth:NoSchedule"])
    assert len(parse_taints(["domain=redis:NoSchedule", "domain=redis:NoExecute"])) == 2


@pytest.mark.parametrize("key", ["tier", "node-role.kubernetes.io/api", "a", "A.b_c-9", "x/" + "n" * 63])
def test_keys_kubernetes_takes_are_taken(key: str) -> None:
    check_label_key(key)


@pytest.mark.parametrize(
    "key", ["", "/tier", "Example.com/tier", "a/b/c", "-tier", "tier-", "n" * 64, "ti er", "t\n", 1]
)
def test_keys_kubernetes_refuses_are_refused(key: Any) -> None:
    with pytest.raises(MetadataError):
        check_label_key(key)


@pytest.mark.parametrize(
    ("value", "cure"),
    [
        (True, 'quote it: "true"'),
        (8, 'quote it: "8"'),
        (None, 'write ""'),
        (["a"], "is a list"),
        ({"a": 1}, "is a map"),
    ],
)
def test_a_value_yaml_made_something_else_of_is_to_be_quoted(value: Any, cure: str) -> None:
    for check in (check_label_value, check_annotation_value):
        with pytest.raises(MetadataError) as refusal:
            check(value)
        assert cure in str(refusal.value)


def test_a_label_value_is_short_and_plain_but_an_annotation_is_any_text() -> None:
    check_label_value("")
    check_label_value("v1.2_3-4")
    check_annotation_value("any text: {at} all\n")
    for value in ("a b", "n" * 64, "-a", "a/b"):
        with pytest.raises(MetadataError):
            check_label_value(value)


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("tier", True),
        ("example.com/tier", True),
        ("node.kubernetes.io/instance-type", True),
        ("topology.kubernetes.io/zone", True),
        ("pool.node.kubernetes.io/name", True),
        ("node-role.kubernetes.io/api", False),
        ("node-restriction.kubernetes.io/team", False),
        ("k8s.io/name", False),
    ],
)
def test_the_kubelet_sets_only_what_it_is_allowed_to(key: str, allowed: bool) -> None:
    assert kubelet_may_set(key) is allowed


def test_every_key_has_one_writer() -> None:
    assert writer("kubernetes.io/hostname") == "the kubelet"
    assert writer("node-role.kubernetes.io/control-plane") == "kubeadm"
    assert writer("node.kubernetes.io/not-ready") == "the controller manager"
    assert writer("node.cloudprovider.kubernetes.io/uninitialized") == "the cloud controller"
    assert not protected_key("node-role.kubernetes.io/api")
    assert not protected_key("tier")


def test_a_cloud_controller_owns_zone_and_instance_type_only_where_there_is_one() -> None:
    for key in ("topology.kubernetes.io/zone", "node.kubernetes.io/instance-type"):
        assert writer(key) is None
        assert writer(key, cloud=True) == "the cloud controller"
