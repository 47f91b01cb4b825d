"""The demo that is watched: its plan and evening, and the whole of it with real programs."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from processes import processes_in
from rich.console import Console

from agents.alerts import Timing
from agents.cli import main
from agents.demo.console import DemoConsole
from agents.demo.errors import DemoError
from agents.demo.museums import museums
from agents.demo.observe import run
from agents.demo.observe.scenario import Scenario, silent_museum
from agents.demo.observe.show import ObserveDemo
from agents.demo.observe.timeline import SCALE, Timeline
from streams.events import read
from streams.settings import Settings

START = 1_790_000_000.0
COMMAND = (sys.executable, "-c", "from agents.cli import main; main()", "demo", "--observe")


def evening_of(plan, seconds):
    """What is sent at each turn, by its seconds from the start."""
    evening = Scenario(plan, START)
    turns = {}
    elapsed = 0.0
    while elapsed <= seconds and not evening.over:
        turns[elapsed] = list(evening.due(START + elapsed))
        elapsed += plan.every
    return evening, turns


def test_the_plan_makes_the_alert_fire_and_resolve():
    for scale in (SCALE, 1 / 20, 1.0):
        plan = Timeline.scaled(scale)
        hold = plan.timing.holds["BroadcastSilent"]
        assert plan.every * 3 <= plan.timing.silence
        assert plan.quiet_after < plan.fires < plan.comes_back < plan.resolves < plan.quiet_every
        # It is there again well after it was to fire, with some time to be looked at.
        assert plan.quiet_for >= plan.timing.silence + hold.before + 6 * plan.timing.scrape
        assert plan.resolves >= plan.comes_back + hold.after


def test_what_is_of_the_evening_itself_is_not_faster():
    timing, real = Timeline.scaled(SCALE).timing, Timing()
    assert timing.coverage_age == real.coverage_age
    assert timing.holds["SimulcastLegMissing"] == real.holds["SimulcastLegMissing"]
    assert timing.silence == pytest.approx(real.silence * SCALE)
    # No more than one minute in ten is missed.
    assert Timeline.scaled(SCALE).quiet_for + Timeline.scaled(SCALE).every < 120
    assert Timeline.scaled(SCALE).quiet_every >= 600


def test_only_the_louvre_falls_silent_and_comes_back_without_an_end():
    plan = Timeline.scaled(SCALE)
    _, turns = evening_of(plan, plan.quiet_every + plan.comes_back)
    silent = [at for at, sent in turns.items() if silent_museum().key not in {s.key for s in sent}]
    assert silent == [at for at in turns if plan.quiet(at)]
    assert len(silent) >= 2 * plan.quiet_for / plan.every - 1
    others = {museum.key for museum in museums()} - {silent_museum().key}
    assert all(others <= {s.key for s in sent} for sent in turns.values())


def test_all_that_is_sent_is_right_and_the_evening_ends():
    plan = Timeline.scaled(1.0)
    evening, turns = evening_of(plan, 3 * 3600)
    assert evening.over
    kinds = {museum.key: [] for museum in museums()}
    for elapsed, sent in turns.items():
        for record in sent:
            event, at = read(record.value)
            assert at == record.sent == int((START + elapsed) * 1_000_000)
            assert record.key == f"{event.platform}:{event.broadcast}".encode()
            kinds[record.key].append((elapsed, event.kind))
    for museum in museums():
        first, *between, last = kinds[museum.key]
        assert first == (0.0, "started")
        assert {kind for _, kind in between} == {"sample"}
        assert last == (museum.made.minutes * 60.0, "ended")


async def test_it_says_how_to_get_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DemoError, match=r"not found: prometheus and alertmanager\.\nOn Debian"):
        await run(Settings(data=tmp_path), once=True)
    assert list(tmp_path.iterdir()) == []


def test_two_shows_at_once_are_a_mistake():
    result = CliRunner().invoke(main, ["demo", "--season", "--observe"])
    assert result.exit_code == 2
    assert "give one of them" in result.output


@pytest.mark.parametrize("first", ["notified", "shown"])
def test_it_is_done_when_the_end_was_both_notified_and_shown(first):
    show = ObserveDemo(
        None, Timeline.scaled(SCALE), 1, DemoConsole(Console(file=io.StringIO())), once=True
    )
    silent = silent_museum()
    labels = {"alertname": "BroadcastSilent", "severity": "warning"}
    labels |= {"platform": silent.platform, "broadcast": silent.broadcast}
    alert = {"labels": labels, "annotations": {"summary": "it is silent"}}
    other = {**alert, "labels": {**labels, "broadcast": "another"}}

    def notify(status):
        show._on_notification("/", {"alerts": [{**alert, "status": status}]})

    notify("firing")
    show._on_resolved(other)
    steps = [lambda: notify("resolved"), lambda: show._on_resolved(alert)]
    if first == "shown":
        steps.reverse()
    steps[0]()
    assert not show._done
    steps[1]()
    assert show._done


@pytest.mark.kafka
@pytest.mark.timeout(180)
@pytest.mark.alone
async def test_the_alert_fires_and_resolves(brokers, tmp_path):
    file = io.StringIO()
    screen = DemoConsole(Console(file=file, width=128, highlight=False))
    settings = Settings(data=tmp_path, http_port=0)
    code = await run(settings, once=True, brokers=brokers, screen=screen, scale=1 / 20)
    told = file.getvalue()
    assert code == 0, told
    lines = [line[10:] for line in told.splitlines() if line[2:3] == ":"]
    name = "fliggy:louvre-2020-09-25"
    order = [
        f"{name} falls silent: no more events, though it has not ended",
        f"FIRING BroadcastSilent (warning): {name} (louvre) is silent",
        f"{name} is there again",
        f"RESOLVED BroadcastSilent: {name} (louvre) is silent",
    ]
    assert [line for line in lines if line in order] == order, told
    assert lines.count("notification: BroadcastSilent is firing") == 1
    assert lines.count("notification: BroadcastSilent is resolved") == 1
    # Nothing else is told: about no other broadcast, nor about the pipeline.
    assert sum(line.startswith(("FIRING", "notification")) for line in lines) == 3, told
    assert list((tmp_path / "demo" / "observe").iterdir()) == []


@pytest.mark.kafka
def test_ctrl_c_leaves_nothing_behind(tmp_path):
    environment = {**os.environ, "AUDIENCE_DATA": str(tmp_path), "AUDIENCE_HTTP_PORT": "0"}
    with subprocess.Popen(
        COMMAND, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        for line in demo.stdout:
            if "until Ctrl-C" in line:
                break
        else:
            pytest.fail(f"it ended with {demo.wait()}")
        assert len(processes_in(tmp_path)) == 4, "broker, worker, Prometheus, Alertmanager"
        demo.send_signal(signal.SIGINT)
        began = time.monotonic()
        rest = demo.stdout.read()
        demo.wait(30)
    assert time.monotonic() - began < 25
    assert "Stopped. Nothing of it is left running." in rest
    assert processes_in(tmp_path) == []
    assert list((tmp_path / "demo" / "observe").iterdir()) == []
