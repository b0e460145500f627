# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was probably meant by a word that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def nearest(word: Any, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known word that was probably meant."""
    by_lower_case = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(str(word).lower(), by_lower_case, n=1, cutoff=cutoff)
    return by_lower_case[matches[0]] if matches else None


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """How a message about an unknown word ends."""
    meant = nearest(word, known)
    return f"; did you mean {meant}?" if meant else ""
