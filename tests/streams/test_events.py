# ruff: noqa: E501, RUF001 - tables of cases, one a line, with odd characters on purpose
"""`read` against a reader written apart from it, by the contract's words alone."""

import json
import re
import unicodedata
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams import events
from streams.events import parse_same_broadcast, read
from streams.rejections import Reason, Rejected

# --- the reference -------------------------------------------------------------------------------

FRACTIONAL = object()
"""Stands for every number with a fraction or an exponent."""
TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[tT](\d\d):(\d\d):(\d\d)(\.\d+)?([zZ]|([+-])(\d\d):(\d\d))", re.ASCII
)
FIRST = "abcdefghijklmnopqrstuvwxyz0123456789"


class WrongError(Exception):
    pass


def reference(value: bytes | None) -> tuple[Any, ...]:
    """("malformed",), ("invalid", field), or the eleven fields and the time."""
    if value is None or len(value) > 65_536:
        return ("malformed",)
    try:
        text = value.decode("utf-8", "strict")
        document = json.loads(
            text,
            object_pairs_hook=reference_object,
            parse_int=lambda digits: int(digits) if len(digits) < 100 else 10**100,
            parse_float=lambda _: FRACTIONAL,
            parse_constant=reference_constant,
        )
    except (ValueError, WrongError):
        return ("malformed",)
    if not isinstance(document, dict):
        return ("malformed",)
    out: list[Any] = []
    for name, check, required in REFERENCE_FIELDS:
        given_value = document.get(name)
        if given_value is None:
            if required:
                return ("invalid", name)
            out.append({"kind": "sample", "revision": 0}.get(name))
            continue
        try:
            out.append(check(given_value))
        except WrongError:
            return ("invalid", name)
    return (*out, reference_time(document["at"]))


def reference_constant(name: str) -> None:
    raise WrongError(name)


def reference_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {mended(name): mended(given_value) for name, given_value in pairs}


def mended(given_value: Any) -> Any:
    """The pairs of surrogates are joined by now: what is left is lone."""
    if isinstance(given_value, str):
        lone = range(0xD800, 0xE000)
        return "".join("\ufffd" if ord(part) in lone else part for part in given_value)
    if isinstance(given_value, list):
        return [mended(part) for part in given_value]
    return given_value


def reference_slug(longest: int) -> Any:
    def check(given_value: Any) -> str:
        if not isinstance(given_value, str) or not 1 <= len(given_value) <= longest:
            raise WrongError
        if given_value[0] not in FIRST or set(given_value) - set(FIRST + "-"):
            raise WrongError
        return given_value

    return check


def reference_text(least: int, most: int, *, control: bool) -> Any:
    def check(given_value: Any) -> str:
        if not isinstance(given_value, str) or not least <= len(given_value) <= most:
            raise WrongError
        if not control and any(unicodedata.category(c) == "Cc" for c in given_value):
            raise WrongError
        return given_value

    return check


def reference_title(given_value: Any) -> str:
    if not isinstance(given_value, str):
        raise WrongError
    return given_value[:200]


def reference_integer(most: int, *, unknown: bool = False) -> Any:
    def check(given_value: Any) -> int | None:
        if not isinstance(given_value, int) or isinstance(given_value, bool):
            raise WrongError
        if unknown and given_value == -1:
            return None
        if not 0 <= given_value <= most:
            raise WrongError
        return given_value

    return check


def reference_kind(given_value: Any) -> str:
    if given_value == "sample" or given_value == "started" or given_value == "ended":  # noqa: PLR1714 - it may be unhashable
        return given_value
    raise WrongError


def reference_at(given_value: Any) -> str:
    reference_time(given_value)
    return given_value


