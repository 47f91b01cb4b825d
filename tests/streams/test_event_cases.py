# ruff: noqa: E501 - tables of cases, one a line
"""What is read and what is refused, case by case."""

import json
from typing import Any

import pytest

from streams import events, rfc3339, strict_json
from streams.events import ViewerEvent, read
from streams.rejections import Reason, Rejected

RIGHT: dict[str, Any] = {
    "platform": "fliggy",
    "broadcast": "louvre-1",
    "at": "2020-03-01T20:15:34Z",
    "viewers": 380_000,
}
AT = 1_583_093_734_000_000


def document(**changed: Any) -> bytes:
    written = json.dumps(RIGHT | changed, ensure_ascii=False)
    # As producers do it: what is no text is escaped.
    return written.encode("utf-8", "backslashreplace")


def with_member(text: str) -> bytes:
    """The right event and one more member, as it stands."""
    return document()[:-1] + b"," + text.encode("utf-8", "surrogatepass") + b"}"


def refusal(value: bytes | None) -> Rejected:
    with pytest.raises(Rejected) as caught:
        read(value)
    return caught.value


def test_an_event_with_everything() -> None:
    value = document(
        kind="started",
        joins=7,
        views=8,
        venue="louvre",
        programme="night",
        title="卢浮宫",
        revision=2,
    )
    assert read(value) == (
        ViewerEvent(
            platform="fliggy",
            broadcast="louvre-1",
            at="2020-03-01T20:15:34Z",
            kind="started",
            viewers=380_000,
            joins=7,
            views=8,
            venue="louvre",
            programme="night",
            title="卢浮宫",
            revision=2,
        ),
        AT,
    )


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(document(), id="plain"),
        pytest.param(document(title="卢浮宫"), id="not ASCII"),
        pytest.param(with_member('"title":"\\u5362"'), id="escapes"),
        pytest.param(with_member('"extra":{"a":[1,2.5,null]}'), id="unknown fields"),
        pytest.param(document(at="2020-03-01T20:15:34.123456+00:00"), id="as Python writes times"),
    ],
)
def test_usual_events_take_the_quick_path(value: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = events._parse_strict(value)
    monkeypatch.setattr(events, "_parse_strict", None)
    assert read(value) == exact


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2020-03-01T20:15:34z", AT),
        ("2020-03-01t20:15:34Z", AT),
        ("2020-03-02T04:15:34+08:00", AT),
        ("2020-03-01T20:15:34-00:00", AT),
        ("2020-03-01T20:15:34.5Z", AT + 500_000),
        ("2020-03-01T20:15:34.1234569Z", AT + 123_456),
        ("2020-03-01T20:15:34.9999999Z", AT + 999_999),
        ("2020-03-01T20:15:34." + "0" * 50 + "1Z", AT),
        ("1969-12-31T23:59:59-00:01", 59_000_000),
        ("1970-01-01T00:00:00Z", 0),
        ("9999-12-31T23:59:59.999999999Z", 253_402_300_799_999_999),
    ],
)
def test_times(text: str, at: int) -> None:
    assert read(document(at=text))[1] == at
    assert read(document(at=text))[1] == at


def test_a_leap_second_is_refused_clearly() -> None:
    assert "leap second" in refusal(document(at="2016-12-31T23:59:60Z")).detail


def test_halves_of_times_seen_do_not_make_a_wrong_whole() -> None:
    for text in ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2020-03-01T20:15:00+08:00",
                 "2020-03-01T20:15:59-08:00"):  # fmt: skip
        read(document(at=text))
    for text in ("1970-01-01T00:00:00+08:00", "9999-12-31T23:59:59-08:00"):
        assert "1970 to 9999" in refusal(document(at=text)).detail


