"""Batches that producers or disks have spoilt: what can be read is, and all is accounted for."""

import contextlib
import gzip
import random
import tracemalloc

import cramjam
import lz4.frame
import pytest
from aiokafka import codec as theirs
from batches import ENCODERS, all_of, batch, raw_batch, record, response, sealed, told
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.exact import decoding
from streams.exact.compression import CompressionError, open_reader
from streams.exact.decoding import MAX_RECORD_BYTES, PIECE_BYTES
from streams.exact.fetch import FetchResponse
from streams.exact.parsing import KEPT_BYTES

CODECS = sorted(ENCODERS)


def read(content, begin=0, most=10_000):
    fetched = next(FetchResponse(response(content, begin=begin)))
    found = all_of(fetched, most, is_sound=False)
    assert fetched.end == fetched.next_fetch_offset
    return found


@pytest.mark.parametrize("codec", CODECS)
def test_a_header_name_that_is_not_utf8_harms_nothing(codec):
    odd = record(1, headers=[(b"\xff\xfe", b"x"), (b"ok", None)])
    records, unreadable = read(raw_batch(5, [record(0), odd, record(2)], codec=codec))
    assert [r.offset for r in records] == [5, 6, 7]
    assert records[1].headers == [("\\xff\\xfe", b"x"), ("ok", None)]
    assert not unreadable


@pytest.mark.parametrize("codec", CODECS)
def test_a_damaged_record_costs_no_other(codec):
    liar = record(1, key=b"key", value=b"value")
    liar = liar[:-1] + b"\x7e"  # so many headers do not follow
    records, (found,) = read(raw_batch(5, [record(0), liar, record(2)], codec=codec))
    assert [r.offset for r in records] == [5, 7]
    assert (found.offset, found.timestamp, found.records) == (6, 1001, 1)
    assert (found.key, found.value) == (b"key", b"value")
    assert "headers" in found.detail


@pytest.mark.parametrize("codec", CODECS)
def test_records_that_cannot_be_told_apart_are_one_that_stands_for_them(codec):
    content = raw_batch(5, [record(0), record(1, length=10**6), record(2), record(3)], codec=codec)
    records, (found,) = read(content)
    assert [r.offset for r in records] == [5]
    assert (found.offset, found.records) == (6, 3)
    records, (found,) = read(raw_batch(5, [record(0)], count=4, codec=codec))
    assert [r.offset for r in records] == [5]
    assert (found.offset, found.records) == (6, 3)


@pytest.mark.parametrize("codec", [1, 2, 3, 4, 5, 7])
def test_what_cannot_be_decompressed_is_one_that_stands_for_all(codec):
    content = raw_batch(5, [], count=7, codec=codec, content=b"no such thing")
    records, (found,) = read(content)
    assert not records
    assert (found.offset, found.records, found.value) == (5, 7, content)
    assert found.detail.startswith("a batch of 7 records ")


def test_a_batch_that_compaction_left_empty_is_no_loss():
    empty = bytearray(batch(5, 3)[:61])
    empty[57:61] = bytes(4)
    fetched = next(FetchResponse(response(sealed(empty))))
    assert all_of(fetched, 10) == ([], [])
    assert fetched.end == 8


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("most", [7, 10_000])
def test_a_long_batch_is_read_in_pieces(codec, most, monkeypatch):
    monkeypatch.setattr("streams.exact.decoding.parse_records", None)  # by the C decoder alone
    rnd = random.Random(codec)
    values = [rnd.randbytes(rnd.choice([10, 3_000, 300_000])) for _ in range(60)]
    content = raw_batch(
        5, [record(n, b"%d" % n, value) for n, value in enumerate(values)], codec=codec
    )
    assert sum(map(len, values)) > 1.5 * PIECE_BYTES
    records, unreadable = read(content, most=most)
    assert told(records) == [
        (5 + n, 1_000 + n, b"%d" % n, value, []) for n, value in enumerate(values)
    ]
    assert not unreadable
    assert [r.offset for r in read(content, begin=20, most=most)[0]] == list(range(20, 65))


@pytest.mark.parametrize("codec", CODECS)
def test_a_record_that_is_too_long_is_told_of_and_the_next_are_read(codec):
    long = record(1, b"key", b"x" * (MAX_RECORD_BYTES + 5), [(b"name", b"1")])
    wide = record(2, b"y" * (MAX_RECORD_BYTES + 5), b"value")
    records, (first, second) = read(
        raw_batch(5, [record(0), long, wide, record(3), record(4)], codec=codec)
    )
    assert [r.offset for r in records] == [5, 8, 9]
    assert (first.offset, first.timestamp, first.key, first.records) == (6, 1001, b"key", 1)
    assert first.value == b"x" * KEPT_BYTES
    assert first.value_bytes == MAX_RECORD_BYTES + 5
    assert first.headers == (("name", b"1"),)
    assert f"a record of {first.size} bytes" in first.detail
    assert (second.offset, second.value) == (7, b"value")
    assert second.key_bytes == MAX_RECORD_BYTES + 5


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_a_bomb_is_never_held(codec):
    size = 60_000_000
    parts = [record(0), record(1, b"key", b"0" * size), record(2)]
    content = raw_batch(0, parts, codec=codec)
    tracemalloc.start()
    records, (found,) = read(content)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [r.offset for r in records] == [0, 2]
    assert found.value_bytes == size
    assert most < 30_000_000


