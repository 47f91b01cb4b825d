import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.exact import Rows, StateEntry

KEYS = st.sampled_from([b"a", b"b", b"c"])


def rows(**options):
    return Rows(int, lambda count: b"%d" % count, **options)


def commit(target, changed):
    encoded = {key: None if row is None else target.encode(row) for key, row in changed.items()}
    return target.commit(changed, encoded)


def test_what_is_committed_is_read_back():
    table = rows()
    commit(table, {b"a": 1})
    assert table.get(b"a") == 1
    assert dict(table.items()) == {b"a": b"1"}
    assert (table.encoded(b"a"), table.encoded(b"b")) == (b"1", None)
    assert (b"a" in table, b"b" in table, list(table)) == (True, False, [b"a"])
    assert table.read(b"a") == 1
    assert table.get(b"b") is None
    assert table.read(b"b") is None
    assert len(table) == 1


def test_a_deleted_row_is_gone():
    table = rows()
    commit(table, {b"a": 1})
    commit(table, {b"a": None})
    assert table.get(b"a") is None
    assert dict(table.items()) == {}
    assert commit(table, {b"a": None}) == [], "there is none"


def test_a_changed_row_that_fails_comes_back_as_it_was():
    """Nothing is undone: what a batch took out and did not commit is decoded anew."""
    table = Rows(lambda value: [int(value)], lambda row: b"%d" % row[0])
    table.load(b"a", b"1")
    table.get(b"a")[0] = 2
    assert table.get(b"a") == [1]
    commit(table, {b"a": [5]})
    table.get(b"a")[0] = 6
    assert table.get(b"a") == [5]
    assert table.read(b"a") == [5]


def test_decoding_is_spared_of_what_is_changed_again_and_again():
    decoded = []

    def decode(value):
        decoded.append(value)
        return [int(value)]

    table = Rows(decode, lambda row: b"%d" % row[0])
    commit(table, {b"a": [1], b"new": [1]})
    for number in range(2, 6):
        row = table.get(b"a")
        row[0] = number
        commit(table, {b"a": row})
    assert decoded == [b"1"], "what is new is not kept"
    table.load(b"a", b"9")  # another worker has gone on meanwhile
    assert table.get(b"a") == [9]


class Noted(StateEntry, gc=False):
    """What an application notes of a row."""

    note: list[int] | None = None


def test_what_is_noted_stays_with_its_key():
    table = rows(entry=Noted)
    commit(table, {b"a": 1, b"b": 1})
    entries = table.entries_as(Noted)
    entries[b"a"].note = entries[b"b"].note = mark = [7]
    commit(table, {b"a": 2})
    table.load(b"a", b"3")
    assert (entries[b"a"].value, entries[b"a"].note) == (b"3", mark)
    assert [entry.note for entry in commit(table, {b"b": None})] == [mark]
    commit(table, {b"b": 1})
    assert entries[b"b"].note is None
    assert not gc.is_tracked(entries[b"a"]), "a million of them are none of the collector's"
    with pytest.raises(TypeError, match="Noted is needed"):
        rows().entries_as(Noted)


def test_readers_get_copies():
    table = Rows(lambda value: [int(value)], lambda row: b"%d" % row[0])
    table.load(b"a", b"1")
    table.read(b"a")[0] = 9
    assert table.get(b"a") == [1]


@given(st.lists(st.tuples(KEYS, st.none() | st.integers()), max_size=30), st.integers(0, 3))
def test_a_small_cache_changes_nothing(changes, hot):
    table, expected = rows(cache_size=hot), {}
    for key, value in changes:
        table.get(key)
        commit(table, {key: value})
        if value is None:
            expected.pop(key, None)
        else:
            expected[key] = value
        assert {k: table.read(k) for k in expected} == expected
        assert {k: int(v) for k, v in table.items()} == expected
        assert len(table._decoded) <= hot


def test_loading_and_clearing():
    table = rows()
    table.load(b"a", b"1")
    assert table.get(b"a") == 1
    table.load(b"a", b"2")
    assert table.get(b"a") == 2
    table.load(b"a", None)
    assert table.get(b"a") is None
    table.load(b"b", b"2")
    table.clear()
    assert len(table) == 0
    assert table.get(b"b") is None


def test_decoded_rows_are_bounded_in_bytes_too():
    table = Rows(decode=bytes, encode=bytes, cache_size=1_000, cache_bytes=10_000)
    for number in [*range(300), *range(300)]:
        commit(table, {b"%d" % number: b"x" * 1_000})
        assert sum(map(len, table._decoded.values())) <= 11_000
    assert len(table) == 300
    assert table._decoded
    commit(table, {b"%d" % number: b"x" * 100 for number in range(1_001)})
    commit(table, {b"%d" % number: b"x" * 100 for number in range(1_001)})
    assert not table._decoded, "more than all of it in one batch"
    assert table.get(b"5") == b"x" * 100
