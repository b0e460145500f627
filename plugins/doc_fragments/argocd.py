# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the modules about Argo CD's objects have in common."""

    DOCUMENTATION = r"""
options:
  namespace:
    description: Where Argo CD runs and its objects are.
    type: str
    default: argocd
"""

    WRITES = r"""
options:
  state:
    description: Whether the objects are to be there.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Says what it would do and changes nothing.
    support: full
    details: Each change goes to the API as a dry run, so that what validation or admission would refuse fails here too.
  diff_mode:
    description: Shows before and after.
    support: full
    details: Each object that changes, without status and what the server keeps.
notes:
  - Objects are written to the Kubernetes API by server-side apply, under the field manager C(groundwork). No token of
    Argo CD's own API is needed, and a field that somebody else keeps and no option names is left alone.
"""
