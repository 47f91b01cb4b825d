"""What `/v1/live` tells: the state of the largest, looked at once a second for all readers.

Each change is made once and kept for a while, and each reader only knows how far it has come. So a
reader that does not keep up costs nothing, and a thousand cost no more than their connections.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
import structlog

from agents.serving.live import TimeSlice
from agents.serving.web.patches import merge_patch
from agents.serving.web.responses import ProblemError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = structlog.get_logger(__name__)

#: Seconds between two looks.
_EVERY: Final = 1.0
#: So long it goes on without readers, for one that comes back.
_LINGERS: Final = 30.0
#: Changes that are kept for readers that have fallen behind or come back, and their bytes.
_KEPT: Final = 120
_KEPT_BYTES: Final = 2 * 1024 * 1024

State = dict[str, Any]


class _Change(NamedTuple):
    number: int
    event: bytes


class Feed:
    """Looks once a second while there are readers.

    Args:
        look: What there is to tell now; it is given what was told before.
        every: Seconds between two looks.
    """

    def __init__(
        self, look: Callable[[State | None], Awaitable[State]], every: float = _EVERY
    ) -> None:
        self._look = look
        self._every = every
        # Numbers of another process mean nothing here.
        self._epoch = secrets.token_hex(4)
        self._number = 0
        self._state: State | None = None
        self._whole: bytes | None = None
        self._changes: deque[_Change] = deque()
        self._bytes = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self.readers = 0
        self.stopped = False

    # -- for readers -------------------------------------------------------------------------------

    def enter(self) -> None:
        """One more reader."""
        self.readers += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._run(), name="live feed")

    def leave(self) -> None:
        """One less."""
        self.readers -= 1

    def position(self, last_id: str) -> int | None:
        """How far the reader of an event's id has come; None if that is not known here."""
        epoch, _, number = last_id.partition("-")
        if epoch != self._epoch or not (number.isascii() and number.isdigit()):
            return None
        return int(number[:18])

    def after(self, position: int | None) -> tuple[bytes, int]:
        """What a reader is to be told, and how far it has come then; nothing if it knows all.

        A reader that has fallen too far behind is told to start anew: it gets the whole state.
        """
        if self._state is None:
            return b"", -1
        if position == self._number:
            return b"", position
        oldest = self._changes[0].number if self._changes else self._number + 1
        if position is None or not oldest - 1 <= position < self._number:
            return self._event(), self._number
        events = [change.event for change in self._changes if change.number > position]
        return b"".join(events), self._number

    async def next(self, seconds: float) -> None:
        """Wait for news, or so long."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            async with asyncio.timeout(seconds):
                await waiting
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(waiting)

    async def stop(self) -> None:
        """Let all readers end."""
        self.stopped = True
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    # -- looking -----------------------------------------------------------------------------------

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        lonely_since: float | None = None
        while lonely_since is None or loop.time() - lonely_since < _LINGERS:
            began = loop.time()
            lonely_since = None if self.readers else lonely_since or began
            try:
                state = await self._look(self._state)
            except ProblemError as error:  # too much is asked at once: the next look tells more
                log.debug("the live feed could not look", reason=error.problem.detail)
            except Exception:  # our own defect; it is told each time, and the readers wait
                log.exception("the live feed failed")
            else:
                await self._take(state)
            await asyncio.sleep(max(0.0, began + self._every - loop.time()))
        # What was told last is old by the time that somebody comes.
        self._state = self._whole = None
        self._changes.clear()
        self._bytes = 0
        self._number += 1

    async def _take(self, state: State) -> None:
        if self._state is not None:
            patch = merge_patch(self._state, state)
            if not patch:
                return
            self._number += 1
            self._keep(_Change(self._number, self._text("change", patch)))
        self._state, self._whole = state, None
        # Some after others, so that a thousand readers do not hold up the loop together.
        time_slice = TimeSlice()
        for waiting in [*self._waiting]:
            if not waiting.done():
                waiting.set_result(None)
            await time_slice.yield_if_over()

    def _keep(self, change: _Change) -> None:
        self._changes.append(change)
        self._bytes += len(change.event)
        while len(self._changes) > _KEPT or self._bytes > _KEPT_BYTES:
            self._bytes -= len(self._changes.popleft().event)

    def _event(self) -> bytes:
        if self._whole is None:
            self._whole = self._text("state", self._state)
        return self._whole

    def _text(self, kind: str, data: State | None) -> bytes:
        # (JSON of one line: nothing in it can end the event.)
        return b"event: %b\nid: %b-%d\ndata: %b\n\n" % (
            kind.encode(),
            self._epoch.encode(),
            self._number,
            orjson.dumps(data),
        )
