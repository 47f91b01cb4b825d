from hypothesis import given
from hypothesis import strategies as st

from streams.exact import Rows

KEYS = st.sampled_from([b"a", b"b", b"c"])


def rows(**options):
    return Rows(int, lambda count: b"%d" % count, **options)


def commit(target, changed):
    encoded = {key: None if row is None else target.encode(row) for key, row in changed.items()}
    target.commit(changed, encoded)


def test_what_is_committed_is_read_back():
    table = rows()
    commit(table, {b"a": 1})
    assert table.get(b"a") == 1
    assert table.committed == {b"a": b"1"}
    assert table.read(b"a") == 1
    assert table.get(b"b") is None
    assert table.read(b"b") is None
    assert len(table) == 1


def test_a_deleted_row_is_gone():
    table = rows()
    commit(table, {b"a": 1})
    commit(table, {b"a": None})
    assert table.get(b"a") is None
    assert table.committed == {}


def test_a_changed_row_that_fails_comes_back_as_it_was():
    table = Rows(lambda value: [int(value)], lambda row: b"%d" % row[0])
    table.load(b"a", b"1")
    row = table.get(b"a")
    row[0] = 2
    table.rollback({b"a": row})
    assert table.get(b"a") == [1]
    table.get(b"a")[0] = 3
    table.forget(b"a")
    assert table.get(b"a") == [1]


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
        assert {k: table.get(k) for k in expected} == expected
        assert {k: int(v) for k, v in table.committed.items()} == expected
        assert len(table._cache) <= max(hot, len(expected))


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
    for number in range(300):
        commit(table, {b"%d" % number: b"x" * 1_000})
        assert sum(map(len, table._cache.values())) <= 10_000
    assert len(table) == 300
    commit(table, {b"%d" % number: b"x" * 100 for number in range(300)})
    assert not table._cache, "more than all of it in one batch"
    assert table.get(b"5") == b"x" * 100
