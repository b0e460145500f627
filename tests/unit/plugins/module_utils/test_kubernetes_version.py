# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions may stand beside which."""

from __future__ import annotations

import pytest

from ansible_collections.groundwork.kube.plugins.module_utils.kubernetes_version import (
    Version,
    parse,
    skew_refusals,
    step_refusal,
    strangers,
)


@pytest.mark.parametrize("text", ["1.36.4", "v1.36.4", "1.36.4-1.1", "1:1.36.4-00", "v1.36.4+vendor.1", "v1.36.4-rc.0"])
def test_a_version_is_read_wherever_it_stands(text: str) -> None:
    assert parse(text) == Version(1, 36, 4)


@pytest.mark.parametrize("text", ["", "latest", "1.36", "36.4", "sha256:0"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a version such as"):
        parse(text)


@pytest.mark.parametrize("wanted", ["1.36.4", "1.36.5", "1.37.0"])
def test_kubeadm_goes_to_a_later_patch_and_to_the_next_minor(wanted: str) -> None:
    assert step_refusal(parse("1.36.4"), parse(wanted)) is None


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("1.36.3", ("never goes back", "set kubeadm_version to 1.36.4 or newer")),
        ("1.35.9", ("never goes back",)),
        ("1.38.0", ("one minor version at a time", "a version of 1.37 first")),
        ("2.0.0", ("one minor version at a time",)),
    ],
)
def test_other_steps_are_refused_with_the_remedy(wanted: str, words: tuple[str, ...]) -> None:
    refusal = step_refusal(parse("1.36.4"), parse(wanted))
    assert refusal
    assert all(word in refusal for word in words)


@pytest.mark.parametrize("kubelet", ["1.34.0", "1.36.9", "1.37.0", "1.37.9"])
def test_a_kubelet_may_trail_by_three_minors(kubelet: str) -> None:
    assert list(skew_refusals(parse("1.37.1"), {"a": parse(kubelet)}, {})) == []


@pytest.mark.parametrize(
    ("kubelet", "words"),
    [("1.33.9", "upgrade that kubelet first"), ("1.38.0", "set kubeadm_version to a version of 1.38")],
)
def test_a_kubelet_that_is_too_old_or_too_new_is_named(kubelet: str, words: str) -> None:
    (refusal,) = skew_refusals(parse("1.37.1"), {"k8s-redis": parse(kubelet)}, {})
    assert "k8s-redis" in refusal
    assert words in refusal


def test_an_api_server_that_an_earlier_upgrade_left_behind_is_named() -> None:
    (refusal,) = skew_refusals(parse("1.37.1"), {}, {"cp-1": parse("1.36.4"), "cp-2": parse("1.35.4")})
    assert "cp-2" in refusal
    assert "finish the upgrade to 1.36" in refusal


def test_members_of_another_version_are_sent_to_the_upgrade_or_told_that_there_is_no_way_back() -> None:
    installed = {"same": "1.36.4-1.1", "a": "1.35.4-1.1", "newer": "1.37.1-1.1", "b": "1.35.4-1.1", "elsewhere": ""}
    older, newer = strangers(installed, "1.36.4")
    assert older.startswith("a, b: 1.35.4 is installed")
    assert "playbooks/upgrade.yml" in older
    assert newer.startswith("newer: 1.37.1 is installed")
    assert "set kubeadm_version to 1.37.1" in newer