def reference_time(given_value: Any) -> int:
    found = TIME.fullmatch(given_value) if isinstance(given_value, str) else None
    if found is None:
        raise WrongError
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    try:
        local = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the offset follows
    except ValueError:
        raise WrongError from None
    total = (local - datetime(1970, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001
    total += int(Fraction("0" + (found[7] or ".0")) * 1_000_000)
    if found[9]:
        hours, minutes = int(found[10]), int(found[11])
        if hours > 23 or minutes > 59:
            raise WrongError
        total -= int(found[9] + "1") * (hours * 60 + minutes) * 60_000_000
    if not 0 <= total < 253_402_300_800_000_000:
        raise WrongError
    return total


REFERENCE_FIELDS = (
    ("platform", reference_slug(32), True),
    ("broadcast", reference_text(1, 128, control=False), True),
    ("at", reference_at, True),
    ("kind", reference_kind, False),
    ("viewers", reference_integer(10**10, unknown=True), False),
    ("joins", reference_integer(10**10), False),
    ("views", reference_integer(10**12), False),
    ("venue", reference_slug(64), False),
    ("programme", reference_slug(64), False),
    ("title", reference_title, False),
    ("revision", reference_integer(10**6), False),
)


def refusal_as_answer(refused: Rejected) -> tuple[str, ...]:
    assert refused.detail
    assert refused.detail.isprintable()
    assert len(refused.detail) < 400
    if refused.reason is Reason.MALFORMED:
        return ("malformed",)
    return (str(refused.reason), refused.detail.split(":")[0])


def answer(value: bytes | None) -> tuple[Any, ...]:
    try:
        event, at = read(value)
    except Rejected as refused:
        return refusal_as_answer(refused)
    fields = tuple(getattr(event, name) for name, _, _ in REFERENCE_FIELDS)
    assert all(type(field) in (str, int, type(None)) for field in fields)
    return (*fields, at)


# --- what is generated ---------------------------------------------------------------------------

SLUGS = (
    "fliggy",
    "a",
    "0-",
    "a" * 32,
    "a" * 33,
    "a" * 64,
    "a" * 65,
    "-a",
    "A",
    "",
    "a\n",
    "é",
    "a_b",
)
TEXTS = ("x", "", "直播 1", "x" * 128, "x" * 129, "😀" * 128, "😀" * 200, "y" * 201, "a\tb", "\x7f",
         "\x85", "a\u2028b", "\ufeff", "\xa0", "\u200b", "\ud7ff\ue000\U0010ffff", 'q"\\/', "null")  # fmt: skip
TIMES = (
    "2020-03-01T20:15:34Z", "2020-03-01t20:15:34z", "2020-03-01T20:15:34.5Z", "2020-03-01T20:15:34.Z",
    "2020-03-01T20:15:34.1234567899Z", "2020-03-01T20:15:34.123456+08:00", "2020-03-01 20:15:34Z",
    "2020-03-01T20:15:34", "2020-03-01T20:15:34+0800", "2020-03-01T20:15:34+08", "2020-03-01T20:15Z",
    "2020-03-01T20:15:34-00:00", "2020-03-01T20:15:34+24:00", "2020-03-01T20:15:34+23:59",
    "2020-03-01T20:15:34+23:60", "2020-03-01T24:00:00Z", "2020-03-01T20:60:00Z", "2020-02-30T00:00:00Z",
    "2020-02-29T00:00:00Z", "2021-02-29T00:00:00Z", "2016-12-31T23:59:60Z", "2016-12-31T23:59:61Z",
    "1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59-00:01",
    "1970-01-01T00:00:00+00:01", "9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59-00:01",
    "9999-12-31T23:59:59+00:01", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2020-3-01T20:15:34Z",
    "2020-03-01T20:15:34Z\n", " 2020-03-01T20:15:34Z", "2020-03-01T20:15:34.123456.5Z", "٢020-03-01T20:15:34Z",
    "2020-03-01T20:15:34.12345٢Z", "2020-03-01T20:15:34.+1234Z", "2020-03-01T20:15:34,5Z",
    "2020-03-01T20:15:34.123456", "2020-03-01T20:15:34−08:00", "+020-03-01T20:15:34Z", "",
    "2020-03-01T20:15: 4Z", "2020-W09-7T20:15:34Z", "20200301T201534Z",
)  # fmt: skip
NUMBERS = (
    "0", "-0", "1", "-1", "-2", "10000000000", "10000000001", "1000000000000", "1000000000001", "1000000",
    "1000001", "1.5", "1.0", "-1.0", "1e3", "1E3", "0e0", "1e400", "-1e400", "1e-400", "0.0e999",
    "18446744073709551616", "9" * 400, "-" + "9" * 5000, "01", "-01", "1.", ".5", "+1", "--1", "-", "1e",
    "1e+", "0x1", "1_0", "01e400", "1.e400", "00e400", "1e400.5", "1e-" + "9" * 310, "0." + "1" * 400,
    "0." + "1" * 400 + ".1", "1" * 310 + ".", "1" * 310 + "e", "9" * 250 + "e99", "٣", "1 2",
)  # fmt: skip
TOKENS = (
    *NUMBERS, "true", "false", "null", "True", "nul", "nulll", "NaN", "Infinity", "-Infinity", "undefined",
    "[]", "[1,]", "[,]", "[1 2]", "{}", "{,}", '{"a":1,}', '{"a" 1}', "{1:2}", "{'a':1}", "[[[{}]]]",
    '{"a":{"b":[null,1e400,"1e400"]}}', "[", "]", "{", "}", '"', '"a', "'a'", '"\\x"', '"\\u12g4"', '"\\u123"',
    '"\\ud800"', '"\\udc00"', '"\\ud83d\\ude00"', '"\\ud83d\\ud83d"', '"\\udc00\\ud800"', '"\\ud83dx"',
    '"\\ud83d\\n1234"', '"\\u0000"', '"\\u0041"', '"\x00"', '"\n"', '"\t"', '"\x1f"', '"\x7f"', '"\\/\\b\\f\\n\\r\\t"',
    '"1e400"', '"\\"1e400"', '["\\ud800"]', '{"\\ud800":1}', "/**/1", "\x0c1", "\xa01", "\ufeff1", "",
    '"sample"', '"started"', '"ended"', '"12"', '"1"',
)  # fmt: skip

slugs = st.sampled_from(SLUGS) | st.from_regex(r"[a-z0-9][a-z0-9-]{0,31}", fullmatch=True)
texts = st.sampled_from(TEXTS) | st.text(max_size=12)
times = (
    st.sampled_from(TIMES)
    | st.builds(
        "{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}{}{}".format,
        st.sampled_from((1969, 1970, 1999, 2020, 2100, 9999)) | st.integers(1960, 9999),
        st.integers(0, 13),
        st.integers(0, 32),
        st.sampled_from("TTTt "),
        st.integers(0, 24),
        st.integers(0, 60),
        st.integers(0, 61),
        st.just("") | st.from_regex(r"\.[0-9]{1,9}", fullmatch=True),
        st.sampled_from(("Z", "z", "", "+00:00", "-00:00", "+08:00", "-23:59", "+24:00", "+1:00")),
    )
    | st.text("0123456789-+:.TZtz ", max_size=30)
)
fields: dict[str, st.SearchStrategy[str]] = {
    "platform": slugs,
    "broadcast": texts,
    "at": times,
    "kind": st.sampled_from(("sample", "started", "ended", "stopped", "")),
    "venue": slugs,
    "programme": slugs,
    "title": texts,
}
tokens = st.sampled_from(TOKENS) | st.integers().map(str) | st.floats(allow_nan=False).map(repr)
right = {
    "platform": st.sampled_from(("fliggy", "kuaishou", "a" * 32)),
    "broadcast": st.sampled_from(("louvre-1", "直播 1", "x" * 128, "a\u2028b")),
    "at": st.sampled_from(TIMES[:3] + TIMES[4:6])
    | st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)).map(  # noqa: DTZ001
        lambda at: at.isoformat() + "+08:00"
    ),
    "kind": st.sampled_from(("sample", "started", "ended")),
    "venue": st.sampled_from(("louvre", "a" * 64)),
    "programme": st.just("night-at-the-louvre"),
    "title": st.sampled_from(("", "卢浮宫之夜", 'q"\\/\x00', "😀" * 200)),
}
right_numbers = {
    "viewers": (-1, 10**10),
    "joins": (0, 10**10),
    "views": (0, 10**12),
    "revision": (0, 10**6),
}
names = st.sampled_from([*fields, *right_numbers, "extra", "Platform", "vi\\u0065wers", "\\u0061t"])


