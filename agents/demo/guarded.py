"""Programs that the demo starts: none outlives it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from agents.broker.guard import Guard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path


@asynccontextmanager
async def guarded(
    command: Sequence[str], folder: Path, log: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a program that ends with this process, however this one ends (`kill -9` included).

    Whoever uses it stops the program before the block is left.

    Args:
        command: The program and its arguments.
        folder: Where it runs.
        log: Gets what it prints.
        environment: Its environment; this process's if not given.

    Raises:
        OSError: The program cannot be started.
    """
    # The guard is there first, so that the program is alone for no longer than it takes to name it.
    guard = Guard()
    try:
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=folder,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                # A Ctrl-C is for the demo, which stops all in order.
                start_new_session=True,
            )
        guard.watch(process.pid)
        yield process
    finally:
        guard.dismiss()
