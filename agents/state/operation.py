"""What is being done to a deployment's state, told in its changelog while it is not whole."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from streams.errors import LiveAudienceError

FORMAT: Final = 1


class StateError(LiveAudienceError):
    """The state is not such that this can be done with it; the message says what to do."""


class Operation(msgspec.Struct, frozen=True):
    """An import or a repartition under way.

    Attributes:
        kind: Which.
        phase: `draining`: what lies in the old partitions is being applied; `moving`: rows go to
            where they belong; `writing`: an import's rows are being written.
        partitions: How many the repartition leads to.
        before: How many each stage had before it, by its name.
        ends: By stage and partition, up to where its old partitions are applied.
        digest: What file is being imported.
        format: Version of this record.
    """

    kind: Literal["import", "repartition"]
    phase: Literal["draining", "moving", "writing"]
    partitions: int = 0
    before: dict[str, int] = {}
    ends: dict[str, dict[int, int]] = {}
    digest: str = ""
    format: int = FORMAT


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Operation)


def encode_operation(operation: Operation) -> bytes:
    """As the changelog holds it."""
    return _encoder.encode(operation)


def decode_operation(value: bytes) -> Operation:
    """Read it from the changelog.

    Raises:
        StateError: A newer version of the program wrote it.
    """
    try:
        operation = _decoder.decode(value)
    except msgspec.DecodeError as error:
        raise StateError(f"the changelog says that something is under way, but: {error}") from error
    if operation.format > FORMAT:
        raise StateError(
            "a newer version of live-audience has begun something with this state: go on with that"
        )
    return operation
