"""Prometheus and Alertmanager on this machine, for one run of the demo."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import aiohttp

from agents import alerts
from agents.alerts import duration
from agents.demo.errors import DemoError
from agents.demo.guarded import guarded
from agents.demo.worker import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from agents.alerts import Timing

_HERE: Final = "127.0.0.1"
_LAST_LINES: Final = 15
_ASK_EVERY: Final = 0.1
_READY_WITHIN: Final = 60.0
_STOP_WITHIN: Final = 10.0
#: Alertmanager's waits in deploy/alertmanager/alertmanager.yml, in scrapes.
_GROUP_WAIT, _GROUP_INTERVAL = 1, 4

#: Where Prometheus shows its alerts: as its makers build it, and as Debian does.
_ALERTS_PAGES: Final = ("/alerts", "/classic/alerts")

_MISSING: Final = """\
--observe needs Prometheus (2.42 or newer) and Alertmanager; not found: {}.
On Debian and Ubuntu: sudo apt install prometheus prometheus-alertmanager
  (that starts both as services too; this demo runs its own beside them, on other ports).
Elsewhere: https://prometheus.io/download/ has both; put `prometheus` and `alertmanager` on the
PATH."""


class Programs(NamedTuple):
    """Where the programs are."""

    prometheus: str
    alertmanager: str


def find() -> Programs:
    """Look for both programs on the PATH.

    Raises:
        DemoError: one is not there; it says how to get it.
    """
    prometheus = shutil.which("prometheus")
    # Debian calls it otherwise than its makers do.
    alertmanager = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if prometheus is None or alertmanager is None:
        places = {"prometheus": prometheus, "alertmanager": alertmanager}
        missing = (name for name, place in places.items() if place is None)
        raise DemoError(_MISSING.format(" and ".join(missing)))
    return Programs(prometheus, alertmanager)


class Program:
    """A running program.

    Attributes:
        url: Where its HTTP is.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path, url: str) -> None:
        self._name = name
        self._process = process
        self._log = log
        self.url = url

    def check(self) -> None:
        """Do nothing while it runs.

        Raises:
            DemoError: It has ended; with its last words.
        """
        code = self._process.returncode
        if code is not None:
            raise DemoError(f"{self._name} has ended with {code}. {self._last_words()}")

    async def ready(self) -> None:
        """Wait until it says that it is ready.

        Raises:
            DemoError: It ended, or was not ready in time.
        """
        timeout = aiohttp.ClientTimeout(total=2)
        try:
            async with (
                asyncio.timeout(_READY_WITHIN),
                aiohttp.ClientSession(timeout=timeout) as session,
            ):
                while not await _answers(session, f"{self.url}/-/ready"):
                    self.check()
                    await asyncio.sleep(_ASK_EVERY)
        except TimeoutError:
            raise DemoError(
                f"{self._name} was not ready after {_READY_WITHIN:.0f} s. {self._last_words()}"
            ) from None

    async def alerts_page(self) -> str:
        """Return the address of its page of alerts, if it is Prometheus."""
        timeout = aiohttp.ClientTimeout(total=2)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for page in _ALERTS_PAGES:
                if await _answers(session, self.url + page):
                    return self.url + page
        return self.url

    async def stop(self) -> None:
        """Tell it to stop; kill it if it does not."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(_STOP_WITHIN):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    def _last_words(self) -> str:
        with self._log.open(encoding="utf-8", errors="replace") as lines:
            return "Its last lines:\n" + "".join(deque(lines, maxlen=_LAST_LINES))


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.ok
    except (aiohttp.ClientError, TimeoutError):
        return False


@asynccontextmanager
async def alertmanager(
    program: str, folder: Path, timing: Timing, receiver: str
) -> AsyncIterator[Program]:
    """Run an Alertmanager that tells one receiver of all alerts.

    Args:
        program: Its path.
        folder: For its configuration, data and log.
        timing: The durations of the rules; it waits in proportion.
        receiver: The address to which it posts notifications.

    Raises:
        DemoError: It did not start.
    """
    config = {
        "route": {
            "receiver": "demo",
            "group_by": ["alertname", "venue"],
            "group_wait": duration(_GROUP_WAIT * timing.scrape),
            "group_interval": duration(_GROUP_INTERVAL * timing.scrape),
        },
        "receivers": [
            {"name": "demo", "webhook_configs": [{"url": receiver, "send_resolved": True}]}
        ],
    }
    path = _write(folder / "alertmanager.yml", config)
    port = free_port(_HERE, 9093)
    command = (
        program,
        f"--config.file={path.name}",
        "--storage.path=alertmanager",
        f"--web.listen-address={_HERE}:{port}",
        # Empty: it is alone, and opens no port for others of its kind.
        "--cluster.listen-address=",
    )
    async with _running("Alertmanager", command, folder, port) as running:
        yield running


@asynccontextmanager
async def prometheus(
    program: str, folder: Path, timing: Timing, worker: str, alertmanager_: str
) -> AsyncIterator[Program]:
    """Run a Prometheus with our rules over one worker.

    Args:
        program: Its path.
        folder: For its configuration, rules, data and log.
        timing: The durations of the rules.
        worker: `host:port` of the worker's HTTP.
        alertmanager_: `host:port` of the Alertmanager.

    Raises:
        DemoError: It did not start.
    """
    alerts.write(folder / "rules", timing)
    port = free_port(_HERE, 9090)
    interval = duration(timing.scrape)
    config = {
        "global": {
            "scrape_interval": interval,
            "scrape_timeout": interval,
            "evaluation_interval": interval,
        },
        "rule_files": ["rules/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager_]}]}]},
        "scrape_configs": [
            {"job_name": "live-audience", "static_configs": [{"targets": [worker]}]},
            {"job_name": "prometheus", "static_configs": [{"targets": [f"{_HERE}:{port}"]}]},
        ],
    }
    path = _write(folder / "prometheus.yml", config)
    command = (
        program,
        f"--config.file={path.name}",
        "--storage.tsdb.path=prometheus",
        f"--web.listen-address={_HERE}:{port}",
    )
    async with _running("Prometheus", command, folder, port) as running:
        yield running


def _write(path: Path, config: dict[str, Any]) -> Path:
    """Write a configuration as JSON, which is YAML."""
    path.write_text(json.dumps(config, indent=2), encoding="utf-8")
    return path


@asynccontextmanager
async def _running(
    name: str, command: Sequence[str], folder: Path, port: int
) -> AsyncIterator[Program]:
    log = folder / f"{name.lower()}.log"
    async with guarded(command, folder, log) as process:
        program = Program(name, process, log, f"http://{_HERE}:{port}")
        try:
            await program.ready()
            yield program
        finally:
            await program.stop()
