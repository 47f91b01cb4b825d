"""Programs that are forked do what they do when they are started."""

import os
import signal
import sys
from pathlib import Path

import pytest
from processes import Process

PROGRAM = """
import os, random, signal, sys, threading
import agents.worker
print(sys.argv[1:], __name__, os.environ["GIVEN"], "HOME" in os.environ, os.getcwd())
print(os.getpid() == int(os.readlink("/proc/self")), threading.active_count())
print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
print(signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL)
print("random", random.random(), flush=True)
print("error", file=sys.stderr)
if sys.argv[1] == "wait":
    signal.pause()
sys.exit(7)
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIVEN", "of the tests")
    return str(path)


async def test_it_says_and_returns_the_same(program):
    said = []
    for forked in (False, True, True):
        process = Process(
            sys.executable, program, "a", "b", env={"GIVEN": "its own"}, forked=forked
        )
        await process.start()
        assert await process.ended() == 7
        assert not process.running
        said.append(process.lines)
    drawn = {line for lines in said for line in lines if line.startswith("random")}
    assert len(drawn) == 3
    plain, *forks = [[line for line in lines if line not in drawn] for lines in said]
    assert plain[0] == f"['a', 'b'] __main__ its own {'HOME' in os.environ} {Path.cwd()}"
    assert forks == [plain, plain]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_signal_ends_it(program, number):
    process = await Process(sys.executable, program, "wait", forked=True).start()
    await process.says("error")
    process.signal(number)
    assert await process.ended() == -number


async def test_a_module(program):
    process = Process(sys.executable, "-m", "program", "a", forked=True)
    await process.start()
    assert await process.ended() == 7
    assert "['a'] __main__ of the tests" in process.lines[0]
