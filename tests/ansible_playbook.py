"""ansible-playbook as a user starts it, with this collection and nothing of this directory's ansible.cfg."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[1]
PROGRAM = Path(sys.executable).with_name("ansible-playbook")


def environment(directory: Path, **more: str) -> dict[str, str]:
    """This process's environment, where Ansible keeps its own files in the directory."""
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "collections"),
        "ANSIBLE_LOCAL_TEMP": str(directory / "local"),
        "ANSIBLE_REMOTE_TEMP": str(directory / "remote"),
        "ANSIBLE_NOCOLOR": "1",
        **more,
    }


def play_here(directory: Path, tasks: list[dict[str, Any]], *arguments: str, **variables: Any) -> list[str | Path]:
    """The command that runs a play of these tasks on this machine."""
    playbook = directory / "play.json"
    variables = {"ansible_python_interpreter": sys.executable, **variables}
    hosts = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks, "vars": variables}
    playbook.write_text(json.dumps([hosts]))
    return [PROGRAM, "-i", "localhost,", *arguments, playbook]
