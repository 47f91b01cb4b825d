"""A deployment's state as a file: what it holds, and how a cut or changed one is noticed.

A file is a header, entries, and a trailer: how many entries of each section there are, and the
SHA-256 sum of all before it. `jsonl.py` and `parquet.py` write and read the two kinds of file.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, Self

import msgspec

from streams.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

FORMAT: Final = 1

Section = Literal["broadcasts", "broadcasts-position", "sums", "scopes", "scopes-position"]
SECTIONS: Final[tuple[Section, ...]] = (
    "broadcasts",
    "broadcasts-position",
    "sums",
    "scopes",
    "scopes-position",
)


class Entry(NamedTuple):
    """One record of the state.

    Attributes:
        section: `broadcasts` and `scopes`: a row; `…-position`: how far a partition has come in its
            source; `sums`: what is on its way to a scope.
        partition: Where it lay.
        key: Its key; empty for a position.
        value: Its bytes, as Kafka holds them.
    """

    section: Section
    partition: int
    key: bytes
    value: bytes


class Header(msgspec.Struct, frozen=True):
    """What the state is of.

    Attributes:
        group: AUDIENCE_GROUP.
        topic_prefix: AUDIENCE_TOPIC_PREFIX.
        created: When it was written, RFC 3339.
        events: The topic of the viewer events.
        events_id: That topic's id.
        partitions: How many partitions it has.
        partitioner: AUDIENCE_PARTITIONER.
        kind: Says that this is such a file.
        format: Version of the file's form.
    """

    group: str
    topic_prefix: str
    created: str
    events: str
    events_id: str
    partitions: int
    partitioner: str
    kind: str = "live-audience state"
    format: int = FORMAT


class Trailer(msgspec.Struct, frozen=True):
    """What must have come before.

    Attributes:
        counts: Entries by section.
        sha256: Of the header and all entries (see `Digest`).
    """

    counts: dict[str, int]
    sha256: str


class Digest:
    """The sum and the counts of what goes into a file, or comes out of it."""

    def __init__(self, header: Header) -> None:
        self._sum = hashlib.sha256(msgspec.json.encode(header))
        self.counts: dict[str, int] = dict.fromkeys(SECTIONS, 0)

    def add(self, entry: Entry) -> None:
        """Take an entry in."""
        section, partition, key, value = entry
        self.counts[section] += 1
        self._sum.update(b"\n%b %d %d %d " % (section.encode(), partition, len(key), len(value)))
        self._sum.update(key)
        self._sum.update(value)

    def trailer(self) -> Trailer:
        """What stands at the end."""
        return Trailer(self.counts, self._sum.hexdigest())


class Sink(Protocol):
    """Writes a file; complete once it was left without an error."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def write(self, entry: Entry) -> None:
        """Add an entry."""


class Archive(Protocol):
    """A file that is read.

    Attributes:
        header: What it is of.
        trailer: What stands at its end, once all entries were read.
    """

    header: Header
    trailer: Trailer | None

    def entries(self) -> Iterator[Entry]:
        """All entries in their order, a bounded number in memory.

        Raises:
            InputError: The file is cut, changed, or no such file.
        """


def checked_header(header: Header, path: Path) -> Header:
    """A header that this version can go on with.

    Raises:
        InputError: It is another kind of file, or a newer version's.
    """
    if header.kind != "live-audience state":
        raise InputError(f"{path} is no state of live-audience")
    if header.format > FORMAT:
        raise InputError(
            f"{path}: a newer version of live-audience wrote it (format {header.format}): use that"
        )
    return header


def check_trailer(digest: Digest, trailer: Trailer | None, path: Path) -> Trailer:
    """The trailer, if all that must be there was there.

    Raises:
        InputError: Something is missing or was changed.
    """
    found = digest.trailer()
    if trailer is None:
        raise InputError(f"{path} is cut: it has no end; export it again")
    if found.counts != trailer.counts:
        raise InputError(
            f"{path} is damaged: it holds {found.counts} and says {trailer.counts}; export it again"
        )
    if found.sha256 != trailer.sha256:
        raise InputError(f"{path} is damaged: its SHA-256 sum does not fit; export it again")
    return trailer
