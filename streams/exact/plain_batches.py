"""Plain batches that lie one behind the other, read in one go by aiokafka's C decoder.

Batches that are compressed, or of a transaction, are read one by one (`decoding.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import chain, islice
from operator import length_hint
from typing import TYPE_CHECKING, Any

from aiokafka.record.default_records import DefaultRecordBatch

from streams.exact.batch_header import read_header
from streams.exact.decoding import BatchReader
from streams.exact.parsing import are_in_place, is_growing

if TYPE_CHECKING:
    from collections.abc import Iterator


class PlainBatches:
    """Batches one behind the other that the C decoder reads as they are.

    Attributes:
        batches: As aiokafka has them, not yet iterated.
        views: Their bytes.
        size: How many those are in all.
        end: The offset behind what was given.
        is_over: Whether all was given, or the decoder failed.
    """

    __slots__ = (
        "_chain",
        "_failed",
        "_given",
        "_sources",
        "batches",
        "end",
        "is_over",
        "size",
        "views",
    )

    def __init__(self) -> None:
        self.batches: list[Any] = []
        self.views: list[memoryview] = []
        self.size = 0
        self.end = 0
        self.is_over = False
        self._given = 0
        self._failed: int | None = None
        self._sources: Any = None
        self._chain: Iterator[Any] = iter(())

    def read(self, most: int, records: list[Any]) -> int:
        """Read up to so many records; return how many bytes it begins to work through."""
        worked = 0
        if self._sources is None:
            worked = self.size
            self.end = self.batches[0].base_offset
            self._sources = iter(self.batches)
            self._chain = chain.from_iterable(self._sources)
        before, place = len(records), max(0, self._place)
        try:
            records.extend(islice(self._chain, most))
        except Exception:  # noqa: BLE001  # whatever it is, what follows is read another way
            self._fail(self._place)
        offsets = [record.offset for record in records[before:]]
        if not self._are_in_place(offsets):
            del records[before + self._first_misplaced(offsets, place) :]
        found = len(records) - before
        self._given += found
        if found:
            self.end = records[-1].offset + 1
        if found < most and not self.is_over:
            self.is_over = True
            self.end = self.batches[-1].next_offset
        return worked

    def after(self, begin: int, largest: int) -> list[PlainBatches | BatchReader]:
        """What is left of it to be read, last first: nothing, unless the decoder failed."""
        if (place := self._failed) is None:
            return []
        view = self.views[place]
        given = self._given - sum(self._counts(place))
        rest = PlainBatches()
        rest.views = self.views[place + 1 :]
        rest.batches = [DefaultRecordBatch(view) for view in rest.views]  # some may be read by now
        rest.size = sum(map(len, rest.views))
        failed = BatchReader(view, self.batches[place], begin, largest, given)
        return [rest, failed] if rest.batches else [failed]

    @property
    def _place(self) -> int:
        """Which batch is being read, -1 before the first one."""
        return len(self.batches) - length_hint(self._sources) - 1

    def _counts(self, place: int) -> list[int]:
        """How many records the batches before one have."""
        return [max(0, read_header(view).record_count) for view in self.views[:place]]

    def _fail(self, place: int) -> None:
        self._failed = place
        self.is_over = True

    def _are_in_place(self, offsets: list[int]) -> bool:
        """Whether offsets grow, and those of the batch that is being read are what they must be."""
        if not offsets:
            return True
        first, header = self.end, read_header(self.views[self._place])
        # Nearly always there is no gap, and to see this takes one comparison in C.
        if offsets[-1] < header.next_offset and offsets == list(range(first, first + len(offsets))):
            return True
        if offsets[0] < first or not is_growing(offsets):
            return False
        begin = max(header.base_offset, self.end)
        theirs = offsets[bisect_left(offsets, begin) :]
        return are_in_place(theirs, header, begin - header.base_offset)

    def _first_misplaced(self, offsets: list[int], place: int) -> int:
        """Find the batch in which an offset is wrong; return how many records come before it."""
        given, at = self._given - sum(self._counts(place)), 0
        while at < len(offsets) and place < len(self.views):
            header = read_header(self.views[place])
            part = offsets[at : at + max(0, header.record_count - given)]
            if not are_in_place(part, header, given):
                self._fail(place)
                break
            at += len(part)
            place += 1
            given = 0
        return at
