"""What this worker owns, as its readers see it: only what is durable, only while it is owned."""

import asyncio
import time
import tracemalloc
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.entries import broadcast_rows
from agents.serving.live import LiveBroadcasts, TopSelection, viewers_of
from agents.serving.live.slices import TimeSlice
from streams.audience import Row, Rules, Tombstone, compute_figures, decode, encode
from streams.events import ViewerEvent

MINUTE = 60_000_000
BEGAN = 26_000_000  # a minute of 2019
RULES = Rules(lateness=15, carry=2)
GONE = Tombstone(BEGAN, expires=1)


def event(viewers=None, kind="sample", **fields):
    return ViewerEvent("kick", "b", "", kind=kind, viewers=viewers, **fields)


def new_row(viewers=None, *, minute=BEGAN, kind="sample"):
    return Row.new(event(viewers, kind), minute * MINUTE, minute * 60_000, RULES)


def viewers_now(row):
    return compute_figures(row).viewers


class Part:
    """A partition as the source has it: its rows, and batches that become durable."""

    def __init__(self, live, number):
        self.live = live
        self.number = number
        self.rows = broadcast_rows()

    def commit(self, changed):
        encoded = {key: None if row is None else encode(row) for key, row in changed.items()}
        removed = self.rows.commit(changed, encoded)
        self.live.committed(self.number, changed, removed)

    async def restore(self):
        self.live.restored(self.number, self.rows)
        await self.live.indexed()


async def a_part(live, number=0, **viewers):
    part = Part(live, number)
    await part.restore()
    part.commit({name.encode(): new_row(count) for name, count in viewers.items()})
    return part


async def numbers_of(live):
    found = {}
    async for _, numbers in live.chunks():
        found.update(numbers)
    return found


# -- what is shown ---------------------------------------------------------------------------------


async def test_shows_what_was_there_and_what_is_committed():
    live = LiveBroadcasts()
    part = Part(live, 3)
    part.rows.load(b"kick:a", encode(new_row(5)))
    part.rows.load(b"kick:gone", encode(GONE))
    await part.restore()
    part.commit({b"kick:b": new_row(7), b"kick:unknown": new_row(None)})

    assert live.partitions == [3]
    assert len(live) == 3
    assert live.live(3) == 3
    assert await numbers_of(live) == {b"kick:a": 5, b"kick:b": 7, b"kick:unknown": 0}
    assert viewers_now(live.find(b"kick:a").row) == 5
    assert live.find(b"kick:gone").row == GONE
    assert live.find(b"kick:nobody") is None
    assert live.row(3, b"kick:gone") is None


async def test_a_row_in_work_is_not_shown_before_it_is_durable():
    live = LiveBroadcasts()
    part = await a_part(live, a=5)
    row = part.rows.get(b"a")

    row.accept_all([(event(500), BEGAN * MINUTE + 1, 0)])

    assert viewers_now(live.find(b"a").row) == 5
    assert await numbers_of(live) == {b"a": 5}
    part.commit({b"a": row})
    assert viewers_now(live.find(b"a").row) == 500
    assert await numbers_of(live) == {b"a": 500}


async def test_counts_what_goes_on_not_what_has_ended():
    live = LiveBroadcasts()
    part = await a_part(live, a=5, b=9)
    row = part.rows.get(b"a")

    row.accept_all([(event(4, "ended"), BEGAN * MINUTE + 1, 0)])
    part.commit({b"a": row})
    assert (len(live), live.live(0)) == (2, 1)
    assert viewers_of((await numbers_of(live))[b"a"]) == 4

    row.accept_all([(event(6, "started"), BEGAN * MINUTE + 2, 0)])
    part.commit({b"a": row})
    assert (len(live), live.live(0)) == (2, 2)

    part.commit({b"a": GONE, b"b": None})
    assert (len(live), live.live(0)) == (0, 0)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from([b"a", b"b", b"c", b"d"]),
            st.one_of(
                st.none(),
                st.just("gone"),
                st.tuples(st.integers(0, 3), st.booleans(), st.sampled_from([False, False, True])),
            ),
        ),
        max_size=12,
    ),
    st.integers(0, 6),
)
def test_the_counts_follow_the_rows_whatever_happens(batches, restored_before):
    def row_of(change):
        if change is None:
            return None
        if change == "gone":
            return GONE
        viewers, ended, final = change
        row = new_row(viewers, kind="ended" if ended else "sample")
        row.final = final
        return row

    async def follow():
        live = LiveBroadcasts()
        part = Part(live, 0)
        for number, batch in enumerate(batches):
            if number == restored_before:
                live.restored(0, part.rows)  # not awaited: batches go on while it is indexed
            part.commit({key: row_of(change) for key, change in batch.items()})
        await live.indexed()
        if len(batches) <= restored_before:
            return
        rows = {key: decode(value) for key, value in part.rows.items()}
        rows = {key: row for key, row in rows.items() if isinstance(row, Row)}
        assert live.live(0) == sum(row.is_live for row in rows.values())
        assert await numbers_of(live) == {
            key: viewers_now(row) if row.ended_at is None else ~viewers_now(row)
            for key, row in rows.items()
            if not row.final
        }

    asyncio.run(follow())


