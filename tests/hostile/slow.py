"""Documents that are slow to read, and a search for slower ones.

`python tests/hostile/slow.py --seconds 300` searches from these on and prints the slowest found.
"""

import argparse
import contextlib
import random
import sys
import time
from pathlib import Path

import orjson

LARGEST = 65_536
GOOD = b'"platform":"fliggy","broadcast":"louvre-1","at":"2020-03-01T20:15:34Z"'


def filled(unit, before=b"[", after=b"1]", size=LARGEST):
    """A unit as often as it fits between what stands before and after it."""
    return before + unit * ((size - len(before) - len(after)) // max(1, len(unit))) + after


#: What is put together to documents: numbers that no float holds, and all that JSON has.
UNITS = (
    b"1e400,", b"1E+400,", b"0e000,", b"1e-400,", b"1.5e999,", b"-1e400,", b"1,", b"0,",
    b"1.1234567890123456789,", b"9007199254740993.0,", b'"",', b'"e400",', b'"\\"",', b'"\\\\",',
    b'"\\ue400",', b'"\\u00e9",', b'"\xc3\xa9",', b'"\xf0\x9f\x98\x80",', b"[],", b"{},",
    b"12345,", b'{"a":1},',
    b'"a":1,', b"[", b"{", b'{"a":', b'"', b"\\", b'\\"', b"e", b"e+", b"1e+", b"1.", b".", b"-",
    b" ", b"\n", b"true,", b"null,", b"nul", b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf",
    b"1" * 198 + b"e,", b"1" * 199 + b",", b"1" * 200 + b",", b"0" * 200 + b",",
    b"1" * 5_000 + b",",
    b"0." + b"1" * 190 + b",", b"." * 199 + b",", b'"platform":"fliggy",', b'"viewers":1,',
    b'"viewers":1e400,', b'"title":"x",', b'"at":"2020-03-01T20:15:34Z",',
)  # fmt: skip
BEFORE = (
    b"[",
    b"",
    b"{",
    b"{" + GOOD + b",",
    b'{"a":[',
    b'{"title":"',
    b'["',
    b"[1e400,",
    b'{"at":"',
)
AFTER = (
    b"1]", b"", b"1e400]", b'"a":1}', b'"z":1e400}', b'"}', b'",' + GOOD + b"}", b'"]',
    b"1" * 200 + b"e400]", b"]}",
)  # fmt: skip

#: Found by thought and by the search; each was slow, or is near the slowest now.
DOCUMENTS = {
    "numbers beyond floats": filled(b"1e400,"),
    "the same, cut short": filled(b"1e400,", after=b""),
    "nearly long digits": filled(b"1" * 198 + b"e,", after=b"1e400]"),
    "dots": filled(b"." * 199 + b",", after=b"1e400]"),
    "strings": filled(b'"",', after=b"1e400]"),
    "quotes": filled(b'"\\"",', after=b"1e400]"),
    "whole numbers": filled(b"1,", after=b"1e400]"),
    "an open exponent": filled(b"1e+", after=b"1e400]"),
    "exponents alone": filled(b"e", after=b"1e400]"),
    "arrays": filled(b"[],", after=b"1" * 200 + b"e400]"),
    "both": filled(b'"":0e0000,', after=b"1" * 200 + b"e400]"),
    "long digits": filled(b"1" * 200 + b",", after=b"1e400]"),
    "many names": b"{" + b",".join(b'"%x":1' % n for n in range(7_500)) + b',"z":1e400}',
    "a fraction": b"{" + GOOD[:-2] + b"." + b"1" * 65_000 + b'"}',
    "depth": b"[" * LARGEST,
    "depth of objects": b'{"a":' * 13_000,
    "a long title": b"{" + GOOD + b',"title":"' + "\u00e9".encode() * 32_000 + b'"}',
    "a long platform": b'{"platform":"' + "\U0001f600".encode() * 16_000 + b'"}',
    "a long kind": b"{" + GOOD + b',"kind":"' + b"x" * 65_000 + b'"}',
    "a long whole number": b"{" + GOOD + b',"viewers":' + b"1" * 65_000 + b"}",
    "open backslashes": b'{"b":1e400,"a":"' + b"\\\\" * 32_000,
    "quotes alone": b"[1e400," + b'"' * 65_000,
    "one field often": b"{" + b'"platform":"fliggy",' * 3_000 + GOOD + b"}",
}


def seconds(read, document, rounds=3):
    """The CPU seconds that it takes to read a document: the least of some rounds."""
    least = float("inf")
    for _ in range(rounds):
        began = time.thread_time()
        read(document)
        least = min(least, time.thread_time() - began)
    return least


PLAIN = b"{" + b",".join(b'"%x":1' % n for n in range(7_500)) + b"}"


def times_plain(read, document, rounds=9):
    """How many times as long it takes to read a document as orjson takes for a plain one.

    Both of the largest size, in CPU time, in turn, the least of some rounds each: so what else the
    machine does meanwhile concerns both.
    """
    least = plain = float("inf")
    for _ in range(rounds):
        least = min(least, seconds(read, document, 1))
        plain = min(plain, seconds(orjson.loads, PLAIN, 1))
    return least / plain


def made(rng):
    """One document of some units, of the largest size."""
    unit = b"".join(rng.choice(UNITS) for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))))
    return filled(unit, rng.choice(BEFORE), rng.choice(AFTER))


