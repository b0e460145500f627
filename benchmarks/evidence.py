#!/usr/bin/env python3
# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the benchmarks and keep what they say in docs/evidence.json, with the commit and the machine they were run on."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
EVIDENCE = REPOSITORY / "docs/evidence.json"
BENCHMARKS = ("site", "node_metadata", "plan_memory", "api_gap", "azure_network")


def commit() -> str:
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty"]
    return subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def figures(benchmark: str) -> Any:
    with tempfile.NamedTemporaryFile() as answer:
        command = [sys.executable, f"benchmarks/{benchmark}.py", "--json", answer.name]
        subprocess.run(command, cwd=REPOSITORY, check=True)
        return json.load(answer)


def machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cores": os.cpu_count(), "memory_gib": round(memory / 2**30), "kernel": platform.release()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    # Not as `choices`: those refuse the empty list.
    parser.add_argument("benchmarks", nargs="*", metavar="BENCHMARK", help=f"of {', '.join(BENCHMARKS)}; default: all")
    chosen = parser.parse_args().benchmarks
    unknown = sorted(set(chosen) - set(BENCHMARKS))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    at = commit()
    evidence = json.loads(EVIDENCE.read_text()) if EVIDENCE.exists() else {}
    for name in chosen or BENCHMARKS:
        evidence[name] = {
            "commit": at,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "machine": machine(),
            "figures": figures(name),
        }
        EVIDENCE.write_text(json.dumps(evidence, indent=2) + "\n")


if __name__ == "__main__":
    main()
