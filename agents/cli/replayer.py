"""Sends lines of viewer events to their topic: at their own pace, faster, or at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

from agents import kafka
from agents.cli.jumps import JumpDetector
from agents.cli.lines import blocks_of_lines
from agents.topics.admin import partitions_of
from agents.topics.sending import BATCH_BYTES, Sender
from streams import events, rfc3339
from streams.rejections import Rejected
from streams.routing import partition_for
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.events import ViewerEvent
    from streams.settings import Settings

_SOON: Final = 0.002  # seconds: not worth a sleep
_LAST_SECONDS: Final = 5.0
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """How to send.

    Attributes:
        speed: event time to wall time: 60 sends an hour of events in a minute; 0 waits for nothing.
        now: move all events in time, by whole minutes, so that the first happens now, or, with a
            speed other than 1, the last: nothing that is yet to come is sent.
        raw: send lines that are no events too, as they are.
    """

    speed: float
    now: bool
    raw: bool

    @property
    def needs_last(self) -> bool:
        """Whether the last event must be known before the first is sent."""
        return self.now and self.speed != 1


@dataclass(slots=True)
class Report:
    """What became of the lines.

    Attributes:
        sent: records that the broker has acknowledged.
        events: lines that were events.
        bad: lines that were none.
    """

    sent: int = 0
    events: int = 0
    bad: int = 0


@dataclass(slots=True)
class Replayer:
    """Sends the lines of one file.

    Args:
        settings: brokers, topics, partitioner.
        options: how to send.
        on_bad: told of each line that is no event: its number from 1, and why.
        on_jump: told of each event whose time is off by days from that of the one before it of its
            broadcast, in words.
        on_progress: told after each block of lines: what is done, bytes read, events, and the
            newest `at` in microseconds.
    """

    settings: Settings
    options: Options
    on_bad: Callable[[int, str], None]
    on_jump: Callable[[str], None]
    on_progress: Callable[[str, int, int, int], None]
    report: Report = field(default_factory=Report)
    _jumps: JumpDetector | None = field(default_factory=JumpDetector)
    _first_at: int | None = None
    _last_at: int | None = None
    _shift: int = 0
    _started: float = 0.0
    _newest: int = 0

    async def run(self, descriptor: int) -> None:
        """Send all lines; `report` tells how far it came, also if this raises.

        Args:
            descriptor: what to read; a file that can be read twice where `needs_last`.

        Raises:
            LiveAudienceError: the topic is missing or the broker did not take them.
            OSError: the file cannot be read.
        """
        topic = Topics.of(self.settings).events.name
        partitions = (await partitions_of(self.settings, [topic]))[topic]
        if self.options.needs_last:
            await self._look_ahead(descriptor)
        async with kafka.producer(self.settings, max_batch_size=BATCH_BYTES) as producer:
            sender = Sender(producer, topic)
            number = 0
            try:
                async for lines, read in blocks_of_lines(descriptor):
                    for line in lines:
                        number += 1
                        if line.strip():
                            await self._line(sender, partitions, number, line)
                    await sender.push()
                    self.on_progress("sending", read, self.report.events, self._newest)
                await sender.flush()
            except asyncio.CancelledError:
                # Ctrl-C: what has been sent is waited for, so that the report is right.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LAST_SECONDS):
                        await sender.flush()
                raise
            finally:
                self.report.sent = sender.sent

    async def _look_ahead(self, descriptor: int) -> None:
        """Read all of a file for its last event, and go back to where it began."""
        begin = os.lseek(descriptor, 0, os.SEEK_CUR)
        number = count = newest = 0
        async for lines, read in blocks_of_lines(descriptor):
            for line in lines:
                number += 1
                with contextlib.suppress(Rejected):  # it is told when it is to be sent
                    event, at = events.read(line)
                    count += 1
                    newest = max(newest, at)
                    self._look_for_jump(number, event, at)
            self.on_progress("looking for the last event", read, count, newest)
        os.lseek(descriptor, begin, os.SEEK_SET)
        self._last_at, self._jumps = newest, None  # they are told

    def _look_for_jump(self, number: int, event: ViewerEvent, at: int) -> None:
        if self._jumps is not None:
            said = self._jumps.look(number, f"{event.platform}:{event.broadcast}", at)
            if said is not None:
                self.on_jump(said)

    async def _line(self, sender: Sender, partitions: int, number: int, line: bytes) -> None:
        try:
            event, at = events.read(line)
            self._look_for_jump(number, event, at)
            value, at = self._moved(line, at)
        except (Rejected, _UnmovableError) as error:
            self.report.bad += 1
            self.on_bad(number, str(error))
            if self.options.raw:
                # Its key is unknown, and without one it is refused whichever its partition.
                await sender.add(0, None, line, _now_ms())
            return
        self.report.events += 1
        await self._wait(sender, at)
        key = f"{event.platform}:{event.broadcast}".encode()
        partitioner = self.settings.partitioner
        # Where any partition is right, keys stay together where our own clients put them.
        partition = partition_for(
            key, partitions, "murmur2" if partitioner == "any" else partitioner
        )
        # The record's timestamp is the time of sending, never the event's own: retention goes by
        # it, and what is old would be gone at once.
        await sender.add(partition, key, value, _now_ms())

    def _moved(self, line: bytes, at: int) -> tuple[bytes, int]:
        if self._first_at is None:
            now = time.time_ns() // 1000
            if self.options.now:
                # By whole minutes: so each minute keeps its events, and every figure its value.
                moved = at if self._last_at is None else self._last_at
                self._shift = (now - moved) // rfc3339.MINUTE * rfc3339.MINUTE
            self._first_at = at + self._shift
            self._started = time.monotonic()
        if not self.options.now:
            return line, at
        if self._last_at is not None and at > self._last_at:
            raise _UnmovableError("it was added while the file was being sent: it is yet to come")
        at += self._shift
        if not 0 <= at < rfc3339.END:
            raise _UnmovableError("at: moved by --now it is not in the years 1970 to 9999")
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            # What nests deeper than orjson goes is an event all the same, if in an ignored field.
            raise _UnmovableError(f"--now cannot move it: {error}") from error
        document["at"] = rfc3339.text(at)
        return orjson.dumps(document), at

    async def _wait(self, sender: Sender, at: int) -> None:
        self._newest = max(self._newest, at)
        if not self.options.speed:
            return
        assert self._first_at is not None
        due = self._started + (at - self._first_at) / _MICROSECONDS / self.options.speed
        if due - time.monotonic() > _SOON:
            await sender.push()
            await asyncio.sleep(due - time.monotonic())


class _UnmovableError(Exception):
    """--now cannot move the event."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
