"""Both stages in memory: whatever is read when, every scope is what brute force makes of it."""

from dataclasses import replace
from itertools import pairwise

from contract import logs
from contract.logs import DAY_MS, START, Shown, arrive
from contract.run import MINUTE
from contract.twin import Twin
from hypothesis import event as saw
from hypothesis import given
from hypothesis import strategies as st
from memory_pipeline import Line, place

PARTITIONS = 3


class Told:
    """The pipeline with its twin. All of the log is there before anything is read."""

    def __init__(self, environment, records, history="3650d"):
        names = {name.removeprefix("AUDIENCE_").lower(): v for name, v in environment.items()}
        self.line = Line(PARTITIONS, retention="1d", scope_history=history, **names)
        self.twin = Twin(environment)
        self.line.now = max(record.read_at for record in records) / 1000
        self._records = [[] for _ in range(PARTITIONS)]
        for record in records:
            partition = place(record.key, PARTITIONS)
            self._records[partition].append(replace(record, partition=partition))
            self.line.append(
                self.line.topics.events.name,
                partition,
                record.key,
                record.value,
                record.timestamp,
                log_append=record.log_append,
            )

    @property
    def now(self):
        return round(self.line.now * 1000)

    def read(self, stage, partition, most=1_000, *, lost=False):
        """Work off a batch; if `lost`, once in vain before that, by a process that then dies."""
        work = getattr(self.line, stage)
        if lost:
            work.batch(partition, most, lost=True)
            work.start()
        begin = work.position[partition]
        batch = work.batch(partition, most)
        if stage == "broadcasts":
            for record in self._records[partition][begin : work.position[partition]]:
                self.twin.feed(replace(record, read_at=self.now))
        return batch

    def drain(self, stage, most=1_000):
        for partition in range(PARTITIONS):
            while getattr(self.line, stage).waiting(partition):
                self.read(stage, partition, most)

    def silence(self, partition):
        """Nothing comes for so long that all of the partition's broadcasts become final."""
        while self.line.broadcasts.waiting(partition):
            self.read("broadcasts", partition, 5)
        self.line.now += DAY_MS / 1000
        self.line.broadcasts.batch(partition, 0, caught_up=True)
        self.twin.advance(self.now, [n for n in range(PARTITIONS) if n != partition])

    def check(self):
        self.drain("broadcasts", 3)
        self.drain("scopes", 3)
        for _ in range(2):  # all that is due is published
            self.line.now += 1
            for partition in range(PARTITIONS):
                self.line.scopes.batch(partition, 0)
        published, names = self.line.published(), self.twin.scopes()
        assert published.keys() == set(names)
        for name in names:
            # What goes stale by the clock alone does so where timers run.
            expected = self.twin.scope(name) | {"viewers": published[name][-1][1]["viewers"]}
            assert published[name][-1][1] == expected, name
        for name, summaries in published.items():
            for (one, first), (other, second) in pairwise(summaries):
                assert other - one >= 1_000, name
                assert first != second, name
        if names:
            self.check_contributions(published["world"][-1][1])

    def check_contributions(self, world):
        """What `/metrics` has of broadcasts adds up to the world's `viewers`."""
        contributions = [
            row.contribution
            for rows in self.line.broadcasts.rows.values()
            for row in map(rows.read, rows)
            if getattr(row, "contribution", None) is not None
        ]
        assert world["viewers"] == (sum(contributions) if contributions else None)


READ = st.tuples(
    st.just("read"),
    st.sampled_from(["broadcasts", "scopes"]),
    st.integers(0, PARTITIONS - 1),
    st.integers(0, 9),
    st.booleans(),
)
WAIT = st.tuples(st.just("wait"), st.sampled_from([0.1, 0.4, 0.5, 1, 3]))
STARTED = st.tuples(st.just("start"), st.sampled_from(["broadcasts", "scopes"]))
SILENT = st.tuples(st.just("silence"), st.integers(0, PARTITIONS - 1))
DOINGS = st.lists(
    st.one_of(READ, READ, READ, READ, READ, WAIT, STARTED, SILENT, st.just(("check",))),
    min_size=1,
    max_size=25,
)


@logs.tried(150)
@given(st.data())
async def test_any_interleaving_any_batches_any_restarts(data):
    environment = data.draw(logs.environments())
    told = Told(environment, data.draw(logs.logs(environment, most=4)))
    for what, *how in data.draw(DOINGS):
        if what == "read":
            stage, partition, most, lost = how
            told.read(stage, partition, most, lost=lost)
        elif what == "wait":
            told.line.now += how[0]
        elif what == "start":
            getattr(told.line, how[0]).start()
        elif what == "silence":
            told.silence(how[0])
        else:
            told.check()
    told.check()
    saw(f"final {any(life.final for life in told.twin.runs)}")


def hours(broadcast, days, viewers):
    """Records of a broadcast of two hours that begins so many days after the start of all logs."""
    first = START + int(days * 1_440)
    fields = {"platform": "fliggy", "broadcast": broadcast, "venue": "louvre", "programme": "night"}
    return [
        arrive(
            Shown((first + minute) * MINUTE, {**fields, "viewers": viewers + minute, "joins": 1}),
            (first + minute) * 60_000,
        )
        for minute in range(120)
    ]


async def test_a_backlog_read_days_apart_ends_in_the_same_figures():
    days = {}
    for first in range(PARTITIONS):
        records = []
        for number in range(40):
            records += hours(f"b{number}", number % 8 * 0.99, 100 * (number % 7))
        told = Told({}, records, history="8d")
        # One partition after the other, each to its end, and its deltas as well.
        for partition in [(first + n) % PARTITIONS for n in range(PARTITIONS)]:
            while told.line.broadcasts.waiting(partition):
                told.read("broadcasts", partition, 200)
            for scope_partition in range(PARTITIONS):
                while told.line.scopes.waiting(scope_partition):
                    assert told.read("scopes", scope_partition, 10).result.closed == 0
            told.line.now += 2
        told.check()
        days[first] = told.line.published()["world"][-1][1]
    assert days[0] == days[1] == days[2]
    assert days[0]["peak"] > 100 * 6 + 119


async def test_what_is_further_apart_than_the_history_counts_in_the_sums():
    late = place(b"fliggy:b0", PARTITIONS)
    other, early = next(
        (f"b{n}", partition)
        for n in range(1, 100)
        if (partition := place(f"fliggy:b{n}".encode(), PARTITIONS)) != late
    )
    told = Told({}, [*hours("b0", 0, 1_000), *hours(other, 5, 10)], history="2d")
    for partition in (early, late):
        told.read("broadcasts", partition)
    closed = 0
    for partition in range(PARTITIONS):
        while told.line.scopes.waiting(partition):
            closed += told.read("scopes", partition, 10).result.closed
    assert closed == 122 * 4  # the world, platform, venue and programme of 120 minutes and 2 more
    told.line.drain()
    world = told.line.published()["world"][-1][1]
    expected = told.twin.scope("world")
    assert world.pop("peak") == 129 < expected.pop("peak")
    assert world.pop("peak_at") > expected.pop("peak_at")
    assert world.pop("viewers") == 1_119 + 129
    del expected["viewers"]
    assert world == expected