@pytest.mark.parametrize(
    ("value", "detail"),
    [
        (None, "the value is null, must be a JSON object"),
        (b"", "not JSON: "),
        (b"[]", "must be a JSON object, got an array"),
        (b"null", "must be a JSON object, got null"),
        (b'"\\u0007"', 'must be a JSON object, got "\\u0007"'),
        (b"\xef\xbb\xbf" + document(), "not JSON: "),
        (document() + b"\xff", "not UTF-8: invalid start byte at byte "),
        (with_member('"x":"\ud800"'), "not UTF-8: "),
        (with_member('"x":NaN'), "not JSON: "),
        (with_member('"x":01'), "not JSON: "),
        (with_member('"x":"\n"'), "not JSON: "),
        (document(platform=1)[:-1], "not JSON: "),
        (b" " * 65_537, "the value has 65537 bytes, over the 65536 allowed"),
        (document() + b" " * 65_536, "the value has "),
        (with_member('"x":' + "[" * 30_000 + "]" * 30_000), "not JSON: "),
        (b"[" * 65_536, "not JSON: "),
    ],
)
def test_malformed(value: bytes | None, detail: str) -> None:
    refused = refusal(value)
    assert refused.reason is Reason.MALFORMED
    assert refused.detail.startswith(detail)
    assert str(refused) == f"malformed: {refused.detail}"


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"platform": None}, "platform: must be 1 to 32 of a-z, 0-9 and -, not beginning with -, got null"),
        ({"platform": "Fliggy"}, 'platform: must be 1 to 32 of a-z, 0-9 and -, not beginning with -, got "Fliggy"'),
        ({"broadcast": ""}, 'broadcast: must be a string of 1 to 128 characters, got ""'),
        ({"broadcast": "a\x7f"}, 'broadcast: must hold no control characters, got "a\\u007f"'),
        ({"broadcast": 7}, "broadcast: must be a string of 1 to 128 characters, got 7"),
        ({"at": 7}, "at: must be a time of RFC 3339 with its offset, got 7"),
        ({"kind": ["sample"]}, "kind: must be sample, started or ended (or null: sample), got an array"),
        ({"viewers": True}, "viewers: must be an integer from 0 to 10000000000 (or -1 or null: unknown), got true"),
        ({"viewers": -2}, "viewers: must be an integer from 0 to 10000000000 (or -1 or null: unknown), got -2"),
        ({"viewers": 1.0}, "viewers: must be an integer from 0 to 10000000000 (or -1 or null: unknown), got 1.0"),
        ({"viewers": 10**30}, "viewers: must be an integer from 0 to 10000000000 (or -1 or null: unknown), got a number beyond all bounds"),
        ({"joins": "12"}, 'joins: must be an integer from 0 to 10000000000 (or null: not given), got "12"'),
        ({"joins": -1}, "joins: must be an integer from 0 to 10000000000 (or null: not given), got -1"),
        ({"views": {}}, "views: must be an integer from 0 to 1000000000000 (or null: not given), got an object"),
        ({"venue": ""}, 'venue: must be 1 to 64 of a-z, 0-9 and -, not beginning with -, got ""'),
        ({"revision": 1_000_001}, "revision: must be an integer from 0 to 1000000 (or null: 0), got 1000001"),
        ({"viewers": "x", "joins": "x"}, "viewers: must"),
        ({"title": 1, "platform": "-"}, "platform: must"),
    ],
)  # fmt: skip
def test_invalid(changed: dict[str, Any], detail: str) -> None:
    refused = refusal(document(**changed))
    assert refused.reason is Reason.INVALID
    assert refused.detail.startswith(detail)


@pytest.mark.parametrize("name", ["platform", "broadcast", "at"])
def test_a_required_field_is_missing(name: str) -> None:
    value = json.dumps({key: part for key, part in RIGHT.items() if key != name}).encode()
    refused = refusal(value)
    assert refused.detail.startswith(f"{name}: must be ")
    assert refused.detail.endswith(", is missing")


