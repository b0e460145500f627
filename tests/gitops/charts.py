"""Fetch the charts of roles and all that the catalogue pins: `python -m tests.gitops.charts DIRECTORY`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from lab.api import binary

ROOT = Path(__file__).resolve().parents[2]
ADDONS = ROOT / "gitops/addons"
ROLES = ("argocd", "ebs_csi", "keyvault_csi")


def commands(directory: Path) -> Iterator[list[str]]:
    """What fetches that which is not there yet."""
    for role in ROLES:
        defaults = yaml.safe_load((ROOT / f"roles/{role}/defaults/main.yml").read_text())
        name, repository, version = (defaults[f"{role}_chart{part}"] for part in ("", "_repository", "_version"))
        if not (directory / f"{name}-{version}.tgz").exists():
            yield pull([name, "--repo", repository], version, directory)
    for place in sorted(ADDONS.glob("*/addon.yaml")):
        addon = yaml.safe_load(place.read_text())
        if chart := addon.get("chart"):
            remote = chart["repository"].startswith("oci://")
            source = (
                [f"{chart['repository']}/{chart['name']}"] if remote else [chart["name"], "--repo", chart["repository"]]
            )
            if (directory / f"{chart['name']}-{chart['version']}.tgz").exists():
                continue
            if "path" in chart:
                checkout = directory / f"{chart['name']}-{chart['version']}"
                yield clone(chart["repository"], f"v{chart['version']}", checkout)
                yield [str(binary("helm")), "package", str(checkout / chart["path"]), "--destination", str(directory)]
            else:
                yield pull(source, chart["version"], directory)
        elif tree := addon.get("kustomize"):
            checkout = directory / f"{Path(tree['repository']).stem}-{tree['revision']}"
            if not checkout.exists():
                yield clone(tree["repository"], tree["revision"], checkout)


def pull(source: list[str], version: str, directory: Path) -> list[str]:
    return [str(binary("helm")), "pull", *source, "--version", version, "--destination", str(directory)]


def clone(repository: str, revision: str, checkout: Path) -> list[str]:
    return ["git", "clone", "--quiet", "--depth", "1", "--branch", revision, repository, str(checkout)]


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for command in commands(directory):
        print(" ".join(command[1:]), flush=True)
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
