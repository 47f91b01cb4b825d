"""How much the next batch takes, and what becomes of one that is too large to be sent."""

import pytest
from aiokafka.record.default_records import DefaultRecord
from hypothesis import given
from hypothesis import strategies as st

from streams.exact.errors import TooLarge
from streams.exact.fetch import Taken
from streams.exact.portions import Portions

ERROR = TooLarge("outputs", 2_000, 1_000, is_record=True, in_transaction=False)


def record(offset):
    return DefaultRecord(offset, 1_000, 0, b"key", b"value", [("h", b"1")])


def test_a_batch_that_outlasts_its_time_makes_the_next_ones_smaller():
    portions = Portions(20_000, 2.0)
    portions.worked(700, 14.0)
    assert portions.records == 350
    portions.worked(350, 7.0)
    assert portions.records == 175
    for _ in range(20):
        portions.worked(portions.records, 2.5)
    assert portions.records == 1


def test_they_grow_back_by_full_batches_that_are_easy():
    portions = Portions(1_000, 2.0)
    portions.worked(1_000, 3.0)
    portions.worked(10, 0.1)
    portions.worked(500, 1.0)
    assert portions.records == 500
    portions.worked(500, 0.1)
    assert portions.records == 1_000
    portions.worked(1_000, 0.1)
    assert portions.records == 1_000


@given(st.sets(st.integers(0, 300), min_size=1), st.data())
def test_halves_find_the_records_that_are_too_large(offsets, data):
    """Whatever comes of some records is too large: they alone come as unreadable."""
    offsets = sorted(offsets)
    large = set(data.draw(st.lists(st.sampled_from(offsets), max_size=5)))
    portions, position = Portions(1_000, 2.0), 0
    waiting = (Taken([record(offset) for offset in offsets], []), 301)
    sent, refused, tries = [], [], 0
    while waiting is not None:
        taken, end = waiting
        if large.intersection(r.offset for r in taken.records):
            portions.put_back(taken, end, ERROR)
        else:
            found = [r.offset for r in (*taken.records, *taken.unreadable)]
            assert all(position <= offset < end for offset in found), "in their order"
            sent += [r.offset for r in taken.records]
            refused += taken.unreadable
            position = end
        waiting = portions.next()
        tries += 1
    assert sent == [offset for offset in offsets if offset not in large]
    assert [found.offset for found in refused] == sorted(large)
    assert all("max.message.bytes" in found.detail for found in refused)
    assert position == 301
    assert tries <= 1 + 20 * (len(large) + 1)


def test_what_is_refused_is_made_bare_before_it_is_given_up():
    portions = Portions(1_000, 2.0)
    portions.put_back(Taken([record(5)], []), 6, ERROR)
    taken, end = portions.next()
    assert (taken.unreadable[0].value, end) == (b"value", 6)
    portions.put_back(taken, end, ERROR)
    bare, _ = portions.next()
    assert bare.unreadable[0][:5] == (5, 1_000, None, None, ())
    with pytest.raises(TooLarge):
        portions.put_back(bare, end, ERROR)


def test_nothing_can_be_left_out_of_a_batch_without_records():
    with pytest.raises(TooLarge):
        Portions(1_000, 2.0).put_back(Taken([], []), 6, ERROR)


def test_a_topic_that_takes_smaller_batches_has_the_same_again():
    error = TooLarge("outputs", 2_000, None, is_record=False, in_transaction=True)
    portions, taken = Portions(1_000, 2.0), Taken([record(1), record(2)], [])
    portions.put_back(taken, 3, error)
    assert portions.next() == (taken, 3)


def test_a_batch_without_records_that_takes_long_makes_no_other_smaller():
    portions = Portions(20_000, 2.5)
    portions.worked(0, 10.0)
    assert portions.records == 20_000
