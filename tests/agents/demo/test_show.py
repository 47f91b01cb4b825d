"""The demo itself, on a real Apache Kafka and with a real worker."""

import asyncio
import io
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from processes import processes_in
from rich.console import Console

from agents.demo import run
from agents.demo.console import DemoConsole
from agents.demo.errors import DemoError
from streams.settings import Settings

pytestmark = pytest.mark.kafka

COMMAND = (sys.executable, "-c", "from agents.cli import main; main()", "demo")


def screen():
    file = io.StringIO()
    return DemoConsole(Console(file=file, width=128, highlight=False)), file


def settings(tmp_path):
    return Settings(data=tmp_path, http_port=0)


def prefix_of(text):
    return re.search(r"demo-[0-9a-f]{6}\.", text)[0]


async def topics_of(admin, prefix):
    return [name for name in await admin.list_topics() if name.startswith(prefix)]


async def test_every_published_figure_comes_out_of_the_pipeline(brokers, admin, tmp_path):
    shown, file = screen()
    assert await run(settings(tmp_path), once=True, brokers=brokers, screen=shown) == 0
    text = file.getvalue()
    assert "All 6 published figures came out." in text
    rows = [line.split() for line in text.splitlines()]
    # Of the real trace, as tests/agents/demo/test_trace.py works them out.
    trace = next(row for row in rows if row[:1] == ["sgdq-2018"])
    expected = "12,116 172,343 2018-06-28 105,617 17,166,207 - 99.7%"
    assert trace[1:] == expected.split(" ")
    assert re.search(r"10,337 records sent = 10,331 in the figures \+ 6 refused ✓", text)
    assert await topics_of(admin, prefix_of(text)) == [], "they were deleted at its end"


async def test_topics_stay_if_they_are_to_be_kept_also_after_a_failure(brokers, admin, tmp_path):
    shown, file = screen()
    with pytest.raises(DemoError, match="was not ready after 0 s"):
        await run(settings(tmp_path), brokers=brokers, keep=True, patience=0.2, screen=shown)
    prefix = prefix_of(file.getvalue())
    names = await topics_of(admin, prefix)
    assert len(names) == 9
    assert f"Left as they are: the topics {prefix}*" in file.getvalue()
    await admin.delete_topics(names)


async def test_no_worker_is_left_after_a_failure(brokers, tmp_path):
    shown, _ = screen()
    with pytest.raises(DemoError, match="was not ready"):
        await run(settings(tmp_path), brokers=brokers, patience=0.2, screen=shown)
    assert processes_in(tmp_path) == []


def test_ctrl_c_leaves_no_process_behind(tmp_path):
    """With a broker of its own, as a command, until it says that it stays up; then Ctrl-C."""
    environment = {**os.environ, "AUDIENCE_DATA": str(tmp_path), "AUDIENCE_HTTP_PORT": "0"}
    with subprocess.Popen(
        COMMAND, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        for line in demo.stdout:
            if "stays up until Ctrl-C" in line:
                break
        else:
            pytest.fail(f"it ended with {demo.wait()}")
        assert len(processes_in(tmp_path)) == 2, "a broker and a worker"
        demo.send_signal(signal.SIGINT)
        began = time.monotonic()
        rest = demo.stdout.read()
        assert demo.wait(30) == 0
    assert time.monotonic() - began < 20
    assert "Stopped. Nothing of it is left running." in rest
    assert processes_in(tmp_path) == []


async def test_ctrl_c_while_it_starts_leaves_no_process_behind(tmp_path):
    environment = {**os.environ, "AUDIENCE_DATA": str(tmp_path), "AUDIENCE_HTTP_PORT": "0"}
    demo = await asyncio.create_subprocess_exec(
        *COMMAND, env=environment, stdout=subprocess.PIPE, start_new_session=True
    )
    async for line in demo.stdout:
        if b"starting an Apache Kafka" in line:
            break
    while not processes_in(tmp_path):  # noqa: ASYNC110 - other processes have no event
        await asyncio.sleep(0.02)
    demo.send_signal(signal.SIGTERM)
    rest = await demo.stdout.read()
    assert await demo.wait() == 1
    assert b"Stopped." in rest
    assert processes_in(tmp_path) == []
