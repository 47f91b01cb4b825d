"""The gateway's show: signed webhooks are counted, then a real stream that is watched."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import time
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import aiohttp

from agents import kafka
from agents.demo.base import PATIENCE, Demo
from agents.demo.errors import DemoError
from agents.demo.gateway import sender, streaming
from agents.demo.results import reading
from agents.demo.worker import PROGRAM, free_port, running
from agents.gateway import admin
from agents.gateway.topics import GatewayTopics
from streams.errors import LiveAudienceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from agents.demo.console import DemoConsole
    from agents.demo.gateway.streaming import Streaming
    from agents.demo.results import Results
    from agents.demo.worker import WorkerProcess
    from streams.settings import Settings
    from streams.summaries import BroadcastSummary

_HERE: Final = "127.0.0.1"
_CLEAN_UP: Final = 10.0
_LOOK_EVERY: Final = 0.3
_VIEWERS: Final = 3
_STREAM: Final = "gallery"

_CONFIGURATION: Final = """\
port = {port}
health_port = {health_port}

[[endpoint]]
name = "signed"
source = "standard-webhooks"
platform = "{platform}"
secrets = [{{ file = "{folder}/signed.secret" }}]
[endpoint.mapping]
channel = "channel"
kind = "kind"
at = "at"
started = "started"
viewers = "viewers"

[[endpoint]]
name = "nginx"
source = "nginx-rtmp"
path_secrets = [{{ file = "{folder}/path.secret" }}]
networks = ["127.0.0.0/8"]

[[venue]]
name = "louvre"
channels = [
    {{ endpoint = "signed", channel = "{channel}" }},
    {{ endpoint = "nginx", channel = "live/{stream}" }},
]
"""


async def run(
    settings: Settings,
    *,
    once: bool = False,
    brokers: str | None = None,
    keep: bool = False,
    patience: float = PATIENCE,
    screen: DemoConsole | None = None,
) -> int:
    """Show the gateway: what it takes, what it refuses, and the figures that come of it.

    Args, result and errors are those of `Demo` and `Demo.run`. Where nginx with its RTMP module or
    ffmpeg is not installed, the real stream is left out, and that is said.
    """
    show = GatewayDemo(patience, screen, once=once, keep=keep)
    return await show.run(settings, once=once, brokers=brokers, keep=keep)


class _Place(NamedTuple):
    """Where the gateway of this run is.

    Attributes:
        folder: For its configuration, its secrets and the logs of nginx and ffmpeg.
        hooks: The address that senders know, without the secret.
        health: The address of health and metrics.
        key: What webhooks are signed with.
        path_secret: What is in the address that nginx knows.
    """

    folder: Path
    hooks: str
    health: str
    key: bytes
    path_secret: str


class GatewayDemo(Demo):
    """A gateway, a platform that signs, and a media server with a publisher and viewers."""

    def __init__(
        self, patience: float, screen: DemoConsole | None, *, once: bool, keep: bool
    ) -> None:
        super().__init__(patience, screen)
        self._once = once
        self._keep = keep

    async def play(self, settings: Settings, worker: WorkerProcess) -> None:
        """Start the gateway, send, stream, and judge what the figures say.

        It stays until Ctrl-C or, with `once`, until the figures are there.
        """
        programs, missing = streaming.find()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(_topics(settings, self.screen, keep=self._keep))
            place = stack.enter_context(_place(settings))
            mine = settings.model_copy(update={"gateway": place.folder / "gateway.toml"})
            with self.screen.step("starting a gateway"):
                gateway = await stack.enter_async_context(
                    running(
                        mine,
                        settings.data / "demo",
                        (*PROGRAM, "gateway", "run"),
                        name="gateway",
                        url=place.health,
                    )
                )
                await gateway.ready(self.patience)
            session = await stack.enter_async_context(aiohttp.ClientSession())
            results = await stack.enter_async_context(reading(settings))
            watch = _Watch(session, results, (worker, gateway), self.patience)
            right = await self._signed(session, place, watch)
            if programs is None:
                self.screen.print("Left out: a real stream, for these are missing:")
                for each in missing:
                    self.screen.print(f"  {each}")
            else:
                stream = await stack.enter_async_context(
                    streaming.Streaming(
                        programs, place.folder / "nginx", f"{place.hooks}/nginx/{place.path_secret}"
                    )
                )
                right = await self._streamed(stream, worker, watch) and right
            self.code = int(not right)
            if not self._once:
                self._print_places(worker, gateway, place, programs and stream)
                while True:
                    watch.check()
                    await asyncio.sleep(1)

    def closing_lines(self) -> tuple[str, ...]:
        """Return nothing: where all is was told before."""
        return ()

    async def _signed(self, session: aiohttp.ClientSession, place: _Place, watch: _Watch) -> bool:
        """A platform's signed webhooks; returns whether the figures are the truth."""
        deliveries, truth = sender.show(time.time())
        platform = sender.Platform(session, f"{place.hooks}/signed", place.key)
        with self.screen.step("sending the signed webhooks of a show, and one that is forged"):
            sent = await platform.send(deliveries[:-1])
            refused = await platform.forge(deliveries[1])
            sent += await platform.send(deliveries[-1:])
        with self.screen.step("waiting for its summary"):
            summary = await watch.summary(sender.PLATFORM, truth.events)
        found = (summary.peak, summary.viewer_minutes, summary.events)
        right = refused and found == tuple(truth) and summary.venue == "louvre"
        self.screen.print(
            f"{sent} webhooks, {sent - len(deliveries)} of them repeated, are {summary.events} "
            f"events; the forged one was {'refused' if refused else 'TAKEN'}."
        )
        self._print_figures(summary, right=right)
        return right

    async def _streamed(self, stream: Streaming, worker: WorkerProcess, watch: _Watch) -> bool:
        """A real stream, watched and ended; returns whether the figures followed."""
        with self.screen.step(f"publishing {stream.address(_STREAM)} by ffmpeg"):
            publisher = await stream.publish(_STREAM)
            await watch.broadcast(worker, lambda found: found is not None)
        watching = []
        for count in range(1, _VIEWERS + 1):
            with self.screen.step(f"viewer {count} comes; the API says {count}"):
                watching.append(await stream.watch(_STREAM))
                await watch.viewers(worker, count)
        with self.screen.step(f"a viewer leaves; the API says {_VIEWERS - 1}"):
            await streaming.stop(watching.pop())
            await watch.viewers(worker, _VIEWERS - 1)
        with self.screen.step("the publisher ends; waiting for the summary"):
            await streaming.stop(publisher)
            summary = await watch.summary("nginx-rtmp", 1)
        # It lasted some seconds: of its first and its last minute the contract takes the audience
        # at the minute's end, so the third viewer is in the peak only if a minute ended meanwhile.
        peaks = {_VIEWERS - 1, _VIEWERS}
        right = summary.joins == _VIEWERS and summary.peak in peaks
        self._print_figures(summary, right=right)
        return right

    def _print_figures(self, summary: BroadcastSummary, *, right: bool) -> None:
        mark = self.screen.right if right else self.screen.wrong
        self.screen.print(
            f"{summary.platform}:{summary.broadcast} ({summary.venue}): {summary.status}, peak "
            f"{summary.peak or 0:,}, {summary.viewer_minutes:,} viewer-minutes in "
            f"{summary.minutes_live} min, {summary.joins:,} joins {mark}"
        )

    def _print_places(
        self, worker: WorkerProcess, gateway: WorkerProcess, place: _Place, stream: Streaming | None
    ) -> None:
        write = self.screen.print
        write()
        write("It stays up until Ctrl-C.")
        write(f"figures        {worker.url}/v1/broadcasts")
        write(f"gateway        {gateway.url}/metrics, configured by {place.folder}/gateway.toml")
        if stream is not None:
            write(f"publish        {stream.address('NAME')} (watch the same address)")


