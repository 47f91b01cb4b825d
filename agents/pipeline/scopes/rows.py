"""The rows of scopes: which keys they have, and how a batch gets at them.

A scope has a head row under its name (`venue:louvre`) and a row for each chunk of minutes under its
name, a slash and the chunk's number (`venue:louvre/110417`): no name has a slash.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from streams.audience.scope import ScopeChunk, ScopeHead, ScopeUpdate, chunk_key
from streams.audience.scope_codec import decode_delta, decode_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streams.exact import Batch, Rows

log = structlog.get_logger(__name__)

State = ScopeHead | ScopeChunk

_SLASH: Final = b"/"

#: What can be the key of a change. A platform's name is no longer than 32, but that harms nothing.
_NAME: Final = re.compile(rb"world|(?:platform|venue|programme):[a-z0-9][a-z0-9-]{0,63}")

#: So many heads of a partition that cannot be read are logged one by one.
_LOGGED: Final = 5


def require_scope(key: bytes | None) -> None:
    """Do nothing for the name of a scope.

    Raises:
        ValueError: It is none.
    """
    if key is None or _NAME.fullmatch(key) is None:
        raise ValueError(f"the key is no scope's name: {ascii(key)[:200]}")


def require_change(record: Any) -> None:
    """Do nothing for a record that is a change of a scope.

    Raises:
        NewerFormat: A newer version wrote it.
        msgspec.DecodeError: It cannot be read.
        ValueError: It has no value, or its key is no scope's name.
    """
    if record.value is None:
        raise ValueError("it has no value")
    decode_delta(record.value)
    require_scope(record.key)


def scope_of(batch: Batch[State], key: bytes) -> ScopeUpdate:
    """A scope as a batch may change it."""
    head = batch.row(key)
    if head is None:
        require_scope(key)
        head = ScopeHead()
    assert isinstance(head, ScopeHead)
    # Before it is changed: should the batch fail, what is in `changed` is forgotten.
    batch.changed[key] = head
    chunks = _Chunks(batch, key)
    return ScopeUpdate(head, chunks.load)


class _Chunks:
    """The chunks of one scope in one batch.

    It does not know the scope, which knows it: a circle would keep the batch in memory until the
    garbage collector comes by.
    """

    __slots__ = ("_batch", "_key")

    def __init__(self, batch: Batch[State], key: bytes) -> None:
        self._batch = batch
        self._key = key

    def load(self, number: int) -> ScopeChunk:
        """Give a chunk to be changed."""
        key = chunk_key(self._key, number)
        chunk = self._batch.changed[key] = self._read(key)
        return chunk

    def _read(self, key: bytes) -> ScopeChunk:
        chunk = self._batch.row(key)
        if chunk is None:
            return ScopeChunk()
        assert isinstance(chunk, ScopeChunk)
        return chunk


def heads(rows: Rows[State], partition: int | None = None) -> Iterator[tuple[bytes, ScopeHead]]:
    """The scopes of a partition with their heads, as they are committed.

    One that cannot be read is left out: its row stays as it is, and what changes it is skipped.

    Args:
        rows: Its rows.
        partition: Which partition it is, for the log.

    Raises:
        NewerFormat: A newer version wrote one.
    """
    unreadable = 0
    for key, value in rows.items():
        if _SLASH in key:
            continue
        try:
            head = decode_scope(value)
        except msgspec.DecodeError as error:
            unreadable += 1
            if unreadable <= _LOGGED:
                log.error(  # noqa: TRY400  # its message says all
                    "a scope's row cannot be read: what changes it will be skipped",
                    partition=partition,
                    scope=ascii(key),
                    error=str(error),
                )
            continue
        if isinstance(head, ScopeHead):
            yield key, head
