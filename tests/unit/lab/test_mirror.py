"""The mirror's small answers."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.acme import configuration, make_certificate
from lab.mirror import name_answer, registry_configuration

QUERY = bytes.fromhex("beef 0100 0001 0000 0000 0001") + b"\x07example\x03com\0" + bytes.fromhex("0001 0001")
EDNS = bytes.fromhex("00 0029 04d0 0000 0000 0000")


def test_an_unknown_name_is_denied_under_its_own_id_and_question() -> None:
    answer = name_answer(QUERY + EDNS)
    assert answer[:2] == QUERY[:2]
    assert answer[3] & 0x0F == 3
    assert answer[4:12] == bytes.fromhex("0001 0000 0000 0000")
    assert answer[12:] == QUERY[12:]


HOLDS_ITS_ADDRESS = QUERY[:12] + b"\x03Web\x0b10-77-0-200\x03lab\x04test\0" + bytes.fromhex("0001 0001")


def test_a_name_that_holds_an_address_has_it() -> None:
    answer = name_answer(HOLDS_ITS_ADDRESS + EDNS)
    assert answer[3] & 0x0F == 0
    assert answer[4:12] == bytes.fromhex("0001 0001 0000 0000")
    assert answer[12 : len(HOLDS_ITS_ADDRESS)] == HOLDS_ITS_ADDRESS[12:]
    assert answer[-6:] == bytes([0, 4, 10, 77, 0, 200])


def test_it_has_no_other_record_and_is_known_for_all_that() -> None:
    question_of_ipv6 = HOLDS_ITS_ADDRESS[:-4] + bytes.fromhex("001c 0001")
    answer = name_answer(question_of_ipv6)
    assert answer[3] & 0x0F == 0
    assert answer[4:12] == bytes.fromhex("0001 0000 0000 0000")


def test_the_authority_asks_where_the_world_would_ask(tmp_path: Path) -> None:
    told = configuration("10.77.0.1", tmp_path / "certificate.pem", tmp_path / "key.pem")["pebble"]
    assert isinstance(told, dict)
    assert (told["httpPort"], told["listenAddress"]) == (80, "10.77.0.1:14000")


def test_the_authority_has_a_certificate_of_its_address(tmp_path: Path) -> None:
    make_certificate("10.77.0.1", tmp_path / "acme/certificate.pem", tmp_path / "acme/key.pem")
    command = ["openssl", "x509", "-in", tmp_path / "acme/certificate.pem", "-noout", "-checkip", "10.77.0.1"]
    assert "does match" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (tmp_path / "acme").stat().st_mode & 0o077 == 0


def test_nobody_pushes_to_the_registry() -> None:
    configuration = registry_configuration("10.77.0.1", Path("/mirror/registry"))
    assert configuration["storage"]["maintenance"] == {
        "readonly": {"enabled": True},
        "uploadpurging": {"enabled": False},
    }
    assert configuration["http"] == {"addr": "10.77.0.1:5000"}
