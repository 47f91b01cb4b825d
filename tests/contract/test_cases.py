"""Every case of `cases/`: the twin gives exactly the figures that stand in `expected.json`."""

import json
from pathlib import Path

import pytest
from contract.reading import record
from contract.twin import Twin

from streams import rfc3339

FOLDER = Path(__file__).parent / "cases"
CASES = json.loads((FOLDER / "expected.json").read_text())
HOUR = 3_600_000


def records(case):
    """The case's log as records, by the README of the cases."""
    for number, line in enumerate((FOLDER / case["file"]).read_bytes().splitlines(), 1):
        fields = json.loads(line)
        try:
            at = rfc3339.microseconds(fields["at"]) // 1000
        except ValueError:
            at = rfc3339.microseconds("2026-11-20T12:00:05Z") // 1000  # it is refused for its `at`
        read_at = at
        for delay in case.get("delays", ()):
            name = f"{fields['platform']}:{fields['broadcast']}"
            if delay.get("line") == number or delay.get("broadcast") == name:
                read_at += delay["seconds"] * 1000
        stamped = case.get("kafka_timestamp")
        assert stamped is None or isinstance(stamped, int)
        yield record(
            line, read_at if stamped is None else stamped, read_at, log_append=stamped is None
        )


def check(case, twin):
    published = twin.last_published()
    assert set(published) == set(case["broadcasts"])
    for key, figures in case["broadcasts"].items():
        assert {name: published[key][name] for name in figures} == figures, key
        assert published[key]["status"] == "final"
    for name, figures in case.get("scopes", {}).items():
        told = twin.scope(name)
        assert {figure: told[figure] for figure in figures} == figures, name
    assert twin.refused == case["refused"]


@pytest.mark.parametrize("aging", [True, False], ids=["as it came", "read at once"])
@pytest.mark.parametrize("name", CASES)
def test_a_case(name, aging):
    """`aging`: the clock goes on beside the records, so what is silent in between is final."""
    case = CASES[name]
    twin = Twin(case.get("settings"))
    refusals = []
    for one in records(case):
        if aging:
            twin.advance(one.read_at)
        refusals.append(twin.feed(one))
    for scope, viewers in case.get("viewers_while_live", {}).items():
        assert twin.scope(scope)["viewers"] == viewers, scope
    twin.advance(twin.now + HOUR)
    check(case, twin)
    twin.advance(twin.now + 24 * HOUR)  # rows go, and say all once more
    check(case, twin)
    if name == "offset-without-colon":
        assert refusals[0].detail.startswith("at: ")


def test_minus_one_is_no_timestamp_either():
    case = CASES["kafka-timestamp-zero"] | {"kafka_timestamp": -1}
    twin = Twin()
    for one in records(case):
        twin.feed(one)
    twin.advance(twin.now + HOUR)
    check(case, twin)


def test_every_log_is_of_a_case():
    assert {case["file"] for case in CASES.values()} == {
        path.name for path in FOLDER.glob("*.jsonl")
    }
