"""What `live-audience top` prints of what the API answered."""

import io
import json

import pytest
from rich.console import Console

from agents.cli.screen import Screen, Snapshot

NOW = 1_790_000_000.0  # 2026-09-21T14:13:20Z


def broadcast(**fields):
    return {
        "platform": "fliggy",
        "broadcast": "b1",
        "run": None,
        "venue": "louvre",
        "programme": None,
        "title": "Night",
        "status": "live",
        "started_at": "2026-09-21T13:00:00Z",
        "ended_at": None,
        "peak": 380_000,
        "peak_at": "2026-09-21T14:10:00Z",
        "peak_held": 379_000,
        "waiting_peak": None,
        "first_minute": 41_000,
        "first_audience": 41_000,
        "first_audience_at": "2026-09-21T13:00:00Z",
        "viewer_minutes": 1,
        "minutes_observed": 70,
        "minutes_carried": 0,
        "minutes_live": 74,
        "coverage": 0.946,
        "average": 1,
        "joins": 0,
        "views": None,
        "events": 70,
        "late": 0,
        "viewers": 371_234,
        "peak_5m": 380_000,
        "peak_1h": 380_000,
        "fresh": True,
        "newest_at": "2026-09-21T14:13:00Z",
        "partition": 0,
        "a-field-of-a-newer-version": [1],
        **fields,
    }


def scope(kind, name, **fields):
    return {
        "scope": kind,
        "name": name,
        "minute": "2026-09-21T14:13:00Z",
        "viewers": 371_234,
        "peak": 400_000,
        "peak_at": "2026-09-21T12:13:00Z",
        "peak_sum": 1,
        "viewer_minutes": 1,
        "joins": 0,
        "views": 0,
        "broadcasts": 1,
        "live": 1,
        "partition": 0,
        **fields,
    }


def shown(*broadcasts, missing=(), world=True, trouble="", height=40):
    seen = {"answered": [0], "missing": [{"partition": 1, "why": each} for each in missing]}
    snapshot = Snapshot.decode(
        json.dumps(scope("world", "") if world else None).encode(),
        json.dumps({"scopes": [scope("platform", "fliggy")], "partitions": seen}).encode(),
        json.dumps({"broadcasts": broadcasts, "partitions": seen, "next": None}).encode(),
        NOW - 30,
    )
    console = Console(file=io.StringIO(), width=140, height=height)
    console.print(Screen(snapshot, "http://w1:9630", NOW, trouble), height=height)
    return console.file.getvalue()


def test_the_world_platforms_and_broadcasts_are_there():
    lines = shown(broadcast()).splitlines()
    assert lines[0].startswith("Watching now  371,234   live 1   peak 400,000 2h ago")
    assert any(line.split() == ["fliggy", "371,234", "1", "400,000"] for line in lines)
    row = next(line for line in lines if "fliggy:b1" in line)
    for text in ("Night", "louvre", "371,234", "380,000", "3m", "41,000", "95%"):
        assert text in row
    assert "silent" not in row
    assert "not held" not in row


def test_what_is_uncertain_is_marked():
    silent = broadcast(fresh=False, newest_at="2026-09-21T13:13:20Z")
    assert "silent 1h" in shown(silent)
    assert "peak not held" in shown(broadcast(peak_held=100_000))
    assert "peak not held" in shown(broadcast(peak_held=None))
    assert "peak not held" not in shown(broadcast(peak_held=None, minutes_observed=2))
    assert "peak not held" not in shown(broadcast(peak=20, peak_held=None))


def test_what_did_not_answer_is_told():
    assert "Too low: 2 partitions did not answer (scopes 1: it is away)" in shown(
        broadcast(), missing=["it is away"]
    )
    text = shown(broadcast(), trouble="http://w1:9630: refused")
    assert "These are the figures of 30s ago: http://w1:9630: refused" in text


def test_before_the_first_event_nothing_is_known():
    lines = shown(world=False).splitlines()
    assert lines[0].strip() == "Watching now  -"


def test_other_peoples_text_does_not_steer_the_terminal():
    text = shown(broadcast(title="\x1b[2J[bold]x[/]\u202e", broadcast="b[red]1"))
    assert "\x1b" not in text
    assert "[bold]x[/]" in text
    assert "b[red]1" in text


@pytest.mark.parametrize("height", [12, 24])
def test_no_more_is_printed_than_there_is_room_for(height):
    many = [broadcast(broadcast=f"b{number}") for number in range(100)]
    assert len(shown(*many, height=height).splitlines()) <= height
