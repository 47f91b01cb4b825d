"""Scopes as their changelog holds them, and the deltas on their way to them.

As in `codec`: each is a MessagePack array whose first element says what it is and in which
format. Format 1 is not read.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streams.audience.formats import check_format
from streams.audience.scope import ScopeChunk, ScopeHead
from streams.audience.scope_delta import ScopeDelta

_encoder: Final = msgspec.msgpack.Encoder()
_scopes: Final[msgspec.msgpack.Decoder[ScopeHead | ScopeChunk]] = msgspec.msgpack.Decoder(
    ScopeHead | ScopeChunk
)
_deltas: Final[msgspec.msgpack.Decoder[ScopeDelta]] = msgspec.msgpack.Decoder(ScopeDelta)


def encode_scope(row: ScopeHead | ScopeChunk) -> bytes:
    """A head or chunk as bytes; the reverse of `decode_scope`."""
    return _encoder.encode(row)


def decode_scope(value: bytes) -> ScopeHead | ScopeChunk:
    """The head or chunk that a record of the changelog holds.

    Raises:
        UnsupportedFormat: an older version of this package wrote it.
        NewerFormat: a newer one did.
        msgspec.DecodeError: it is damaged, or was never such a record.
    """
    try:
        return _scopes.decode(value)
    except msgspec.ValidationError:
        check_format(value, ("h2", "c2"), "the scopes' changelog")
        raise


def encode_delta(delta: ScopeDelta) -> bytes:
    """A delta as bytes; the reverse of `decode_delta`."""
    return _encoder.encode(delta)


def decode_delta(value: bytes) -> ScopeDelta:
    """The delta that a record on its way to a scope holds.

    Raises:
        UnsupportedFormat: an older version of this package wrote it.
        NewerFormat: a newer one did.
        msgspec.DecodeError: it is damaged, or was never such a record.
    """
    try:
        return _deltas.decode(value)
    except msgspec.ValidationError:
        check_format(value, ("d2",), "the topic of the scopes' deltas")
        raise
