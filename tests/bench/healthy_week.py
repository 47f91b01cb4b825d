"""A week in which nothing goes wrong, as Prometheus sees it: what no alert may fire for.

The events are made up; what becomes of them is not: rows, figures and their lines in `/metrics` are
those of the worker. The workers' own gauges and the scopes are added up here.
"""

import heapq
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from agents.serving.metrics.broadcasts import render
from streams.audience import NO_ROW, Delta, Row, Rules, snapshot
from streams.events import ViewerEvent
from streams.routing import partition_for

STEP = 15  # seconds from one scrape to the next
PARTITIONS = 16
WORKERS = ("w1", "w2", "w3")
STAGES = ("broadcasts", "scopes")
TOPICS = ("viewer-events", "scope-deltas")
PLATFORMS = ("fliggy", "kuaishou", "twitch", "youtube")
#: Tells everything five minutes late.
LATE, LATE_BY = "youtube", 300
VENUES = 30
DAY = 86_400
#: An ended one becomes final, and leaves the metrics, so long after its last event.
FINAL = 16 * 60
_RULES = Rules(lateness=15, carry=2)
#: Begins on a minute, far from 1970, for `at` counts from there.
EPOCH = 1_790_000_040


@dataclass
class Leg:
    """One broadcast: a show on one platform."""

    platform: str
    broadcast: str
    venue: str
    programme: str
    start: float
    minutes: int
    peak: int
    jitter: float
    row: Row | None = None
    over: float = float("inf")

    @property
    def key(self):
        return f"{self.platform}:{self.broadcast}".encode()

    @property
    def partition(self):
        return partition_for(self.key, PARTITIONS, "murmur2")


def evening_start(rng):
    """When a show begins, in seconds of its day: mostly in the evening."""
    return rng.choice((rng.gauss(20 * 3600, 3600), rng.gauss(14 * 3600, 7200))) % (DAY - 9000)


def shows(rng, day, broadcasts):
    """The legs of a day's shows, each on one to three platforms, a venue's on its own level."""
    legs = []
    while len(legs) < broadcasts:
        number = rng.randrange(VENUES)
        level = 2_000 * 1.2**number
        start, minutes = evening_start(rng), rng.randrange(60, 150)
        programme = f"show-{day}-{len(legs)}"
        for platform in rng.sample(PLATFORMS, rng.choice((1, 2, 3))):
            name = f"{programme}-{platform}"
            peak = int(level * (1 + PLATFORMS.index(platform)) * rng.uniform(0.7, 1.3))
            jitter = rng.uniform(5, 15)
            legs.append(Leg(platform, name, f"v{number}", programme, start, minutes, peak, jitter))
    return legs[:broadcasts]


def events(rng, leg):
    """What a platform sends of a leg: (arrival, at, event), in seconds of the day."""
    delay = LATE_BY if leg.platform == LATE else 0
    for minute in range(leg.minutes):
        at = leg.start + 60 * minute + (rng.uniform(-leg.jitter, leg.jitter) if minute else 0)
        rise = min(1.0, 0.4 + minute / 25)
        viewers = round(leg.peak * rise * rng.uniform(0.97, 1.03))
        kind = "sample" if minute else "started"
        yield at + delay + rng.uniform(0.2, 3), at, event(leg, kind, viewers)
    end = leg.start + 60 * leg.minutes
    yield end + delay + rng.uniform(0.2, 3), end, event(leg, "ended", None)


def event(leg, kind, viewers):
    return ViewerEvent(
        leg.platform, leg.broadcast, "", kind=kind, viewers=viewers, venue=leg.venue,
        programme=leg.programme, title="",
    )  # fmt: skip  # one event


@dataclass
class Group:
    """Who has which partition when: a rolling restart and one worker that is killed."""

    restart: float
    killed: float
    owners: list = field(default_factory=list)

    def down(self, worker, now):
        number = WORKERS.index(worker)
        begin = self.restart + 180 * number
        return begin <= now < begin + 40 or (number == 1 and self.killed <= now < self.killed + 60)

    def ready(self, now):
        """Who is a member of the group and at work; none while partitions move."""
        for number in range(len(WORKERS)):
            begin = self.restart + 180 * number
            # It leaves, and comes back: each moves partitions for some seconds.
            if 0 <= now - begin < 8 or 0 <= now - begin - 40 < 8:
                return []
        if 0 <= now - self.killed < 60:
            return [each for each in WORKERS if not self.down(each, now)]
        if 0 <= now - self.killed - 60 < 8:
            return []
        return [each for each in WORKERS if not self.down(each, now)]

    def owner(self, partition, now):
        """The worker that has a partition at work now; None while it is nobody's."""
        # What a killed worker had waits for the session timeout and a restore.
        if 0 <= now - self.killed < 25 and WORKERS[partition % len(WORKERS)] == WORKERS[1]:
            return None
        there = self.ready(now)
        if not there:
            return None
        first = WORKERS[partition % len(WORKERS)]
        return first if first in there else there[partition % len(there)]


