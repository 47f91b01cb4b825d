"""The record that says how far a partition's rows have come, beside them in the changelog."""

from __future__ import annotations

import msgspec

from streams.exact.errors import NewerFormat, Unrecoverable
from streams.exact.rows import RESERVED

#: The key it is stored under; compaction keeps the last one.
POSITION_KEY = RESERVED + b"position"

#: Under this key another program tells in partition 0 that it is at work on the state as a whole.
#: Nobody may read on before it has deleted that.
OPERATION_KEY = RESERVED + b"operation"

FORMAT = 1

#: Stands in the place of the number of partitions while rows are being put there from elsewhere:
#: the partition's rows may not be all of them, and nobody may read on.
MOVING = 0


class Position(msgspec.Struct, frozen=True):
    """How far the rows have come.

    Attributes:
        offset: The source's next offset to be applied.
        topic_id: The source topic's id, so that a topic made anew is not taken for the old one.
            Empty where the broker tells none.
        partitions: How many partitions the source had: with another number keys lie elsewhere.
            `MOVING` where nobody may read on.
        format: Version of this record.
        since: Where the topic had lost its beginning when the rows were first built: the Kafka
            timestamp, in milliseconds, of the first records that were still there (of the middle
            one of them, for one may be off). -1 until one was read; 0 where nothing was lost.
    """

    offset: int
    topic_id: str
    partitions: int
    format: int = FORMAT
    since: int = 0


_decoder = msgspec.json.Decoder(Position)
_encoder = msgspec.json.Encoder()


def encode_position(position: Position) -> bytes:
    """Return the changelog's bytes."""
    return _encoder.encode(position)


def decode_position(value: bytes | None) -> Position:
    """Read the changelog's bytes.

    Raises:
        NewerFormat: A newer version of the program wrote them.
        Unrecoverable: They are no position: going on would count records twice, or leave some out.
    """
    try:
        if value is None:
            raise ValueError("it was deleted")  # noqa: TRY301  # all that is wrong comes so
        position = _decoder.decode(value)
    except (msgspec.DecodeError, ValueError) as error:
        raise Unrecoverable(
            f"the position in the changelog cannot be read ({error}): somebody else has written to "
            "that topic, and how far its rows have come cannot be known; let nobody else write "
            "there, then start under another group, with a changelog of its own"
        ) from error
    if position.format > FORMAT:
        raise NewerFormat(
            f"the changelog's position has format {position.format}, this version reads up to "
            f"{FORMAT}: start the version that wrote it, or a newer one"
        )
    return position
