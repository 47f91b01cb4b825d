"""Where an output's key is placed: by murmur2, as Kafka's own Java client does."""

from __future__ import annotations

from functools import lru_cache

from streams.murmur2 import murmur2

#: Longer keys are hashed each time: all that are remembered take less than 40 MB.
_MAX_REMEMBERED_LENGTH = 128


def partition_of(key: bytes, count: int) -> int:
    """Return the partition of a key in a topic of `count` partitions."""
    hashed = _remembered(key) if len(key) <= _MAX_REMEMBERED_LENGTH else _hash(key)
    return hashed % count


def _hash(key: bytes) -> int:
    return murmur2(key) & 0x7FFFFFFF


_remembered = lru_cache(maxsize=100_000)(_hash)
