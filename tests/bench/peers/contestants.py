"""Who is measured."""

import json
import os
import pickle
import sqlite3
import struct
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime

import environments
import orjson
from contestant import SESSION, STORE, Contestant, Kept, Place, kept
from rounds import ROOT, create_topics

from agents.broker import runtime
from streams import audience
from streams.names import Names
from streams.topics import Topics


class Bare(Contestant):
    """The bare loop."""

    name = "bare"
    label = "bare aiokafka loop"
    less = "no figures, nothing kept: it decodes and fills a dictionary"
    durable = False

    def command(self, place: Place) -> list[str]:
        stage = place.stage
        numbers = map(str, (stage.partitions, stage.events, stage.batch, stage.fetch_bytes))
        program = str(ROOT / "tests" / "bench" / "bare.py")
        return [sys.executable, program, stage.brokers, place.topic, *numbers]

    def heard(self, line: bytes) -> tuple[str, float, int] | None:
        # A time when it begins; a time and how many keys there were when it is done.
        told = line.split()
        if len(told) not in (1, 2) or not told[0].replace(b".", b"").isdigit():
            return None
        return "begun" if len(told) == 1 else "done", float(told[0]), 0

    def group(self, place: Place) -> str | None:
        return None


class Ours(Contestant):
    """The worker, as it is installed."""

    name = "ours"
    label = "live-audience"
    less = (
        "nothing: all figures of the contract, runs, scopes, refused events, metrics and API are "
        "at work"
    )

    async def topics(self, place: Place) -> None:
        await create_topics(place.stage.settings(place.run))

    def command(self, place: Place) -> list[str]:
        return [sys.executable, "-m", "agents.cli", "worker"]

    def environment(self, place: Place) -> Mapping[str, str]:
        return place.stage.environment(place.run)

    def heard(self, line: bytes) -> tuple[str, float, int] | None:
        if not line.startswith(b"{"):
            return None
        said = json.loads(line)
        if said.get("event") != "restored":
            return None
        at = datetime.fromisoformat(said["timestamp"]).timestamp()
        return "restored", at, int(said["rows"])

    def group(self, place: Place) -> str:
        return Names.of(place.stage.settings(place.run)).broadcasts_group

    def changelog(self, place: Place) -> str:
        return Topics.of(place.stage.settings(place.run)).broadcasts_changelog.name

    def made_topics(self, place: Place) -> list[str]:
        topics = Topics.of(place.stage.settings(place.run))
        return [topic.name for topic in topics if topic != topics.events]

    def row(self, key: bytes, value: bytes) -> tuple[bytes, Kept] | None:
        found = None if key.startswith(b"\0") else audience.decode(value)
        if not isinstance(found, audience.Row):
            return None
        figures = audience.compute_figures(found)
        minutes = sorted(found.cells.items())
        highs = tuple((minute, cell.high) for minute, cell in minutes if cell.high is not None)
        return key, (figures.events, figures.late, figures.viewers, figures.peak, highs)


class _Python(Contestant):
    """A Python library in an environment of its own."""

    library: str
    program: str

    def prepare(self) -> None:
        environments.python(self.library)

    def command(self, place: Place) -> list[str]:
        program = str(environments.PROGRAMS / self.program)
        return [str(environments.python(self.library)), program, *self.arguments(place)]

    def arguments(self, place: Place) -> list[str]:
        """Give the program's arguments."""
        raise NotImplementedError


class NaiveFaust(_Python):
    """Faust as its documentation shows it."""

    name = "faust"
    label = "Faust, agent and table"
    less = "counts twice or loses after a crash; a restart with a backlog loses too"
    library = "faust"
    program = "naive_faust.py"
    share = 0.02

    def arguments(self, place: Place) -> list[str]:
        stage = place.stage
        return [stage.brokers, place.run, place.topic, str(stage.partitions), str(place.state)]

    def changelog(self, place: Place) -> str:
        return f"{place.run}-{STORE}-changelog"

    def row(self, key: bytes, value: bytes) -> tuple[bytes, Kept] | None:
        return key, kept(orjson.loads(value))


