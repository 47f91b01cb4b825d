# ruff: noqa: E501 - tables of cases, one a line, with odd characters on purpose
"""The compiled scanner of plain events: what it takes is what `read` gives, and it is not shy."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import codecs, compiled
from streams.events import MAX_VALUE_BYTES, read

if not compiled.status().compiled:
    pytest.skip(f"it is only compiled ({compiled.status().text})", allow_module_level=True)

from hostile import asan, scanning

from streams.codecs.scanner import EventScanner

KEY = b"fliggy:louvre-1"
RIGHT = {"platform": "fliggy", "broadcast": "louvre-1", "at": "2020-03-01T20:15:34Z"}
TEXT = json.dumps(RIGHT)
CLOCK = 1_600_000_000_000


def event(**fields):
    return json.dumps(RIGHT | fields, ensure_ascii=False).encode()


def member(text):
    """The right event and one more member, as it stands."""
    return TEXT[:-1].encode() + b"," + text.encode("utf-8", "surrogatepass") + b"}"


@pytest.fixture
def scanner():
    return EventScanner()


@pytest.mark.parametrize(
    "value",
    [
        event(),
        event(kind="started", viewers=380_000, joins=7, views=8, venue="louvre", programme="night",
              title="Live", revision=2),
        event(kind="ended", viewers=10**10, joins=10**10, views=10**12, revision=10**6),
        event(viewers=0, joins=0, views=0, revision=0),
        event(viewers=-1),
        event(kind=None, viewers=None, joins=None, views=None, venue=None, programme=None, title=None,
              revision=None),
        event(title="卢浮宫之夜"),
        event(title="😀" * 200),
        event(title="\x7f"),
        event(title=""),
        member('"title":"\\u5362\\u6d6e \\ud83d\\ude00 \\"\\\\\\/\\b\\f\\n\\r\\t\\u0000"'),
        member('"title":"卢\\u6d6e😀é\\n"'),
        json.dumps(RIGHT | {"title": "😀" * 200}).encode(),
        json.dumps(RIGHT | {"viewers": 7}, indent="\t").encode() + b"\r\n ",
        *(event(at=at) for at in (
            "2020-03-01T20:15:34.5Z", "2020-03-01t20:15:34.123456789z", "2024-02-29T00:00:00+08:00",
            "2000-02-29T10:00:00-23:59", "1971-01-01T00:00:00Z", "9998-12-31T23:59:59.999999-23:59",
            "1971-01-01T00:00:00+23:59", "2020-12-31T23:59:59-00:00", "2020-04-30T00:00:00.000000Z",
        )),
        *(event(other=other) for other in (
            1, -0.5, 0, 1e99, "x\ty", "卢", True, False, None, [], {}, [1, [2, {"a": "é"}]],
            {"at": {"b": [], "c": {}}, "viewers": "x"}, '\\"\u0001',
        )),
        member('"other":' + "9" * 5_000),
        member('"other":-0.0e-0'),
        member('"other":' + "[" * 60 + "]" * 60),
        member('"other":1,"other":2'),
        member('"":0'),
        member('"\x7fé":0'),
    ],
)  # fmt: skip
def test_what_is_plain_is_taken(scanner, value):
    assert scanning.check(scanner, KEY, value)
    assert scanning.check_many(scanner, KEY, [value] * 3)


@pytest.mark.parametrize(
    "value",
    [
        *(value for field, wrong in {
            "viewers": ("-2", "-0", "-10", "1.0", "1e3", "true", '"1"', "10000000001", "01", "-", "1" * 30),
            "joins": ("-1", "10000000001", "1.5", "[]"),
            "views": ("-1", "1000000000001", "1" * 19, "9223372036854775808"),
            "revision": ("-1", "1000001", '"1"'),
            "kind": ('"stopped"', '"sampl"', '"started', '""', "1", '"\\u0073ample"'),
            "venue": ('"-a"', '"A"', '""', '"a_b"', f'"{"v" * 65}"', '"é"', '"a\\u0062"', "1"),
            "programme": ('"-a"', f'"{"v" * 65}"', '"\\ud800"'),
            "title": (f'"{"x" * 201}"', f'"{"😀" * 201}"', '"\\ud800"', '"\\udc00\\ud800"', '"\t"', "1",
                      '"\\x"', '"\\u12g4"', f'"\\n{"x" * 200}"', '"\\u123"', '"'),
            "other": ("01", "1.", ".5", "+1", "nul", "[1,]", "{,}", '{"a" 1}', "[", "]", '"\\x"', '"\x1f"',
                      '"\\ud800"', "1e", "--1", "[" * 61 + "]" * 61, '{"a":1', "", "NaN", "{1:2}", '"\ud800"'),
            "viewer\\u0073": ("1",),
        }.items() for value in (member(f'"{field}":{token}') for token in wrong)),
        *(member(f'"{name}":1,"{name}":1') for name in ("viewers", "joins", "views", "revision")),
        member('"at":"2020-03-01T20:15:34Z"'),
        *(event(at=at) for at in (
            "1970-12-31T23:59:59Z", "9999-01-01T00:00:00Z", "2021-02-29T00:00:00Z", "2100-02-29T10:00:00Z",
            "2020-06-30T23:59:60Z", "2020-01-01T24:00:00Z", "2020-01-01T00:60:00Z", "2020-13-01T00:00:00Z",
            "2020-00-01T00:00:00Z", "2020-01-00T00:00:00Z", "2020-01-32T00:00:00Z", "2020-11-31T00:00:00Z",
            "2020-01-01 00:00:00Z", "2020-01-01T00:00:00", "2020-01-01T00:00:00.Z", "2020-01-01T00:00:00+24:00",
            "2020-01-01T00:00:00+00:60", "2020-01-01T00:00:00+0000", "2020-01-01T00:00:00ZZ", "2O20-01-01T00:00:00Z",
            "٢020-03-01T20:15:34Z", "", "2020-01-01T00:00:00.123456", "-020-01-01T00:00:00Z",
        )),
        *(json.dumps({n: v for n, v in RIGHT.items() if n != name}).encode() for name in RIGHT),
        *(json.dumps(RIGHT | {name: None}).encode() for name in RIGHT),
        *(json.dumps(RIGHT | {name: 1}).encode() for name in RIGHT),
        event(platform="other"),
        event(broadcast="louvre-2"),
        event(broadcast="louvre-"),
        b"", b"{", b"}", b"{}", b"[]", b"null", b" ", b'{"', b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.encode() + b"x", TEXT.encode() + b"}", TEXT[:-1].encode() + b",}", TEXT.encode()[1:],
        member('"title":"') [:-1] + b'\xff"}', member('"o":"')[:-1] + b'\xc0\x80"}',
        member('"o":"')[:-1] + b'\xf4\x90\x80\x80"}', member('"\xff'),
        event() + b" " * MAX_VALUE_BYTES,
        None,
        "text",
    ],
)  # fmt: skip
def test_what_is_in_doubt_is_left(scanner, value):
    assert scanner.event(KEY, value) is None


@pytest.mark.parametrize(
    ("key", "broadcast", "is_taken"),
    [
        (b"fliggy:a:b", "a:b", True),
        ("fliggy:直播 1".encode(), "直播 1", True),
        (b"fliggy:" + b"x" * 128, "x" * 128, True),
        (b"fliggy:" + "😀".encode() * 128, "😀" * 128, True),
        (b"fliggy:" + b"x" * 129, "x" * 129, False),
        (b"fliggy:" + "😀".encode() * 129, "😀" * 129, False),
        (b'fliggy:a"b', 'a"b', False),
        ('fliggy:é"'.encode(), 'é"', False),
        (b"fliggy:a\\b", "a\\b", False),
        (b"fliggy:a\x7f", "a\x7f", False),
        ("fliggy:a\x85".encode(), "a\x85", False),
        (b"fliggy:", "", False),
        (b"louvre-1", "louvre-1", False),
        (None, "louvre-1", False),
        (b"", "louvre-1", False),
        (b"fliggy:\xff", "\xff", False),
        ("fliggy:louvre-1", "louvre-1", False),
    ],
)  # fmt: skip
def test_the_key_must_be_plain_too(scanner, key, broadcast, is_taken):
    for value in (
        event(broadcast=broadcast),
        event(broadcast="@").replace(b"@", broadcast.encode()),
    ):
        taken = scanner.event(key, value) is not None
        many = scanner.events(key, [scanning.Told(value, CLOCK)], CLOCK) is not None
        assert taken == many == (is_taken and json.loads(value)["broadcast"] == broadcast)


@pytest.mark.parametrize(
    "key", [b"-a:louvre-1", b"A:louvre-1", b"a" * 33 + b":louvre-1", b":louvre-1"]
)
def test_a_platform_that_cannot_be_right(scanner, key):
    value = event(platform=key.decode().partition(":")[0])
    assert scanner.event(key, value) is None
    assert scanner.events(key, [scanning.Told(value, CLOCK)], CLOCK) is None


def test_one_that_is_odd_costs_the_others_nothing(scanner):
    odd = event(viewers=1).replace(b"louvre-1", b"l\\u006fuvre-1")
    assert scanner.event(KEY, odd) is None
    assert scanning.check_many(scanner, KEY, [event(viewers=5), odd, event(venue="louvre")])
    other = event(viewers=1).replace(b"louvre-1", b"l\\u006fuvre-2")
    for wrong in (other, b"{}", None, event(title="x" * 201)):
        records = [scanning.Told(value, CLOCK) for value in (event(), wrong)]
        assert scanner.events(KEY, records, CLOCK) is None


@pytest.mark.parametrize("timestamp", [None, 0, -1, 10**15, 2**63 - 1, 2**70, -(2**63), 1.5, True])
def test_an_odd_timestamp_is_left(scanner, timestamp):
    assert scanner.events(KEY, [scanning.Told(event(), timestamp)], CLOCK) is None


def test_how_far_ahead_the_furthest_is(scanner):
    at = 1_583_093_734_000_000
    for timestamp, clock in ((at // 1000 - 5, CLOCK), (CLOCK, at // 1000 - 7), (CLOCK, CLOCK)):
        records = [scanning.Told(event(), CLOCK), scanning.Told(event(), timestamp)]
        timed, lead = scanner.events(KEY, records, clock)
        assert lead == at - min(timestamp, clock) * 1000
        assert [each[2] for each in timed] == [CLOCK, timestamp]


def test_texts_are_kept_apart_however_many_there_are(scanner):
    values = [event(venue=f"venue-{n}", programme=f"p-{n % 977}") for n in range(5_000)]
    for value in values + values:
        assert scanning.check(scanner, KEY, value)


def test_thousands_of_mutated_events():
    seed = random.randrange(2**32)
    taken = scanning.fuzz(seed, 20_000)
    assert taken > 2_000, seed


leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
anything = st.recursive(
    leaves | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(anything, st.booleans(), st.sampled_from((None, 1)))
def test_any_json_may_stand_in_a_field_that_nobody_knows(other, is_ascii, indent):
    value = json.dumps(RIGHT | {"other": other}, ensure_ascii=is_ascii, indent=indent).encode()
    assert scanning.check(EventScanner(), KEY, value)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=60), st.integers(0, len(TEXT)), st.integers(0, 4))
def test_any_bytes_anywhere(piece, place, gone):
    value = TEXT.encode()
    value = value[:place] + piece + value[place + gone :]
    scanning.check(EventScanner(), KEY, value)


def test_under_address_sanitizer(tmp_path):
    try:
        library = asan.build(tmp_path, "-O0")
    except asan.MissingError as error:
        pytest.skip(str(error))
    assert asan.run(tmp_path, library, 20_000, str(random.randrange(2**32))) == 0


def test_it_is_used_where_it_is_compiled():
    assert type(codecs.new_scanner()) is EventScanner
    assert read(event())[0] == codecs.new_scanner().event(KEY, event())[0]
