"""Where outputs are placed, and what is remembered of it."""

import tracemalloc
import zlib

from streams.exact import placing
from streams.murmur2 import murmur2

MAX_REMEMBERED = 40_000_000


def test_keys_are_placed_as_kafkas_java_client_does():
    for key in (b"", b"21", b"k" * 128, b"k" * 129, b"k" * 1_000_003):
        for _ in range(2):
            assert placing.partition_of(key, 1_000) == (murmur2(key) & 0x7FFFFFFF) % 1_000


def test_what_is_remembered_of_keys_is_bounded_in_bytes(monkeypatch):
    # Under tracemalloc the real one takes minutes.
    monkeypatch.setattr(placing, "murmur2", zlib.crc32)
    placing._remembered.cache_clear()
    tracemalloc.start()
    for number in range(110_000):
        placing.partition_of(b"%0128d" % number, 8)
    for number in range(30):
        placing.partition_of(b"%0300000d" % number, 8)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert placing._remembered.cache_info().currsize == 100_000
    placing._remembered.cache_clear()
    assert held < MAX_REMEMBERED, f"{held:,} bytes"
