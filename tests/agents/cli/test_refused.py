"""What `live-audience rejected` makes of a record, whoever has written it."""

from types import SimpleNamespace

import pytest

from agents.cli.refused import Choice, Count, Refused


def record(key=b"fliggy:1", value=b"{}", timestamp=1_000, **headers):
    return SimpleNamespace(
        key=key,
        value=value,
        timestamp=timestamp,
        headers=[(name.replace("_", "-"), text) for name, text in headers.items()],
    )


@pytest.mark.parametrize(
    ("key", "value", "platform"),
    [
        (b"fliggy:1", b'{"platform": "kuaishou"}', "kuaishou"),
        (b"fliggy:1", b'{"platform": "Not One"}', "fliggy"),
        (b"fliggy:1", b'{"platform": 7}', "fliggy"),
        (b"fliggy:1", b"[1]", "fliggy"),
        (b"fliggy:1", b"\xff{", "fliggy"),
        (b"fliggy:1", None, "fliggy"),
        (b"Fliggy:1", b"{", ""),
        (b"\xff\xfe", b"{", ""),
        (None, b"{", ""),
        (None, b'{"platform": "twitch"}', "twitch"),
    ],
)
def test_the_platform_is_the_one_that_it_names_else_that_of_its_key(key, value, platform):
    assert Refused.of(record(key, value)).platform == platform


def test_headers_of_strangers_are_read_too():
    found = Refused.of(record(reason=b"\xff", detail=None, records=b"many", source=b"a/0/1"))
    assert (found.reason, found.detail, found.records, found.source) == ("\ufffd", "", 1, "a/0/1")
    assert Refused.of(record()).reason == ""
    assert Refused.of(record(records=b"12")).records == 12


def test_what_is_chosen():
    of = Refused.of(record(timestamp=5, reason=b"late"))
    assert of.at == 5_000
    assert Choice(since=5_000, until=5_001).takes(of)
    assert not Choice(since=5_001).takes(of)
    assert not Choice(since=0, until=5_000).takes(of), "its end is no part of it"
    assert Choice(0, reasons=("late", "error"), platforms=("fliggy",)).takes(of)
    assert not Choice(0, reasons=("error",)).takes(of)
    assert not Choice(0, platforms=("twitch",)).takes(of)


def test_counts_are_of_records_from_the_first_to_the_last():
    count = Count()
    for timestamp, records in ((7, b"1"), (3, b"40"), (9, b"1"), (5, b"1")):
        count.add(
            Refused.of(record(timestamp=timestamp, records=records, detail=b"%d" % timestamp))
        )
    assert (count.records, count.first, count.last, count.detail) == (43, 3_000, 9_000, "5")
