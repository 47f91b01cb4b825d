"""The season's busiest evening through a real worker, watched by a real Prometheus: what fires.

.venv/bin/python tests/bench/season_evening.py [--speed 6] [--minutes 60]

It is the hour in which most broadcasts of the demo's season are live, as it was sent: late, twice,
corrected, without a start. Its times are moved to now, and pass `--speed` times as fast; so do the
durations of the rules, but for those that count a broadcast's own minutes. With `--speed 1` an hour
takes an hour, and the rules are those of production. What is live as the hour begins is sent up to
there at once, before it is looked at.

Nothing is wrong but that some broadcasts of the season send nothing for up to 8 minutes: that they
are silent then, and have holes, is told rightly. Nothing else but Watchdog may fire. A machine that
has no time for sender and worker is an outage, which is told rightly, too: look at the load.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import orjson

# Found by the line above.
from integration.pipeline.hard_log import Record
from integration.pipeline.system import System
from pictures.asking import prometheus

from agents.alerts import duration
from agents.broker import Broker
from agents.demo.observe.timeline import Timeline
from agents.demo.record import MINUTE, SECOND, rfc3339
from agents.demo.season.generator import Season
from agents.demo.season.generator.records import records_of
from agents.demo.worker import free_port
from streams.rfc3339 import microseconds
from streams.routing import partition_for

PARTITIONS = 4
JOB = "live-audience"
#: The hour is looked for in steps of so many minutes.
GRID = 10
#: From so many seconds without a record on, these are told of a broadcast.
SILENT_FROM, OF_SILENCE = 235, {"BroadcastSilent", "BroadcastCoverageLow"}


def length(broadcast):
    """How many minutes a broadcast lasts, a museum's or one that was made."""
    return broadcast.minutes if hasattr(broadcast, "minutes") else broadcast.made.minutes


def busiest(broadcasts, minutes):
    """When so many minutes begin in which most broadcasts are live, in microseconds since 1970."""
    live = Counter()
    for each in broadcasts:
        first = each.start // MINUTE // GRID
        last = (each.start // MINUTE + length(each)) // GRID
        live.update(range(first, last + 1))
    steps = -(-minutes // GRID)
    return max(live, key=lambda at: sum(live[at + step] for step in range(steps))) * GRID * MINUTE


def evening(season, begin, end):
    """The records of all that is live between two times, in the order in which they were sent."""
    there = [
        each
        for each in season.broadcasts
        if each.start < end and each.start + length(each) * MINUTE > begin
    ]
    records = [record for each in there for record in records_of(each)]
    return len(there), sorted(
        (record for record in records if record.sent < end), key=lambda record: record.sent
    )


def silences(records):
    """The longest time without a record of each broadcast, in seconds, by its key."""
    last, longest = {}, {}
    for record in records:
        gap = (record.sent - last.get(record.key, record.sent)) / SECOND
        longest[record.key.decode()] = max(longest.get(record.key.decode(), 0), gap)
        last[record.key] = record.sent
    return longest


def moved(record, when):
    """A record whose event was observed at another time: `when` of its own."""
    event = orjson.loads(record.value)
    event["at"] = rfc3339(when(microseconds(event["at"])))
    partition = partition_for(record.key, PARTITIONS, "murmur2")
    value = orjson.dumps(event)
    return Record(partition, record.key, value, int(time.time() * 1000), None, None, 0)


async def send(system, records, when):
    """Send each when it is due; what is due at once goes at once."""
    async with system.sender() as sending:
        waiting = list(reversed(records))
        while waiting:
            due = []
            while waiting and when(waiting[-1].sent) <= time.time() * SECOND:
                due.append(moved(waiting.pop(), when))
            if due:
                await sending(due)
            await asyncio.sleep(0.1)


async def look(folder, given):
    season = Season()
    begin = busiest(season.broadcasts, given.minutes)
    end = begin + given.minutes * MINUTE
    shown, records = evening(season, begin, end)
    timing = Timeline.scaled(1 / given.speed).timing
    port = free_port("127.0.0.1", 0)
    async with (
        Broker(folder / "kafka") as broker,
        System(broker.bootstrap, "", PARTITIONS, rules={}) as system,
        prometheus(folder, {JOB: [port]}, every=duration(timing.scrape), timing=timing) as server,
    ):
        worker = await system.worker(http_port=str(port))
        await worker.says("restored", 120)
        # On a minute, for a broadcast's events lie about their minutes' borders as they did.
        start = (int(time.time()) // 60 + 1) * MINUTE

        def when(at):
            return start + int((at - begin) / given.speed)

        before = sum(record.sent < begin for record in records)
        print(
            f"{given.minutes} minutes from {rfc3339(begin)} on, {given.speed:g} times as fast: "
            f"{shown} broadcasts, {len(records) - before:,} records in {len(records):,}",
            flush=True,
        )
        await send(system, records[:before], lambda at: min(when(at), int(time.time() * SECOND)))
        await send(system, records[before:], when)
        await system.done(len(records))
        await asyncio.sleep(2 * timing.scrape)
        assert worker.running, worker.tail()
        passed = int(time.time() - start / SECOND)
        await tell(server, passed, given.speed, timing)
        fired = await server.instant(f'last_over_time(ALERTS{{alertstate="firing"}}[{passed}s])')
        return [series["metric"] for series in fired], silences(records)


async def tell(server, passed, speed, timing):
    """Print what was there and what became of it, so that an empty evening is no success."""
    for name, query in (
        ("live at most", f"max_over_time(job:audience_live_broadcasts:sum[{passed}s])"),
        (
            "viewers at most",
            f'max_over_time(scope:audience_scope_viewers:max{{scope="world"}}[{passed}s])',
        ),
        ("scrapes", f'count_over_time(up{{job="{JOB}"}}[{passed}s])'),
        ("failed scrapes", f'sum_over_time((up{{job="{JOB}"}} == bool 0)[{passed}s:])'),
        ("records read", 'sum(audience_events_total{job="live-audience"})'),
    ):
        found = await server.instant(query)
        print(f"{name}: {float(found[0]['value'][1]) if found else 0:,.0f}", flush=True)
    found = await server.over_time(
        'sum by (alertname, alertstate) (ALERTS{alertname!="Watchdog"})',
        passed,
        step=timing.scrape,
    )
    print("alerts, and for how long (in minutes of the evening):")
    for series in found:
        labels = series["metric"]
        minutes = len(series["values"]) * timing.scrape * speed / 60
        print(f"  {labels['alertname']} {labels['alertstate']}: {minutes:.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speed", type=float, default=6.0, help="how much faster than it was")
    parser.add_argument("--minutes", type=int, default=60, help="of the evening")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fired, silent_for = asyncio.run(look(Path(folder), given))
    wrong = []
    for labels in fired:
        name, broadcast = labels["alertname"], f"{labels.get('platform')}:{labels.get('broadcast')}"
        if name in OF_SILENCE and silent_for.get(broadcast, 0) > SILENT_FROM:
            print(
                f"rightly: {name} of {broadcast}, silent for {silent_for[broadcast] / 60:.1f} min"
            )
        elif name != "Watchdog":
            wrong.append(name)
            print(f"falsely: {labels}")
    watched = any(labels["alertname"] == "Watchdog" for labels in fired)
    print(f"false alarms: {', '.join(sorted(set(wrong))) or 'none'}")
    return 1 if wrong or not watched else 0


if __name__ == "__main__":
    sys.exit(main())
