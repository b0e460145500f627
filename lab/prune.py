"""What the cache keeps of former pins goes once no clone has used it for a while.

Clones with different pins share a cache, and none knows the others: each marks what it uses, and the mark grows old.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from lab.artifacts import Artifacts
from lab.build import Report, one_at_a_time
from lab.errors import LabError
from lab.state import DATA

DAYS = 7
DAY = 24 * 60 * 60
# The key at the end tells what was built from what else lies there: keys that sign, logs, other tools' caches.
KEYED = re.compile(r"[a-z0-9-]+-[0-9a-f]{12}(\.partial)?")


def prune(artifacts: Artifacts, days: int, report: Report, labs: Path = DATA) -> None:
    """Remove what neither these pins name nor anybody has used for so many days."""
    up = sorted(record.parent.name for record in labs.glob("*/lab.json"))
    if up:
        raise LabError(f"labs are up, and live on what the cache holds: {', '.join(up)}; take them down first")
    with one_at_a_time(artifacts.cache, report):
        for place in list(abandoned(artifacts, days)):
            report(f"{place.name:<44} last used {_age(place):.0f} days ago")
            remove(place)
    report(f"{shutil.disk_usage(artifacts.cache).free / (1 << 30):.1f} GiB free in {artifacts.cache}")


def abandoned(artifacts: Artifacts, days: int) -> Iterator[Path]:
    needed = set(artifacts.places().values())
    for place in sorted([*artifacts.cache.iterdir(), *artifacts.cache.glob("components/*")]):
        if KEYED.fullmatch(place.name) and place not in needed and _age(place) >= days:
            yield place


def remove(place: Path) -> None:
    """Under another name, so that an interruption leaves nothing that seems to be whole."""
    doomed = place if place.suffix == ".partial" else place.rename(place.with_name(f"{place.name}.partial"))
    shutil.rmtree(doomed)


def _age(place: Path) -> float:
    return (time.time() - place.stat().st_mtime) / DAY
