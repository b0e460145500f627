"""The mirror's small answers."""

from __future__ import annotations

from pathlib import Path

from lab.mirror import no_such_name, registry_configuration

QUERY = bytes.fromhex("beef 0100 0001 0000 0000 0001") + b"\x07example\x03com\0" + bytes.fromhex("0001 0001")
EDNS = bytes.fromhex("00 0029 04d0 0000 0000 0000")


def test_an_unknown_name_is_denied_under_its_own_id_and_question() -> None:
    answer = no_such_name(QUERY + EDNS)
    assert answer[:2] == QUERY[:2]
    assert answer[3] & 0x0F == 3
    assert answer[4:12] == bytes.fromhex("0001 0000 0000 0000")
    assert answer[12:] == QUERY[12:]


def test_nobody_pushes_to_the_registry() -> None:
    configuration = registry_configuration("10.77.0.1", Path("/mirror/registry"))
    assert configuration["storage"]["maintenance"] == {
        "readonly": {"enabled": True},
        "uploadpurging": {"enabled": False},
    }
    assert configuration["http"] == {"addr": "10.77.0.1:5000"}