def varied(rng, document):
    """A document that is a little different."""
    at = rng.randrange(len(document) + 1)
    how = rng.randrange(4)
    if how == 0:
        document = document[:at] + rng.choice(UNITS) * rng.choice((1, 10, 1_000)) + document[at:]
    elif how == 1:
        document = document[:at] + document[at + rng.choice((1, 7, 1_000)) :]
    elif how == 2:
        end = min(len(document), at + rng.choice((2, 10, 100)))
        document = document[:at] + document[at:end] * 500 + document[end:]
    else:
        document = document.replace(rng.choice(UNITS), rng.choice(UNITS), rng.choice((1, -1)))
    return document[:LARGEST]


def search(read, rng, most_seconds, kept=24):
    """Look for the slowest documents: the slow ones are varied, the slower ones stay.

    Returns:
        The slowest with their CPU seconds, slowest first.
    """
    found = sorted(((seconds(read, d, 1), d) for d in DOCUMENTS.values()), reverse=True)[:kept]
    end = time.monotonic() + most_seconds
    while time.monotonic() < end:
        document = varied(rng, rng.choice(found)[1]) if rng.random() < 0.7 else made(rng)
        took = seconds(read, document, 1)
        if took > found[-1][0]:
            took = seconds(read, document)
            if took > found[-1][0] and all(document != other for _, other in found):
                found = sorted([*found, (took, document)], reverse=True)[:kept]
    return sorted(((seconds(read, d, 5), d) for _, d in found), reverse=True)


def reading():
    """`streams.events.read`, refusals and all."""
    from streams.events import read  # noqa: PLC0415  # run as a script, the path comes first
    from streams.rejections import Rejected  # noqa: PLC0415  # as above

    def read_or_refuse(value):
        with contextlib.suppress(Rejected):
            read(value)

    return read_or_refuse


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--keep", type=Path, metavar="FOLDER", help="write the slowest there")
    given = options.parse_args()
    found = search(reading(), random.Random(given.seed), given.seconds)[:12]
    for number, (took, document) in enumerate(found):
        if given.keep:
            (given.keep / f"{number}.json").write_bytes(document)
        times = times_plain(reading(), document)
        sys.stdout.write(
            f"{took * 1e3:7.3f} ms  {times:5.1f}  {document[:60]!r}…{document[-30:]!r}\n"
        )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
