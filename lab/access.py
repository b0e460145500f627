"""Who may enter the nodes: keys, known_hosts and the sudo password, all the lab's own; ~/.ssh is not touched."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterable
from pathlib import Path

from lab.errors import LabError
from lab.inventory import ansible_command
from lab.state import Lab, NodeSpec

USER = "ops"


def private_file(path: Path, content: str) -> None:
    """Write a file that only its owner can read, from its first byte."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(content)


def prepare(lab: Lab) -> None:
    """Make what is missing of the lab's secrets; what is there stays, so that a lab made again has the same."""
    lab.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    _key_pair(lab.state / "id_ed25519", f"{USER}@{lab.name}")
    password_file = lab.state / "vault-password"
    if not password_file.exists():
        private_file(password_file, secrets.token_urlsafe(24) + "\n")
        (lab.state / "become.vault").unlink(missing_ok=True)
    if not (lab.state / "become.vault").exists():
        _seal(lab, secrets.token_urlsafe(24))


def public_key(lab: Lab) -> str:
    return (lab.state / "id_ed25519.pub").read_text()


def sudo_password(lab: Lab) -> str:
    return _vault(lab, "view", str(lab.state / "become.vault")).strip()


def password_hash(password: str) -> str:
    return _run(["openssl", "passwd", "-6", "-stdin"], password).strip()


def host_key(lab: Lab, node: str) -> Path:
    """A node's host key, made on the host so that known_hosts is right before the first connection."""
    directory = lab.state / "hostkeys"
    directory.mkdir(mode=0o700, exist_ok=True)
    return _key_pair(directory / node, node)


def write_client_files(lab: Lab, nodes: Iterable[NodeSpec]) -> None:
    nodes = list(nodes)
    keys = {node.name: host_key(lab, node.name).with_suffix(".pub").read_text() for node in nodes}
    (lab.state / "known_hosts").write_text(known_hosts(nodes, keys))
    (lab.state / "ssh_config").write_text(ssh_config(lab, nodes))


def known_hosts(nodes: Iterable[NodeSpec], keys: dict[str, str]) -> str:
    return "".join(f"{node.name},{node.address} {' '.join(keys[node.name].split()[:2])}\n" for node in nodes)


def ssh_config(lab: Lab, nodes: Iterable[NodeSpec]) -> str:
    hosts = "".join(f"Host {node.name}\n  HostName {node.address}\n" for node in nodes)
    return (
        hosts
        + f"""Host *
  User {USER}
  IdentityFile "{lab.state / "id_ed25519"}"
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile "{lab.state / "known_hosts"}"
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  LogLevel ERROR
"""
    )


def ssh_command(lab: Lab, node: str, *options: str) -> list[str]:
    return ["ssh", "-F", str(lab.state / "ssh_config"), *options, node]


def _key_pair(path: Path, comment: str) -> Path:
    if not path.exists():
        _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    return path


def _seal(lab: Lab, password: str) -> None:
    _vault(
        lab,
        "encrypt",
        "--encrypt-vault-id",
        "lab",
        "--output",
        str(lab.state / "become.vault"),
        "-",
        given=password + "\n",
    )
    (lab.state / "become.vault").chmod(0o600)


def _vault(lab: Lab, verb: str, *arguments: str, given: str = "") -> str:
    # The script that ansible.cfg names says the same password, so one identity it is, whatever is configured.
    vault_id = f"lab@{lab.state / 'vault-password'}"
    command = [str(ansible_command("ansible-vault")), verb, "--vault-id", vault_id, *arguments]
    return _run(command, given, GROUNDWORK_LAB=lab.name, PAGER="cat")


def _run(command: list[str], given: str = "", **environment: str) -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode:
        raise LabError(f"{Path(command[0]).name}: {done.stderr.strip()}")
    return done.stdout
