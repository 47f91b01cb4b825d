"""When the events of a batch arrived, in a few numbers: to tell how long they took to be counted.

An event's arrival is the Kafka timestamp of its record, or where that is none the time at which it
was read. A batch's are put in groups of equal size, in their order, and each group counts as its
oldest event: so an event may be told to have taken longer than it did, never shorter.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta

from streams.audience.bounds import LARGEST_SUM

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: The header of the world's change that tells of its events' arrivals. The world has each event
#: once, and a batch changes it once.
HEADER: Final = "arrivals"

#: In so many groups at most.
MOST_GROUPS: Final = 16

#: Groups: the arrival of the oldest event in milliseconds since 1970, and how many events it has.
Arrivals = list[tuple[int, int]]

_Number = Annotated[int, Meta(ge=0, le=LARGEST_SUM)]
_Groups = Annotated[list[tuple[_Number, _Number]], Meta(max_length=MOST_GROUPS)]
_DECODER: Final = msgspec.msgpack.Decoder(_Groups)


def group_arrivals(records: Sequence[Any], read_at: float) -> Arrivals:
    """Put records in groups, as they follow one another, each with its oldest arrival.

    Args:
        records: Each with a `timestamp` in milliseconds; 0, -1 and None are none.
        read_at: When they were read, in seconds.
    """
    times = [record.timestamp for record in records]
    count = len(times)
    groups = min(count, MOST_GROUPS)
    bounds = [count * number // groups for number in range(groups + 1)] if groups else []
    try:
        found = [(min(times[begin:end]), end - begin) for begin, end in pairwise(bounds)]
        is_known = all(oldest > 0 for oldest, _ in found)
    except TypeError:  # a None among them
        is_known = False
    if is_known:
        return found
    clock = round(read_at * 1000)
    times = [time if time and time > 0 else clock for time in times]
    return [(min(times[begin:end]), end - begin) for begin, end in pairwise(bounds)]


def encode_arrivals(arrivals: Arrivals) -> bytes:
    """Write groups as the header's value."""
    return msgspec.msgpack.encode(arrivals)


def read_arrivals(records: Iterable[Any]) -> Arrivals:
    """Collect what the headers of changes say; one that cannot be read says nothing.

    Args:
        records: Each with `headers`, pairs of a name and bytes.
    """
    found: Arrivals = []
    for headers in [record.headers for record in records if record.headers]:
        for name, value in headers:
            if name == HEADER:
                try:
                    found += _DECODER.decode(value or b"")
                except msgspec.DecodeError:
                    continue  # figures do not depend on it, so it is no reason to stop
    return found
