"""The broker's data folder, which one Kafka alone may use at a time.

Kafka's own lock comes too late: by then a second one has already written to the first one's
metadata log, and spoilt it (seen with 4.3.1).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from agents.broker.errors import FolderInUseError

if TYPE_CHECKING:
    from pathlib import Path


def lock(folder: Path) -> int:
    """Claim a folder, which is made if it is missing.

    Returns:
        An open file; closing it gives the folder free, once every process that inherited it has
        ended. Kafka inherits it, so the claim lasts as long as Kafka does.

    Raises:
        FolderInUseError: another process has claimed it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - exists on Windows alone

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - does not exist on Windows

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        raise FolderInUseError(folder) from error
    return file


def unlock(file: int) -> None:
    """Give a folder free that `lock` claimed."""
    os.close(file)
