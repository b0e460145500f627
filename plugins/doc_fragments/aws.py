# Copyright (c) 2026 Groundwork founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Where in AWS, for the modules that ask it by botocore."""

    DOCUMENTATION = r"""
options:
  region:
    description: The region. What is not said here, credentials included, is taken from where botocore takes it.
    type: str
requirements:
  - boto3
"""

    # For those that keep a thing in AWS part by part.
    PARTS = r"""
attributes:
  check_mode:
    support: full
    description: Tells each part that would be changed.
  diff_mode:
    support: full
    description: Shows each part before and after.
"""