async def test_a_lost_partition_is_gone_at_once_and_comes_back_as_it_is_then():
    live = LiveBroadcasts()
    mine, other = await a_part(live, 0, a=5), await a_part(live, 1, b=6)

    live.lost(0)
    mine.rows.load(b"c", encode(new_row(8)))  # another worker goes on
    live.committed(0, {b"late": new_row(1)})  # told too late: it no longer matters

    assert live.partitions == [1]
    assert len(live) == 1
    assert live.live(0) == 0
    assert live.find(b"a") is None
    assert await numbers_of(live) == {b"b": 6}

    await mine.restore()
    assert live.partitions == [0, 1]
    assert await numbers_of(live) == {b"a": 5, b"b": 6, b"c": 8}
    live.lost(1)
    live.lost(1)
    assert await numbers_of(live) == {b"a": 5, b"c": 8}
    assert len(other.rows) == 1  # they are the source's to let go


async def test_a_partition_is_shown_when_all_of_it_is_known_and_not_before():
    live = LiveBroadcasts()
    part = Part(live, 0)
    for number in range(500):
        part.rows.load(b"%d" % number, encode(new_row(number)))

    live.restored(0, part.rows)

    assert live.partitions == []
    assert len(live) == 0
    assert viewers_now(live.find(b"7").row) == 7  # asked for by name it is there
    await live.indexed()
    assert live.partitions == [0]
    assert len(live) == 500


async def test_a_partition_lost_while_it_is_looked_through_does_not_appear():
    live = LiveBroadcasts()
    part = Part(live, 0)
    part.rows.load(b"a", encode(new_row(1)))
    live.restored(0, part.rows)
    live.lost(0)
    await live.indexed()
    await asyncio.sleep(0)
    assert live.partitions == []


async def test_looking_through_many_rows_lets_the_loop_run():
    live = LiveBroadcasts()
    part = Part(live, 0)
    encoded = encode(new_row(1))
    for number in range(20_000):
        part.rows.load(b"%d" % number, encoded)
    live.restored(0, part.rows)
    others = 0
    while not live.partitions:
        await asyncio.sleep(0)
        others += 1
    assert others > 5


async def test_a_row_that_cannot_be_read_hides_no_other(logged):
    live = LiveBroadcasts()
    part = Part(live, 0)
    part.rows.load(b"kick:newer", b"\x92\xa2r9\x01")
    part.rows.load(b"kick:a", encode(new_row(5)))
    await part.restore()
    assert await numbers_of(live) == {b"kick:a": 5}
    assert "kick:newer" in str(logged)


async def test_chunks_pass_over_a_partition_that_is_lost_on_the_way():
    live = LiveBroadcasts()
    for number in range(2):
        part = await a_part(live, number)
        part.commit({b"%d-%d" % (number, i): new_row(i) for i in range(3_000)})
    seen = []
    async for number, found in live.chunks():
        seen.append((number, len(found)))
        live.lost(0)
    assert seen[0][0] == 0
    assert sum(size for number, size in seen if number == 0) < 3_000
    assert sum(size for number, size in seen if number == 1) == 3_000


async def test_a_broadcast_takes_less_than_a_hundred_bytes():
    live = LiveBroadcasts()
    part = Part(live, 0)
    count = 50_000
    for number in range(count):
        part.rows.load(b"kick:%d" % number, encode(new_row(1_000 + number)))
    tracemalloc.start()
    try:
        await part.restore()
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / count < 100


# -- which are exported ----------------------------------------------------------------------------


async def chosen(selection):
    return {key for keys in (await selection.select()).values() for key in keys}


async def test_all_are_chosen_while_there_is_room():
    live = LiveBroadcasts()
    await a_part(live, 0, a=1, b=2)
    await a_part(live, 1, c=None)
    selection = TopSelection(live, 3)
    assert await chosen(selection) == {b"a", b"b", b"c"}
    assert selection.count == {0: 2, 1: 1}


