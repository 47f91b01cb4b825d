"""What is written is what is read; other formats are refused with a word on what to do."""

from pathlib import Path

import msgspec
import pytest
from telling import START, told

from streams.audience import Row, Rules, Tombstone, compute_figures
from streams.audience.codec import decode, encode
from streams.audience.formats import NewerFormat, UnsupportedFormat
from streams.audience.kept import KeptMinutes, MinuteBlock, Place, decode_block, encode_block
from streams.audience.minute import Cell
from streams.audience.scope import CHUNK, ScopeChunk, ScopeHead
from streams.audience.scope_codec import decode_delta, decode_scope, encode_delta, encode_scope
from streams.audience.scope_delta import ScopeDelta

DECODERS = [decode, decode_scope, decode_delta]
ALL = ["r", "t", "h", "c", "d"]
GOLDEN = Path(__file__).parent / "golden"

RULES = Rules(2, 3, 5, 6, 20)


def golden_row():
    """A row with something in each field; as it was when its format was made."""
    names = {"venue": "louvre", "programme": "night", "title": "The Seine"}
    row, _ = Row.begin([told(0, viewers=90, **names)], RULES, START, START - 10)
    batches = [
        [told(1, viewers=80, second=10), told(1, "started", second=20, revision=1)],
        [told(1, viewers=70, second=40, joins=4, views=100), told(1, viewers=60, second=50)],
        [told(2, viewers=50), told(3, viewers=40, joins=3), told(4, viewers=45, revision=1)],
        [told(5, viewers=30), told(6, "ended", viewers=20), told(6, viewers=9, second=40)],
        [told(7, viewers=8, views=400), told(8, viewers=0), told(9, viewers=0), told(1)],
    ]
    for batch in batches:
        row.accept_all(batch)
        row.fold_sealed()
    row.contribution = 7
    row.final = True
    cell = Cell(1, 2, 3, 4, 5, 6)
    row.kept = KeptMinutes(
        START - 9, START - 1, {START - 3: cell}, [Place(7, 10**9, START - 8, START - 4)]
    )
    row.note_published()
    return row


