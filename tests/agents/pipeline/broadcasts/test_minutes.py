"""Sealed minutes go out once each, as they were sealed, however they are batched."""

import dataclasses
import random
from datetime import UTC, datetime

import msgspec
import orjson
import pytest
from contract.reading import Record
from log_blocks import LogBlocks, all_minutes
from memory_pipeline import Line, place

from streams.audience import kept
from streams.settings import Settings
from streams.summaries import minute_text
from streams.topics import Topics

BEGAN = 26_000_000
PARTITIONS = 2


def events(rng, name):
    """Two runs of a broadcast, a day apart, each in order but for a minute's jitter."""
    found = []
    for first in (BEGAN, BEGAN + 1_440):
        for minute in range(first, first + 40):
            for _ in range(rng.choice([0, 1, 1, 3])):
                at = minute * 60 + rng.randrange(1, 60)
                found.append((at, {
                    "viewers": rng.choice([None, 0, 5, rng.randrange(1_000)]),
                    "joins": rng.choice([None, rng.randrange(9)]),
                    "views": rng.choice([None, rng.randrange(9_999)]),
                    "revision": rng.choice([0, 0, 0, 1]),
                }))  # fmt: skip  # an event reads best close together
        found.append((first * 60, {"viewers": 7}))
    found.sort(key=lambda each: each[0])
    return [(at, {"platform": "kick", "broadcast": name, **told}) for at, told in found]


def record(at, told):
    text = datetime.fromtimestamp(at, UTC).isoformat()
    key = f"{told['platform']}:{told['broadcast']}".encode()
    value = orjson.dumps({**told, "at": text})
    return Record(value, key, at * 1000, 0, partition=place(key, PARTITIONS))


