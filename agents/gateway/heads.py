"""What pollers know of the table of open broadcasts: the newest broadcast of each channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from agents.gateway.rows import decode_row

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping

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
    """What pollers and subscribers know of the table of open broadcasts."""

    @property
    def owned(self) -> Container[int]:
        """The partitions that this gateway has."""

    @property
    def ledger(self) -> Ledger:
        """What is known of subscriptions and budgets in these partitions."""

    @property
    def is_complete(self) -> bool:
        """Whether the heads are known, of all partitions."""

    @property
    def version(self) -> int:
        """Another number whenever a broadcast was opened or ended, or a partition came or went."""

    def heads_of(self, endpoint: str) -> Mapping[str, Head]:
        """The newest broadcast of each channel that is told of under a name, whoever has it."""


class Heads:
    """The newest broadcasts of the channels that are polled.

    Args:
        polled: under which names channels are told of that are polled.

    Attributes:
        version: another number whenever a broadcast was opened or ended.
    """

    def __init__(self, polled: Iterable[str]) -> None:
        self.version = 0
        self._heads: dict[str, dict[str, Head]] = {name: {} for name in polled}
        self._names: dict[bytes, tuple[str, str]] = {}
        # Keys of others: their rows need not be looked at again, and some of them are large.
        self._others: set[bytes] = set()

    def of(self, endpoint: str) -> Mapping[str, Head]:
        """Those of the channels that are told of under a name."""
        return self._heads.get(endpoint, {})

    def take(self, key: bytes, value: bytes | None) -> None:
        """Take note of a row as the changelog has it.

        Raises:
            msgspec.MsgspecError: it is no row.
        """
        if value is not None and key in self._others:
            return
        row = None if value is None else decode_row(value)
        if row is None:
            self._others.discard(key)
        elif row.endpoint in self._heads:
            self._names[key] = row.endpoint, row.channel
        else:
            self._others.add(key)
        if key not in self._names:
            return
        endpoint, channel = self._names[key]
        heads = self._heads[endpoint]
        head, before = Head.of(row), heads.get(channel)
        if head is None or before is None or head.is_open != before.is_open:
            self.version += 1
        if head is None:
            del self._names[key]
            heads.pop(channel, None)
        else:
            heads[channel] = head
