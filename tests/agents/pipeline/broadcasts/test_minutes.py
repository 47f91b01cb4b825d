"""Sealed minutes go out once each, as they were sealed, however they are batched."""

import random
from datetime import UTC, datetime

import orjson
import pytest
from contract.reading import Record
from memory_pipeline import Line, place

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


@pytest.mark.parametrize("seed", range(5))
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
        line.broadcasts.batch(number, rng.choice([1, 7, 500]), lost=rng.random() < 0.3)
    second = BEGAN + 1_440
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


def bare(minutes):
    names = ("audience", "high", "joins", "views")
    return {minute: {name: told[name] for name in names} for minute, told in minutes.items()}


def test_nothing_goes_out_unless_it_is_asked_for():
    assert Topics.of(Settings()).broadcast_minutes is None
    topics = Topics.of(Settings(minutes="on", minutes_retention="3d", output_prefix="out."))
    assert topics.broadcast_minutes.name == "out.broadcast-minutes"
    assert topics.broadcast_minutes.config["retention.ms"] == str(3 * 86_400_000)
    assert topics.broadcast_minutes in list(topics)
