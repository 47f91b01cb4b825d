"""Rows in the changelog: small, readable by later versions, refused by earlier ones."""

from pathlib import Path

import msgspec
import pytest
from logs import at, event

from streams.audience import NewerFormat, Row, Rules, Tombstone, decode, encode, figures

GOLDEN = Path(__file__).parent / "golden"


def golden_row():
    """A row with something in each field; as it was when its format was made."""
    row = Row.new(
        event(viewers=10, venue="louvre", programme="night", title="The Seine"), at(0), 7, RULES
    )
    told = [
        (0, event(viewers=12, joins=4, views=100)),
        (1, event("started", viewers=11)),
        (3, event(viewers=7, joins=3, views=300, revision=1)),
        (4, event("ended", viewers=6)),
        (5, event(viewers=0)),
        (7, event(viewers=3)),
        (13, event(viewers=0, joins=2, views=400, revision=1)),
        (1, event(viewers=5)),
    ]
    for number, (minute, what) in enumerate(told):
        row.accept(what, at(minute, 30 - number), 1_588_000_000_000 + number)
        row.settle()
    return row


RULES = Rules(lateness=2, carry=3)


def test_golden_rows_fill_every_field():
    row = golden_row()
    empty = [field for field in row.__struct_fields__ if getattr(row, field) in (None, {}, 0, -1)]
    assert empty == []


@pytest.mark.parametrize("name", ["row-1", "tombstone-1"])
def test_what_older_versions_wrote_stays_readable(name):
    """A new format adds a file; the files that are here are never written anew."""
    expected = golden_row() if name.startswith("row") else Tombstone(expires=1_588_000_000_000)
    assert decode((GOLDEN / f"{name}.msgpack").read_bytes()) == expected


def test_the_format_in_use_is_the_one_of_the_golden_files():
    """Fails when a field is added, moved or taken away: then it is a new format, with a new tag."""
    assert encode(golden_row()) == (GOLDEN / "row-1.msgpack").read_bytes()
    tombstone = encode(Tombstone(expires=1_588_000_000_000))
    assert tombstone == (GOLDEN / "tombstone-1.msgpack").read_bytes()


def test_a_row_comes_back_as_it_was():
    row = golden_row()
    assert decode(encode(row)) == row
    assert figures(decode(encode(row))) == figures(row)


def test_a_decoded_row_goes_on_and_shares_nothing():
    row = golden_row()
    again = decode(encode(row))
    again.accept(event(viewers=99), at(30), 0)
    again.settle()
    assert figures(again).peak == 99
    assert row == golden_row()


@pytest.mark.parametrize("record", [["r2", 15, {"later": 1}], ["t2"], ["r10", 1], ["x1", 1, 2]])
def test_what_a_newer_version_wrote_is_refused_with_what_to_do(record):
    with pytest.raises(NewerFormat, match=f"format {record[0]}.*upgrade this worker"):
        decode(msgspec.msgpack.encode(record))


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\xc1",
        encode(golden_row())[:-1],
        encode(golden_row()) + b"\x00",
        msgspec.msgpack.encode(["r1", 1]),
        msgspec.msgpack.encode(["t1", 1, 2]),
        msgspec.msgpack.encode(["t1", "soon"]),
        msgspec.msgpack.encode(["row", 1]),
        msgspec.msgpack.encode([2, 1]),
        msgspec.msgpack.encode([]),
        msgspec.msgpack.encode({"r2": 1}),
    ],
)
def test_what_is_damaged_is_no_newer_format(damaged):
    with pytest.raises(msgspec.DecodeError):
        decode(damaged)


def test_a_cell_takes_about_thirty_bytes_and_a_row_few_hundred():
    row = Row.new(event("started", venue="louvre", programme="night"), at(0), 10**12, Rules(15, 2))
    sizes = []
    for minute in range(120):
        what = event(viewers=400_000 - minute % 7 * 1000, joins=3_000, views=100_000 + minute)
        row.accept(what, at(minute, 59.9), 10**12)
        row.settle()
        sizes.append(len(encode(row)))
    assert len(row.cells) == 15
    assert max(sizes) <= 600
    cells = {minute: row.cells[minute] for minute in list(row.cells)[:14]}
    fewer = msgspec.structs.replace(row, cells=cells)
    assert len(encode(row)) - len(encode(fewer)) <= 30