@pytest.mark.parametrize(
    ("changed", "field", "wanted"),
    [
        ({"viewers": None}, "viewers", None),
        ({"viewers": -1}, "viewers", None),
        ({"kind": None}, "kind", "sample"),
        ({"revision": None}, "revision", 0),
        ({"venue": None}, "venue", None),
        ({"title": "😀" * 200}, "title", "😀" * 200),
        ({"title": "a\tb"}, "title", "a\tb"),
        ({"title": "😀" * 201}, "title", "😀" * 200),
        ({"title": "lone \ud83d!", "x": "\udc00"}, "title", "lone \ufffd!"),
        ({"broadcast": "😀" * 128}, "broadcast", "😀" * 128),
        ({"broadcast": "a\xa0\u2028b"}, "broadcast", "a\xa0\u2028b"),
    ],
)
def test_accepted(changed: dict[str, Any], field: str, wanted: object) -> None:
    assert getattr(read(document(**changed))[0], field) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('"viewers":1', 1),
        ('"viewers":"x","viewers":2', 2),
        ('"viewers":null', None),
        ('"viewers":-0', 0),
        ('"\\u0076iewers":3', 3),
        ('"x":1e400,"y":"1e400","viewers":4', 4),
        ('"x":' + "9" * 5_000, 380_000),
        ('"x":' + "[" * 1_000 + "]" * 1_000, 380_000),
        ('"Viewers":"x"', 380_000),
    ],
)
def test_the_last_of_a_repeated_field_counts_and_unknown_ones_do_not(
    text: str, wanted: int | None
) -> None:
    assert read(with_member(text))[0].viewers == wanted


def test_a_repeated_field_whose_last_value_is_wrong_is_invalid() -> None:
    assert refusal(with_member('"viewers":"x"')).reason is Reason.INVALID


def test_a_value_of_just_the_largest_size_is_read() -> None:
    value = document()
    assert read(value + b" " * (65_536 - len(value)))[1] == AT


def test_nesting_has_the_same_limit_however_deep_the_caller() -> None:
    most = strict_json.MAX_DEPTH - 1
    deepest = with_member('"x":' + "[" * most + "]" * most)
    beyond = with_member('"x":' + "[" * (most + 1) + "]" * (most + 1))

    def descend(levels: int) -> None:
        assert read(deepest)[1] == AT
        assert refusal(beyond).reason is Reason.MALFORMED
        if levels:
            descend(levels - 1)

    descend(200)


def test_slugs_seen_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_KEPT_SLUGS", 5)
    for number in range(20):
        read(document(platform=f"p{number}", venue=f"v{number}"))
        read(document())
        assert len(events._platforms) + len(events._slugs) <= 9


def test_halves_of_times_seen_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rfc3339, "_KEPT", 5)
    rfc3339.MINUTES.clear()
    rfc3339.TAILS.clear()
    for number in range(10, 30):
        text = f"2020-03-{number}T20:15:{number}.5Z"
        assert read(document(at=text)) == read(document(at=text))
        assert len(rfc3339.MINUTES) <= 5
        assert len(rfc3339.TAILS) <= 5


def test_tails_with_long_fractions_are_not_kept() -> None:
    read(document(at="2020-03-01T20:15:34.1234Z"))
    read(document(at="2020-03-01T20:15:34.123456Z"))
    assert ":34.1234Z" not in rfc3339.TAILS
    assert ":34.123456Z" not in rfc3339.TAILS


@pytest.mark.parametrize(
    ("changed", "mended"),
    [
        ({}, {}),
        ({"title": "t" * 200}, {}),
        ({"title": "t" * 201}, {"title": 1}),
        ({"title": "\ud83d" * 2}, {"surrogate": 1}),
        ({"title": "\udc00" * 255}, {"surrogate": 1, "title": 1}),
        ({"broadcast": "b\ud800"}, {"surrogate": 1}),
    ],
)
def test_what_is_mended_is_counted_once(changed: dict[str, Any], mended: dict[str, int]) -> None:
    counts: dict[str, int] = {}
    read(document(**changed), counts)
    assert counts == mended


def test_what_is_refused_all_the_same_is_not_counted() -> None:
    counts: dict[str, int] = {}
    with pytest.raises(Rejected):
        read(document(title="\ud800" * 300, viewers=-5), counts)
    assert counts == {}
