"""The demo's worker, and its gateway: the real ones, each as a process of its own."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import sysconfig
from collections import deque
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import aiohttp
from pydantic import SecretStr

import agents
from agents.demo.errors import DemoError
from agents.demo.guarded import guarded
from streams.settings import PREFIX
from streams.settings.display import env_name, shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from streams.settings import Settings

#: The real command, of the very code that runs the demo.
PROGRAM: Final = (
    sys.executable,
    "-c",
    "from agents.cli import main; main(prog_name='live-audience')",
)
COMMAND: Final = (*PROGRAM, "worker")
_LAST_LINES: Final = 25
_ASK_EVERY: Final = 0.1
_KILL_AFTER: Final = 5.0


class WorkerProcess:
    """A running worker, or a gateway.

    Attributes:
        log: The file that holds what it says.
        url: Where its HTTP is.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, log: Path, url: str, name: str = "worker"
    ) -> None:
        self._name = name
        self._process = process
        self.log = log
        self.url = url

    def check(self) -> None:
        """Do nothing while it runs.

        Raises:
            DemoError: It has ended; with its last words.
        """
        if self._process.returncode is not None:
            raise DemoError(
                f"The {self._name} has ended with {self._process.returncode}. "
                f"{self.last_log_lines()}"
            )

    def last_log_lines(self) -> str:
        """Return the last lines of its log."""
        with self.log.open(encoding="utf-8", errors="replace") as lines:
            last = "".join(deque(lines, maxlen=_LAST_LINES))
        return f"The last lines of {self.log}:\n{last or '(it is empty)'}"

    async def ready(self, patience: float) -> None:
        """Wait until it says that it is ready.

        Args:
            patience: For how long, in seconds.

        Raises:
            DemoError: It ended, or was not ready in time.
        """
        said = "no answer"
        timeout = aiohttp.ClientTimeout(total=2)
        try:
            async with asyncio.timeout(patience), aiohttp.ClientSession(timeout=timeout) as session:
                while True:
                    self.check()
                    try:
                        async with session.get(f"{self.url}/readyz") as answer:
                            said = f"{answer.status} {await answer.text()}"
                            if answer.status == 200:  # noqa: PLR2004 - HTTP's OK
                                return
                    except (aiohttp.ClientError, TimeoutError) as error:
                        said = str(error) or "no answer in time"
                    await asyncio.sleep(_ASK_EVERY)
        except TimeoutError:
            raise DemoError(
                f"The {self._name} was not ready after {patience:.0f} s ({said}). "
                f"{self.last_log_lines()}"
            ) from None

    def peak_memory(self) -> int | None:
        """Return the most memory that it has had so far, in bytes; None if this system won't say.

        It is the greatest resident size that Linux has seen; a process that is gone says nothing.
        """
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        except OSError:
            return None
        found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
        return None if found is None else int(found[1]) * 1024

    async def ended(self) -> int:
        """Wait for its end and return its exit code."""
        return await self._process.wait()

    async def stop(self, patience: float) -> None:
        """Tell it to stop; kill it if it has not after `patience` seconds."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(patience):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def running(
    settings: Settings,
    folder: Path,
    command: Sequence[str] = COMMAND,
    *,
    name: str = "worker",
    url: str | None = None,
) -> AsyncIterator[WorkerProcess]:
    """Run a worker with exactly these settings; it is gone when the block is left.

    Args:
        settings: In full: nothing else of this process's settings reaches it.
        folder: Where it runs and logs.
        command: The program and its arguments.
        name: What it is, for people and for its log's name.
        url: Where it says whether it is ready, if not where workers do.
    """
    log = folder / f"{name}.log"
    others = {name: text for name, text in os.environ.items() if not _ours(name)}
    # A `.env` where the demo was called has been read already: the worker runs in another folder.
    async with guarded(command, folder, log, others | environment(settings) | _import_path()) as it:
        there = url or _url(settings.http_host, settings.http_port)
        worker = WorkerProcess(it, log, there, name)
        try:
            yield worker
        finally:
            await worker.stop(settings.drain.total_seconds() + _KILL_AFTER)


def environment(settings: Settings) -> dict[str, str]:
    """Return settings as the environment that gives the same ones again."""
    given = {env_name(name): _text(settings, name) for name in type(settings).model_fields}
    return {name: text for name, text in given.items() if text}


def _url(host: str, port: int) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - bound by the worker if so set, here asked
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def free_port(host: str, wanted: int) -> int:
    """Return the wanted port, or any free one where it is taken or 0."""
    for port in (wanted, 0):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            if os.name != "nt":
                # As servers do: a port whose last connections are still closing is free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoError(f"No port is free on {host}.")


def _ours(name: str) -> bool:
    return name.upper().startswith(PREFIX)


def _text(settings: Settings, name: str) -> str:
    match getattr(settings, name):
        case SecretStr() as secret:
            return secret.get_secret_value()
        case Path() as path:
            # The worker runs in another folder.
            return str(path.absolute())
        case _:
            return shown(settings, name)


def _import_path() -> dict[str, str]:
    """Return what the worker needs to find this very code, if it is not installed."""
    root = Path(agents.__file__).resolve().parents[1]
    if root == Path(sysconfig.get_path("purelib")).resolve():
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))}
