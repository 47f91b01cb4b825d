"""Write the embedded broker's AOT cache: `python -m agents.broker.train`. Does nothing where it is.

It starts a broker once, from which Java learns what a start loads, and stops it: some 20 s of work.
Each start afterwards takes half the CPU. Needed by nobody, worth it for who starts it often.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from agents.broker import aot, jars, runtime
from agents.broker.errors import EmbeddedBrokerError
from agents.broker.server import Broker


def train() -> Path:
    """Write the cache if it is missing, and return where it is.

    Raises:
        EmbeddedBrokerError: the broker cannot run here, or Java wrote no cache.
    """
    target = aot.cache(runtime.java(), jars.class_path())
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside its place, so that moving it there is one step: several processes may do this at once.
    with tempfile.TemporaryDirectory(prefix=".train-", dir=target.parent) as folder:
        written = Path(folder) / "kafka.aot"
        broker = Broker(Path(folder) / "data", record=written)
        with broker:
            pass
        if not written.exists():
            lines = "\n".join(broker.last_lines())
            raise EmbeddedBrokerError(
                f"Java wrote no AOT cache. The last lines of its log:\n{lines}"
            )
        written.replace(target)
    return target


if __name__ == "__main__":
    try:
        sys.stderr.write(f"The AOT cache of Apache Kafka is {train()}\n")
    except EmbeddedBrokerError as failure:
        sys.exit(f"error: {failure}")