class Series:
    """Samples by name and labels, in promtool's own notation."""

    def __init__(self):
        self.values = defaultdict(dict)

    def add(self, step, name, value, /, **labels):
        self.values[name, tuple(sorted(labels.items()))][step] = value

    def lines(self, names):
        """`{series: ..., values: ...}` of the metrics of these names, one a line."""
        for (name, labels), found in self.values.items():
            if name in names:
                given = ",".join(f'{label}="{value}"' for label, value in labels)
                yield f"      - {{series: '{name}{{{given}}}', values: '{_notation(found)}'}}"


def _notation(found):
    parts, at = [], 0
    steps = sorted(found)
    index = 0
    while index < len(steps):
        step = steps[index]
        if step > at:
            # Gone from one scrape to the next: Prometheus marks it stale.
            parts.append(
                ("stale " if parts else "_ ") + (f"_x{step - at - 1}" if step - at > 1 else "")
            )
        run = 1
        value = found[step]
        while index + run < len(steps) and (
            steps[index + run] == step + run and found[steps[index + run]] == value
        ):
            run += 1
        parts.append(f"{value:.10g}" if run == 1 else f"{value:.10g}x{run - 1}")
        index, at = index + run, step + run
    return " ".join(part.strip() for part in [*parts, "stale"])