@pytest.mark.parametrize("codec", CODECS)
def test_a_record_whose_length_is_a_lie_ends_the_batch(codec):
    parts = [
        record(0),
        record(1, length=10**9),
        *(record(n, value=b"v" * 9000) for n in range(2, 900)),
    ]
    records, (found,) = read(raw_batch(0, parts, codec=codec))
    assert [r.offset for r in records] == [0]
    assert (found.offset, found.records) == (1, 899)


@settings(max_examples=400)
@given(st.data())
def test_nothing_raises_and_all_is_accounted_for(data):
    """Bits turned and bytes cut, under a checksum that is right."""
    codec = data.draw(st.sampled_from(CODECS))
    count = data.draw(st.integers(1, 6))
    value = data.draw(st.binary(max_size=300))
    whole = batch(2, count, codec=codec, value=value)
    built = bytearray(whole)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(61, len(built) - 1))
        built[at] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(0, 1)) * data.draw(st.integers(0, len(built) - 61))
    built = sealed(built[: len(built) - cut])
    most = data.draw(st.integers(1, 10))
    records, unreadable = read(batch(0, 2) + built + batch(2 + count, 1), most=most)
    assert [r.offset for r in records[:2]] == [0, 1]
    assert records[-1].offset == 2 + count, "what lies behind is read"
    assert len(records) - 3 + sum(u.records for u in unreadable) == count
    if built == whole:
        assert not unreadable


@settings(max_examples=300)
@given(st.binary(max_size=400), st.integers(0, 7), st.integers(-3, 1 << 20))
def test_any_bytes_at_all_may_stand_in_a_batch(content, codec, count):
    records, unreadable = read(raw_batch(0, [], codec=codec, count=count, content=content))
    if count > 0:
        assert len(records) + sum(u.records for u in unreadable) == count


@settings(max_examples=200)
@given(st.binary(max_size=20_000), st.sampled_from([1, 2, 3, 4]), st.integers(1, 5_000))
def test_what_is_compressed_is_read_as_aiokafka_reads_it(content, codec, most):
    assert decompressed(codec, ENCODERS[codec](content), most) == content


def decompressed(codec, content, most=1 << 20):
    reader, found = open_reader(codec, memoryview(content)), []
    while piece := reader.read(most):
        assert len(piece) <= most
        found.append(piece)
    return b"".join(found)


@settings(max_examples=300)
@given(st.binary(max_size=3_000), st.sampled_from([1, 2, 3, 4]), st.data())
def test_what_is_damaged_is_said_to_be(content, codec, data):
    encoded = bytearray(ENCODERS[codec](content))
    for _ in range(data.draw(st.integers(1, 4))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(CompressionError):
        decompressed(codec, encoded[: data.draw(st.integers(0, len(encoded)))])


@pytest.mark.parametrize("size", [0, 1, 65_536, 5_000_000])
def test_other_ways_to_write_the_same(size):
    rnd = random.Random(size)
    content = b"".join(
        rnd.choice([bytes([rnd.randrange(256)]) * rnd.randrange(1, 300), rnd.randbytes(70)])
        for _ in range(size // 100)
    )
    assert decompressed(2, bytes(cramjam.snappy.compress_raw(content))) == content
    linked = lz4.frame.compress(content, block_linked=True, content_checksum=True)
    assert decompressed(3, linked) == content
    assert decompressed(1, gzip.compress(content[:100]) + gzip.compress(content[100:])) == content
    twice = theirs.zstd_encode(content[:100]) + theirs.zstd_encode(content[100:])
    assert decompressed(4, twice) == content


def test_the_long_way_of_snappy_is_as_right_as_the_short_one(monkeypatch):
    monkeypatch.setattr("streams.exact.compression._SNAPPY_STEP_BYTES", 1_000)
    rnd = random.Random(1)
    for _ in range(200):
        content = b"".join(
            rnd.choice([b"abcdefgh"[: rnd.randrange(1, 9)] * rnd.randrange(200), rnd.randbytes(90)])
            for _ in range(rnd.randrange(60))
        )
        assert decompressed(2, bytes(cramjam.snappy.compress_raw(content))) == content


def test_the_header_of_a_piece_is_the_batch_s_own():
    header = decoding.read_header(memoryview(batch(7, 3, codec=1)))
    assert (header.base_offset, header.next_offset, header.records) == (7, 10, 3)
