"""A second process that ends the broker when ours is gone, however it went.

It holds one end of a pipe whose other end only our process has. When our process ends, by
`kill -9` too, the pipe closes and the guard ends the broker. This works alike on every system,
which a signal at the parent's death (Linux alone, and tied to the thread that started the child)
does not.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import Final

# Signal 9, for Windows has no signal.SIGKILL and ends a process on any number.
_WATCH: Final = """
import os, sys
broker = int(sys.stdin.readline() or 0)
if broker and not sys.stdin.readline():
    try:
        os.kill(broker, 9)
    except OSError:
        pass
"""


class Guard:
    """Ends the process that it watches when our own process ends. Starts at once."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", "-S", "-c", _WATCH],
            stdin=subprocess.PIPE,
            start_new_session=True,  # what ends our process group must not end the guard first
        )

    def watch(self, pid: int) -> None:
        """From now on, end this process when ours ends."""
        self._write(f"{pid}\n")

    def dismiss(self) -> None:
        """Watch no more, for the process has ended and its id may become another's."""
        self._write("dismissed\n")
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def _write(self, line: str) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        # A guard that was ended by someone guards no more; the broker works all the same.
        with contextlib.suppress(BrokenPipeError):
            pipe.write(line.encode())
            pipe.flush()
