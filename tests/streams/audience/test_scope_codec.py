"""The formats of scopes and of changes: golden files, older and newer ones."""

from pathlib import Path

import msgspec
import pytest
from logs import START

from streams.audience import NewerFormat
from streams.audience.scope import CHUNK, Change, Chunk, Head
from streams.audience.scope_codec import decode_change, decode_scope, encode_change, encode_scope

GOLDEN = Path(__file__).parent / "golden"

HEAD = Head(
    due=True,
    published=1_588_000_000_123,
    newest=START,
    timestamp=1_590_000_000_456,
    audience=10**13,
    viewer_minutes=10**15,
    joins=3,
    views=10**14,
    peak_sum=10**12,
    broadcasts=36_000,
    live=12,
    closed=START - 11_521,
    closed_peak=7,
    closed_peak_minute=START - 20_000,
    chunks={START // CHUNK - 1: (5, 239), START // CHUNK: None},
)
CHUNK_ROW = Chunk({0: 0, 17: 10**12, 239: 5}, {17: 300})
CHANGE = Change(
    {START: -5, START + 1: 10**12}, {START: -1, START + 1: 2}, -1, 2, -3, 4, 5, -6, 7, 8
)
ROWS = {"head-1": HEAD, "chunk-1": CHUNK_ROW}


def golden(name):
    return (GOLDEN / f"{name}.msgpack").read_bytes()


@pytest.mark.parametrize("name", ROWS)
def test_golden_rows_are_read_and_written(name):
    assert decode_scope(golden(name)) == ROWS[name]
    assert encode_scope(ROWS[name]) == golden(name)


def test_a_golden_change_is_read_and_written():
    assert decode_change(golden("change-1")) == CHANGE
    assert encode_change(CHANGE) == golden("change-1")


def test_golden_files_fill_every_field():
    for row in (HEAD, CHANGE):
        blank = type(row)({}, {}) if isinstance(row, Change) else type(row)()
        for name in row.__struct_fields__:
            assert getattr(row, name) != getattr(blank, name), name


@pytest.mark.parametrize("decode", [decode_scope, decode_change])
def test_a_newer_format_is_refused(decode):
    with pytest.raises(NewerFormat, match=r"z12.*upgrade this worker"):
        decode(msgspec.msgpack.encode(["z12", {}]))


@pytest.mark.parametrize("decode", [decode_scope, decode_change])
@pytest.mark.parametrize(
    "value", [b"", b"\xc1", b"{}", *[msgspec.msgpack.encode(v) for v in (1, [], [1], ["?"], {})]]
)
def test_what_is_damaged_is_refused(decode, value):
    with pytest.raises(msgspec.DecodeError):
        decode(value)


@pytest.mark.parametrize("name", ["h1", "c1"])
def test_a_row_that_is_damaged_is_not_taken_for_a_newer_one(name):
    with pytest.raises(msgspec.ValidationError):
        decode_scope(msgspec.msgpack.encode([name, "?"]))
