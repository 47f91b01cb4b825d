"""Which broadcast an observation is about: by event time, over duplicates and reorderings."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.gateway import table
from agents.gateway.observation import Observation
from agents.gateway.rows import (
    Channel,
    Known,
    broadcast_id,
    decode_row,
    encode_row,
    fitting,
)
from agents.gateway.table import apply, tick
from streams import events, rfc3339

T0 = rfc3339.microseconds("2026-11-27T20:00:00Z")
S = rfc3339.SECOND
numbers = itertools.count()


def seen(kind, at, **more):
    more.setdefault("resume", 60)
    return Observation("e", "own", "gallery", kind, T0 + at * S, **more)


def named(kind, at, start, **more):
    return seen(kind, at, started=T0 + start * S, id=f"m{next(numbers)}", **more)


def run(observations, row=None):
    row = Channel("e", "own", "gallery") if row is None else row
    out = []
    for each in observations:
        found = apply(row, each)
        # As a restart would have it: only what is in the changelog is known.
        row = decode_row(encode_row(row))
        out.extend(found or [])
    return out


def told(observations):
    return [
        (event.kind, (rfc3339.microseconds(event.at) - T0) // S, event.broadcast[-7:])
        for event in run(observations)
    ]


def spans(found):
    """What the contract makes of events: start and end of each broadcast."""
    result = {}
    for broadcast in {event.broadcast for event in found}:
        own = [e for e in found if e.broadcast == broadcast]
        ats = {
            kind: [rfc3339.microseconds(e.at) for e in own if e.kind == kind]
            for kind in ("started", "ended", "sample")
        }
        start = min(ats["started"], default=min(itertools.chain(*ats.values())))
        end = max(ats["ended"], default=None)
        if end is not None and any(at > end for at in ats["started"]):
            end = None
        result[broadcast] = (start, end)
    return result


def test_a_channel_without_ids_from_start_to_end():
    assert told([seen("started", 0), seen("sample", 60, viewers=5), seen("ended", 120)]) == [
        ("started", 0, "200000Z"),
        ("sample", 60, "200000Z"),
        ("ended", 120, "200000Z"),
    ]


def test_an_encoder_that_comes_back_soon_goes_on_with_the_broadcast():
    found = told([seen("started", 0), seen("ended", 600), seen("started", 630), seen("ended", 900)])
    assert {broadcast for _, _, broadcast in found} == {"200000Z"}
    assert [(kind, at) for kind, at, _ in found if at] == [
        ("ended", 600),
        ("started", 630),
        ("ended", 900),
    ]


def test_one_that_comes_back_late_is_another_broadcast():
    found = told([seen("started", 0), seen("ended", 600), seen("started", 661)])
    assert found[-1] == ("started", 661, "201101Z")


def test_a_lost_end_is_told_when_the_channel_begins_anew():
    found = told([seen("started", 0), seen("sample", 300, viewers=3), seen("started", 3600)])
    assert found == [
        ("started", 0, "200000Z"),
        ("sample", 300, "200000Z"),
        ("started", 3600, "210000Z"),
        ("ended", 300, "200000Z"),
    ]
    # And if it comes after all, it counts: the later end of the right broadcast.
    found = told([seen("started", 0), seen("started", 3600), seen("ended", 1800)])
    assert found[-1] == ("ended", 1800, "200000Z")


def test_an_end_before_its_start_waits_for_it():
    assert told([seen("ended", 600), seen("started", 0)]) == [
        ("started", 0, "200000Z"),
        ("ended", 600, "200000Z"),
    ]


def test_a_start_told_late_keeps_the_id():
    found = told([seen("sample", 300, viewers=3), seen("started", 0), seen("sample", 360)])
    assert {broadcast for _, _, broadcast in found} == {"200500Z"}
    assert ("started", 0, "200500Z") in found


def test_a_stream_that_began_while_nobody_listened_has_no_start_told():
    assert told([seen("sample", 300, viewers=3)]) == [("sample", 300, "200500Z")]


def test_an_end_without_id_finds_the_named_broadcast():
    """As Twitch: online has the stream's id, offline has only the channel."""
    found = run(
        [
            seen("started", 0, broadcast="9001", started=T0, id="a"),
            seen("ended", 600, id="b"),
            seen("started", 0, broadcast="9001", started=T0, id="c"),
        ]
    )
    assert {event.broadcast for event in found} == {"9001"}
    assert [event.kind for event in found] == ["started", "ended", "started"]


def test_the_true_start_goes_before_the_first_sample():
    found = told([named("sample", 7200, 0, viewers=9)])
    assert found == [("started", 0, "200000Z"), ("sample", 7200, "200000Z")]


def test_a_true_start_that_is_told_after_a_sample_still_counts():
    row = Channel("e", "own", "gallery")
    apply(row, seen("sample", 60, broadcast="b", viewers=1))
    (start, sample) = apply(
        row, seen("sample", 120, broadcast="b", started=seen("sample", 0).at, viewers=2)
    )
    assert (start.kind, start.at) == ("started", rfc3339.text(seen("sample", 0).at))
    assert sample.viewers == 2
    assert len(row.broadcasts) == 1


def test_a_message_counts_once():
    row = Channel("e", "own", "gallery")
    once = seen("sample", 0, id="m", viewers=1)
    assert apply(row, once)
    before = encode_row(row)
    assert apply(row, once) is None
    assert encode_row(row) == before