async def test_the_largest_are_chosen_unknown_viewers_count_as_none():
    live = LiveBroadcasts()
    await a_part(live, 0, a=10, b=30, unknown=None)
    await a_part(live, 1, c=20)
    selection = TopSelection(live, 2)
    assert await chosen(selection) == {b"b", b"c"}
    assert selection.count == {0: 1, 1: 1}


async def test_one_that_is_in_stays_until_it_is_below_four_fifths_of_one_that_is_out():
    live = LiveBroadcasts()
    part = await a_part(live, a=100, b=99)
    selection = TopSelection(live, 1)
    assert await chosen(selection) == {b"a"}

    part.commit({b"a": new_row(80), b"b": new_row(100)})  # smaller, but not well below
    assert await chosen(selection) == {b"a"}
    part.commit({b"a": new_row(79)})
    assert await chosen(selection) == {b"b"}
    part.commit({b"a": new_row(100)})  # larger again, but the other is in now
    part.commit({b"b": new_row(80)})
    assert await chosen(selection) == {b"b"}


async def test_among_equals_those_that_are_in_stay():
    live = LiveBroadcasts()
    part = await a_part(live, m=0, n=0)
    selection = TopSelection(live, 2)
    await selection.select()
    part.commit({name: new_row(0) for name in (b"a", b"b", b"x", b"y")})
    assert await chosen(selection) == {b"m", b"n"}


async def test_a_large_newcomer_is_in_at_once():
    live = LiveBroadcasts()
    part = await a_part(live, a=100, b=101, c=102)
    selection = TopSelection(live, 3)
    await selection.select()
    part.commit({b"d": new_row(1_000)})
    assert await chosen(selection) == {b"b", b"c", b"d"}


@pytest.mark.parametrize("gone", [False, True])
async def test_one_that_ended_keeps_its_place_until_it_is_final(gone):
    live = LiveBroadcasts()
    part = await a_part(live, a=100, b=10, c=9)
    selection = TopSelection(live, 1)
    ended = new_row(100, kind="ended")
    part.commit({b"a": ended})
    assert await chosen(selection) == {b"a"}
    ended.final = True
    part.commit({b"a": GONE if gone else ended})
    assert await chosen(selection) == {b"b"}


@pytest.mark.parametrize("top", [0, 1, 7])
async def test_there_are_never_more_than_the_limit_and_no_flicker_at_the_edge(top):
    live = LiveBroadcasts()
    part = await a_part(live)
    selection = TopSelection(live, top)
    random = Random(7)
    viewers = {b"%d" % number: 1_000 + number for number in range(30)}
    part.commit({key: new_row(count) for key, count in viewers.items()})
    first = await chosen(selection)
    assert len(first) == top
    for _ in range(20):  # all within 10 % of each other: nobody changes places
        part.commit({key: new_row(count + random.randrange(100)) for key, count in viewers.items()})
        assert await chosen(selection) == first


async def test_a_lost_partition_leaves_its_places():
    live = LiveBroadcasts()
    await a_part(live, 0, a=100)
    await a_part(live, 1, b=10, c=9)
    selection = TopSelection(live, 2)
    assert await chosen(selection) == {b"a", b"b"}
    live.lost(0)
    assert await chosen(selection) == {b"b", b"c"}
    assert selection.count == {1: 2}


async def test_choosing_among_many_lets_the_loop_run():
    live = LiveBroadcasts()
    part = await a_part(live)
    row = new_row(3)
    part.commit({b"%d" % number: row for number in range(200_000)})
    others = 0

    async def count_turns():
        nonlocal others
        while True:
            await asyncio.sleep(0)
            others += 1

    task = asyncio.create_task(count_turns())
    assert len(await chosen(TopSelection(live, 1_000))) == 1_000
    task.cancel()
    assert others > 5


async def test_a_slice_may_be_longer_where_the_others_take_long():
    others = 0

    async def work_off_batches():
        nonlocal others
        while True:
            await asyncio.sleep(0)
            others += 1
            time.sleep(0.05)  # noqa: ASYNC251 - as a batch does

    task = asyncio.create_task(work_off_batches())
    time_slice = TimeSlice()
    for _ in range(200):
        time.sleep(0.001)  # noqa: ASYNC251 - a piece of a scrape
        await time_slice.yield_if_over()
    task.cancel()
    assert 3 < others < 50  # with slices of 2 ms it would be 100
