"""Write each role's README.md from its meta/argument_specs.yml and defaults/main.yml; --check says which are stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parent.parent / "roles"
END_OF_DOCUMENT = "...\n"


def _load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text()) or {} if path.exists() else {}


def _paragraphs(text: str | list[str] | None) -> list[str]:
    return [" ".join(part.split()) for part in ([text] if isinstance(text, str) else text or [])]


def _type(option: dict[str, Any]) -> str:
    kind = option.get("type", "str")
    return f"{kind} of {option['elements']}" if "elements" in option else kind


def _default(name: str, option: dict[str, Any], defaults: dict[str, Any]) -> str:
    if name not in defaults:
        return "required" if option.get("required") else "–"
    value = yaml.safe_dump(defaults[name], default_flow_style=True, width=sys.maxsize, allow_unicode=True)
    # A row of a table is one line.
    return f"`{' '.join(value.removesuffix(END_OF_DOCUMENT).split())}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _row(name: str, option: dict[str, Any], defaults: dict[str, Any]) -> str:
    meaning = " ".join(_paragraphs(option.get("description")))
    if "choices" in option:
        meaning += " One of " + ", ".join(f"`{choice}`" for choice in option["choices"]) + "."
    cells = (f"`{name}`", _type(option), _default(name, option, defaults), meaning)
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _lines(role: Path) -> Iterator[str]:
    defaults = _load(role / "defaults/main.yml")
    yield f"# groundwork.kube.{role.name}"
    for entry_point, spec in _load(role / "meta/argument_specs.yml")["argument_specs"].items():
        yield from ("",) if entry_point == "main" else ("", f"## `tasks_from: {entry_point}`", "")
        yield "\n\n".join(_paragraphs(spec.get("short_description")) + _paragraphs(spec.get("description")))
        if spec.get("options"):
            yield from ("", "| variable | type | default | meaning |", "|---|---|---|---|")
            yield from (_row(name, option, defaults) for name, option in spec["options"].items())
    yield ""
    yield "A *live* variable may be changed on a running cluster: the next run brings the change."
    yield "Changing a *fixed* one there is refused."
    yield ""
    yield "Written by `make docs` from `meta/argument_specs.yml` and `defaults/main.yml`."


def readme(role: Path) -> str:
    """Return what the role's README.md should say."""
    return "\n".join(_lines(role)) + "\n"


def stale(roles: Path) -> list[Path]:
    """Return the README.md files that do not say what they should."""
    wanted = {
        role / "README.md": readme(role)
        for role in sorted(roles.iterdir())
        if (role / "meta/argument_specs.yml").exists()
    }
    return [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a README.md is stale")
    arguments = parser.parse_args()
    files = stale(ROLES)
    for path in files:
        if arguments.check:
            print(f"{path.relative_to(ROLES.parent)} is stale: make docs", file=sys.stderr)
        else:
            path.write_text(readme(path.parent))
    return 1 if arguments.check and files else 0


if __name__ == "__main__":
    sys.exit(main())