@st.composite
def right_fields(draw: Any) -> dict[str, str]:
    """By name, each value as JSON text: an event as it should be."""
    members = {}
    for name, strategy in right.items():
        if name in ("platform", "broadcast", "at") or draw(st.booleans()):
            members[name] = json.dumps(draw(strategy), ensure_ascii=draw(st.booleans()))
    for name, (least, most) in right_numbers.items():
        if draw(st.booleans()):
            members[name] = str(draw(st.integers(least, most)))
    return members


@st.composite
def documents(draw: Any) -> bytes:
    """Events with a few things done to them, right ones among them."""
    members = list(draw(right_fields()).items())
    for _ in range(draw(st.integers(0, 2))):
        name = draw(names)
        if name in fields and draw(st.booleans()):
            token = json.dumps(draw(fields[name]), ensure_ascii=draw(st.booleans()))
        else:
            token = draw(tokens)
        if draw(st.booleans()):
            members = [member for member in members if member[0] != name]
        members.insert(draw(st.integers(0, len(members))), (name, token))
    if draw(st.booleans()):
        members = draw(st.permutations(members))
    space = draw(st.sampled_from(("", "", " ", "\r\n\t")))
    text = ("," + space).join(f'"{name}"{space}:{space}{token}' for name, token in members)
    value = f"{space}{{{text}}}{space}".encode()
    return draw(st.sampled_from((b"", b"", b"", b"", b"\xef\xbb\xbf", b"[", b"{}"))) + value


