"""MurmurHash2 (32 bits) as Kafka's Java client places keys with it."""

import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_WORDS: Final = tuple(struct.Struct(f"<{words}I").unpack_from for words in range(64))
"""By how many: reads that many little-endian words of 32 bits from the front of a key."""
_WORD: Final = struct.Struct("<I")
_FEW: Final = 16
"""From so many keys of one length on, hashing them side by side pays."""


def murmur2(key: bytes) -> int:
    """The hash of a key, as an unsigned number of 32 bits."""
    length = len(key)
    words = length >> 2
    # Only the low 32 bits ever matter: products are cut once a word, not after every step.
    h = _SEED ^ length
    for word in _WORDS[words](key) if words < len(_WORDS) else _words_of(key):
        k = word * _M & 0xFFFFFFFF
        h = (h * _M ^ (k ^ k >> 24) * _M) & 0xFFFFFFFF
    if length & 3:
        h = (h ^ int.from_bytes(key[length & ~3 :], "little")) * _M & 0xFFFFFFFF
    h = (h ^ h >> 13) * _M & 0xFFFFFFFF
    return h ^ h >> 15


def _words_of(key: bytes) -> Iterator[int]:
    """The whole words of a key of any length, one after the other: never all of them in memory."""
    return (word for (word,) in _WORD.iter_unpack(memoryview(key)[: len(key) & ~3]))


def murmur2_many(keys: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Many keys with their hashes: a fifth of the time or less, for thousands of one length.

    Keys of one length lie side by side in one very large integer, 64 bits each, of which a word
    or a hash takes the lower half. So each step of the algorithm is one operation for all of them,
    and no product, of 32 by 32 bits, reaches its neighbour.
    """
    by_length: defaultdict[int, list[bytes]] = defaultdict(list)
    for key in keys:
        by_length[len(key)].append(key)
    for length, alike in by_length.items():
        if len(alike) < _FEW or not length:
            yield from ((key, murmur2(key)) for key in alike)
        else:
            yield from zip(alike, _hash_vectorized(alike, length), strict=True)


def _hash_vectorized(keys: list[bytes], length: int) -> list[int]:
    count = len(keys)
    ones = int.from_bytes(b"\1\0\0\0\0\0\0\0" * count, "little")
    low = ones * 0xFFFFFFFF
    joined = b"".join(keys)

    def lane(word: int) -> int:
        """The keys' words of one number, side by side; the last may be shorter."""
        laid = bytearray(8 * count)
        for byte in range(4 * word, min(4 * word + 4, length)):
            laid[byte & 3 :: 8] = joined[byte::length]
        return int.from_bytes(laid, "little")

    h = ones * (_SEED ^ length)
    words, rest = divmod(length, 4)
    for word in range(words):
        k = lane(word) * _M & low
        h = (h * _M & low) ^ ((k ^ k >> 24 & ones * 0xFF) * _M & low)
    if rest:
        h = (h ^ lane(words)) * _M & low
    h = (h ^ h >> 13 & ones * 0x7FFFF) * _M & low
    h ^= h >> 15 & ones * 0x1FFFF
    return list(struct.unpack(f"<{count}Q", h.to_bytes(8 * count, "little")))