class Quix(_Python):
    """Quix Streams.

    Args:
        guarantee: of processing, as Quix names it.
    """

    library = "quix"
    program = "quix.py"

    def __init__(self, guarantee: str) -> None:
        self._guarantee = guarantee
        self.name = "quix" if guarantee == "at-least-once" else "quix-exactly-once"
        self.label = f"Quix Streams, {guarantee}"
        self.less = (
            "one figure row and its open minutes alone; "
            + ("counts twice after a crash" if self.name == "quix" else "exact")
            + "; durable each second"
        )

    def arguments(self, place: Place) -> list[str]:
        return [
            *(place.stage.brokers, place.run, place.topic),
            *(self._guarantee, str(place.state)),
        ]

    def changelog(self, place: Place) -> str:
        return f"changelog__{place.run}--{place.topic}--default"

    def row(self, key: bytes, value: bytes) -> tuple[bytes, Kept] | None:
        name, _, state = key.rpartition(b"|")
        return (name, kept(orjson.loads(value))) if state == b'"figures"' else None


class Bytewax(_Python):
    """Bytewax."""

    name = "bytewax"
    label = "Bytewax"
    less = (
        "one figure row and its open minutes alone; durable each 10 s, and on this machine's disk "
        "alone; no consumer group, so nobody takes over; it read to the end and stopped"
    )
    library = "bytewax"
    program = "bytewax_flow.py"

    def arguments(self, place: Place) -> list[str]:
        stage = place.stage
        return [stage.brokers, place.topic, str(stage.events), str(place.state)]

    def group(self, place: Place) -> str | None:
        return None

    def local(self, place: Place) -> Iterable[tuple[bytes, Kept]]:
        for path in place.state.glob("*.sqlite3"):
            with sqlite3.connect(path) as store:
                for key, change in store.execute(
                    "SELECT state_key, ser_change FROM snaps WHERE step_id LIKE '%count%' "
                    "ORDER BY snap_epoch"
                ):
                    yield key.encode(), kept(pickle.loads(change))


class KafkaStreams(Contestant):
    """Kafka Streams.

    Args:
        guarantee: of processing, as Kafka Streams names it.
        store: `memory` or `rocksdb`.
    """

    _HEAD = struct.Struct(">5qB")
    _MINUTE = struct.Struct(">iq")

    def __init__(self, guarantee: str, store: str) -> None:
        self._guarantee, self._store = guarantee, store
        exact = guarantee == "exactly_once_v2"
        self.name = f"streams-{'exact' if exact else 'atleast'}-{store}"
        kind = "RocksDB" if store == "rocksdb" else "memory"
        self.label = f"Kafka Streams, {'exactly once' if exact else 'at least once'}, {kind}"
        self.less = "one figure row and its open minutes alone; " + (
            "exact" if exact else "counts twice after a crash"
        )

    def prepare(self) -> None:
        environments.kafka_streams()

    def command(self, place: Place) -> list[str]:
        target = environments.kafka_streams()
        jars = [str(target / "peers.jar"), *map(str, sorted((target / "lib").glob("*.jar")))]
        return [
            *(str(runtime.java()), "-Xmx2g", "--enable-native-access=ALL-UNNAMED"),
            *("--sun-misc-unsafe-memory-access=allow", "-cp", os.pathsep.join(jars)),
            *("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "peers.Count"),
            *(place.stage.brokers, place.run, place.topic, self._guarantee, self._store),
            *(str(place.state), "commit.interval.ms=100"),
            f"session.timeout.ms={SESSION * 1000}",
        ]

    def changelog(self, place: Place) -> str:
        return f"{place.run}-{STORE}-changelog"

    def row(self, key: bytes, value: bytes) -> tuple[bytes, Kept] | None:
        events, late, viewers, _, peak, count = self._HEAD.unpack_from(value)
        end = self._HEAD.size + count * self._MINUTE.size
        minutes = tuple(self._MINUTE.iter_unpack(value[self._HEAD.size : end]))
        return key, (events, late, viewers, peak, minutes)


ALL: tuple[Contestant, ...] = (
    Bare(),
    Ours(),
    *(
        KafkaStreams(guarantee, store)
        for guarantee in ("exactly_once_v2", "at_least_once")
        for store in ("memory", "rocksdb")
    ),
    Quix("at-least-once"),
    Quix("exactly-once"),
    Bytewax(),
    NaiveFaust(),
)
