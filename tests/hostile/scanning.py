# ruff: noqa: E501 - tables of what is put together
"""Events and keys for the compiled codecs, nearly right by seed: they must say what the others say.

`python tests/hostile/scanning.py 10000000` tries as many. `python tests/hostile/asan.py` runs the
same with the scanner built for AddressSanitizer.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import NamedTuple

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1])]

from streams.codecs import placement  # noqa: E402 - run as a program too
from streams.codecs.scanner import EventScanner  # noqa: E402 - run as a program too
from streams.events import read  # noqa: E402 - run as a program too
from streams.murmur2 import murmur2  # noqa: E402 - run as a program too
from streams.rejections import Rejected  # noqa: E402 - run as a program too
from streams.routing import partition_for  # noqa: E402 - run as a program too

#: Values by field: the first of each is the usual one.
FIELDS = {
    "platform": ["fliggy", "a", "0-", "a" * 32, "a" * 33, "-a", "A", "", "é"],
    "broadcast": ["louvre-1", "a:b", "直播 1", "x" * 128, "x" * 129, "😀" * 128, "q\"'", "\\", 'é"',
                  "\x7f", "\x85", "a\u2028b", "", 7],
    "at": ["2020-03-01T20:15:34.25Z", "2020-03-01T20:15:34Z", "2020-03-01t20:15:34.123456789z",
           "2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z", "2100-02-29T10:00:00Z",
           "2000-02-29T10:00:00-23:59", "2020-06-30T23:59:60Z", "2020-01-01T00:00:00.5+08:00",
           "2020-01-01T00:00:00+24:00", "2020-01-01 00:00:00Z", "2021-11-31T10:00:00Z",
           "1969-12-31T23:59:59-01:00", "1970-01-01T00:00:00Z", "1971-01-01T00:00:00+23:59",
           "9998-12-31T23:59:59.999999-23:59", "9999-12-31T23:59:59Z", "2020-03-01T20:15:34"],
    "kind": ["sample", "started", "ended", None, "stopped"],
    "viewers": [0, 5, 300, 380_000, 10**10, 10**10 + 1, -1, -2, None, 1.0, True, "1", 10**13, 10**20],
    "joins": [0, 4, 10**10, 10**10 + 1, -1, None],
    "views": [0, 10**12, 10**12 + 1, None, -1, 1e3],
    "venue": ["louvre", "v" * 64, "v" * 65, "-a", "", None, "LOUVRE"],
    "programme": ["night-1", "ü", None],
    "title": ["Live", "卢浮宫之夜", 'q"\\/\b\f\n\r\t', "x" * 200, "x" * 201, "😀" * 200, "😀" * 201,
              "é" * 200, "\x7f", "", None, 5, "\u0000"],
    "revision": [0, 1, 10**6, 10**6 + 1, None],
    "other": [1, -0.5, 1e99, "x\ty", True, None, [], {}, [1, [2, {"a": "é"}]], {"at": {"b": []}},
              "\ud800"],
}  # fmt: skip
REQUIRED = ("platform", "broadcast", "at")
#: What is put in, in the place of what stands there.
PIECES = (
    b"", b'"', b"}", b"{", b" ", b"0", b"-", b",", b"e", b"\\", b"[", b"]", b":", b"\n", b"1e400",
    b"1.5", b'\\"', b"\\u", b"\\ud83d\\ude00", b"\\ud800", b"\\u00e9", b"\xc3\xa9", b"\xf0\x9f\x98\x80",
    b"\xed\xa0\x80", b"\xc0\x80", b"\xff", b"\x00", b"null", b"true", b"false", b'"at":', b'"x":',
    b'"x":[', b'"viewers":1,', b'"x":{"y":"\xe4\xbd\xa0"},', b"[" * 70, b"[" * 40 + b"]" * 40, b"9" * 20,
    b"+08:00", b"\x7f",
)  # fmt: skip


class Told(NamedTuple):
    """A record, as far as it is looked at."""

    value: bytes
    timestamp: int


def bases(rng, count):
    """Keys and values to begin with; about half of them right."""
    found = []
    for _ in range(count):
        event = {}
        for name, values in FIELDS.items():
            if name in REQUIRED or rng.random() < 0.5:
                event[name] = values[0] if rng.random() < 0.94 else rng.choice(values)
        members = list(event.items())
        rng.shuffle(members)
        separators = rng.choice([(",", ":"), (", ", ": "), (" ,\n", "\t: ")])
        text = json.dumps(dict(members), ensure_ascii=rng.random() < 0.3, separators=separators)
        key = f"{event['platform']}:{event['broadcast']}".encode()
        found.append((key, text.encode("utf-8", "backslashreplace")))
    return found


def mutated(rng, found, key, value):
    """A key and a value with up to three things done to them."""
    draw, pick = rng.random, rng.choice
    for _ in range(int(draw() * 4)):
        at = int(draw() * (len(value) + 1))
        what = draw()
        if what < 0.7:
            value = value[:at] + pick(PIECES) + value[at + int(draw() * 3) :]
        elif what < 0.8:
            value = value[:at] + bytes([int(draw() * 256)]) + value[at + 1 :]
        elif what < 0.85:
            value = value[:at]
        elif what < 0.95:
            end = at + int(draw() * 40)
            value = value[:end] + value[at:]
        else:
            key = pick(found)[0]
    return key, value


def said(event, at):
    """Everything about an event, its types too."""
    fields = [getattr(event, name) for name in event.__struct_fields__]
    assert all(type(field) in (str, int, type(None)) for field in fields), fields
    return event, at, type(at)


def check(scanner, key, value):
    """Whether the scanner takes it; raises AssertionError if it says other than `read`."""
    found = scanner.event(key, value)
    if found is None:
        return False
    try:
        wanted = read(value)
    except Rejected as refused:
        raise AssertionError(f"taken though {refused}: {value!r}") from None
    assert said(*found) == said(*wanted), (key, value, found, wanted)
    assert f"{wanted[0].platform}:{wanted[0].broadcast}".encode() == key, (key, value)
    return True


def check_many(scanner, key, values, clock=1_600_000_000_000):
    """The same with several values at once."""
    records = [Told(value, clock + 7 * place) for place, value in enumerate(values)]
    found = scanner.events(key, records, clock)
    if found is None:
        return False
    timed, lead = found
    wanted = []
    for value, timestamp in records:
        event, at = read(value)
        assert f"{event.platform}:{event.broadcast}".encode() == key, (key, value)
        wanted.append((event, at, timestamp))
    assert timed == wanted
    assert lead == max(at - min(timestamp, clock) * 1000 for _, at, timestamp in wanted)
    return True


def check_placement(key, partitions):
    """Whether a key, whatever it holds, lies where `partition_for` says and nowhere else."""
    assert placement.murmur2(key) == murmur2(key)
    right = partition_for(key, partitions)
    for partition in {right, 0}:
        wanted = set() if partition == right else {key}
        assert placement.misplaced([key], partition, partitions, 1_024) == wanted


def fuzz(seed, count):
    """Try so many values; return how many were taken."""
    rng = random.Random(seed)
    scanner = EventScanner()
    found = bases(rng, 3_000)
    taken = 0
    for number in range(count):
        base = rng.choice(found)
        key, value = mutated(rng, found, *base)
        taken += check(scanner, key, value)
        if not number % 16:
            check_many(scanner, base[0], [base[1], value, base[1]])
            check_placement(value[: number % 97], 1 + number % 7)
    return taken


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    taken, tried = 0, 0
    while tried < given.count:
        part = min(250_000, given.count - tried)
        taken += fuzz(f"{given.seed}/{tried}", part)
        tried += part
        print(f"{tried} tried, {taken} taken, all as `read` says", flush=True)


if __name__ == "__main__":
    main()