class Day:
    """One day, scrape by scrape.

    `begin` and `end` are seconds of the day; `broadcasts` how many begin on it.
    """

    def __init__(self, seed, day, broadcasts, begin=0, end=DAY):
        # Not for secrets: the same week each time.
        self.rng = random.Random(f"{seed}/{day}")
        self.begin, self.end = begin, end
        self.legs = shows(self.rng, day, broadcasts)
        if (begin, end) != (0, DAY):  # all of them within the part that is looked at
            starts = {}
            for leg in self.legs:
                leg.start = starts.setdefault(
                    leg.programme, self.rng.uniform(begin, begin + (end - begin) / 3)
                )
                leg.minutes = int((end - leg.start) / 60) - 20
        middle = begin + (end - begin) * 0.85 if (begin, end) == (0, DAY) else (begin + end) / 2
        self.group = Group(middle, middle - 1800)
        self.series = Series()
        self.counts = {worker: Counter() for worker in WORKERS}
        self.live = {}

    def run(self):
        """Go through the day; returns its series."""
        queue = [
            (arrival, number, at, told)
            for number, leg in enumerate(self.legs)
            for arrival, at, told in events(self.rng, leg)
        ]
        heapq.heapify(queue)
        waiting = defaultdict(list)
        started = dict.fromkeys(WORKERS, self.begin - DAY)
        was_down = dict.fromkeys(WORKERS, False)
        for step in range(int((self.end - self.begin) / STEP)):
            now = self.begin + step * STEP
            while queue and queue[0][0] <= now:
                arrival, number, at, told = heapq.heappop(queue)
                waiting[self.legs[number].partition].append((arrival, number, at, told))
            for worker in WORKERS:
                down = self.group.down(worker, now)
                if down and not was_down[worker]:
                    self.counts[worker] = Counter()
                if was_down[worker] and not down:
                    started[worker] = now - 3
                was_down[worker] = down
            owners = {p: self.group.owner(p, now) for p in range(PARTITIONS)}
            for partition, owner in owners.items():
                if owner is not None:
                    for arrival, number, at, told in waiting.pop(partition, ()):
                        self._take(owner, self.legs[number], arrival, at, told)
            self._scrape(step, now, owners, waiting, started)
        return self.series

    def _take(self, owner, leg, arrival, at, told):
        timed = [(told, int((EPOCH + at) * 1e6), int((EPOCH + arrival) * 1000))]
        if leg.row is None:
            before = NO_ROW
            leg.row, result = Row.begin(timed, _RULES)
        else:
            before = snapshot(leg.row)
            result = leg.row.accept_all(timed, before)
        Delta().add_row(before, leg.row, result)
        leg.row.fold_sealed()
        if told.kind == "ended":
            leg.over = arrival + FINAL
        self.counts[owner]["audience_events_total", leg.platform] += 1
        self.live[leg.key] = leg, self._samples(leg)

    def _samples(self, leg):
        block = render(leg.partition, leg.key, b"", leg.row)
        # Times are counted from where it begins, as promtool's clock does.
        found = []
        for family in text_string_to_metric_families(b"".join(block.lines).decode()):
            time = EPOCH + self.begin if family.name.endswith("_timestamp_seconds") else 0
            found += [(each.name, each.value - time, each.labels) for each in family.samples]
        return found

    def _scrape(self, step, now, owners, waiting, started):
        add = self.series.add
        clock = self.begin  # promtool's clock begins at 0
        for worker in WORKERS:
            here = {"job": "live-audience", "instance": worker}
            up = not self.group.down(worker, now)
            add(step, "up", int(up), **here)
            add(step, "scrape_duration_seconds", 0.3 if up else 10 if now % 2 else 0.01, **here)
            if not up:
                continue
            own = [p for p, owner in owners.items() if owner == worker]
            add(step, "audience_worker_ready", int(worker in self.group.ready(now)), **here)
            add(step, "audience_partitions_assigned", 2 * len(own), **here)
            add(step, "process_start_time_seconds", started[worker] - clock, **here)
            for stage in STAGES:
                for name in ("audience_fenced_total", "audience_sessions_lost_total"):
                    add(step, name, 0, stage=stage, **here)
                add(step, "audience_transactions_total", 0, stage=stage, outcome="failed", **here)
            add(step, "audience_producer_clock_skew_seconds", 0.4, **here)
            for reason in ("late", "error", "malformed", "invalid", "future", "misrouted"):
                add(step, "audience_rejected_total", 0, reason=reason, **here)
            for (name, platform), count in self.counts[worker].items():
                add(step, name, count, platform=platform, outcome="accepted", **here)
            for topic in TOPICS:
                add(step, "audience_topic_partitions", PARTITIONS, topic=topic, **here)
                add(step, "audience_topic_findings", 0, topic=topic, **here)
                for partition in own:
                    for name, value in (
                        ("audience_restore_progress_ratio", 1),
                        ("audience_partition_failing_seconds", 0),
                    ):
                        add(step, name, value, topic=topic, partition=partition, **here)
            for partition in own:
                # What waited during a hand-over is read within a scrape.
                for stage in STAGES:
                    for unit in ("records", "seconds"):
                        name = f"audience_source_lag_{unit}"
                        add(step, name, 0, stage=stage, partition=partition, **here)
        self._figures(step, now, owners)

    def _figures(self, step, now, owners):
        add = self.series.add
        viewers, live, by_partition = Counter(), Counter(), Counter()
        viewers["world", ""] = live["world", ""] = 0
        for key, (leg, samples) in list(self.live.items()):
            if now >= leg.over:
                del self.live[key]
                continue
            row, owner = leg.row, owners[leg.partition]
            scopes = (
                ("world", ""), ("platform", leg.platform), ("venue", leg.venue),
                ("programme", leg.programme),
            )  # fmt: skip  # pairs
            ongoing = row.ended is None
            by_partition[leg.partition] += ongoing
            for scope in scopes:
                viewers[scope] += row.contribution or 0
                live[scope] += ongoing
            if owner is not None:
                for name, value, labels in samples:
                    add(step, name, value, job="live-audience", instance=owner, **labels)
        for partition, owner in owners.items():
            if owner is not None:
                here = {"job": "live-audience", "instance": owner, "partition": partition}
                add(step, "audience_live_broadcasts", by_partition[partition], **here)
        # Scopes lie in partitions of their own; here all with one worker.
        if owners[0] is not None:
            here = {"job": "live-audience", "instance": owners[0]}
            for (scope, name), count in live.items():
                if count or scope == "world":
                    both = {"scope": scope, "name": name}
                    add(step, "audience_scope_viewers", viewers[scope, name], **both, **here)
                    add(step, "audience_scope_live_broadcasts", count, **both, **here)

    def usual_first(self):
        """What the history would say is usual: by platform and venue."""
        found = defaultdict(list)
        for leg in self.legs:
            found[leg.platform, leg.venue].append(leg.peak * 0.4)
        return {key: sorted(values)[len(values) // 2] for key, values in found.items()}
