"""One lab: its names on this machine, the places of its files, and the record of what it was made of."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.errors import LabError

CHECKOUT = Path(__file__).resolve().parent.parent
DATA = Path("/var/lib/groundwork-lab")
DEFAULT_NAME = "lab"
# An interface's name has room for fifteen characters, three of them are "gw-".
NAME = re.compile(r"[a-z][a-z0-9-]{0,11}")
NETWORK = re.compile(r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})")
# What the default lab itself keeps in .lab/, where other labs have a directory of their name.
RESERVED_NAMES = frozenset({"acme", "api", "git", "hostkeys", "logs", "run"})


@dataclass(frozen=True)
class NodeSpec:
    """What the inventory says of a node."""

    name: str
    address: str
    instance_type: str
    memory_mib: int
    noexec_tmp: bool = False


@dataclass(frozen=True)
class Lab:
    name: str = DEFAULT_NAME
    checkout: Path = CHECKOUT
    data_root: Path = DATA

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name) or self.name in RESERVED_NAMES:
            raise LabError(
                f"{self.name!r} cannot name a lab: use up to 12 lower-case letters, digits and dashes, "
                f"starting with a letter, and none of {', '.join(sorted(RESERVED_NAMES))}"
            )

    @property
    def state(self) -> Path:
        """The user's side: keys, kubeconfig, logs."""
        root = self.checkout / ".lab"
        return root if self.name == DEFAULT_NAME else root / self.name

    @property
    def data(self) -> Path:
        """The nodes' side: their file systems."""
        return self.data_root / self.name

    @property
    def bridge(self) -> str:
        return f"gw-{self.name}"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def run(self) -> Path:
        return self.state / "run"

    @property
    def git(self) -> Path:
        """The bare repositories that the mirror serves."""
        return self.state / "git"

    @property
    def git_credentials(self) -> Path:
        """USER:PASSWORD of the private ones."""
        return self.state / "git-credentials"

    @property
    def layer(self) -> Path:
        """What all nodes of this lab have above the root file system: the user, the keys, the apt sources."""
        return self.data / "layer"

    @property
    def snapshots(self) -> Path:
        return self.data / "snapshots"

    def node_data(self, node: str) -> Path:
        return self.data / "nodes" / node

    def network_namespace(self, node: str) -> str:
        return f"gw-{self.name}-{node}"

    def link(self, node: str) -> str:
        """The host's end of a node's link: a digest, because node names are longer than interface names may be."""
        return "gw" + hashlib.sha256(f"{self.name}/{node}".encode()).hexdigest()[:10]

    @property
    def record_file(self) -> Path:
        return self.data / "lab.json"

    def record(self) -> Record | None:
        try:
            stored = json.loads(self.record_file.read_text())
        except FileNotFoundError:
            return None
        stored["nodes"] = {name: NodeSpec(**spec) for name, spec in stored["nodes"].items()}
        return Record(**stored)

    def require_record(self) -> Record:
        record = self.record()
        if record is None:
            raise LabError(f"there is no lab {self.name!r}; type: python -m lab up --name {self.name}")
        return record

    def write_record(self, record: Record) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        partial = self.record_file.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(record), indent=2) + "\n")
        partial.replace(self.record_file)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One command at a time changes a lab."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.state / "lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LabError(f"another command is changing lab {self.name!r}; wait for it to end") from None
            yield


@dataclass(frozen=True)
class Record:
    """What `up` made, so that every later command knows it without an inventory."""

    checkout: str
    network: str
    rootfs: str
    nodes: dict[str, NodeSpec]

    @property
    def host_address(self) -> str:
        """The lab's host on its bridge; the mirror answers here."""
        return f"{self.network}.1"

    def node(self, name: str) -> NodeSpec:
        try:
            return self.nodes[name]
        except KeyError:
            raise LabError(f"no node {name!r} in this lab; it has: {', '.join(self.nodes)}") from None


def check_network(network: str) -> str:
    match = NETWORK.fullmatch(network)
    if not match or any(int(part) > 255 for part in match.groups()):
        raise LabError(f"{network!r} is no network: give the first three numbers of a /24, as in 10.77.0")
    return network
