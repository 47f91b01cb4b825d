"""What any one value may cost to read, whatever it holds: a ratio, never a time."""

import random
import re

import orjson
import pytest
from hostile import slow

from streams import strict_json
from streams.events import MAX_VALUE_BYTES

#: Times what orjson takes for a plain object of 64 KiB. Both are CPU time, the least of some
#: rounds: 0.55 ms where this was written, and 1.9 ms for the slowest value that was found.
MOST = 8

_TOKEN = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+',
    re.DOTALL,
)
_SUSPECT = re.compile(rb"[eE][+-]?[0-9]{3}|[0-9.]{200}")


def slowly(value):
    """What `strict_json.loads` gives, token by token: as it was written first."""

    def bounded(found):
        token = found[0]
        return b"1e300" if token[:1] != b'"' and _SUSPECT.search(token) else token

    value.decode()
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return orjson.loads(_TOKEN.sub(bounded, value))


def shape(document):
    """A document with one float for all that are as large, or that have long digits."""
    if isinstance(document, dict):
        return {name: shape(part) for name, part in document.items()}
    if isinstance(document, list):
        return [shape(part) for part in document]
    return "a float" if isinstance(document, float) else document


def outcome(loads, value):
    try:
        return shape(loads(value))
    except ValueError:
        return "refused"


@pytest.mark.parametrize("name", slow.DOCUMENTS)
def test_a_value_that_was_slow_is_not(name):
    value = slow.DOCUMENTS[name]
    assert len(value) <= MAX_VALUE_BYTES
    times = slow.times_plain(slow.reading(), value)
    assert times < MOST, f"{times:.1f} times a plain object"


def test_a_search_finds_none_that_is_slow():
    read = slow.reading()
    found = slow.search(read, random.Random(20200301), 4)
    times, value = max((slow.times_plain(read, value), value) for _, value in found[:4])
    assert times < MOST, f"{times:.1f} times: {value[:100]!r} … {value[-100:]!r}"


def test_numbers_that_no_float_holds_change_nothing_else():
    rng, read = random.Random(1), strict_json.loads
    seen = set()
    for _ in range(3_000):
        value = slow.made(rng)[: rng.choice((50, 200, 2_000, 65_536))]
        value = slow.varied(rng, value) if rng.random() < 0.5 else value
        found = outcome(read, value)
        assert found == outcome(slowly, value), value[:500]
        seen.add(found == "refused")
    for value in (b'{"a":"1e400","b":1e400}', b'["\\ue400",1e400]', b'["\\\\",1e400,"\\"1e400"]'):
        assert read(value) != "refused"
        assert outcome(read, value) == outcome(slowly, value)
    assert seen == {True, False}
