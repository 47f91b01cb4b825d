"""A batch: what an agent gets of a partition, and what it answers with."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from streams.exact.errors import Abandoned

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from aiokafka import TopicPartition

    from streams.exact.parsing import Unreadable
    from streams.exact.rows import Rows

#: For so many seconds a batch may keep the loop from all else: heartbeats, HTTP, other partitions.
BREATH_SECONDS = 0.05

RowT = TypeVar("RowT")


class Output(NamedTuple):
    """A record that goes out in the batch's transaction."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    partition: int | None
    timestamp: int | None
    mark: object = None


class Placed(NamedTuple):
    """Where a record that went out with a mark lies.

    Attributes:
        mark: What it was sent with.
        partition: Of the topic that it was sent to.
        offset: There.
    """

    mark: object
    partition: int
    offset: int


class Batch(Generic[RowT]):
    """Records of one partition, to be processed as one transaction.

    An agent works inside `with batch:` and leaves what it changed in `changed` (key to row, None
    deletes it) and what goes out by `send`. There it awaits nothing but `breathe()`. When the block
    ends, the rows, the position in the source and all that was sent become durable together or not
    at all. An exception in the block ends the session: nothing of the batch stays.

    Attributes:
        topic: The source's topic.
        partition: Its partition.
        records: In their order; none in a tick. Each has `offset`, `timestamp` (ms), `key`, `value`
            and `headers`: they are those of aiokafka's decoder (see `fetch.py`).
        unreadable: What could not be read, in the order of offsets; position and transaction cover
            it as they cover the records.
        rows: The partition's rows; `row(key)` gives one to change.
        changed: What this batch changes.
        removed: The entries of the rows that it deleted, once it is durable.
        caught_up: Whether nothing waited behind these records when they were read.
        read_at: The wall clock's time when they were read, in seconds.
        monotonic: A monotonic clock's time then, in seconds: to measure waits by.
        since: Where rows were built from a topic that had lost its beginning: the Kafka timestamp
            (ms) from which on it held records. A key that may be older may have lost some. Else 0.
        more: Set by an agent that left work of its own undone: the next batch comes at once.
        result: What the agent wants its `Listener` to be told with the batch, once it is durable.
        placed: Once it is durable: where what was sent with a mark lies, in the order of sending.
    """

    __slots__ = (
        "_breathed",
        "_done",
        "caught_up",
        "changed",
        "monotonic",
        "more",
        "outputs",
        "partition",
        "placed",
        "read_at",
        "records",
        "removed",
        "result",
        "rows",
        "since",
        "topic",
        "unreadable",
    )

    def __init__(
        self,
        source: TopicPartition,
        records: Sequence[Any],
        rows: Rows[RowT],
        *,
        caught_up: bool,
        read_at: float,
        unreadable: Sequence[Unreadable] = (),
        since: int = 0,
        monotonic: float | None = None,
    ) -> None:
        self.topic, self.partition = source
        self.records = records
        self.unreadable = unreadable
        self.rows = rows
        self.caught_up = caught_up
        self.read_at = read_at
        self.since = since
        self.monotonic = read_at if monotonic is None else monotonic
        self.changed: dict[bytes, RowT | None] = {}
        self.removed: Sequence[Any] = ()
        self.outputs: list[Output] = []
        self.more = False
        self.result: Any = None
        self.placed: Sequence[Placed] = ()
        self._breathed = time.monotonic()
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def row(self, key: bytes) -> RowT | None:
        """Return the row of a key as this batch has it so far, or None.

        Who changes it must put it into `changed`.
        """
        changed = self.changed
        return changed[key] if key in changed else self.rows.get(key)

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]] = (),
        *,
        partition: int | None = None,
        timestamp: int | None = None,
        mark: object = None,
    ) -> None:
        """Send a record with the batch; without a partition it lies where murmur2 puts its key.

        With a mark, `placed` tells where it lies once the batch is durable.
        """
        self.outputs.append(Output(topic, key, value, headers, partition, timestamp, mark))

    def reset(self) -> None:
        """Take back all that was done, so that the batch can be processed again."""
        self.changed.clear()
        self.outputs.clear()
        self.more = False
        self.result = None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to make durable."""
        return not (self.records or self.unreadable or self.changed or self.outputs)

    async def breathe(self) -> None:
        """Let others have a turn if the loop has not been free for 50 ms: to be asked often.

        What is half done stays as it is meanwhile, and nobody else sees it.

        Raises:
            Abandoned: The partition is no longer ours, or its session is over: nothing of the batch
                will stay, and rows and timers may be another batch's by now.
        """
        if time.monotonic() - self._breathed >= BREATH_SECONDS:
            await asyncio.sleep(0)
            self.require()
            self._breathed = time.monotonic()

    def require(self) -> None:
        """Raise `Abandoned` if nobody waits for the batch any more."""
        if self._done.cancelled():
            raise Abandoned

    def give_up(self) -> None:
        """Wait for it no more; what the agent still does with it is lost."""
        self._done.cancel()

    async def wait_processed(self) -> None:
        """Wait until the agent is through with it; raises what the agent raised."""
        await self._done

    def __enter__(self) -> Batch[RowT]:
        self._breathed = time.monotonic()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not self._done.done():  # a cancelled session no longer waits
            if error is None:
                self._done.set_result(None)
            else:
                self._done.set_exception(error)
        # The source ends the session with the agent's own exception as the reason; letting it
        # pass here as well would make Faust restart the agent and skip to the next batch.
        return isinstance(error, Exception)