def wanted(told_of):
    """What each minute must come to, by the contract: of the highest revision the greatest."""
    minutes = {}
    for at, told in told_of:
        minutes.setdefault(at // 60, []).append((at, told))
    found = {}
    for minute, each in minutes.items():
        highest = max(told.get("revision", 0) for _, told in each)
        counts = [(at, told) for at, told in each if told.get("revision", 0) == highest]
        known = [(at, told["viewers"]) for at, told in counts if told["viewers"] is not None]

        def greatest(name, counts=counts):
            return max(
                (told[name] for _, told in counts if told.get(name) is not None), default=None
            )

        found[minute_text(minute)] = {
            "audience": max(known)[1] if known else None,
            "high": greatest("viewers"),
            "joins": greatest("joins"),
            "views": greatest("views"),
        }
    return found


def minutes_of(line):
    """What went out, by the key of its summary and by minute; none twice."""
    found = {}
    for partition in range(PARTITIONS):
        for sent in line.log[line.topics.broadcast_minutes.name, partition]:
            told = orjson.loads(sent.value)
            minutes = found.setdefault(sent.key.decode(), {})
            minute = told.pop("minute")
            assert minute not in minutes, "went out twice"
            minutes[minute] = told
    return found


@pytest.fixture
def short_blocks(monkeypatch):
    """Many blocks, and lists of their places, of few minutes."""
    for name, value in {"BLOCK_MINUTES": 4, "LARGEST_BLOCK": 6, "PLACES": 2}.items():
        monkeypatch.setattr(kept, name, value)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.usefixtures("short_blocks")
async def test_each_sealed_minute_goes_out_once_as_it_was_sealed(seed):
    rng = random.Random(seed)
    sent = [events(rng, f"b{number}") for number in range(3)]
    ordered = sorted((told for each in sent for told in each), key=lambda told: told[0])
    records = [record(at, told) for at, told in ordered]
    line = Line(PARTITIONS, minutes="on", tombstone="30d")
    line.now = float(records[-1].timestamp / 1000)
    line.send(records)
    while any(line.broadcasts.waiting(number) for number in range(PARTITIONS)):
        number = rng.randrange(PARTITIONS)
        # A batch that is lost sends nothing, and comes again.
        line.broadcasts.batch(number, rng.choice([1, 2, 7]), lost=rng.random() < 0.3)
        if rng.random() < 0.1:
            line.broadcasts.start()  # another worker: all that is left is what Kafka holds
    second = BEGAN + 1_440
    for each in sent:
        await are_all_there(line, each, second)
    newest = {told["broadcast"]: at // 60 for each in sent for at, told in each}
    found = minutes_of(line)
    for each in sent:
        name = each[0][1]["broadcast"]
        whole = wanted(each)
        of_first = {m: v for m, v in whole.items() if m < minute_text(second)}
        of_second = {m: v for m, v in whole.items() if m >= minute_text(second)}
        told = found[f"kick:{name}"]
        assert {each["run"] for each in told.values()} == {None}
        assert bare(told) == of_first, "with the next run all of the former is sealed"
        # Of the second run, what lies the lateness behind its newest minute.
        sealed = minute_text(newest[name] - 15)
        run = next(key for key in found if key.startswith("kick/") and key.endswith(f":{name}"))
        assert bare(found[run]) == {m: v for m, v in of_second.items() if m <= sealed}
    # When its row goes, the rest goes out too.
    for _ in range(3):
        line.now += 86_400
        for number in range(PARTITIONS):
            line.broadcasts.batch(number, 1, caught_up=True)
    found = minutes_of(line)
    for each in sent:
        name = each[0][1]["broadcast"]
        run = next(key for key in found if key.startswith("kick/") and key.endswith(f":{name}"))
        whole = wanted(each)
        assert bare(found[run]) == {m: v for m, v in whole.items() if m >= minute_text(second)}


async def are_all_there(line, told_of, second):
    """The API has each minute of the newest run once, sealed or open, from wherever it lies."""
    key = f"kick:{told_of[0][1]['broadcast']}".encode()
    whole = {m: v for m, v in wanted(told_of).items() if m >= minute_text(second)}
    number = place(key, PARTITIONS)
    row = line.broadcasts.rows[number].read(key)
    assert row.kept.places, "blocks are found by their places"
    told = await all_minutes(line, key, number)
    assert told.missing == []
    assert told.run == minute_text(second)
    found = [msgspec.structs.asdict(minute) for minute in told.minutes]
    assert [minute["minute"] for minute in found] == sorted(whole)
    assert bare({minute["minute"]: minute for minute in found}) == whole
    corrected = {m for m, cell in highest_revisions(told_of).items() if cell}
    assert {m["minute"] for m in found if m["revision"]} == corrected & whole.keys()
    # Any part of it, and no more than that is fetched.
    for first, last in ((second, second + 3), (second + 10, second + 20)):
        blocks = LogBlocks(line)
        part = await all_minutes(line, key, number, blocks, first, last)
        wanted_part = [m for m in sorted(whole) if minute_text(first) <= m <= minute_text(last)]
        assert [minute.minute for minute in part.minutes] == wanted_part
        assert part.missing == []


def highest_revisions(told_of):
    found = {}
    for at, told in told_of:
        minute = minute_text(at // 60)
        found[minute] = max(found.get(minute, 0), told.get("revision", 0))
    return found


def telling(minutes, name="b0"):
    """A sample a minute."""
    return [
        record(minute * 60, {"platform": "kick", "broadcast": name, "viewers": minute - BEGAN})
        for minute in minutes
    ]


async def test_a_day_is_a_handful_of_fetches():
    line = Line(1, minutes="on")
    records = telling(range(BEGAN, BEGAN + 3 * 1_440))
    line.now = records[-1].timestamp / 1000
    for begin in range(0, len(records), 10):
        line.send([dataclasses.replace(each, partition=0) for each in records[begin : begin + 10]])
        line.broadcasts.batch(0, 10)
    row = line.broadcasts.rows[0].read(b"kick:b0")
    assert len(row.kept.cells) < 2 * kept.BLOCK_MINUTES
    assert len(row.kept.places) <= kept.PLACES
    blocks = LogBlocks(line)
    told = await all_minutes(line, b"kick:b0", 0, blocks)
    assert [minute.audience for minute in told.minutes] == list(range(3 * 1_440))
    assert blocks.fetches <= 3 * 1_440 / kept.BLOCK_MINUTES + 3
    evening = LogBlocks(line)
    await all_minutes(line, b"kick:b0", 0, evening, BEGAN + 3 * 1_440 - 240)
    assert evening.fetches <= 240 / kept.BLOCK_MINUTES + 1
    # What retention has taken is told, and the rest is there all the same.
    gone = (BEGAN + 1_440 - records[0].timestamp // 60_000) + 100
    log = line.log[line.topics.broadcast_minutes.name, 0]
    log[:gone] = [None] * gone
    told = await all_minutes(line, b"kick:b0", 0)
    assert [each.why for each in told.missing] == ["gone"]
    (missing,) = told.missing
    assert missing.first == minute_text(BEGAN)
    assert minute_text(BEGAN + 1_440) <= missing.last < told.minutes[0].minute
    assert [minute.audience for minute in told.minutes][-2_000:] == list(range(2_320, 4_320))


async def test_what_was_sealed_while_it_was_off_is_told_as_missing():
    line = Line(1, minutes="off")
    line.now = telling([BEGAN + 60])[0].timestamp / 1000

    def go_on(first, last):
        line.send([dataclasses.replace(each, partition=0) for each in telling(range(first, last))])
        line.broadcasts.batch(0, 1_000)

    go_on(BEGAN, BEGAN + 20)
    line.settings = Settings(partitions=1, minutes="on")
    line.topics = Topics.of(line.settings)
    line.broadcasts.start()
    go_on(BEGAN + 20, BEGAN + 40)
    told = await all_minutes(line, b"kick:b0", 0)
    (missing,) = told.missing
    assert (missing.first, missing.last) == (minute_text(BEGAN), minute_text(BEGAN + 4))
    assert "AUDIENCE_MINUTES" in missing.why
    assert [minute.audience for minute in told.minutes] == list(range(5, 40))


def bare(minutes):
    names = ("audience", "high", "joins", "views")
    return {minute: {name: told[name] for name in names} for minute, told in minutes.items()}


def test_nothing_goes_out_unless_it_is_asked_for():
    assert Topics.of(Settings()).broadcast_minutes is None
    topics = Topics.of(Settings(minutes="on", minutes_retention="3d", output_prefix="out."))
    assert topics.broadcast_minutes.name == "out.broadcast-minutes"
    assert topics.broadcast_minutes.config["retention.ms"] == str(3 * 86_400_000)
    assert topics.broadcast_minutes in list(topics)
