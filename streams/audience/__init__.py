"""The arithmetic: what the events of a broadcast mean. Pure: no Kafka, no clock, no asyncio."""

from streams.audience.codec import decode, encode
from streams.audience.delta import NO_ROW, Delta, RowSnapshot, add_to_groups, snapshot
from streams.audience.figures import Figures, compute_figures, summary
from streams.audience.formats import NewerFormat, UnsupportedFormat
from streams.audience.minute import MINUTE
from streams.audience.row import AcceptResult, Row
from streams.audience.rules import Rules
from streams.audience.runs import Tombstone, begins_run, gap_end, summary_key

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
