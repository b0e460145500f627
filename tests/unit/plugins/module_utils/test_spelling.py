"""What was probably meant by a word that is not known."""

from __future__ import annotations

from ansible_collections.groundwork.kube.plugins.module_utils.spelling import did_you_mean, nearest


def test_the_nearest_word_is_found_whatever_its_case() -> None:
    assert nearest("ipip-crosssubnet", ["IPIP", "IPIPCrossSubnet"]) == "IPIPCrossSubnet"
    assert nearest("flannel", ["IPIP", "VXLAN"]) is None


def test_a_message_ends_with_the_word_or_as_it_was() -> None:
    assert did_you_mean("NoSchedul", ["NoSchedule", "NoExecute"]) == "; did you mean NoSchedule?"
    assert did_you_mean("flannel", ["IPIP", "VXLAN"]) == ""