class _Watch:
    """Waits for what comes out, and for nothing that has ended."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        results: Results,
        processes: tuple[WorkerProcess, ...],
        patience: float,
    ) -> None:
        self._session = session
        self._results = results
        self._processes = processes
        self._patience = patience

    def check(self) -> None:
        """Raise DemoError if the worker or the gateway has ended."""
        for process in self._processes:
            process.check()

    async def summary(self, platform: str, events: int) -> BroadcastSummary:
        """The summary of a platform's broadcast, once it has ended with so many events."""
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    self.check()
                    await self._results.read()
                    for found in self._results.broadcasts.values():
                        ended = found.platform == platform and found.status != "live"
                        if ended and found.events >= events:
                            return found
        except TimeoutError:
            raise self._late(f"There is no summary of {platform}") from None

    async def viewers(self, worker: WorkerProcess, count: int) -> None:
        """Wait until the stream has so many viewers."""
        await self.broadcast(worker, lambda viewers: viewers == count)

    async def broadcast(self, worker: WorkerProcess, is_so: Callable[[object], bool]) -> None:
        """Wait until the API says of the stream what it should; before there is one, None."""
        said: object = None
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    self.check()
                    async with self._session.get(f"{worker.url}/v1/broadcasts") as answer:
                        listed = (await answer.json())["broadcasts"]
                    streams = [each for each in listed if each["platform"] == "nginx-rtmp"]
                    said = (streams[0]["viewers"] or 0) if streams else None
                    if is_so(said):
                        return
                    await asyncio.sleep(_LOOK_EVERY)
        except TimeoutError:
            raise self._late(f"The API says {said} viewers") from None

    def _late(self, what: str) -> DemoError:
        logs = "\n".join(process.last_log_lines() for process in self._processes)
        return DemoError(f"{what} after {self._patience:.0f} s. {logs}")


@contextmanager
def _place(settings: Settings) -> Iterator[_Place]:
    """Write the gateway's configuration and its secrets; they are gone at the end."""
    folder = settings.data.absolute() / "demo" / "gateway" / settings.group
    folder.mkdir(parents=True)
    try:
        port, health_port = free_port(_HERE, 9640), free_port(_HERE, 9641)
        key, written = sender.secret()
        path_secret = secrets.token_hex(24)
        texts = {
            "signed.secret": written,
            "path.secret": path_secret,
            "gateway.toml": _CONFIGURATION.format(
                port=port,
                health_port=health_port,
                platform=sender.PLATFORM,
                channel=sender.CHANNEL,
                stream=_STREAM,
                folder=folder.as_posix(),
            ),
        }
        for name, text in texts.items():
            path = folder / name
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8")
        at = f"http://{_HERE}"
        yield _Place(folder, f"{at}:{port}/hooks", f"{at}:{health_port}", key, path_secret)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _topics(settings: Settings, screen: DemoConsole, *, keep: bool) -> AsyncIterator[None]:
    """Make the gateway's topics, and delete them at the end unless they are to be kept."""
    await admin.create(settings)
    try:
        yield
    finally:
        if not keep:
            try:
                async with asyncio.timeout(_CLEAN_UP), kafka.admin(settings) as client:
                    names = [topic.name for topic in GatewayTopics.of(settings).own]
                    await client.delete_topics(names)
            except (LiveAudienceError, TimeoutError) as error:
                screen.print(f"The gateway's topics could not be deleted and are left: {error}")
