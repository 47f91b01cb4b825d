"""A log of viewer events as bad as they come, by seed, with what is wrong in each record.

Every broadcast is made of minutes with jitter over their borders, holes, outages, unknown viewers,
zeros, spikes, duplicates, corrections up and down, events out of order, stragglers, venues that are
named late, a waiting room, a `started` that is late, missing or put right, ends that are taken back
or moved, zeros and viewers after an end, and ids that are used again; a share of the records is
broken in every way the contract names.
"""

import json
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aiokafka.partitioner import murmur2

MINUTE = 60_000_000
PLATFORMS = ("fliggy", "kuaishou", "twitch", "ivs")
TITLES = ("Night at the museum", "卢浮宫之夜", 'n\u00e9 "live"', "long " * 50, "lone \ud800")


@dataclass(slots=True)
class Record:
    """One record to send, and what is wrong with it: a reason, or None (it may still be late)."""

    partition: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    reason: str | None
    event: dict | None
    at: int


def text(at, rng):
    """One of the ways to write a time."""
    moment = datetime.fromtimestamp(at // 1_000_000, UTC)
    fraction = at % 1_000_000
    way = rng.random()
    if way < 0.1:
        zone = timedelta(hours=8)
        return (moment + zone).strftime("%Y-%m-%dT%H:%M:%S") + f".{fraction:06d}9+08:00"
    if fraction or way < 0.2:
        return moment.strftime("%Y-%m-%dt%H:%M:%S") + f".{fraction:06d}z"
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def place(key, partitions):
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def broadcast_events(rng, name, start):
    """Give (when it is sent, at, event) of one broadcast's runs, times in microseconds."""
    platform = rng.choice(PLATFORMS)
    events, end = run_events(rng, platform, name, start)
    if rng.random() < 0.2:
        # The id is used again: sometimes too soon for that, so that it goes on.
        pause = rng.choice((40, 62, 75, 190, 230)) * MINUTE
        events += run_events(rng, platform, name, end + pause)[0]
    return events


def run_events(rng, platform, name, start):
    """Give the same of one run, and when it ends."""
    minutes = rng.choice((5, 20, 60, 130))
    venue = rng.choice((None, "louvre", "versailles", "prado"))
    programme = rng.choice((None, "night-at-the-louvre", "gardens"))
    viewers = rng.randrange(1, 400_000)
    views = 0
    named = rng.choice((0.9, 0.9, 0.1))
    base = {"platform": platform, "broadcast": name}
    out = []

    def say(at, delay=None, **fields):
        event = {**base, **fields}
        if venue and rng.random() < named:
            event["venue"] = venue
        if programme and rng.random() < named:
            event["programme"] = programme
        if rng.random() < 0.01:
            event["venue"] = "elsewhere"
        if rng.random() < 0.05:
            event["title"] = rng.choice(TITLES)
        if rng.random() < 0.1:
            event["extra"] = {"ignored": [1, 2.5, None, "é"]}
        if delay is None:
            delay = rng.random() * 20_000_000
        for _ in range(2 if rng.random() < 0.03 else 1):
            out.append((at + int(delay), at, event))

    lateness = 2 * 60 if platform == "ivs" else 15
    started = rng.random()
    if started < 0.6:
        say(start + rng.randrange(3 * MINUTE), kind="started")
    if 0.5 < started < 0.7:
        say(start, kind="started", delay=rng.randrange(10 * MINUTE), viewers=viewers)
    if 0.7 < started < 0.8:  # those before wait
        say(start + rng.randrange(3, 13) * MINUTE + rng.randrange(MINUTE), kind="started")
    if rng.random() < 0.08:
        put_right = start + rng.randrange(-3, 9) * MINUTE + rng.randrange(MINUTE)
        say(put_right, kind="started", revision=rng.randrange(1, 3), delay=rng.randrange(MINUTE))
    outage = range(0)
    if rng.random() < 0.1:
        begin = rng.randrange(minutes)
        outage = range(begin, begin + rng.choice((17, 40, 90)))
    for minute in range(minutes):
        if minute in outage:
            continue
        viewers = max(0, int(viewers * (0.8 + 0.45 * rng.random())))
        views += rng.randrange(1 + viewers // 10)
        at = start + minute * MINUTE + rng.randrange(-5_000_000, 25_000_000) + 10_000_000
        case = rng.random()
        if case < 0.08:
            continue  # the platform gave nothing
        if case < 0.12:
            say(at, viewers=rng.choice((None, -1)))
        elif case < 0.145:
            say(at, viewers=0)
        elif case < 0.15:
            say(at, viewers=rng.choice((10**10, 42_000_000)))
        elif case < 0.25:
            say(at, viewers=viewers, delay=rng.randrange(min(12, lateness - 1) * MINUTE))
        elif case < 0.3:
            say(at, viewers=viewers)
            revision = rng.randrange(1, 3)
            corrected = max(0, viewers + rng.randrange(-5_000, 5_000))
            say(at, viewers=corrected, revision=revision, delay=rng.randrange(5 * MINUTE))
        elif case < 0.33:
            # Far too late, at least where the broadcast has gone on since.
            say(at, viewers=viewers, delay=(lateness + rng.randrange(3, 30)) * MINUTE)
        else:
            say(at, viewers=viewers)
        if rng.random() < 0.3:
            say(at + rng.randrange(30_000_000), viewers=viewers + 1, joins=rng.randrange(1_000))
        if rng.random() < 0.2:
            say(at, views=views)
    end = start + minutes * MINUTE
    if rng.random() < 0.9:
        say(end, kind="ended", viewers=rng.choice((None, viewers, 0)))
        after = rng.random()
        if after < 0.2:
            say(end + rng.randrange(2 * MINUTE), viewers=viewers // 2)  # counts on for a moment
        if after < 0.15:
            for minute in range(4, 10):
                say(end + minute * MINUTE, viewers=viewers)  # went on after all
        if after < 0.1:
            say(end + 12 * MINUTE, kind="ended")
        if 0.2 < after < 0.3:
            say(end + 5 * MINUTE, viewers=0)
        if 0.3 < after < 0.45:  # a list that tells an ended stream for some minutes more
            for minute in range(1, rng.randrange(2, 9)):
                say(end + minute * MINUTE, viewers=viewers, views=views)
        if 0.4 < after < 0.55:  # a poller that tells 0 for long
            for minute in range(1, rng.randrange(2, 90)):
                say(end + minute * MINUTE, viewers=0)
        if 0.55 < after < 0.65:
            say(end + rng.randrange(1, 9) * MINUTE, kind="ended")
        if 0.65 < after < 0.75:
            say(end + rng.randrange(1, 9) * MINUTE, kind="started")
            say(end + 12 * MINUTE, viewers=viewers)
            say(end + 14 * MINUTE, kind="ended")
    return out, end


def broken(rng, partitions, event, at, sent):
    """Return a record that must be refused, and its reason."""
    key = f"{event['platform']}:{event['broadcast']}".encode()
    partition = place(key, partitions)
    timestamp = sent // 1000
    good = {**event, "at": text(at, rng)}
    reason = rng.choice(("malformed", "invalid", "misrouted", "future"))
    value = json.dumps(good).encode()
    if reason == "malformed":
        value = rng.choice(
            (
                None,
                b"",
                value[:-1],
                b"[" + value + b"]",
                b"\xef\xbb\xbf" + value,
                value[:-1] + b', "x": NaN}',
                value[:-1] + b', "x": "\xff"}',
                value[:-1] + b', "x": "' + b"y" * 65_536 + b'"}',
                value + b"}",
                value[:-1] + b', "viewers": true, "x": tru}',
            )
        )
    elif reason == "invalid":
        wrong = rng.choice(
            (
                {"platform": "Fliggy"},
                {"platform": None},
                {"broadcast": ""},
                {"broadcast": "a\u0007b"},
                {"broadcast": "x" * 129},
                {"at": "2020-09-25 14:00:00Z"},
                {"at": "2020-09-25T14:00:00"},
                {"at": "2020-02-30T14:00:00Z"},
                {"at": "2016-12-31T23:59:60Z"},
                {"at": 1_600_000_000},
                {"kind": "stopped"},
                {"viewers": True},
                {"viewers": 1.0},
                {"viewers": "12"},
                {"viewers": -2},
                {"viewers": 10**10 + 1},
                {"viewers": 10**30},
                {"joins": -1},
                {"views": 10**12 + 1},
                {"venue": "-louvre"},
                {"programme": "x" * 65},
                {"title": 201},
                {"revision": 10**6 + 1},
            )
        )
        value = json.dumps({**good, **wrong}).encode()
    elif reason == "misrouted":
        way = rng.random()
        if way < 0.3:
            key = None
        elif way < 0.6:
            key = rng.choice((b"", b"nobody:knows", key + b" ", b"\xff"))
        else:
            partition = (partition + 1 + rng.randrange(partitions - 1)) % partitions
    else:
        # Ahead of the broker's clock and of the producer's, whichever the topic's timestamps are.
        at += 30 * 86_400_000_000
        value = json.dumps({**event, "at": text(at, rng)}).encode()
    return Record(partition, key, value, timestamp, reason, None, at)


def hard_log(seed, count, partitions, *, broken_share=0.05, prefix="b", hours=6):
    """Return about `count` records in the order in which they are sent.

    Broadcasts begin in the first `hours` of it.
    """
    rng = random.Random(seed)
    # Until yesterday: Kafka deletes what is older than the topic's retention, also in a test, and
    # nothing may be ahead of its clock.
    epoch = ((int(time.time()) // 86_400 - 1) * 86_400 + 43_200 - hours * 3_600) * 1_000_000
    events = []
    number = 0
    while len(events) < count:
        name = f"{prefix}{number}" + rng.choice(("", ":x", " é", "/1"))
        events += broadcast_events(rng, name, epoch + rng.randrange(hours * 60) * MINUTE)
        number += 1
    events.sort(key=lambda item: item[0])
    records = []
    for sent, at, event in events[:count]:
        if rng.random() < broken_share:
            records.append(broken(rng, partitions, event, at, sent))
        key = f"{event['platform']}:{event['broadcast']}".encode()
        value = json.dumps({**event, "at": text(at, rng)}, ensure_ascii=rng.random() < 0.5)
        value = value.replace("\ud800", "\\ud800").encode()
        timestamp = max(sent, at - MINUTE) // 1000
        records.append(Record(place(key, partitions), key, value, timestamp, None, event, at))
    return records
