"""Records that lie about their own place: no position may rest on what they say."""

from batches import all_of, batch, raw_batch, record, response
from hypothesis import example, given
from hypothesis import strategies as st

from streams.exact.fetch import FetchResponse

_PLACES = st.lists(st.integers(-3, 9) | st.just(1_000_000), min_size=1, max_size=5)


@given(
    st.lists(_PLACES, min_size=1, max_size=3),
    st.integers(1, 7),
    st.sets(st.integers(0, 12)),
    st.sampled_from([0, 1]),
)
@example([[0, 1_000_000, 2, 3]], 2, {1}, 0)
@example([[3, 0, 1, 2]], 1, {1}, 0)
@example([[0, 0, 0, 0]], 1, {1}, 0)
def test_each_record_comes_once_over_any_restart(batches, most, restarts, codec):
    """Reading begins anew at the position, where the broker gives whole batches."""
    content, ends = [], []
    end = 10
    for places in batches:
        records = [record(number, place=place) for number, place in enumerate(places)]
        content.append(raw_batch(end, records, codec=codec))
        ends.append(end := end + len(places))
    content.append(batch(end, 2))
    ends.append(end := end + 2)
    position, seen, step = 10, [], 0
    while position < end:
        behind = [piece for piece, its_end in zip(content, ends, strict=True) if its_end > position]
        fetched = next(FetchResponse(response(b"".join(behind), begin=position)))
        while not fetched.is_over:
            taken = fetched.take(most)
            seen += [(each.offset, 1) for each in taken.records]
            seen += [(each.offset, each.records) for each in taken.unreadable]
            assert position <= fetched.end <= end
            position = fetched.end
            step += 1
            if step in restarts:
                break
    assert sorted(seen) == [(offset, 1) for offset in range(10, end)]


def test_one_wrong_place_among_many_batches_costs_that_record_alone():
    content = b"".join(batch(10 + number, 1) for number in range(500))
    content += raw_batch(510, [record(0), record(1, place=700), record(2)])
    content += b"".join(batch(513 + number, 1) for number in range(500))
    records, (found,) = all_of(next(FetchResponse(response(content, begin=10))), 2_000)
    assert [each.offset for each in records] == [*range(10, 511), *range(512, 1_013)]
    assert (found.offset, found.records) == (511, 1)
    assert "number 700 where 1 was to come" in found.detail


def test_what_stands_for_many_records_is_passed_as_a_whole():
    """A position in its midst would have the rest of it refused a second time."""
    damaged = raw_batch(3, [record(0), record(1, length=10_000), record(2)])
    fetched = next(FetchResponse(response(batch(0, 3) + damaged + batch(6, 1))))
    records, (found,) = all_of(fetched, 1)
    assert (found.offset, found.records) == (4, 2)
    assert [each.offset for each in records] == [0, 1, 2, 3, 6]
