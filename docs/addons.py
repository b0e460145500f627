"""Write docs/addons.md, the printed catalogue, from gitops/addons; --check says whether it is stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
ADDONS = ROOT / "gitops/addons"
DOCUMENT = ROOT / "docs/addons.md"

HEAD = """\
# The catalogue of add-ons

What a platform can have Argo CD grow, each pinned, with values for a cluster whose every node is tainted. A platform
takes an entry by naming it in its `platform.yaml`; waves, owners of CRDs and values may be said anew there. How to add
one is in [gitops/addons/README.md](../gitops/addons/README.md).

**Proof** says how far an entry was tried:

- *runs*: synced and healthy on the lab, by Argo CD.
- *renders*: its chart is rendered with our values at every change, and a real API server takes each object.
- *read*: its chart is not to be had where the tests run. Each key that we set was read in the chart's own files at that
  version, and `make charts` fetches and renders it where there is internet.

A version in brackets is the one that was tried, where it is not the pinned one.
"""


def _source(addon: dict[str, Any]) -> str:
    chart, tree = addon.get("chart"), addon.get("kustomize")
    name = chart["name"] if chart else Path(tree["repository"]).stem
    return f"`{name}` {chart['version'] if chart else tree['revision']}"


def _proof(addon: dict[str, Any]) -> str:
    return addon["proof"] + (f" ({addon['provenVersion']})" if "provenVersion" in addon else "")


def _meaning(addon: dict[str, Any]) -> str:
    parts = [addon["summary"]]
    if "retired" in addon:
        parts.append(f"**Retired**: {addon['retired']}")
    if "alternative" in addon:
        parts.append(f"Prefer `{addon['alternative']}`")
    if addon.get("optIn"):
        parts.append("Off until asked for")
    if "needs" in addon:
        parts.append("Needs " + ", ".join(f"`{name}`" for name in addon["needs"]))
    if "site" in addon:
        parts.append("The site gives " + ", ".join(f"`{key}`" for key in addon["site"]))
    return ". ".join(parts)


def _rows(addons: list[dict[str, Any]]) -> Iterator[str]:
    yield "| entry | what | chart | wave | namespace | CRDs | proof |"
    yield "|---|---|---|---|---|---|---|"
    for addon in addons:
        namespace = f"`{addon['namespace']}` ({addon['podSecurity']})" if "namespace" in addon else "–"
        owner = addon.get("crds", {}).get("owner", "–")
        cells = (
            f"`{addon['name']}`",
            _meaning(addon),
            _source(addon),
            str(addon["wave"]),
            namespace,
            owner,
            _proof(addon),
        )
        yield "| " + " | ".join(cells) + " |"


def document() -> str:
    """Return what docs/addons.md should say."""
    addons = [yaml.safe_load(path.read_text()) for path in ADDONS.glob("*/addon.yaml")]
    rows = _rows(sorted(addons, key=lambda addon: (addon["wave"], addon["name"])))
    return HEAD + "\n" + "\n".join(rows) + "\n\nWritten by `make docs` from `gitops/addons/*/addon.yaml`.\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if docs/addons.md is stale")
    if not parser.parse_args().check:
        DOCUMENT.write_text(document())
    elif not DOCUMENT.exists() or DOCUMENT.read_text() != document():
        print("docs/addons.md is stale: make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
