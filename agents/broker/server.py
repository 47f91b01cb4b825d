"""The embedded broker as a process: started, asked, stopped, killed and started again."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import time
import uuid
from typing import TYPE_CHECKING, Final

from agents.broker import aot, folder, jars, runtime
from agents.broker.block import Block
from agents.broker.errors import BrokerDiedError, EmbeddedBrokerError
from agents.broker.guard import Guard
from agents.broker.properties import STORAGE, Listener, Member, properties
from agents.broker.ready import HOST, answers, check_port, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from agents.broker.jars import Progress

_LAST_LINES: Final = 30
_STOP: Final = 15.0  # seconds for an orderly stop, which usually takes one
_RECORD: Final = 240.0  # the same, where Java then writes an AOT cache: usually some ten
# Options that a developer has set for other programs: agents, heaps, ports for a debugger.
_NOT_OURS: Final = ("CLASSPATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS")


class Broker(Block):
    """One Apache Kafka in KRaft mode on 127.0.0.1, whose data outlives it.

    `with Broker(folder) as broker:` and `async with Broker(folder) as broker:` start it and stop
    it. The plain methods block; from a coroutine call them by `asyncio.to_thread`. When the
    process that started it ends, however it ends, the broker ends too.

    Args:
        data: folder of its data, its settings and its log `broker.log`; made if missing.
        port: where clients connect; 0 takes a free one, which it keeps for `restart`.
        heap: the most that its Java heap may grow to, as Java writes it.
        overrides: Kafka's own settings by name, which win over ours (`properties.py`).
        listeners: other ways to connect, as with TLS; each gets a free port (`address`).
        member: the cluster that it is a node of (`cluster.py`); by itself if not given.
        full_compiler: compile as a production broker does: a slower start, then up to twice as
            fast. For benchmarks.
        progress: told of the steps of a start, and how far each is.
        timeout: seconds within which it has to answer after its process was started.
        record: where Java shall write an AOT cache of what this run loads, once it stops in order;
            a cache that is there is then not used (`train.py`).
    """

    def __init__(
        self,
        data: Path,
        port: int = 0,
        heap: str = "512m",
        *,
        overrides: Mapping[str, str] | None = None,
        listeners: Sequence[Listener] = (),
        member: Member | None = None,
        full_compiler: bool = False,
        progress: Progress = jars.no_progress,
        timeout: float = 60.0,
        record: Path | None = None,
    ) -> None:
        super().__init__()
        self.data = data.absolute()
        self.log = self.data / "broker.log"
        self._port = port
        self._overrides = dict(overrides or {})
        self._listeners = dict.fromkeys(listeners, 0)
        self._member = member
        self._jvm = [
            f"-Xmx{heap}",
            *runtime.OPTIONS,
            *([] if full_compiler else [runtime.QUICK_COMPILER]),
        ]
        self._progress = progress
        self._timeout = timeout
        self._record = record
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None
        self._lock: int | None = None
        self._log_start = 0

    @property
    def port(self) -> int:
        """Where clients connect. Known from the first start on."""
        if not self._port:
            raise EmbeddedBrokerError("The broker has no port before it is started.")
        return self._port

    @property
    def bootstrap(self) -> str:
        """`host:port`, as clients are given it."""
        return f"{HOST}:{self.port}"

    def address(self, listener: str) -> str:
        """`host:port` of another way to connect, by its name. Known from the first start on."""
        for way, port in self._listeners.items():
            if way.name == listener and port:
                return f"{HOST}:{port}"
        raise EmbeddedBrokerError(f"The broker has no port of a listener {listener}.")

    @property
    def pid(self) -> int:
        """The id of its process."""
        if self._process is None:
            raise EmbeddedBrokerError("The broker is not running.")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        process = self._process  # another thread may stop it meanwhile
        return process is not None and process.poll() is None

    def start(self) -> None:
        """Start it and return once it answers.

        Raises:
            RuntimeMissingError: the extra `broker` is not installed.
            JarError: a jar cannot be fetched or is not the locked one.
            PortInUseError: somebody else listens on the port.
            FolderInUseError: another Kafka works on the data.
            BrokerDiedError: it ended or did not answer in time; the message has its last lines.
        """
        if self.running:
            raise EmbeddedBrokerError(f"The broker is running already, at {self.bootstrap}.")
        self._reap()
        command = self._command()
        self._port = self._port or free_port()
        check_port(self._port)
        for listener, port in self._listeners.items():
            self._listeners[listener] = port or free_port()
        self._lock = folder.lock(self.data)
        try:
            if not (self.data / STORAGE).exists():
                self._progress("preparing the data of Apache Kafka", 0, 1)
                self._format(command)
            self._progress("starting Apache Kafka", 0, 1)
            self._launch(command)
            self._wait()
        except BaseException:
            self.kill()
            raise
        self._progress("starting Apache Kafka", 1, 1)

    def stop(self) -> None:
        """End it in order; does nothing when it is not running."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP if self._record is None else _RECORD)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._reap()

    def kill(self) -> None:
        """End it at once, as `kill -9` does; does nothing when it is not running."""
        if self._process is not None:
            self._process.kill()
        self._reap()
        self._abandoned.clear()

    def give_up(self) -> None:
        """Break off a start that waits in another thread; that start raises."""
        self._abandoned.set()

    def restart(self) -> None:
        """Stop it if it is running, and start it again on the same data and port."""
        self.stop()
        self.start()

    def last_lines(self) -> list[str]:
        """The end of what it logged since its last start: warnings and errors, without traces."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            text = log.read().decode("utf-8", "replace")
        lines = [line for line in text.splitlines() if not line.startswith("\tat ")]
        return lines[-_LAST_LINES:]

    async def ended(self) -> None:
        """Return when its process has ended."""
        while self.running:  # noqa: ASYNC110 - a process has no event that an event loop can await
            await asyncio.sleep(0.2)

    def _command(self) -> list[str]:
        """Java, its options and the class path: what lacks is the class and its arguments."""
        java = runtime.java()
        class_path = jars.class_path(self._progress)
        options = list(self._jvm)
        cache = aot.cache(java, class_path)
        if self._record is None and cache.exists():
            options.append(f"-XX:AOTCache={cache}")
        return [str(java), *options, "-cp", os.pathsep.join(map(str, class_path))]

    def _format(self, command: list[str]) -> None:
        # Under another name until it is done: a folder of this name is always whole.
        unfinished = f"{STORAGE}.unfinished"
        settings = self.data / "format.properties"
        member = self._membership()
        text = properties(self._port, member, self._overrides, self._listeners, storage=unfinished)
        settings.write_text(text, encoding="utf-8")
        arguments = ["format", "--cluster-id", member.cluster, "--config", settings.name]
        # The storage of an earlier attempt that was broken off; it was never used.
        arguments.append("--ignore-formatted")
        self._process = self._run([*command, "kafka.tools.StorageTool", *arguments])
        try:
            code = self._process.wait(self._timeout)
        except subprocess.TimeoutExpired as error:
            what = f"Apache Kafka's storage tool was not done within {self._timeout:.0f} s"
            raise BrokerDiedError(what, self.last_lines()) from error
        if code:
            what = f"Apache Kafka's storage tool ended with {code}"
            raise BrokerDiedError(what, self.last_lines())
        self._process = None
        (self.data / unfinished).rename(self.data / STORAGE)
        settings.unlink()

    def _membership(self) -> Member:
        """The cluster that it is a node of: of its own if it was given none."""
        return self._member or Member(1, {1: free_port()}, cluster_id())

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            return subprocess.Popen(  # noqa: S603 - the program and its arguments are our own
                command,
                cwd=self.data,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C in a terminal is for us: the broker stops when its clients have.
                start_new_session=True,
                # Windows cannot hand on one open file; there the lock is ours alone.
                pass_fds=() if os.name == "nt" or self._lock is None else (self._lock,),
            )

    def _launch(self, command: list[str]) -> None:
        settings = properties(self.port, self._membership(), self._overrides, self._listeners)
        (self.data / "server.properties").write_text(settings, encoding="utf-8")
        self._guard = Guard()
        if self._record is not None:
            command = [command[0], f"-XX:AOTCacheOutput={self._record}", *command[1:]]
        self._process = self._run([*command, "kafka.Kafka", "server.properties"])
        self._guard.watch(self._process.pid)

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + self._timeout
        while not answers(self.port, 1.0):
            if self._process.poll() is not None:
                what = f"Apache Kafka ended with {self._process.returncode} at its start"
                raise BrokerDiedError(what, self.last_lines())
            if time.monotonic() > deadline:
                what = f"Apache Kafka did not answer within {self._timeout:.0f} s"
                raise BrokerDiedError(what, self.last_lines())
            if self._abandoned.wait(0.05):
                raise EmbeddedBrokerError("The start of the broker was broken off.")

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def cluster_id() -> str:
    """A random id in Kafka's form, without a leading `-`, which would read as an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text
