"""Make `kafka.lock` anew: `python -m agents.broker.lock`, after changing ROOTS.

Resolving takes what the repositories say today; from then on the lock file says what is run. It is
written from freshly fetched jars, never from what the local repository happens to hold.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from agents.broker.jars import LOCK, repository, sha256

#: What the broker is made of; everything else follows from it. slf4j-simple writes the broker's
#: warnings to its log, and has to be of the version of slf4j-api that Kafka asks for.
ROOTS: Final = ("org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36")


def lines() -> list[str]:
    """Resolve ROOTS, fetch every jar and return the lines of the lock file."""
    import jgo  # noqa: PLC0415 - belongs to an optional extra
    from jgo.maven import MavenContext  # noqa: PLC0415 - the same

    _, remotes = repository()
    entries = []
    with tempfile.TemporaryDirectory(prefix="live-audience-lock-") as folder:
        context = MavenContext(repo_cache=Path(folder), remote_repos=remotes, timeout=60)
        for found in jgo.resolve("+".join(ROOTS), repositories=remotes):
            project = context.project(found.groupId, found.artifactId)
            path = Path(project.at_version(found.version).artifact().resolve())
            coordinate = f"{found.groupId}:{found.artifactId}:{found.version}"
            entries.append((coordinate, f"{sha256(path)}  {coordinate}"))
            sys.stderr.write(f"{coordinate}\n")
    return [
        f"# The jars of the embedded Apache Kafka: {' '.join(ROOTS)} and all they need,",
        "# each with its SHA-256 sum. Made by: python -m agents.broker.lock",
        *(line for _, line in sorted(entries)),
    ]


if __name__ == "__main__":
    LOCK.write_text("\n".join(lines()) + "\n", encoding="utf-8")
