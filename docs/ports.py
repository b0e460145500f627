"""Write docs/ports.md, the table of ports, from plugins/module_utils/ports.py; --check says whether it is stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs/ports.md"

sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.groundwork.kube.plugins.module_utils import ports

HEAD = """\
# Ports

What the machines of a cluster dial on each other. `playbooks/preflight.yml` tries it from machine to machine, and role
`aws_network` makes the security groups of it. What a machine dials on itself alone has no rule there, and load
balancers that Kubernetes makes reach NodePorts and the health of kube-proxy, nothing else.
"""

GROUPS = {
    ports.ITSELF: "the machine itself",
    ports.BASTION: "group `bastion`",
    ports.LOAD_BALANCER: "load balancers",
    ports.API_LOAD_BALANCER: "the API's load balancer",
    "kube_control_plane": "`kube_control_plane`",
    "kube_node": "`kube_node`",
}


def _number(port: ports.Port) -> str:
    if port.protocol == ports.IP_IN_IP:
        return "IP protocol 4"
    return f"{port.port}{f'–{port.last}' if port.last else ''}/{port.protocol}"


def _rows() -> Iterator[str]:
    yield "| port | from | to | when | for |"
    yield "|---|---|---|---|---|"
    sources: dict[tuple[str, str, str, str], list[str]] = {}
    for port in ports.PORTS:
        row = (_number(port), ports.NEEDS[port.needs], port.why, GROUPS[port.target])
        sources.setdefault(row, []).append(GROUPS[port.source])
    targets: dict[tuple[str, str, str, str], list[str]] = {}
    for (number, when, why, target), dialling in sources.items():
        targets.setdefault((number, ", ".join(dialling), when, why), []).append(target)
    for (number, source, when, why), dialled in targets.items():
        yield f"| {number} | {source} | {', '.join(dialled)} | {when} | {why} |"


def document() -> str:
    """Return what docs/ports.md should say."""
    return HEAD + "\n" + "\n".join(_rows()) + "\n\nWritten by `make docs` from `plugins/module_utils/ports.py`.\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if docs/ports.md is stale")
    if not parser.parse_args().check:
        DOCUMENT.write_text(document())
    elif not DOCUMENT.exists() or DOCUMENT.read_text() != document():
        print("docs/ports.md is stale: make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
