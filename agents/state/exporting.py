"""Takes a deployment's state out, into a file."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog
from aiokafka import TopicPartition

from agents import kafka
from agents.kafka import unreachable
from agents.remedies import GROWN
from agents.scope_rows import require_change
from agents.state.access import exclusive, told_in_words
from agents.state.archive import SECTIONS, Entry, Header
from agents.state.jsonl import JsonlArchive, JsonlSink
from agents.state.operation import StateError
from agents.state.parquet import ParquetArchive, ParquetSink
from agents.state.partitions import facts_of
from agents.state.stages import read_state, stages
from streams.errors import InputError, MisuseError
from streams.exact.position import MOVING, encode_position

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from agents.state.archive import Archive, Section, Sink
    from agents.state.repartitioning import Progress
    from agents.state.stages import Stage
    from streams.exact.cluster import TopicMetadata
    from streams.settings import Settings

log = structlog.get_logger(__name__)

SUFFIXES: Final = (".jsonl", ".parquet")


async def export_state(settings: Settings, path: Path, progress: Progress) -> dict[str, int]:
    """Write the whole state to a file, which is there once it is complete.

    One partition's rows are in memory at a time.

    Args:
        settings: The settings in force.
        path: Where to: `.jsonl` or `.parquet`.
        progress: Shown how far it is.

    Returns:
        How many entries of each section there are.

    Raises:
        LiveAudienceError: It cannot be done; the message says why.
    """
    check_suffix(path)
    both = stages(settings)
    with told_in_words():
        names = [name for stage in both for name in (stage.source, stage.changelog)]
        facts = await facts_of(settings, names)
        counts = [(stage, facts[stage.changelog].partitions) for stage in both]
        async with exclusive(settings, counts, "exporting their state"):
            events = facts[both[0].source]
            header = Header(
                settings.group,
                settings.topic_prefix,
                datetime.now(UTC).isoformat(timespec="seconds"),
                both[0].source,
                events.topic_id,
                events.partitions,
                settings.partitioner,
            )
            with _sink(path, header) as sink:
                export = _Export(settings, sink, progress)
                await export.run(facts)
                return export.written


class _Export:
    """One export.

    Attributes:
        written: How many entries of each section were written.
    """

    def __init__(self, settings: Settings, sink: Sink, progress: Progress) -> None:
        self._settings = settings
        self._sink = sink
        self._progress = progress
        self.written: dict[str, int] = dict.fromkeys(SECTIONS, 0)

    async def run(self, facts: Mapping[str, TopicMetadata]) -> None:
        """Write all of it."""
        for stage in stages(self._settings):
            begins = await self._stage(stage, facts)
            if stage.name == "scopes":
                await self._sums(stage, begins)
        if not any(self.written.values()):
            raise StateError(
                f"AUDIENCE_GROUP={self._settings.group} has no state: nothing was ever committed "
                "by it"
            )

    async def _stage(self, stage: Stage, facts: Mapping[str, TopicMetadata]) -> dict[int, int]:
        """Write a stage's rows and positions; returns from where its source is to be read on."""
        count = facts[stage.changelog].partitions
        begins = {}
        for number in range(count):
            told = f"{self.written[stage.name]:,} rows"
            self._progress(f"exporting the {stage.name}", number, count, told)
            state = await read_state(stage, number)
            position = state.position
            if state.operation is not None or (position and position.partitions == MOVING):
                raise StateError(
                    "an import or a repartition of this state is not through: run that command "
                    "again first"
                )
            for key, value in state.rows.items():
                self._write(Entry(stage.name, number, key, value))
            if position is None:
                continue
            have = facts[stage.source]
            if (position.topic_id, position.partitions) != (have.topic_id, have.partitions):
                raise StateError(
                    f"the rows of {stage.source}/{number} do not belong to the topic as it is (id "
                    f"{position.topic_id} with {position.partitions} partitions, it has "
                    f"{have.topic_id} with {have.partitions}): no worker would go on from them; "
                    f"{GROWN}"
                )
            begins[number] = position.offset
            section: Section = f"{stage.name}-position"  # type: ignore[assignment]  # one of them
            self._write(Entry(section, number, b"", encode_position(position)))
        return begins

    async def _sums(self, stage: Stage, begins: Mapping[int, int]) -> None:
        """Write what the broadcasts' stage has sent and the scopes' has not read yet."""
        count = (await facts_of(self._settings, [stage.source]))[stage.source].partitions
        sources = [TopicPartition(stage.source, number) for number in range(count)]
        async with kafka.reader(self._settings) as consumer:
            consumer.assign(sources)
            firsts = await consumer.beginning_offsets(sources)
            ends = await consumer.end_offsets(sources)
            for source in sources:
                consumer.seek(source, begins.get(source.partition, firsts[source]))
            for source in sources:
                heard = time.monotonic()
                while await consumer.position(source) < ends[source]:
                    found = (await consumer.getmany(source, timeout_ms=500)).get(source, ())
                    for record in found:
                        self._write_sum(source, record)
                    if found:
                        heard = time.monotonic()
                    elif time.monotonic() - heard > self._settings.deadline.total_seconds():
                        raise unreachable(self._settings, f"nothing more came of {source.topic}")

    def _write_sum(self, source: TopicPartition, record: Any) -> None:
        """Write a change, but for one that the scopes' stage would skip: no import takes that."""
        try:
            require_change(record)
        except (msgspec.DecodeError, ValueError) as error:
            where = f"{source.topic}/{source.partition}/{record.offset}"
            log.warning("a change that cannot be read is left out", source=where, error=str(error))
        else:
            self._write(Entry("sums", source.partition, record.key, record.value))

    def _write(self, entry: Entry) -> None:
        self._sink.write(entry)
        self.written[entry.section] += 1


def open_archive(path: Path) -> Archive:
    """A file to be read.

    Raises:
        InputError: It cannot be read or is no such file.
        MisuseError: Its name does not say what it is.
    """
    check_suffix(path)
    return JsonlArchive(path) if path.suffix == ".jsonl" else ParquetArchive(path)


def check_suffix(path: Path) -> None:
    """Do nothing if a file's name says what is in it.

    Raises:
        MisuseError: It does not.
    """
    if path.suffix not in SUFFIXES:
        raise MisuseError(f"{path}: its name must end in {' or '.join(SUFFIXES)}")


@contextmanager
def _sink(path: Path, header: Header) -> Iterator[Sink]:
    """A file that takes its name once it is complete; of a failed one nothing stays."""
    part = path.with_name(path.name + ".part")
    try:
        if path.suffix == ".jsonl":
            with part.open("wb") as file, JsonlSink(file, header) as sink:
                yield sink
        else:
            with ParquetSink(part, header) as sink:
                yield sink
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