@st.composite
def damaged(draw: Any) -> bytes:
    """Documents of which single bytes are changed, left out or put in."""
    value = bytearray(draw(documents()))
    wild = st.sampled_from(
        b'"\\{}[]:,0123456789eE+-.tTzZnul \n\x00\x1f\x7f\x80\xc0\xc2\xed\xa0\xf0\xff'
    )
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(value)))
        value[place : place + draw(st.integers(0, 2))] = draw(st.lists(wild, max_size=2).map(bytes))
    return bytes(value)


# --- properties ----------------------------------------------------------------------------------


def document(at: str) -> bytes:
    event = {"platform": "fliggy", "broadcast": "louvre-1", "at": at}
    return json.dumps(event, ensure_ascii=False).encode()


@settings(max_examples=1000, deadline=None)
@given(documents())
def test_documents_are_read_as_the_reference_reads_them(value: bytes) -> None:
    assert answer(value) == reference(value)


@settings(max_examples=1000, deadline=None)
@given(damaged())
def test_damaged_documents_are_read_as_the_reference_reads_them(value: bytes) -> None:
    assert answer(value) == reference(value)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=40) | st.text(max_size=20).map(str.encode))
def test_anything_is_read_as_the_reference_reads_it(value: bytes) -> None:
    assert answer(value) == reference(value)


@settings(max_examples=500, deadline=None)
@given(times)
@example("2020-03-01T20:15:34Z")
def test_times_are_read_alike_the_first_time_and_again(text: str) -> None:
    value = document(at=text)
    assert answer(value) == answer(value) == reference(value)


@settings(max_examples=300, deadline=None)
@given(right_fields())
def test_a_right_event_is_read_and_both_paths_agree(members: dict[str, str]) -> None:
    value = ("{" + ",".join(f'"{name}":{token}' for name, token in members.items()) + "}").encode()
    event, at = read(value)
    assert (event, at) == events._parse_strict(value)


def of_one_broadcast(first: dict[str, str], others: list[dict[str, str]]) -> list[bytes]:
    """Values of one broadcast: the others with its names in the place of their own."""
    names = {name: first[name] for name in LABELS if name in first}
    rest = [{n: t for n, t in other.items() if n not in LABELS} | names for other in others]
    return [
        ("{" + ",".join(f'"{name}":{token}' for name, token in members.items()) + "}").encode()
        for members in (first, *rest)
    ]


LABELS = ("platform", "broadcast", "venue", "programme")


@settings(max_examples=300, deadline=None)
@given(right_fields(), st.lists(right_fields(), max_size=4))
def test_events_of_one_broadcast_are_read_at_once(
    first: dict[str, str], others: list[dict[str, str]]
) -> None:
    values = of_one_broadcast(first, others)
    one_by_one = [read(value) for value in values]
    found = parse_same_broadcast(values)
    if not all(event.broadcast.isprintable() for event, _ in one_by_one):
        assert found is None
        return
    assert found is not None
    assert list(zip(*found, strict=True)) == one_by_one


@settings(max_examples=1000, deadline=None)
@given(st.lists(documents() | damaged() | st.none(), min_size=1, max_size=4), st.booleans())
@example([b"\xe4", b"\xbd\xa0"], False)
@example([document("2020-03-01T20:15:34Z"), b"{}"], False)
@example([document("2020-03-01T20:15:34Z") + b" " * 65_500], False)
@example([document("2020-03-01T20:15:34Z") + b" " * 40_000] * 2, False)
def test_what_is_read_at_once_is_what_is_read_one_by_one(
    values: list[bytes | None], twice: bool
) -> None:
    values = values * 2 if twice else values
    found = parse_same_broadcast(values)
    if found is not None:
        assert list(zip(*found, strict=True)) == [read(value) for value in values]
        assert len({tuple(getattr(e, name) for name in LABELS) for e in found[0]}) == 1


@pytest.mark.parametrize("text", [text for text in TIMES if len(reference(document(at=text))) == 2])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(Rejected, match=r"^invalid: at: must be a time of RFC 3339"):
        read(document(at=text))
