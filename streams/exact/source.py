"""The source: a Kafka topic as batches, with one task a partition."""

from __future__ import annotations

import atexit
import logging
import time
from typing import TYPE_CHECKING, Any

import mode

from streams.exact.assignor import sticky_assignor
from streams.exact.declaration import Declaration, Kept
from streams.exact.errors import Fenced, SessionLost, Unrecoverable, release_frames
from streams.exact.failure import Backoff, Patience
from streams.exact.health import HealthWatch
from streams.exact.listener import Listener
from streams.exact.partition import PartitionTask, TaskState
from streams.exact.readiness import Standing, not_ready_reason
from streams.exact.session import Session

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from streams.exact.batch import Batch
    from streams.exact.progress import Lag
    from streams.exact.rows import Rows
    from streams.exact.settings import ExactSettings

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 0.2
_MAX_PAUSE = 5.0

#: After this share of the patience without an answer, which several sessions have tried for, the
#: source is unhealthy; after all of it without any progress the worker ends by itself.
_UNHEALTHY = 0.5


class Source(mode.Service):
    """A topic whose records reach one agent as batches, with rows that move with them.

    Declare it as you would a topic in Faust, and the agent on its `channel`:

        words = Source(app, "words", changelog="counts", rows=lambda: Rows(int, str), …)

        @app.agent(words.channel)
        async def count(batches): …

    Args:
        app: The Faust app; its BootStrategy starts the source (see `boot.py`).
        topic: What is read.
        changelog: Where the rows are kept: a compacted topic with as many partitions as `topic`.
        outputs: What topics batches send to.
        rows: Makes an empty `Rows` for one partition.
        settings: The layer's settings.
        listener: Who is told of what becomes durable.
        clock: Seconds of the wall clock, for `Batch.read_at`.
        monotonic: Seconds of a monotonic clock, for `Batch.monotonic`.
        guard: Asked by each partition once it has fenced who had it before, and before anything is
            read: raises `Unrecoverable` where the worker must not write.
        told: What this worker tells of itself in its membership, for whoever asks the group; read
            by `assignor.read_members`.
    """

    def __init__(
        self,
        app: Any,
        topic: str,
        *,
        changelog: str,
        outputs: Sequence[str] = (),
        rows: Callable[[], Rows[Any]],
        settings: ExactSettings,
        listener: Listener | None = None,
        clock: Callable[[], float] = time.time,
        guard: Callable[[], Awaitable[None]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        told: Callable[[], bytes] | None = None,
        **kwargs: Any,
    ) -> None:
        self.app = app
        self.topic = topic
        self.channel = app.channel(value_type=None, maxsize=64)
        self._settings = settings
        self._listener = listener or Listener()
        self._declared = Declaration(
            topic,
            changelog,
            tuple(outputs),
            rows,
            settings,
            self._listener,
            clock,
            monotonic,
            guard,
            sticky_assignor(told),
            self._deliver,
            self._resume,
        )
        now = time.monotonic()
        self._kept = Kept(Patience(settings.patience, now), HealthWatch(now))
        self._session: Session | None = None
        super().__init__(**kwargs)

    @property
    def partitions(self) -> Mapping[int, PartitionTask]:
        """The tasks of the partitions that the group has given this worker."""
        return self._session.partitions if self._session is not None else {}

    def lags(self) -> dict[int, Lag]:
        """Return what waits in each partition that the group has given this worker.

        And in those that nobody seems to work on: something waits, and the group's position has not
        moved for a while.
        """
        now = time.monotonic()
        lags = self._kept.offsets.stalled(now, without=self.partitions)
        for number, partition in self.partitions.items():
            own = partition.lag()
            is_running = partition.phase is TaskState.RUNNING
            lags[number] = (
                own if is_running else self._kept.offsets.lag(number, partition.stored, own, now)
            )
        return lags

    def failing(self) -> dict[int, float]:
        """Return for how long each partition has not been able to go on, in seconds; 0 if it does.

        For the partitions that the group has given this worker.
        """
        now = time.monotonic()
        return {
            number: 0.0 if partition.failure is None else now - partition.failure.since
            for number, partition in self.partitions.items()
        }

    def restored_ratios(self) -> dict[int, float]:
        """Return how much of each partition's rows was read back, 0 to 1."""
        return {
            number: 1.0 if partition.phase is TaskState.RUNNING else partition.restored_ratio
            for number, partition in self.partitions.items()
        }

    def not_ready_reason(self) -> str | None:
        """Return what is still missing, or None."""
        settings, session = self._settings, self._session
        if session is None or not session.is_member:
            return f"not a member of group {settings.group} yet"
        now = time.monotonic()
        return not_ready_reason(
            self.topic,
            settings.group,
            {
                number: Standing(
                    partition.phase.value,
                    partition.phase is TaskState.RUNNING,
                    partition.failure,
                    partition.unanswered(now),
                )
                for number, partition in session.partitions.items()
            },
            silent=session.membership.unanswered(now),
            limit=settings.session_timeout,
            now=now,
        )

    def unhealthy_reason(self) -> str | None:
        """Return what new sessions do not mend, so that a restart may be better, or None."""
        if self.crash_reason is not None:
            return f"the worker is ending: {self.crash_reason}"
        silent = self._kept.health.silent(time.monotonic())
        if silent <= _UNHEALTHY * self._settings.patience:
            return None
        return (
            f"no fetch of {self.topic} was answered for {silent:.0f} s, whatever sessions were "
            "begun anew: see that Kafka answers and its partitions have leaders; if they do, "
            "restart this worker"
        )

    def is_current(self) -> bool:
        """Say whether the partitions are still this worker's for certain.

        The group gives them to nobody else within the session timeout of the last heartbeat. So a
        process that stood still knows by this that others may own them by now.
        """
        session = self._session
        if session is None or not session.is_member:
            return False
        unconfirmed = session.membership.unconfirmed(time.monotonic())
        return unconfirmed < self._settings.session_timeout

    def partition_count(self, topic: str | None = None) -> int | None:
        """Return how many partitions a topic has, None before that is known."""
        facts = self._kept.metadata.get(topic or self.topic)
        return facts.partitions if facts else None

    def topic_id(self) -> str | None:
        """Return the id of the topic that is read, None before that is known."""
        facts = self._kept.metadata.get(self.topic)
        return facts.topic_id if facts else None

    @mode.Service.task
    async def _work(self) -> None:
        try:
            await self._run_sessions()
        except Exception as error:
            # Faust logs much on its way out; whoever looks at night reads the last line.
            atexit.register(logger.critical, "worker stopped: %s", _error_text(error))
            raise

    async def _run_sessions(self) -> None:
        """Keep up a session with Kafka; after one is lost, begin another."""
        backoff = Backoff(_FIRST_PAUSE, _MAX_PAUSE)
        patience = self._kept.patience
        patience.went_on(time.monotonic())
        while not self.should_stop:
            before = patience.since
            try:
                self._session = Session(self._declared, self._kept)
                await self._session.run()
            except SessionLost as error:
                self._listener.session_lost(error)
                if patience.since != before:
                    backoff.went_on()
                patience.require(str(error), time.monotonic())
                failure = backoff.failed(str(error), time.monotonic(), time.time())
                logger.warning(
                    "%s: %s; a new session follows in %.1f s",
                    "fenced" if isinstance(error, Fenced) else "session lost",
                    error,
                    failure.pause,
                )
                release_frames(error)
                await self.sleep(failure.pause)

    async def on_stop(self) -> None:
        """Let the batches in flight become durable, for a bounded time."""
        if self._session is not None:
            await self._session.stop()

    def _resume(self) -> None:
        self.app.flow_control.resume()  # Faust's own consumer would; without it channels wait

    async def _deliver(self, batch: Batch[Any]) -> None:
        await self.channel.send(value=batch)


def _error_text(error: Exception) -> str:
    """A refusal speaks for itself; of anything else the kind matters too."""
    return str(error) if isinstance(error, Unrecoverable) else f"{type(error).__name__}: {error}"
