"""Several nodes of the embedded Apache Kafka, on one machine: what one node cannot show.

Copies on other nodes, leaders that die, writes that wait for two copies. Each node is a `Broker`
in a folder of its own, broker and controller in one process.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final

from agents.broker import folder
from agents.broker.block import Block
from agents.broker.errors import BrokerDiedError, EmbeddedBrokerError
from agents.broker.jars import class_path, no_progress
from agents.broker.properties import Member
from agents.broker.ready import answers, free_port
from agents.broker.server import Broker, cluster_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from agents.broker.jars import Progress
    from agents.broker.properties import Listener

_CLUSTER: Final = "cluster-id"


class Cluster(Block):
    """Some nodes of Apache Kafka in KRaft mode on 127.0.0.1, whose data outlives them.

    `with Cluster(folder) as cluster:` and `async with Cluster(folder) as cluster:` start and stop
    it. The plain methods block; from a coroutine call them by `asyncio.to_thread`. Single nodes
    are hurt as a `Broker` is: `cluster.nodes[0].kill()`, and `.start()` again.

    Args:
        data: folder of the nodes' folders; made if missing. It must be started with as many nodes
            as the last time.
        nodes: how many; three are the fewest of which one may fail.
        port: where clients connect to the first node, the next node's is one higher, and so on; 0
            takes free ones. They are kept for a restart.
        heap: the most that the Java heap of each node may grow to, as Java writes it.
        overrides: Kafka's own settings by name, for all nodes.
        listeners: other ways to connect, at every node.
        progress: told of the steps of a start, and how far each is.
        timeout: seconds within which all have to answer.
    """

    def __init__(
        self,
        data: Path,
        nodes: int = 3,
        port: int = 0,
        heap: str = "256m",
        *,
        overrides: Mapping[str, str] | None = None,
        listeners: Sequence[Listener] = (),
        progress: Progress = no_progress,
        timeout: float = 120.0,
    ) -> None:
        super().__init__()
        self.data = data.absolute()
        self.nodes: list[Broker] = []
        self._count = nodes
        self._port = port
        self._heap = heap
        self._overrides = overrides
        self._listeners = listeners
        self._progress = progress
        self._timeout = timeout
        self._lock: int | None = None

    @property
    def bootstrap(self) -> str:
        """`host:port` of every node, comma-separated, as clients are given it."""
        return ",".join(node.bootstrap for node in self.nodes)

    def addresses(self, listener: str) -> str:
        """`host:port` of every node, for another way to connect, by its name."""
        return ",".join(node.address(listener) for node in self.nodes)

    @property
    def running(self) -> bool:
        """Whether every node's process is there."""
        return bool(self.nodes) and all(node.running for node in self.nodes)

    def start(self) -> None:
        """Start the nodes that are not running, and return once all know each other.

        Raises:
            EmbeddedBrokerError: as `Broker.start`.
        """
        class_path(self._progress)  # fetched once, not by each node
        self._progress("starting Apache Kafka", 0, self._count)
        self._prepare()
        try:
            self._each(Broker.start, [node for node in self.nodes if not node.running])
            self._wait()
        except BaseException:
            self.kill()
            raise
        self._progress("starting Apache Kafka", self._count, self._count)

    def stop(self) -> None:
        """End all nodes in order; does nothing with those that are not running."""
        self._each(Broker.stop, self.nodes)
        self._release()

    def kill(self) -> None:
        """End all nodes at once, as `kill -9` does."""
        self._each(Broker.kill, self.nodes)
        self._release()

    def last_lines(self) -> list[str]:
        """The end of what the nodes that have ended logged; of all where none has."""
        ended = [node for node in self.nodes if not node.running]
        return [line for node in ended or self.nodes for line in node.last_lines()]

    async def ended(self) -> None:
        """Return when the process of one of the nodes has ended."""
        while self.running:  # noqa: ASYNC110 - a process has no event that an event loop can await
            await asyncio.sleep(0.2)

    def _prepare(self) -> None:
        if self._lock is None:
            self._lock = folder.lock(self.data)
        if self.nodes:
            return
        known = self.data / _CLUSTER
        if not known.exists():
            known.write_text(cluster_id(), encoding="utf-8")
        cluster = known.read_text(encoding="utf-8")
        # All before the first process is started: one that is being forked holds, for a moment,
        # the socket with which another thread tries whether a port is free.
        controllers = {number: free_port() for number in range(1, self._count + 1)}
        self.nodes = [
            Broker(
                self.data / f"node-{number}",
                self._port + number - 1 if self._port else free_port(),
                self._heap,
                overrides=self._overrides,
                listeners=self._listeners,
                member=Member(number, controllers, cluster),
                timeout=self._timeout,
            )
            for number in controllers
        ]

    def _each(self, what: Callable[[Broker], None], nodes: list[Broker]) -> None:
        """Do it with all nodes at once: none is up before most are."""
        if not nodes:
            return
        with ThreadPoolExecutor(len(nodes)) as pool:
            doing = {pool.submit(what, node): node for node in nodes}
            first: BaseException | None = None
            waiting = set(doing)
            while waiting:
                done, waiting = wait(waiting, timeout=0.1)
                first = first or next(filter(None, (task.exception() for task in done)), None)
                if first or self._abandoned.is_set():
                    # For what one node died of the others would wait in vain.
                    for task in waiting:
                        doing[task].give_up()
        if first:
            raise first

    def _wait(self) -> None:
        deadline = time.monotonic() + self._timeout
        while not all(answers(node.port, 1.0, brokers=self._count) for node in self.nodes):
            if not self.running:
                raise BrokerDiedError("A node of Apache Kafka ended", self.last_lines())
            if time.monotonic() > deadline:
                what = f"The nodes did not find each other within {self._timeout:.0f} s"
                raise BrokerDiedError(what, self.last_lines())
            if self._abandoned.wait(0.1):
                raise EmbeddedBrokerError("The start of the cluster was broken off.")

    def _release(self) -> None:
        if self._lock is not None:
            folder.unlock(self._lock)
            self._lock = None
