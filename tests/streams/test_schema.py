"""The schema documents: committed as the code makes them, and of one mind with the reader."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema.validators import extend

from streams import schema
from streams.events import read
from streams.rejections import Rejected
from streams.summaries import BroadcastSummary, ScopeSummary, encode, minute_text, time_text

COMMITTED = Path(__file__).parents[2] / "docs" / "schema"


def ecma_pattern(validator: Any, pattern: str, instance: Any, _: Any) -> Any:
    """As JSON Schema means it: to Python's `$` a newline may follow, to ECMA-262's it may not."""
    if validator.is_type(instance, "string") and not re.search(
        pattern.replace("$", r"\Z"), instance
    ):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


Validator = extend(jsonschema.Draft202012Validator, {"pattern": ecma_pattern})


@pytest.mark.parametrize("name", list(schema.documents()))
def test_the_committed_documents_are_those_of_the_code(name: str) -> None:
    text = schema.documents()[name]
    assert (COMMITTED / name).read_text(encoding="utf-8") == text, "run python -m streams.schema"
    jsonschema.Draft202012Validator.check_schema(json.loads(text))


def test_no_other_documents_are_committed() -> None:
    assert {path.name for path in COMMITTED.iterdir()} == set(schema.documents())


def test_the_documents_are_written_where_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema.main(tmp_path / "new" / "schema")
    written = capsys.readouterr().out.splitlines()
    assert [Path(line).read_text(encoding="utf-8") for line in written] == list(
        schema.documents().values()
    )


def test_the_module_writes_them_from_the_command_line(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "streams.schema", tmp_path], check=True, timeout=60)
    assert {path.name for path in tmp_path.iterdir()} == set(schema.documents())


RIGHT: dict[str, Any] = {"platform": "fliggy", "broadcast": "b", "at": "2020-03-01T20:15:34Z"}
slugs = st.sampled_from(("louvre", "a" * 32, "a" * 33, "a" * 64, "a" * 65, "-a", "A", "", "a\n"))
texts = st.sampled_from(
    (
        "",
        "直播",
        "😀" * 128,
        "😀" * 129,
        "😀" * 200,
        "x" * 201,
        "a\n",
        "\x7f",
        "\x85",
        "\xa0",
        "\u2028",
    )
)
times = st.sampled_from(
    (
        "2020-03-01t20:15:34z",
        "2020-03-01T20:15:34.1234567+08:00",
        "1969-12-31T23:59:59-00:01",
        "9999-12-31T23:59:59Z",
        "2020-03-01T20:15:34",
        "2020-03-01 20:15:34Z",
        "2020-03-01T20:15:60Z",
        "2020-03-01T24:15:34Z",
        "2020-13-01T20:15:34Z",
        "2020-03-32T20:15:34Z",
        "2020-03-01T20:15:34.Z",
        "2020-03-01T20:15:34Z\n",
        "2020-03-01T20:15:34+24:00",
        "1968-03-01T20:15:34Z",
        "٢020-03-01T20:15:34Z",
    )
)
integers = st.sampled_from((-2, -1, 0, 10**6, 10**6 + 1, 10**10, 10**10 + 1, 10**12, 10**12 + 1))
others = st.sampled_from((None, True, False, "12", 1.5, [], {}, [1], "sample"))
fields: dict[str, st.SearchStrategy[Any]] = {
    "platform": slugs | others,
    "broadcast": texts | others,
    "at": times | others,
    "kind": st.sampled_from(("sample", "started", "ended", "stopped", "")) | others,
    "viewers": integers | others,
    "joins": integers | others,
    "views": integers | others,
    "venue": slugs | others,
    "programme": slugs | others,
    "title": texts | others,
    "revision": integers | others,
    "extra": others,
}


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from(sorted(fields)).flatmap(lambda name: st.tuples(st.just(name), fields[name])),
    st.sets(st.sampled_from(sorted(RIGHT)), max_size=1),
)
@example(("extra", None), set())
def test_the_schema_takes_what_the_reader_takes(
    changed: tuple[str, Any], left_out: set[str]
) -> None:
    event = {name: value for name, value in RIGHT.items() if name not in left_out}
    event |= dict([changed])
    assert Validator(schema.viewer_event()).is_valid(event) == is_read(event)


def is_read(event: Any) -> bool:
    try:
        read(json.dumps(event).encode())
    except Rejected:
        return False
    return True


@pytest.mark.parametrize("event", [None, [], "x", 1])
def test_neither_takes_what_is_no_object(event: object) -> None:
    assert not Validator(schema.viewer_event()).is_valid(event)
    assert not is_read(event)


@pytest.mark.parametrize(
    "changed",
    [
        {"viewers": 1.0},
        {"at": "2021-02-29T00:00:00Z"},
        {"at": "1969-12-31T23:59:59Z"},
        {"at": "9999-12-31T23:59:59-00:01"},
        {"title": "", "extra": "x" * 65_536},
    ],
)
def test_where_the_reader_is_stricter_than_a_schema_can_be(changed: dict[str, Any]) -> None:
    event = RIGHT | changed
    assert Validator(schema.viewer_event()).is_valid(event)
    assert not is_read(event)


counts = st.integers(0, 10**15)
known = st.none() | counts
moments = st.integers(0, 253_402_300_799_999_999).map(time_text)
minutes = st.integers(0, 253_402_300_799 // 60).map(minute_text)
names = st.text(max_size=5)
broadcasts = st.builds(
    BroadcastSummary,
    platform=names,
    broadcast=names,
    run=st.none() | minutes,
    venue=names,
    programme=st.none() | names,
    title=st.none() | names,
    status=st.sampled_from(("live", "ended", "final")),
    started_at=moments,
    ended_at=st.none() | moments,
    peak=known,
    peak_at=st.none() | minutes,
    peak_held=known,
    waiting_peak=known,
    first_minute=known,
    first_audience=known,
    first_audience_at=st.none() | minutes,
    viewer_minutes=counts,
    minutes_observed=counts,
    minutes_carried=counts,
    minutes_live=st.integers(1, 10**6),
    coverage=st.sampled_from((0, 1)) | st.floats(0, 1),
    average=st.none() | counts | st.floats(0, 1e10),
    joins=counts,
    views=known,
    events=counts,
    late=counts,
)
scopes = st.builds(
    ScopeSummary,
    scope=st.sampled_from(("world", "platform", "venue", "programme")),
    name=names,
    minute=minutes,
    viewers=known,
    peak=known,
    peak_at=st.none() | minutes,
    peak_sum=counts,
    viewer_minutes=counts,
    joins=counts,
    views=counts,
    broadcasts=counts,
    live=counts,
)


@settings(deadline=None)
@given(broadcasts)
def test_broadcast_summaries_are_as_their_schema_says(summary: BroadcastSummary) -> None:
    written = json.loads(encode(summary))
    validator = Validator(schema.broadcast_summary())
    validator.validate(written)
    assert not validator.is_valid(written | {"coverage": 1.5})
    for minute in ("run", "peak_at", "first_audience_at"):
        assert not validator.is_valid(written | {minute: "2020-03-01T20:15:34Z"})
    for name in written:
        assert not validator.is_valid({key: written[key] for key in written if key != name})


@settings(deadline=None)
@given(scopes)
def test_scope_summaries_are_as_their_schema_says(summary: ScopeSummary) -> None:
    written = json.loads(encode(summary))
    validator = Validator(schema.scope_summary())
    validator.validate(written)
    assert not validator.is_valid(written | {"scope": "star"})
    for name in written:
        assert not validator.is_valid({key: written[key] for key in written if key != name})
