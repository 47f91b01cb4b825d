import pytest

from agents.cli.correct import _text
from agents.cli.times import Time
from streams import rfc3339

FIVE_PAST = rfc3339.microseconds("2026-11-22T19:05:00Z")
OF = ("correct", "fliggy", "louvre-1")
MINUTE = ("--minute", "2026-11-22T19:05Z")


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T19:05Z",
        "2026-11-22t19:05z",
        "2026-11-22 19:05Z",
        "2026-11-22T19:05:00Z",
        "2026-11-22 19:05:00Z",
        "2026-11-22T20:05+01:00",
        "2026-11-22T20:05:00+01:00",
    ],
)
def test_times(text):
    assert Time().convert(text, None, None) == FIVE_PAST


def test_seconds_count_where_they_are_given():
    assert Time().convert("2026-11-22T19:05:00.5Z", None, None) == FIVE_PAST + 500_000


@pytest.mark.parametrize(
    "text", ["2026-11-22T19:05", "2026-11-22T19:05:00", "19:05Z", "2026-13-22T19:05Z", "now", ""]
)
def test_what_is_no_time_is_told_with_one_that_is(call, text):
    result = call(*OF, "--minute", text, "--viewers", "1")
    assert result.exit_code == 2
    assert "write it with its offset, e.g. 2026-11-22T19:05Z" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "either --minute or --started"),
        ((*MINUTE, "--started", "2026-11-22T19:05Z"), "either --minute or --started"),
        (MINUTE, "needs one of --viewers, --joins and --views"),
        (("--started", "2026-11-22T19:05Z", "--joins", "1"), "go with --minute"),
        ((*MINUTE, "--viewers", "-2"), "--viewers"),
        ((*MINUTE, "--viewers", "many"), "--viewers"),
        ((*MINUTE, "--joins", "-1"), "--joins"),
        ((*MINUTE, "--views", "1000000000001"), "--views"),
    ],
)
def test_misuse(call, arguments, said):
    result = call(*OF, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize(
    ("platform", "broadcast", "said"),
    [("Fliggy", "1", "platform"), ("fliggy", "", "broadcast"), ("fliggy", "a\x1b", "broadcast")],
)
def test_what_can_be_the_name_of_no_broadcast_is_misuse(call, platform, broadcast, said):
    result = call("correct", platform, broadcast, *MINUTE, "--viewers", "1")
    assert result.exit_code == 2
    assert f"invalid: {said}: must " in result.stderr


def test_no_broker_is_one_line(call):
    result = call(*OF, *MINUTE, "--viewers", "1", "--set", "AUDIENCE_BROKERS=127.0.0.1:1")
    assert result.exit_code == 1
    assert "AUDIENCE_BROKERS=127.0.0.1:1" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0, "0"), (5200, "5,200"), (0.98765, "0.9877"), (12.34, "12.3"), ("a", "a")],
)
def test_values_are_easy_to_read(value, text):
    assert _text(value) == text
