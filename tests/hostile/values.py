"""Values, keys, headers and timestamps by seed: good, nearly good, and nothing like it."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka.partitioner import murmur2

from hostile import slow

LARGEST = 65_536
PLATFORMS = ("fliggy", "kuaishou", "twitch")
BROADCASTS = 300


@dataclass(slots=True)
class Sent:
    """A record to send.

    Attributes:
        timestamp: In milliseconds; None for the producer's own.
        headers: Names are text or, where they are to be no UTF-8, bytes.
    """

    partition: int
    key: bytes | None
    value: bytes | None
    timestamp: int | None
    headers: list


def place(key, partitions):
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def time_text(at):
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def event(rng, now):
    """An event as it should be; now and then one that comes late, ends or corrects."""
    platform, number = rng.choice(PLATFORMS), rng.randrange(BROADCASTS)
    back = rng.choice((0, 0, 0, 30, 60, 300, 1_200, 90_000))
    told = {
        "platform": platform,
        "broadcast": f"b-{number}",
        "at": time_text(now - back - rng.randrange(60)),
        "viewers": rng.choice((0, 1, rng.randrange(400_000), 10**10)),
    }
    for name, make in {
        "kind": lambda: rng.choice(("sample", "started", "ended")),
        "venue": lambda: f"venue-{rng.randrange(30)}",
        "programme": lambda: f"programme-{rng.randrange(30)}",
        "title": lambda: rng.choice(("卢浮宫之夜", "q\"'\\\n", "x" * 200, "\U0001f600" * 200)),
        "joins": lambda: rng.choice((0, 5, 10**10)),
        "views": lambda: rng.choice((0, 10**6, 10**12)),
        "revision": lambda: rng.choice((0, 1, 10**6)),
    }.items():
        if rng.random() < 0.15:
            told[name] = make()
    return told


ODD = (
    None, True, False, 0, -1, -2, 1, 1.0, 1.5, 10**10, 10**10 + 1, 2**63, 2**64, -(2**63),
    10**400, "", "1", "a" * 33, "-a", "A", "é", "\x00", "\x7f", "\x85", "\u2028", "\ufeff",
    "x" * 129, "x" * 201, [], {}, [[]], {"a": 1}, "sample", "fliggy", "fliggy:b",
    "2020-02-30T00:00:00Z", "2020-03-01T20:15:60Z", "2020-03-01T20:15:34." + "1" * 3_000 + "Z",
    "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "2020-03-01T20:15:34", "\ud800",
)  # fmt: skip
FIELDS = (
    "platform", "broadcast", "at", "kind", "viewers", "joins", "views", "venue", "programme",
    "title", "revision", "extra", "Platform", "",
)  # fmt: skip
PIECES = (
    *slow.UNITS, b"}", b"]", b",", b":", b"NaN", b"Infinity", b"\\ud800", b"\\u0000", b"\\x",
    b"/**/", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\x7f", b"\xc2\x85", b"\xe2\x80\xa8",
)  # fmt: skip


def mutated(rng, value):
    """Good bytes with some of them changed, cut, doubled or put elsewhere."""
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.randrange(len(value) + 1)
        how = rng.randrange(6)
        if how == 0:
            value = value[:at] + bytes([rng.randrange(256)]) + value[at + 1 :]
        elif how == 1:
            value = value[:at]
        elif how == 2:
            value = value[:at] + rng.choice(PIECES) + value[at:]
        elif how == 3:
            value = value[:at] + value[at + rng.randrange(1, 9) :]
        elif how == 4:
            value = value[:at] + value[at // 2 : at] + value[at:]
        else:
            other = rng.randrange(len(value) + 1)
            value = value[other:] + value[at:other]
    return value


def text_of(rng, told):
    """JSON of an event, in one of the ways to write it."""
    written = json.dumps(told, ensure_ascii=rng.random() < 0.5)
    return written.encode(errors="surrogatepass")


def edged(rng, told):
    """An event of nearly 64 KiB, just that, or a byte more."""
    size = LARGEST + rng.choice((-1, 0, 0, 1, 2, 5_000))
    extra = {**told, "extra": ""}
    room = size - len(json.dumps(extra).encode())
    extra["extra"] = "x" * max(0, room)
    value = json.dumps(extra).encode()
    return value[:size] if rng.random() < 0.2 else value


def large(rng):
    """Something large and odd."""
    size = rng.choice((1_000, 10_000, LARGEST, LARGEST, 200_000))
    ways = (
        lambda: rng.randbytes(size),
        lambda: rng.choice(list(slow.DOCUMENTS.values())),
        lambda: rng.choice((b"[", b'{"a":', b"[{")) * (size // 2),
        lambda: b"{" + b",".join(b'"%d":%d' % (n, n) for n in range(size // 14)) + b"}",
        lambda: slow.varied(rng, slow.made(rng)),
        lambda: b"1" * size,
    )
    return rng.choice(ways)()


def value_of(rng, told, share):
    """A value: mostly small; `share` of them are large."""
    if rng.random() < share:
        return large(rng) if rng.random() < 0.7 else edged(rng, told)
    ways = (
        (0.40, lambda: text_of(rng, told)),
        (0.20, lambda: text_of(rng, changed(rng, told))),
        (0.05, lambda: text_of(rng, {name: v for name, v in told.items() if rng.random() < 0.8})),
        (0.05, lambda: repeated(rng, told)),
        (0.25, lambda: mutated(rng, text_of(rng, told))),
        (0.02, lambda: b"\xef\xbb\xbf" + text_of(rng, told)),
        (0.03, lambda: rng.choice((None, b"", b"null", b"[]", b"{}", b'""', b"\0", b"\xff" * 40))),
    )
    [make] = rng.choices([way for _, way in ways], [share for share, _ in ways])
    return make()


def changed(rng, told):
    """An event with other values in some of its fields."""
    told = dict(told)
    for _ in range(rng.choice((1, 1, 2, 4))):
        told[rng.choice(FIELDS)] = rng.choice(ODD)
    return told


def repeated(rng, told):
    """JSON that names its fields twice."""
    other = text_of(rng, event(rng, 1_600_000_000))
    return b"{" + other[1:-1] + b"," + text_of(rng, told)[1:]


def key_of(rng, told):
    """Mostly the key that the event should have."""
    right = f"{told['platform']}:{told['broadcast']}".encode(errors="replace")
    way = rng.random()
    if way < 0.85:
        return right
    other = (
        None, b"", b"\x00", b"\x00position", b"\xff\xfe", right + b"\x00", right[:-1],
        right.upper(), b":", b"world", rng.randbytes(8), b"k" * 1_024, b"k" * 1_025,
        b"k" * rng.randrange(2_000), right + b"k" * rng.choice((600, 5_000, 100_000)),
        "é:\U0001f600".encode(),
    )  # fmt: skip
    return rng.choice(other)


def headers_of(rng, *, names):
    """Mostly none; many, long, without value; `names`: also such as are no UTF-8."""
    if rng.random() < 0.9:
        return []
    ways = (
        lambda: [("n", None)],
        lambda: [(f"h{n}", b"v") for n in range(rng.choice((2, 50, 500)))],
        lambda: [("n" * rng.choice((1, 300, 5_000)), b"v" * rng.choice((0, 1, 20_000)))],
        lambda: [("reason", b"late"), ("source", b"else/0/0"), ("detail", b"\xff")],
        lambda: [("", b""), ("é\U0001f600\x00", rng.randbytes(30))],
        lambda: [(b"\xff\xfe", b"v"), ("n", b"v")] if names else [("trace", b"00-" + b"0" * 52)],
    )
    return rng.choice(ways)()


def timestamp_of(rng, now):
    """Mostly the producer's own."""
    if rng.random() < 0.95:
        return None
    now = int(now * 1_000)
    return rng.choice((1, 1_000, now - 86_400_000, now - 600_000, now + 60_000, now + 3_000_000))


def record(rng, partitions, now=None, *, share=0.02, names=True):
    """One record by seed."""
    now = time.time() if now is None else now
    told = event(rng, now)
    key = key_of(rng, told)
    partition = place(key or b"", partitions)
    if rng.random() < 0.02:
        partition = rng.randrange(partitions)
    value = value_of(rng, told, share)
    return Sent(partition, key, value, timestamp_of(rng, now), headers_of(rng, names=names))