def joined(at, viewer, **more):
    return seen("joined", at, viewer=viewer, present_for=90, **more)


def left(at, viewer):
    return seen("left", at, viewer=viewer, present_for=90)


def test_viewers_are_those_who_joined_and_have_not_left():
    found = run(
        [
            seen("started", 0, present_for=90),
            joined(1, "a"),
            joined(2, "b"),
            joined(30, "a"),
            left(40, "a"),
            joined(70, "c"),
            seen("ended", 80),
            left(81, "b"),
        ]
    )
    assert [(e.kind, e.viewers, e.joins) for e in found] == [
        ("started", None, None),
        ("sample", 1, 1),
        ("sample", 2, 2),
        ("sample", 2, None),
        ("sample", 1, None),
        ("sample", 2, 1),
        ("ended", None, None),
        ("sample", 0, None),
    ]


def test_viewers_who_are_not_seen_again_are_let_go_of():
    found = run(
        [joined(0, "a"), joined(0, "b"), joined(80, "a"), seen("sample", 91, present_for=90)]
    )
    assert found[-1].viewers == 1


def test_a_calm_minute_gets_its_sample_and_a_dead_stream_none():
    row = Channel("e", "own", "gallery")
    run_into = [seen("started", 0, present_for=90), joined(1, "a")]
    for each in run_into:
        apply(row, each)
    assert tick(row, T0 + 59 * S) is None
    (event,) = tick(row, T0 + 61 * S)
    assert (event.viewers, event.at) == (1, "2026-11-27T20:01:01Z")
    assert tick(row, T0 + 62 * S) is None
    assert tick(row, T0 + 121 * S) == []  # neither viewers nor signs of life for 90 s
    assert tick(row, T0 + 181 * S) is None


def test_too_many_viewers_are_unknown_not_a_wrong_number(monkeypatch):
    monkeypatch.setattr(table, "MOST_PRESENT", 3)
    found = run([joined(number, str(number)) for number in range(5)])
    assert [event.viewers for event in found] == [1, 2, 3, None, None]


shows = st.lists(st.tuples(st.integers(1, 50), st.integers(2, 50)), min_size=1, max_size=5)


@st.composite
def deliveries(draw):
    """The truth of some shows, and all that a source with true starts tells of them."""
    at, truth, messages = 0, {}, []
    for pause, length in draw(shows):
        start, end = at + pause * 120, at + (pause + length) * 120
        at = end
        truth[broadcast_id("gallery", T0 + start * S)] = (T0 + start * S, T0 + end * S)
        messages += [
            named("started", start, start),
            named("ended", end, start),
        ]
        for _ in range(draw(st.integers(0, 3))):
            when = draw(st.integers(start, end - 1))
            messages.append(named("sample", when, start, viewers=1))
    return truth, messages


@settings(max_examples=200, deadline=None)
@given(data=st.data(), case=deliveries())
def test_where_starts_are_told_order_and_repetition_change_nothing(data, case):
    truth, messages = case
    again = data.draw(st.lists(st.sampled_from(messages), max_size=6))
    order = data.draw(st.permutations([*messages, *again]))
    assert spans(run(order)) == truth


@settings(max_examples=200, deadline=None)
@given(case=shows, data=st.data())
def test_without_ids_an_end_that_is_late_or_early_by_one_finds_its_broadcast(case, data):
    at, truth, messages = 0, {}, []
    for pause, length in case:
        start, end = at + pause * 120, at + (pause + length) * 120
        at = end
        truth[broadcast_id("gallery", T0 + start * S)] = (T0 + start * S, T0 + end * S)
        messages += [seen("started", start), seen("ended", end)]
    swap = data.draw(st.integers(0, len(messages) - 2))
    messages[swap], messages[swap + 1] = messages[swap + 1], messages[swap]
    repeated = [each for each in messages for _ in range(data.draw(st.integers(1, 2)))]
    assert spans(run(repeated)) == truth


def encodable(text):
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(
    channel=st.text(min_size=1, max_size=512).filter(encodable),
    at=st.integers(0, rfc3339.END - 1),
)
def test_ids_are_as_the_contract_takes_them_and_tell_channels_apart(channel, at):
    row = Channel("e", "own", channel)
    (event,) = apply(row, Observation("e", "own", channel, "sample", at, viewers=1))
    value = {"platform": "own", "broadcast": event.broadcast, "at": event.at, "viewers": 1}
    read, _ = events.read(json.dumps(value).encode())
    assert read.broadcast == event.broadcast == broadcast_id(channel, at)
    assert broadcast_id(channel + "x", at) != event.broadcast


@pytest.mark.parametrize("name", ["a" * 129, "a\nb", "\x7f", "é" * 400])
def test_names_that_do_not_fit_are_cut_but_stay_different(name):
    assert len(fitting(name)) <= 128
    assert fitting(name) != fitting(name + "1")
    assert fitting(name).isprintable()


def test_what_a_row_keeps_is_bounded():
    row = Channel("e", "own", "gallery")
    for number in range(2_000):
        apply(row, seen("started", number * 600, id=f"m{number}"))
        apply(row, seen("ended", -600 - number, id=f"e{number}"))
    assert len(encode_row(row)) < 20_000
    assert len(row.broadcasts) <= table.MOST_BROADCASTS
    assert isinstance(row.broadcasts[0], Known)
