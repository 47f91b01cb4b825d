"""Reads lines from a file or a pipe without holding up the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_BLOCK: Final = 256 * 1024


async def blocks_of_lines(descriptor: int) -> AsyncIterator[tuple[list[bytes], int]]:
    r"""Give lines in blocks, as they come: a slow pipe gives few at a time.

    Args:
        descriptor: an open file, pipe or terminal.

    Yields:
        Lines without their end (`\n`, or `\r\n`), and how many bytes have been read so far.

    Raises:
        OSError: it cannot be read.
    """
    rest: list[bytes] = []
    read = 0
    while block := await _read(descriptor):
        read += len(block)
        first, *lines = block.split(b"\n")
        rest.append(first)
        if lines:
            ended = [b"".join(rest), *lines[:-1]]
            rest = [lines[-1]]
            yield [line.removesuffix(b"\r") for line in ended], read
    last = b"".join(rest)
    if last:
        yield [last.removesuffix(b"\r")], read


async def _read(descriptor: int) -> bytes:
    # A thread of its own, not the loop's: that is waited for at the end, and after Ctrl-C one that
    # reads a terminal would hold the command until somebody types.
    loop = asyncio.get_running_loop()
    result: asyncio.Future[bytes] = loop.create_future()

    def done(block: bytes, error: OSError | None) -> None:
        if result.cancelled():
            return
        if error is None:
            result.set_result(block)
        else:
            result.set_exception(error)

    def work() -> None:
        block, failure = b"", None
        try:
            block = os.read(descriptor, _BLOCK)
        except OSError as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(done, block, failure)

    threading.Thread(target=work, name="read", daemon=True).start()
    return await result
