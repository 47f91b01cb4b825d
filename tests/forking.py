"""Python programs as forks of one process that has imported what a worker needs.

Importing it takes 1.4 s of CPU, and the tests start some two hundred workers. What such a program
does after its imports is what it does when it is started by itself: its environment, folder,
arguments and output are its own. `main` is that one process; `fork` asks for a program.
"""

import asyncio
import atexit
import contextlib
import functools
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path

#: Imported before any program is asked for. Nothing of it looks at the environment as it is loaded.
_PREPARED = ("agents.app", "agents.worker")


async def fork(arguments, env):
    """Start `python ARGUMENTS...`, which may be `-m MODULE ...` or `PATH ...`.

    Returns what behaves as asyncio's own process does, as far as `Process` asks.
    """
    out, program_out = os.pipe()
    ended, program_ended = os.pipe()
    request = json.dumps({"arguments": arguments, "env": env, "folder": str(Path.cwd())})
    socket.send_fds(_prepared(), [request.encode()], [program_out, program_ended])
    os.close(program_out)
    os.close(program_ended)
    return await Forked().connect(out, ended)


class Forked:
    """A program that was forked: `pid`, `returncode`, `stdout`, and ways to end it."""

    def __init__(self):
        self.pid = None
        self.returncode = None
        self.stdout = None
        self._ended = None

    async def connect(self, out, ended):
        self.stdout = await _reader(out)
        told = await _reader(ended)
        self.pid = int(await told.readline())
        self._ended = asyncio.create_task(self._wait(told))
        return self

    async def _wait(self, told):
        code = await told.readline()
        await told.read()  # its end, at which the pipe is closed
        self.returncode = int(code)

    async def wait(self):
        await asyncio.shield(self._ended)
        return self.returncode

    def send_signal(self, number):
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


async def _reader(descriptor):
    reader = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    return reader


@functools.cache
def _prepared():
    """The socket of the process that forks; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, __file__, str(theirs.fileno())]
    # (What is measured is not forked.)
    env = {name: v for name, v in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
    env["PYTHONPATH"] = str(Path(__file__).parents[1])
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=env)
    theirs.close()

    def end():
        ours.close()
        process.wait(10)

    atexit.register(end)
    return ours


def main():
    """Fork a program for each message, until there is nobody any more who could send one.

    Returns what to do in the fork, so that a program ends as others do: by the interpreter's end.
    """
    control = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the tests end this
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # who waits for a program is its parent below
    for module in _PREPARED:
        __import__(module)
    gc.collect()
    gc.freeze()
    while True:
        message, descriptors, *_ = socket.recv_fds(control, 2**20, 2)
        if not message:
            return None
        if os.fork() == 0:
            control.close()
            return _parent(json.loads(message), *descriptors)
        for each in descriptors:
            os.close(each)


def _parent(request, out, ended):
    """Fork once more: the program itself, and what tells of its end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        os.close(ended)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return functools.partial(_program, request, out)
    os.close(out)
    os.write(ended, b"%d\n" % pid)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):  # nobody asks any more
        os.write(ended, b"%d\n" % code)
    os._exit(0)


def _program(request, out):
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(out)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["folder"])
    first, *rest = request["arguments"]
    if first == "-m":
        sys.path[0], sys.argv = request["folder"], rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[0], sys.argv = str(Path(first).parent), [first, *rest]
        runpy.run_path(first, run_name="__main__")


if __name__ == "__main__":
    run = main()
    if run is not None:
        run()
