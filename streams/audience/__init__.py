"""The arithmetic: what the events of a broadcast mean. Pure: no Kafka, no clock, no asyncio."""

from streams.audience.accept import AcceptResult
from streams.audience.codec import decode, encode
from streams.audience.delta import Delta, add_to_groups
from streams.audience.figures import Figures, compute_figures, summary
from streams.audience.formats import NewerFormat, UnsupportedFormat
from streams.audience.minute import MINUTE
from streams.audience.row import Row
from streams.audience.rules import Rules
from streams.audience.runs import Tombstone, begins_run, gap_end, summary_key
from streams.audience.snapshot import NO_ROW, RowSnapshot, snapshot

__all__ = [
    "MINUTE",
    "NO_ROW",
    "AcceptResult",
    "Delta",
    "Figures",
    "NewerFormat",
    "Row",
    "RowSnapshot",
    "Rules",
    "Tombstone",
    "UnsupportedFormat",
    "add_to_groups",
    "begins_run",
    "compute_figures",
    "decode",
    "encode",
    "gap_end",
    "snapshot",
    "summary",
    "summary_key",
]
