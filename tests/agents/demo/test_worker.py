"""The worker's process: what it is given, what it leaves, and that it is gone."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from agents.demo.errors import DemoError
from agents.demo.setup import settings_for
from agents.demo.worker import environment, free_port, running
from streams.settings import Settings

PYTHON = sys.executable


@pytest.fixture
def settings(tmp_path):
    return Settings(
        data=tmp_path,
        http_port=free_port("127.0.0.1", 0),
        drain=timedelta(seconds=0),
        lateness_by_platform={"ivs": timedelta(hours=2), "kick": timedelta(minutes=5)},
        brokers="a:1,b:2",
        security_password="secret",
        silence=timedelta(minutes=20),
    )


def test_the_environment_gives_the_same_settings_again(settings, monkeypatch):
    for name in [name for name in os.environ if name.upper().startswith("AUDIENCE_")]:
        monkeypatch.delenv(name)
    for name, text in environment(settings).items():
        monkeypatch.setenv(name, text)
    assert Settings() == settings


def test_so_it_does_for_the_demos_own(settings, monkeypatch):
    mine = settings_for(settings, None)
    for name, text in environment(mine).items():
        monkeypatch.setenv(name, text)
    assert Settings() == mine


async def test_it_gets_these_settings_and_no_others(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("AUDIENCE_CARRY", "9m")
    monkeypatch.setenv("audience_stale", "9m")
    code = "import os; print(*sorted(k + '=' + v for k, v in os.environ.items()), sep='\\n')"
    async with running(settings, tmp_path, (PYTHON, "-c", code)) as worker:
        assert await worker.ended() == 0
    said = (tmp_path / "worker.log").read_text().splitlines()
    ours = dict(line.split("=", 1) for line in said if line.upper().startswith("AUDIENCE_"))
    assert ours == environment(settings)
    assert ours["AUDIENCE_CARRY"] == "2m"


async def test_the_very_code_of_the_demo_is_found(settings, tmp_path):
    code = "import agents; print(agents.__file__)"
    async with running(settings, tmp_path, (PYTHON, "-c", code)) as worker:
        assert await worker.ended() == 0
    import agents  # noqa: PLC0415 - what it is compared with

    said = (tmp_path / "worker.log").read_text().strip()
    assert said == str(Path(agents.__file__).resolve())  # noqa: ASYNC240 - a moment


async def test_one_that_ends_is_told_with_its_last_words(settings, tmp_path):
    code = "print('first'); [print(n) for n in range(50)]; raise SystemExit('no broker, alas')"
    async with running(settings, tmp_path, (PYTHON, "-c", code)) as worker:
        with pytest.raises(DemoError) as caught:
            await worker.ready(20)
    assert "ended with 1" in str(caught.value)
    assert "no broker, alas" in str(caught.value)
    assert "first" not in str(caught.value)


async def test_one_that_says_nothing_is_waited_for_no_longer_than_asked(settings, tmp_path):
    async with running(settings, tmp_path, (PYTHON, "-c", "input() or 0")) as worker:
        pass
    code = "import time; time.sleep(60)"
    async with running(settings, tmp_path, (PYTHON, "-c", code)) as worker:
        with pytest.raises(DemoError, match=r"not ready after 1 s .*\n.*it is empty"):
            await worker.ready(1)


async def test_one_that_passes_over_sigterm_is_killed(settings, tmp_path):
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); "
    code += "time.sleep(60)"
    async with running(settings, tmp_path, (PYTHON, "-c", code)) as worker:
        while "deaf" not in worker.last_log_lines():  # noqa: ASYNC110 - another process says it
            await asyncio.sleep(0.02)
        await worker.stop(0.2)
        assert await worker.ended() == -9


async def test_it_is_gone_when_the_demo_is_cancelled(settings, tmp_path):
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    log = tmp_path / "worker.log"

    async def demo():
        async with running(settings, tmp_path, (PYTHON, "-c", code)) as worker:
            await worker.ended()

    task = asyncio.create_task(demo())
    while not (log.exists() and log.read_text().strip()):  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(int(log.read_text()), 0)


def test_it_is_gone_when_the_demo_is_killed(tmp_path):
    demo = f"""
import asyncio, sys
from pathlib import Path
from agents.demo.worker import running
from streams.settings import Settings

async def main():
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    folder = Path({str(tmp_path)!r})
    async with running(Settings(), folder, (sys.executable, "-c", code)) as worker:
        (folder / "guarded").touch()
        await worker.ended()

asyncio.run(main())
"""
    log = tmp_path / "worker.log"
    guarded = tmp_path / "guarded"  # on a busy machine the worker may speak before it is guarded
    with subprocess.Popen([PYTHON, "-c", demo]) as process:
        until(lambda: guarded.exists() and log.read_text().strip())
        process.kill()
    pid = int(log.read_text())
    until(lambda: not alive(pid))


def until(true):
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid):
    try:
        # One that has ended is there until its new parent has looked.
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_port_that_is_taken_gives_way_to_a_free_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = free_port("127.0.0.1", port)
        assert other not in (0, port)
    assert free_port("127.0.0.1", port) == port


async def test_its_peak_memory_is_that_of_the_greatest_moment(settings, tmp_path):
    async with running(settings, tmp_path, (PYTHON, "-c", "")) as one:
        assert await one.ended() == 0
        assert one.peak_memory() is None, "it is gone"
    code = "x = b'x' * 80_000_000; del x; import time; print('done', flush=True); time.sleep(60)"
    async with running(settings, tmp_path, (PYTHON, "-c", code)) as other:
        async with asyncio.timeout(30):
            while "done" not in other.log.read_text():  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.05)
        if sys.platform == "linux":
            assert 80_000_000 < other.peak_memory() < 200_000_000
        else:
            assert other.peak_memory() is None, "only Linux tells it"
