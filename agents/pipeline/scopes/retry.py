"""What is left of a batch of changes when one cannot be read, or our own code fails on a scope.

The agent adds up a batch quickly, and minds nothing. Should it fail, nothing that was done stays,
and the batch is processed again by this. What cannot be read is skipped. If it fails all the same,
each scope is added up apart, its changes tried one by one on copies of its rows: those that fail
are skipped. The rest counts as if they had never come.

What is skipped is missing in its scope from then on, so it is counted (`audience_scope_skipped_\
total`) and logged with where it lies. To stop instead would leave all scopes behind, for good.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from agents.pipeline.scopes.rows import State, require_change
from streams.audience.scope import ScopeChunk, ScopeHead, ScopeUpdate, chunk_key
from streams.audience.scope_codec import decode_delta
from streams.errors import LiveAudienceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Protocol

    from streams.exact import Batch, Rows

    class Steps(Protocol):
        """The agent's steps that are used here."""

        #: How many minutes before the newest one stay open.
        history: int

        def process(self, batch: Batch[State], records: Iterable[Any]) -> Iterator[None]:
            """Add up changes, step by step."""

        def ready(self, batch: Batch[State]) -> list[bytes]:
            """The scopes that are due, unless they were published less than the interval ago."""

        def publish(self, batch: Batch[State], key: bytes) -> None:
            """Publish a scope; one that fails is left as it was."""

        def suspend(self, key: bytes) -> None:
            """Publish a scope no sooner than when it has changed."""

        @staticmethod
        def skip(
            batch: Batch[State], offset: int, detail: str, reason: str = ..., changes: int = ...
        ) -> None:
            """Skip a change: what it would have added is missing in its scope from here on."""


log = structlog.get_logger(__name__)

MALFORMED: Final = "malformed"
ERROR: Final = "error"
REASONS: Final = (MALFORMED, ERROR)


class RecordByRecordRetry:
    """Works off one batch so that a change that fails costs only what it concerns.

    Args:
        work: The agent's part, of which this uses the steps.
    """

    def __init__(self, work: Steps) -> None:
        self._work = work

    def steps(self, batch: Batch[State]) -> Iterator[None]:
        """Work off a batch anew, whatever was done of it, step by step."""
        counters = batch.result
        batch.reset()
        batch.result = counters
        counters.closed = 0
        readable = []
        for record in batch.records:
            if self._is_readable(batch, record):
                readable.append(record)
            yield
        skipped = dict(counters.skipped)
        try:
            yield from self._work.process(batch, readable)
        except LiveAudienceError:
            raise
        except Exception:  # our own defect: what it concerns is skipped
            log.exception("internal error: each scope is added up apart")
            batch.reset()
            batch.result = counters
            counters.closed, counters.skipped = 0, skipped
            by_scope: defaultdict[bytes, list[Any]] = defaultdict(list)
            for record in readable:
                by_scope[record.key].append(record)
            for key, records in by_scope.items():
                yield from self._process(batch, key, records)
        for key in self._work.ready(batch):
            yield
            try:
                self._work.publish(batch, key)
            except LiveAudienceError:
                raise
            except Exception:  # as above
                log.exception("a scope could not be published", scope=ascii(key))
                self._work.suspend(key)

    def _is_readable(self, batch: Batch[State], record: Any) -> bool:
        """Whether a record is a change of a scope; skips it if not."""
        try:
            require_change(record)
        except LiveAudienceError:
            raise
        except (msgspec.DecodeError, ValueError) as error:
            self._work.skip(batch, record.offset, str(error))
            return False
        return True

    def _process(self, batch: Batch[State], key: bytes, records: list[Any]) -> Iterator[None]:
        """Add up the changes of one scope, but for those that fail."""
        good = []
        for record in records:
            yield
            try:
                self._try(batch.rows, key, record)
            except LiveAudienceError:
                raise
            except Exception as error:  # noqa: BLE001  # as above
                self._work.skip(batch, record.offset, said(error), ERROR)
            else:
                good.append(record)
        closed = batch.result.closed
        try:
            yield from self._work.process(batch, good)
        except LiveAudienceError:
            raise
        except Exception as error:  # noqa: BLE001  # as above
            # Each went well alone, so it cannot be told which of them it was.
            batch.result.closed = closed
            chunks = key + b"/"
            for name in [n for n in batch.changed if n == key or n.startswith(chunks)]:
                del batch.changed[name]
            for record in good:
                self._work.skip(batch, record.offset, said(error), ERROR)

    def _try(self, rows: Rows[State], key: bytes, record: Any) -> None:
        """Add a change to copies of a scope's rows."""

        def chunk(number: int) -> ScopeChunk:
            found = rows.read(chunk_key(key, number))
            assert found is None or isinstance(found, ScopeChunk)
            return ScopeChunk() if found is None else found

        head = rows.read(key)
        assert head is None or isinstance(head, ScopeHead)
        scope = ScopeUpdate(ScopeHead() if head is None else head, chunk)
        scope.add(decode_delta(record.value), self._work.history)
        scope.update_head()


def said(error: Exception) -> str:
    """What an error says, in a line of ASCII that is not too long."""
    text = f"{type(error).__name__}: {error}"[:500]
    return text.encode("ascii", "backslashreplace").decode()
