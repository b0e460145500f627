"""One node: an overlay over the root file system, a network namespace, a cgroup, and systemd-nspawn in them."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab import access, layer, network
from lab.cgroups import Cgroup
from lab.errors import LabError
from lab.processes import Daemon
from lab.state import Lab, NodeSpec, Record

# An overlay cannot lie on an overlay: what containerd stacks, and what must be fast, lies on the host's disk.
OWN_DIRECTORIES = {"containerd": "/var/lib/containerd", "kubelet": "/var/lib/kubelet", "etcd": "/var/lib/etcd"}
SSH_PORT = 22
SSH_PATIENCE = 60
NSPAWN_MOUNTS = Path("/run/systemd/nspawn/propagate")
OVERLAY_DIRECTORIES = ("upper", "work", "root")
DEVICES = (Path("/dev/kmsg"), Path("/dev/fuse"))
JOIN_CGROUPS = 'while [ "$1" != -- ]; do echo $$ > "$1"; shift; done; shift; exec "$@"'
# What a Kubernetes node needs and containers lack; each line says what is wrong when it is.
ENTER = """test "$(umask)" = 0027 || echo "umask is $(umask)"; exec sudo -S -p '' sh -s"""
CHECK = """
test -w /proc/sys/net/ipv4/ip_forward || echo '/proc/sys is read-only'
for directory in /sys/fs/cgroup/*/; do test -w "$directory" || echo "$directory is read-only"; done
findmnt --noheadings --output PROPAGATION / | grep -q shared || echo 'the root mount is not shared'
grep -q '^MemTotal: *{memory_kib} kB' /proc/meminfo || echo '/proc/meminfo is not its own'
"""


@dataclass(frozen=True)
class Node:
    """A node of a lab that has been recorded."""

    lab: Lab
    record: Record
    spec: NodeSpec

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def data(self) -> Path:
        return self.lab.node_data(self.name)

    @property
    def root(self) -> Path:
        return self.data / "root"

    @property
    def daemon(self) -> Daemon:
        return Daemon(self.lab.run / f"{self.name}.pid", self.lab.logs / f"{self.name}.log")

    @property
    def cgroup(self) -> Cgroup:
        return Cgroup.of(self.lab.name, self.name)

    @property
    def running(self) -> bool:
        return self.daemon.pid is not None

    def start(self) -> None:
        """Boot, with the data of its last life when it had one."""
        self.power_off()
        for name in (*OVERLAY_DIRECTORIES, *OWN_DIRECTORIES):
            (self.data / name).mkdir(parents=True, exist_ok=True)
        if not (self.data / "upper" / layer.LAST_FILE).exists():
            host_key = access.host_key(self.lab, self.name)
            layer.write(self.data / "upper", layer.node_files(self.lab.name, self.spec, host_key))
        self._mount()
        network.create_link(self.lab, self.spec, self.record.host_address)
        self.cgroup.create(self.spec.memory_mib)
        self.daemon.start(
            ["sh", "-c", JOIN_CGROUPS, "sh", *self.cgroup.joining, "--", *nspawn_arguments(self.lab, self.spec)],
            environment={"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1", "SYSTEMD_NSPAWN_LOCK": "0"},
        )

    def power_off(self) -> None:
        """As if the plug were pulled: nothing is left but the node's data."""
        self.cgroup.kill()
        self.daemon.pid_file.unlink(missing_ok=True)
        self.cgroup.remove()
        network.remove_link(self.lab, self.name)
        self._unmount()
        with suppress(FileNotFoundError):
            (NSPAWN_MOUNTS / machine(self.lab, self.name)).rmdir()

    def problem(self, sudo_password: str) -> str:
        """Why the node is not ready yet: empty when the user enters by ssh, becomes root, and finds what a node needs.

        A node that lacks something for good is an error: no waiting mends it.
        """
        if not self.running:
            return f"ended while booting; see {self.daemon.log}"
        if not self._listens():
            return f"nobody listens at {self.spec.address}:{SSH_PORT}"
        command = access.ssh_command(self.lab, self.name, "-o", "BatchMode=yes", "-o", "ConnectTimeout=3")
        check = CHECK.format(memory_kib=self.spec.memory_mib * layer.KIB_PER_MIB)
        try:
            done = subprocess.run(
                [*command, ENTER],
                input=f"{sudo_password}\n{check}",
                capture_output=True,
                text=True,
                timeout=SSH_PATIENCE,
            )
        except subprocess.TimeoutExpired:
            return f"ssh gave no answer within {SSH_PATIENCE} s"
        if done.stdout:
            raise LabError(done.stdout.strip())
        return done.stderr.strip() if done.returncode else ""

    def _listens(self) -> bool:
        """Cheaper than ssh, which fourteen nodes that boot would be asked a hundred times."""
        try:
            socket.create_connection((self.spec.address, SSH_PORT), timeout=1).close()
        except OSError:
            return False
        return True

    def memory_used(self) -> int:
        return self.cgroup.memory_used()

    def _mount(self) -> None:
        if not os.path.ismount(self.root):
            options = overlay_options([self.lab.layer, Path(self.record.rootfs)], self.data)
            _run(["mount", "-t", "overlay", "overlay", "-o", options, str(self.root)])

    def _unmount(self, patience: float = 10) -> None:
        """The mount namespace of processes just killed holds the mount for a moment."""
        deadline = time.monotonic() + patience
        while os.path.ismount(self.root):
            try:
                _run(["umount", str(self.root)])
            except LabError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def machine(lab: Lab, node: str) -> str:
    """The node's name among all machines of this host."""
    return f"gw-{lab.name}-{node}"


def overlay_options(lower: list[Path], data: Path) -> str:
    return f"lowerdir={':'.join(map(str, lower))},upperdir={data / 'upper'},workdir={data / 'work'}"


def nspawn_arguments(lab: Lab, node: NodeSpec) -> list[str | Path]:
    data = lab.node_data(node.name)
    return [
        "systemd-nspawn",
        "--quiet",
        f"--directory={data / 'root'}",
        f"--machine={machine(lab, node.name)}",
        f"--hostname={node.name}",
        f"--network-namespace-path={network.NAMESPACES / lab.network_namespace(node.name)}",
        # No machined, no unit: the node's processes stay in the cgroup that this tool made.
        "--register=no",
        "--keep-unit",
        "--capability=all",
        "--system-call-filter=@known",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--console=pipe",
        "--kill-signal=SIGRTMIN+3",
        *(f"--bind={device}" for device in DEVICES if device.exists()),
        *(f"--bind={data / name}:{path}" for name, path in OWN_DIRECTORIES.items()),
        *(["--tmpfs=/tmp:mode=1777,nosuid,nodev,noexec"] if node.noexec_tmp else []),
        layer.INIT,
    ]


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise LabError(done.stderr.strip())
