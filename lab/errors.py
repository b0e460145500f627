"""What the lab says when it cannot go on: one plain sentence with the remedy in it."""

from __future__ import annotations


class LabError(Exception):
    pass
