"""One worker of the pipeline, in the foreground."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import faust
import structlog

from agents import logs
from agents.app import create_app
from agents.serving.web import check_address, raise_file_limit
from agents.topics.access import require_rights
from agents.topics.admin import check_topics
from streams.errors import LiveAudienceError, PackagesMissingError, TopicsError
from streams.exact.compression import missing_packages

if TYPE_CHECKING:
    from streams.settings import Settings

log = structlog.get_logger(__name__)

#: What a stop may take beyond the drain: leaving the group, closing clients, Faust's own way out.
_GRACE = 10.0


def run(settings: Settings) -> None:
    """Run a worker until SIGINT or SIGTERM.

    Raises:
        SystemExit: In the end; its code is 0 after a stop in good order, 1 after an error.
        LiveAudienceError: A package is missing, the broker cannot be reached, or the topics are not
            as they must be.
    """
    logs.configure(settings)
    asyncio.run(check_topics_first(settings))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    Worker(
        create_app(settings), loop=loop, loglevel="INFO", topics_checked=True
    ).execute_from_commandline()


def _check_packages() -> None:
    """Say what is missing to read all that a producer may send.

    Raises:
        PackagesMissingError: Something is.
    """
    if missing := missing_packages():
        packages = " ".join(sorted(set(missing.values())))
        raise PackagesMissingError(
            f"records compressed with {', '.join(missing)} could not be read, and one of them "
            f"would stop its partition: run `pip install {packages}`, or install live-audience "
            "with all that it requires"
        )


async def check_topics_first(settings: Settings) -> None:
    """Say at once what cannot work, in words; the source would say it too, but later.

    What is only a warning is told by `TopicWatch`, which starts with the worker.

    Raises:
        LiveAudienceError: A package is missing, the broker cannot be reached, the topics are not as
            they must be, or HTTP cannot be served where the settings say.
    """
    _check_packages()
    check_address(settings.http_host, settings.http_port)
    await require_rights(settings)
    errors = [found for found in await check_topics(settings) if found.severity == "error"]
    if errors:
        raise TopicsError(
            "the topics are not as they must be:\n"
            + "\n".join(f"  {found.topic}: {found.what}; {found.remedy}" for found in errors)
        )


def tune_gc() -> None:
    """Make the garbage collector fit: a batch makes many objects, and none of them in cycles.

    Rows at rest are bytes, which it does not look at; what it looks at in vain are the records and
    rows of a batch, several times over with the standard thresholds (5 % of the CPU of batches of
    20,000 events; 2 % with these).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


class Worker(faust.Worker):
    """Faust's worker, whose stop has a deadline: Faust waits for ever and ignores a second signal.

    It leaves logging as it is (`agents.logs`), and is the worker of `faust -A agents.app worker`
    too, by the app's setting `Worker`.

    Args:
        app: What `create_app` made.
        args: Faust's own.
        topics_checked: Whether the topics have been checked; else that is the first thing it does.
        options: Faust's own.
    """

    def __init__(self, app: Any, *args: Any, topics_checked: bool = False, **options: Any) -> None:
        options.update(override_logging=False, redirect_stdouts=False)
        super().__init__(app, *args, **options)
        self.spinner = None
        self._limit = app.drain + _GRACE
        self._topics_checked = topics_checked

    def execute_from_commandline(self) -> NoReturn:
        """Run until a signal; first, look at the topics, if nobody has."""
        if not self._topics_checked:
            try:
                self.loop.run_until_complete(check_topics_first(self.app.settings_in_force))
            except LiveAudienceError as error:
                # Faust would show where this was called from, at length.
                raise SystemExit(f"Error: {error}") from None
        raise_file_limit()
        super().execute_from_commandline()
        raise AssertionError  # it ends by SystemExit

    async def on_first_start(self) -> None:
        """Take what is loaded by now out of the garbage collector's way."""
        tune_gc()
        await super().on_first_start()

    def _on_sigterm(self) -> None:
        self._arm_stop_timer()
        super()._on_sigterm()

    def _on_sigint(self) -> None:
        self._arm_stop_timer()
        super()._on_sigint()

    def _arm_stop_timer(self) -> None:
        watch = threading.Timer(self._limit, _force_exit, [self._limit])
        watch.daemon = True
        watch.start()
        signal.signal(signal.SIGINT, lambda *_: _force_exit(0.0))


def _force_exit(limit: float) -> None:
    log.error(
        "shutdown timeout: forced exit; nothing is lost, the next worker goes on from the last "
        "commit",
        seconds=limit,
        setting="AUDIENCE_DRAIN",
    )
    sys.stderr.flush()
    os._exit(1)
