"""The arithmetic: what the events of a broadcast mean. Pure: no Kafka, no clock, no asyncio."""

from streams.audience.broadcast import Row
from streams.audience.codec import decode, encode
from streams.audience.difference import Difference, Standing, standing
from streams.audience.figures import Figures, figures, summary
from streams.audience.formats import NewerFormat
from streams.audience.minute import MINUTE
from streams.audience.rules import Rules
from streams.audience.tombstone import Tombstone

__all__ = [
    "MINUTE",
    "Difference",
    "Figures",
    "NewerFormat",
    "Row",
    "Rules",
    "Standing",
    "Tombstone",
    "decode",
    "encode",
    "figures",
    "standing",
    "summary",
]
