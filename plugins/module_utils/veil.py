# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a module returns a secret: connections print at -vvv what a module answers, whatever is masked or not logged.

The action plugin makes a veil for one call, which the module puts over the secret and the action plugin takes off.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import Any


def new_veil() -> str:
    return secrets.token_hex(32)


def veiled(value: Any, veil: str) -> str:
    return base64.b64encode(_cover(json.dumps(value).encode(), veil)).decode()


def unveiled(text: str, veil: str) -> Any:
    return json.loads(_cover(base64.b64decode(text), veil))


def _cover(text: bytes, veil: str) -> bytes:
    stream = hashlib.shake_256(veil.encode()).digest(len(text))
    return bytes(one ^ other for one, other in zip(text, stream))
