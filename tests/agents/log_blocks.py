"""Blocks of sealed minutes out of a pipeline in memory, and all that its API would tell of them."""

from agents.serving.web.history import MAX_MINUTES, broadcast_minutes
from agents.serving.web.sealed import BlockError
from streams.audience import Row
from streams.audience.kept import HEADER, decode_block


class LogBlocks:
    """Reads where a row says; counts how often."""

    def __init__(self, line):
        self._line = line
        self.fetches = 0

    async def block(self, name, place):
        self.fetches += 1
        log = self._line.log[self._line.topics.broadcast_minutes.name, place.partition]
        record = log[place.offset]
        if record is None:
            raise BlockError("gone")
        assert record.key == name
        return decode_block(dict(record.headers)[HEADER])


async def all_minutes(line, key, partition, blocks=None, first=None, last=None):
    """What `/minutes` gives of a broadcast; None where it has no row."""
    row = line.broadcasts.rows[partition].read(key)
    if not isinstance(row, Row):
        return None
    last = row.newest if last is None else last
    first = max(0, last - MAX_MINUTES + 1) if first is None else first
    return await broadcast_minutes(key, row, first, last, blocks or LogBlocks(line), 5.0)
