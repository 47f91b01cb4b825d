"""The row of one channel in the table of open broadcasts, and the ids of broadcasts."""

from __future__ import annotations

import hashlib

import msgspec

from streams import rfc3339
from streams.viewer_event import MAX_BROADCAST


class Known(msgspec.Struct, omit_defaults=True):
    """One broadcast of a channel.

    Attributes:
        id: its id in viewer events.
        start: its start, in microseconds since 1970 UTC.
        true_start: whether the source has told the start.
        newest: the newest time for which its viewers were told, or at which it was seen alive.
        alive: the newest time at which its source told anything of it.
        ended: the latest end that was told of it.
        guessed: whether that end was lost, and is guessed.
        resumed: the latest `started` of it.
        present: the viewers who are there, and when each was seen last.
        overflowed: whether there were more of them than are told apart.
        present_for: a viewer counts for so many seconds; 0 where single viewers are not told.
        minute: the minute of which `joins` are counted.
        joins: how many viewers have joined in that minute.
    """

    id: str
    start: int
    true_start: bool = False
    newest: int = 0
    alive: int = 0
    ended: int | None = None
    guessed: bool = False
    resumed: int = 0
    present: dict[str, int] = {}
    overflowed: bool = False
    present_for: int = 0
    minute: int = -1
    joins: int = 0

    @property
    def is_open(self) -> bool:
        """Whether no end of it stands."""
        return self.ended is None or self.ended < max(self.newest, self.resumed)


class Subscription(msgspec.Struct, omit_defaults=True):
    """What is known of a subscription that ends by itself, such as those of WebSub.

    Attributes:
        asked: when it was asked for last, in microseconds since 1970 UTC.
        digest: of what it was asked for with: address and secret.
        begins: when it was confirmed last, likewise.
        ends: when that lapses, likewise.
        denied: when it was refused last, likewise.
        why: the reason that was told.
    """

    asked: int = 0
    digest: str = ""
    begins: int = 0
    ends: int = 0
    denied: int = 0
    why: str = ""


class Spent(msgspec.Struct, omit_defaults=True):
    """What a poll may have spent of its budget.

    Attributes:
        begins: when the day of the budget began, in seconds since 1970 UTC.
        units: of it that are spent, or will be before more is told.
    """

    begins: int = 0
    units: float = 0.0


class Channel(msgspec.Struct, omit_defaults=True):
    """The row of one channel; of a poll, the row that has what it spent.

    Attributes:
        endpoint: through which it is told of.
        platform: of its viewer events.
        channel: its name.
        broadcasts: those that are known, by their starts.
        waiting: ends that came before any start, in microseconds since 1970 UTC.
        ids: digests of the ids of messages that were seen, oldest first.
        announced: when it was told last that a broadcast may come; 0 if it never was.
        subscription: to it, where that ends by itself.
        spent: of a poll's budget.
        touched: when anything of it was read last, in seconds since 1970 UTC.
        format: of this row.
    """

    endpoint: str
    platform: str
    channel: str
    broadcasts: list[Known] = []
    waiting: list[int] = []
    ids: list[bytes] = []
    announced: int = 0
    subscription: Subscription | None = None
    spent: Spent | None = None
    touched: int = 0
    format: int = 1

    @property
    def open(self) -> Known | None:
        """The newest broadcast, if no end of it stands."""
        newest = self.broadcasts[-1] if self.broadcasts else None
        return newest if newest is not None and newest.is_open else None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Channel).decode


def encode_row(row: Channel) -> bytes:
    """The value of a row in the changelog."""
    return _encode(row)


def decode_row(value: bytes) -> Channel:
    """The row that a value of the changelog holds."""
    return _decode(value)


def broadcast_id(channel: str, start: int) -> str:
    """The id of a broadcast of which only channel and start are known: stable over restarts.

    Args:
        channel: as the source names it.
        start: microseconds since 1970 UTC; the second counts.
    """
    second = rfc3339.text(start - start % rfc3339.SECOND)
    return fitting(f"{channel}@{second.replace('-', '').replace(':', '')}")


def fitting(name: str) -> str:
    """A name as the contract takes ids: no control characters, up to 128 characters.

    A name that does not fit is cut, and a digest of all of it stands in for the rest.
    """
    plain = "".join(each if each.isprintable() else "_" for each in name)
    if plain == name and len(name) <= MAX_BROADCAST:
        return name
    digest = hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=8).hexdigest()
    return f"{plain[: MAX_BROADCAST - len(digest) - 1]}~{digest}"
