# ruff: noqa: INP001, T201 - a program of its own, no module of a package; it tells by printing
"""Writes the dashboards' JSON files: `python deploy/grafana/make.py`; `--check` only compares."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from boards import documents

FOLDER: Final = Path(__file__).parent / "dashboards"


def main(arguments: list[str]) -> int:
    """Write the files, or say which are out of date; returns the exit code."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    wanted = {FOLDER / f"{name}.json": text for name, text in documents().items()}
    found = {path: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    changed = sorted(path for path in wanted | found if wanted.get(path) != found.get(path))
    for path in changed:
        print(f"{'out of date' if arguments else 'writing'}: {path.name}")
        if not arguments and path in wanted:
            path.write_text(wanted[path], encoding="utf-8")
        elif not arguments:
            path.unlink()
    return 1 if changed and arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
