"""The gateway's show: what it needs, and all of it with real programs."""

import io
import sys

import pytest
from click.testing import CliRunner
from processes import processes_in
from rich.console import Console

from agents.cli import main
from agents.demo.console import DemoConsole
from agents.demo.gateway import run, sender, streaming
from agents.gateway.topics import GatewayTopics
from streams.settings import Settings


def test_it_says_how_to_get_what_is_missing(monkeypatch, tmp_path):
    found, missing = streaming.find()
    assert found is not None, "tests/run installs nginx, and the lock has imageio-ffmpeg"
    assert missing == []
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(streaming, "_SBIN", str(tmp_path))
    found, missing = streaming.find()
    assert found is None
    assert "apt install nginx libnginx-mod-rtmp" in missing[0]
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert [each.split(" ")[0] for each in streaming.find()[1]] == ["nginx", "ffmpeg"]


def test_two_shows_at_once_are_a_mistake():
    result = CliRunner().invoke(main, ["demo", "--observe", "--gateway"])
    assert result.exit_code == 2
    assert "--observe and --gateway are shows of their own" in result.output


def test_the_truth_of_the_signed_show_is_what_it_sends():
    deliveries, truth = sender.show(1_790_000_012.0)
    bodies = [each.body for each in deliveries]
    assert len({each.id for each in deliveries}) == len(deliveries) == truth.events
    assert [body["kind"] for body in bodies][:2] == ["started", "sample"]
    assert bodies[-1]["kind"] == "ended"
    counts = [body["viewers"] for body in bodies if "viewers" in body]
    minutes = [body["at"][:16] for body in bodies if "viewers" in body]
    assert len(set(minutes)) == len(counts) == sender.MINUTES
    assert (truth.peak, truth.viewer_minutes) == (max(counts), sum(counts))


@pytest.mark.kafka
@pytest.mark.timeout(240)
async def test_webhooks_and_a_real_stream_become_figures(brokers, admin, tmp_path):
    file = io.StringIO()
    screen = DemoConsole(Console(file=file, width=128, highlight=False))
    settings = Settings(data=tmp_path, http_port=0)
    code = await run(settings, once=True, brokers=brokers, screen=screen)
    told = file.getvalue()
    assert code == 0, told
    assert "38 webhooks, 6 of them repeated, are 32 events; the forged one was refused." in told
    assert "(louvre): ended, peak 2,406, 61,030 viewer-minutes in 30 min, 0 joins ✓" in told
    assert "viewer 3 comes; the API says 3" in told
    assert "a viewer leaves; the API says 2" in told
    assert "3 joins ✓" in told
    # Nothing is left: no program, no secret, no topic.
    assert processes_in(tmp_path) == []
    assert list((tmp_path / "demo" / "gateway").iterdir()) == []
    prefix = told.partition("making the topics ")[2].partition("*")[0]
    own = {topic.name for topic in GatewayTopics.of(Settings(topic_prefix=prefix)).own}
    assert prefix.startswith("demo-")
    assert not own & set(await admin.list_topics())