HEAD = ScopeHead(
    publish_pending=True,
    published_at=1_588_000_000_123,
    minute=START,
    timestamp=1_590_000_000_456,
    viewers_sum=10**13,
    contributing=7,
    fresh=9,
    viewer_minutes=10**15,
    joins=3,
    views=10**14,
    peak_sum=10**12,
    broadcasts=36_000,
    live=12,
    closed=START - 11_521,
    closed_peak=7,
    closed_peak_minute=START - 20_000,
    chunks={START // CHUNK - 1: (5, 239), START // CHUNK: (9, 0)},
)
DELTA = ScopeDelta(
    {START: -5, START + 1: 10**12},
    {START: -1, START + 1: 2},
    viewer_minutes=-11,
    joins=2,
    views=-3,
    peak_sum=4,
    broadcasts=5,
    live=-6,
    viewers=7,
    contributing=-8,
    fresh=9,
    minute=START,
    timestamp=10,
)
CODECS = {
    "row-3": (golden_row(), encode, decode),
    "tombstone-2": (Tombstone(START, 1_588_000_000_000), encode, decode),
    "head-2": (HEAD, encode_scope, decode_scope),
    "chunk-2": (ScopeChunk({0: 0, 17: 10**12, 239: 5}, {17: 300}), encode_scope, decode_scope),
    "delta-2": (DELTA, encode_delta, decode_delta),
    "block-2": (
        MinuteBlock({START: Cell(1, 2, 3, 4, 5, 6)}, [Place(1, 2, 3, 4)]),
        encode_block,
        decode_block,
    ),
}


def test_golden_files_fill_every_field():
    """But for a number that is 0 because the minute's own is enough."""
    row, tombstone, head, chunk, delta, block = (golden for golden, _, _ in CODECS.values())
    parts = [row, row.span, row.past_end, row.past_end.after, row.kept, tombstone, head, chunk]
    parts += [delta, block]
    empty = [
        (type(part).__name__, name)
        for part in parts
        for name in part.__struct_fields__
        if getattr(part, name) in (None, {}, -1)
    ]
    assert empty == []


@pytest.mark.parametrize("name", CODECS)
def test_the_format_in_use_is_the_one_of_the_golden_files(name):
    """Fails when a field is added, moved or taken away: then it is a new format, with a new tag.

    A new format adds a file; the files that are here are never written anew.
    """
    value, write, read = CODECS[name]
    golden = (GOLDEN / f"{name}.msgpack").read_bytes()
    assert write(value) == golden
    assert read(golden) == value


def test_a_row_in_the_former_format_is_read():
    """It knew nothing of where its sealed minutes lie; all else is as it was."""
    former = decode((GOLDEN / "row-2.msgpack").read_bytes())
    assert former == msgspec.structs.replace(golden_row(), kept=None)
    assert decode(encode(former)) == former


def test_a_decoded_row_goes_on_and_shares_nothing():
    again = decode(encode(golden_row()))
    assert compute_figures(again) == compute_figures(golden_row())
    again.accept_all([told(12, viewers=99)])
    again.fold_sealed()
    assert compute_figures(again).peak == 99
    assert compute_figures(golden_row()).peak < 99


def test_a_row_takes_a_few_hundred_bytes():
    row, _ = Row.begin([told(0, "started", venue="louvre", programme="night")], Rules(15, 2))
    sizes = []
    for minute in range(1, 120):
        viewers = 400_000 - minute % 7 * 1000
        row.accept_all([told(minute, second=59, viewers=viewers, joins=3_000, views=10**5)])
        row.fold_sealed()
        sizes.append(len(encode(row)))
    assert len(row.cells) == 15
    assert max(sizes) <= 700


def test_a_chunk_takes_little_of_the_changelog():
    chunk = ScopeChunk({offset: 300_000 + offset for offset in range(CHUNK)})
    assert len(encode_scope(chunk)) < 8 * CHUNK


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize("letter", ALL)
def test_format_1_is_refused_with_what_to_do(decode, letter):
    with pytest.raises(UnsupportedFormat, match="AUDIENCE_GROUP"):
        decode(msgspec.msgpack.encode([f"{letter}1", 1]))


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize("written", ["r4", "t3", "h3", "c3", "d3"])
def test_a_newer_format_is_refused(decode, written):
    with pytest.raises(NewerFormat, match="upgrade"):
        decode(msgspec.msgpack.encode([written, 1]))


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize(
    "value", [b"", b"\xc1", msgspec.msgpack.encode("r2"), msgspec.msgpack.encode(["r2", "x"])]
)
def test_what_is_damaged_is_no_other_format(decode, value):
    with pytest.raises(msgspec.DecodeError):
        decode(value)


def test_nesting_without_end_is_only_damaged():
    with pytest.raises(msgspec.ValidationError):
        decode(b"\x91" * 5_000 + b"\x01")


@pytest.mark.parametrize("row", [Tombstone(29_500_000, 10**13), Tombstone(-1, 0)])
def test_tombstones_come_back(row):
    assert decode(encode(row)) == row


@pytest.mark.parametrize(
    "row",
    [
        ScopeHead(),
        ScopeHead(viewers_sum=-3, chunks={7: (5, 6)}, closed_peak=9),
        ScopeChunk({1: 5}, {1: 2}),
    ],
)
def test_scopes_come_back(row):
    assert decode_scope(encode_scope(row)) == row


@pytest.mark.parametrize(
    "bad",
    [
        {"minutes": {-1: 1}},
        {"minutes": {10**12: 1}},
        {"viewers": 2**63 - 1},
        {"fresh": 2**40},
        {"minute": -2},
        {"timestamp": -2},
    ],
)
def test_a_delta_that_no_worker_writes_is_refused(bad):
    delta = ScopeDelta(**({"minutes": {}, "known": {}} | bad))
    with pytest.raises(msgspec.ValidationError):
        decode_delta(encode_delta(delta))
