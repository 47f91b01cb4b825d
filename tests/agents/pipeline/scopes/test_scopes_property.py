"""Both stages in memory: whatever is read when, every scope is what brute force makes of it."""

from itertools import pairwise
from types import SimpleNamespace

import orjson
from hypothesis import event as saw
from hypothesis import given
from hypothesis import strategies as st
from logs import MINUTE, START, ending, placed, steady, tried, wild
from memory_pipeline import Line, place
from scope_oracle import scopes
from twin import Twin, text

PARTITIONS = 3
LATENESS = {"fliggy": 15, "kick": 1, "ivs": 120}
FIELDS = ("kind", "viewers", "joins", "views", "venue", "programme", "title", "revision")
BROADCASTS = [f"{platform}:b{n}" for platform in LATENESS for n in range(3)]


def record(key, event, at, timestamp):
    platform, _, broadcast = key.partition(":")
    fields = {name: value for name in FIELDS if (value := getattr(event, name)) is not None}
    return SimpleNamespace(
        partition=place(key.encode(), PARTITIONS),
        key=key.encode(),
        value=orjson.dumps(
            {**fields, "platform": platform, "broadcast": broadcast, "at": text(at)}
        ),
        timestamp=at // 1000 + timestamp,
    )


class Told:
    """The pipeline with its oracle."""

    def __init__(self, carry, history):
        self.line = Line(
            PARTITIONS,
            lateness_by_platform={name: f"{n}m" for name, n in LATENESS.items()},
            carry=f"{carry}m",
            scope_history=f"{history}d",
        )
        self.carry = carry
        self.twins = {}

    def send(self, key, told):
        for event, at, timestamp in told:
            self.line.send([record(key, event, at, timestamp)])
            twin = self.twins.get(key.encode())
            if twin is None:
                lateness = LATENESS[key.partition(":")[0]]
                twin = self.twins[key.encode()] = Twin(lateness, self.carry)
            if not twin.final:
                twin.accept(event, at, timestamp)

    def read(self, stage, partition, most, lost):
        stage = getattr(self.line, stage)
        if lost:
            stage.batch(partition, most, lost=True)
            stage.start()
        stage.batch(partition, most)

    def silence(self, partition):
        """Nothing comes for so long that all of the partition's broadcasts become final."""
        stage = self.line.broadcasts
        while stage.waiting(partition):
            stage.batch(partition, 5)
        self.line.now += 10_000
        stage.batch(partition, 0, caught_up=True)
        for key, twin in self.twins.items():
            if place(key, PARTITIONS) == partition:
                twin.final = True

    def check(self):
        self.line.drain(3)
        published, expected = self.line.published(), scopes(self.twins)
        assert published.keys() == expected.keys()
        for name, summary in expected.items():
            assert published[name][-1][1] == summary, name
        for name, told in published.items():
            for (one, first), (other, second) in pairwise(told):
                assert other - one >= 1_000, name
                assert first != second, name


sent = st.tuples(st.just("send"), st.sampled_from(BROADCASTS), st.one_of(steady, wild, ending))
read = st.tuples(
    st.just("read"),
    st.sampled_from(["broadcasts", "scopes"]),
    st.integers(0, PARTITIONS - 1),
    st.integers(0, 6),
    st.booleans(),
)
waited = st.tuples(st.just("wait"), st.sampled_from([0.1, 0.4, 0.5, 1, 3]))
started = st.tuples(st.just("start"), st.sampled_from(["broadcasts", "scopes"]))
silent = st.tuples(st.just("silence"), st.integers(0, PARTITIONS - 1))
checked = st.just(("check",))
doings = st.lists(
    st.one_of(sent, sent, sent, sent, read, read, read, read, waited, started, silent, checked),
    min_size=1,
    max_size=25,
)


@tried(150)
@given(
    doings,
    st.sampled_from([0, 1, 2, 2, 5]),
    st.dictionaries(st.sampled_from(BROADCASTS), st.sampled_from([0, 60, 1_000, 9_000])),
)
async def test_any_interleaving_any_batches_any_restarts(doings, carry, begins):
    told = Told(carry, history=3650)
    for what, *how in doings:
        if what == "send":
            key, log = how
            begin = begins.get(key, 0)
            [batch] = placed([log])
            told.send(key, [(e, at + begin * MINUTE, stamp) for e, at, stamp in batch])
            begins[key] = begin + sum(forward for _, forward, _, _ in log)
        elif what == "read":
            told.read(*how)
        elif what == "wait":
            told.line.now += how[0]
        elif what == "start":
            getattr(told.line, how[0]).start()
        elif what == "silence":
            told.silence(how[0])
        else:
            told.check()
    told.check()
    saw(f"final {any(twin.final for twin in told.twins.values())}")


def hours(days, viewers):
    """A broadcast of two hours that begins so many days after the start of all logs."""
    first = START + int(days * 1_440)
    return [
        (SimpleNamespace(
            kind="sample", viewers=viewers + minute, joins=1, views=None, venue="louvre",
            programme="night", title=None, revision=0,
        ), (first + minute) * MINUTE, 0)
        for minute in range(120)
    ]  # fmt: skip


async def test_a_backlog_read_days_apart_ends_in_the_same_figures():
    days = {}
    for first in range(PARTITIONS):
        told = Told(2, history=8)
        for number in range(40):
            told.send(f"fliggy:b{number}", hours(number % 8 * 0.99, 100 * (number % 7)))
        # One partition after the other, each to its end, and its sums as well.
        for partition in [(first + n) % PARTITIONS for n in range(PARTITIONS)]:
            while told.line.broadcasts.waiting(partition):
                told.line.broadcasts.batch(partition, 200)
            for scope_partition in range(PARTITIONS):
                while told.line.scopes.waiting(scope_partition):
                    batch = told.line.scopes.batch(scope_partition, 10)
                    assert batch.result.closed == 0
            told.line.now += 2
        told.check()
        days[first] = told.line.published()["world"][-1][1]
    assert days[0] == days[1] == days[2]
    assert days[0]["peak"] > max(100 * 6 + 119, 0)


async def test_what_is_further_apart_than_the_history_counts_in_the_sums():
    told = Told(2, history=2)
    told.send("fliggy:b0", hours(0, 1_000))
    late = place(b"fliggy:b0", PARTITIONS)
    other, early = next(
        (f"fliggy:b{n}", partition)
        for n in range(1, 100)
        if (partition := place(f"fliggy:b{n}".encode(), PARTITIONS)) != late
    )
    told.send(other, hours(5, 10))
    for partition in (early, late):
        told.line.broadcasts.batch(partition, 1_000)
    closed = 0
    for partition in range(PARTITIONS):
        while told.line.scopes.waiting(partition):
            closed += told.line.scopes.batch(partition, 10).result.closed
    assert closed == 122 * 4  # the world, platform, venue and programme of 120 minutes and 2 more
    told.line.drain()
    world = told.line.published()["world"][-1][1]
    expected = scopes(told.twins)["world"]
    assert world.pop("peak") == 129 < expected.pop("peak")
    assert world.pop("peak_at") > expected.pop("peak_at")
    assert world == expected
