"""What pollers know of the table of open broadcasts: the newest broadcast of each channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agents.gateway.ledger import Ledger
    from agents.gateway.rows import Channel


class Head(NamedTuple):
    """The newest broadcast of a channel; times in microseconds since 1970 UTC.

    Attributes:
        broadcast: its id.
        start: its start.
        newest: the newest time at which it was seen alive.
        ended: its end, if one stands; 0 where there is no broadcast yet.
        announced: when it was told last that a broadcast may come; 0 if it never was.
    """

    broadcast: str
    start: int
    newest: int
    ended: int | None
    announced: int = 0

    @property
    def is_open(self) -> bool:
        """Whether no end of it stands."""
        return self.ended is None

    @classmethod
    def of(cls, row: Channel | None) -> Head | None:
        """The head of a channel's row, if it has had a broadcast or is to have one."""
        if row is None or not (row.broadcasts or row.announced):
            return None
        if not row.broadcasts:
            return cls("", 0, 0, 0, row.announced)
        known = row.broadcasts[-1]
        ended = None if known.is_open else known.ended
        return cls(known.id, known.start, max(known.newest, known.start), ended, row.announced)


class Table(Protocol):
    """The part of the table of open broadcasts that this gateway has."""

    @property
    def owned(self) -> Iterable[int]:
        """The partitions that this gateway has."""

    @property
    def ledger(self) -> Ledger:
        """What is known of subscriptions and budgets in these partitions."""

    @property
    def version(self) -> int:
        """Another number whenever a broadcast was opened or ended, or a partition came or went."""

    def heads_of(self, endpoint: str) -> Mapping[str, Head]:
        """The newest broadcast of each channel that is told of under a name."""
