"""Puts an exported state into a deployment that has none.

The file is read to its end and checked before anything is written. Then every partition gets a
position on which no worker starts, and the operation is told in the changelog; rows follow in
transactions; the last one writes the positions that hold. An import that was killed is begun again
by the same command with the same file: a row written twice is the same row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec
from aiokafka import TopicPartition

from agents import kafka
from agents.state.access import Record, exclusive, in_transactions, told_in_words
from agents.state.archive import SECTIONS
from agents.state.exporting import open_archive
from agents.state.operation import Operation, StateError, encode_operation
from agents.state.partitions import facts_of
from agents.state.stages import read_state, stages
from streams.audience.scope_codec import decode_delta
from streams.errors import InputError
from streams.exact.errors import ExactError
from streams.exact.position import (
    MOVING,
    OPERATION_KEY,
    POSITION_KEY,
    Position,
    decode_position,
    encode_position,
)
from streams.murmur2 import murmur2

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agents.state.access import Writer
    from agents.state.archive import Archive, Entry
    from agents.state.repartitioning import Progress
    from agents.state.stages import Stage
    from streams.exact.cluster import TopicMetadata
    from streams.settings import Settings

#: From where the viewer events are read on: from where the export was, or from their ends.
StartAt = Literal["exported", "end"]


@dataclass(frozen=True, slots=True)
class _Checked:
    """What a file holds, once it was read through.

    Attributes:
        counts: Entries by section.
        digest: Its sum.
        positions: Of the viewer events, by partition.
        since: From when on their topic held records when the rows were first built; see `Position`.
    """

    counts: dict[str, int]
    digest: str
    positions: dict[int, Position]

    @property
    def since(self) -> int:
        known = [position.since for position in self.positions.values()]
        return max(known, default=0) or min(known, default=0)


async def import_state(
    settings: Settings, path: Path, start_at: StartAt, progress: Progress
) -> dict[str, int]:
    """Put a file's state into the deployment of the settings.

    Args:
        settings: The settings in force.
        path: The file.
        start_at: `exported`: the viewer events are those of the export, and are read on from where
            it was; `end`: they are others, and are read from where they end now.
        progress: Shown how far it is.

    Returns:
        How many entries of each section there are.

    Raises:
        LiveAudienceError: It cannot be done; the message says why, and nothing was written unless
            it says so.
    """
    archive = open_archive(path)
    with told_in_words():
        return await _Import(settings, archive, path, start_at, progress).run()


class _Import:
    def __init__(
        self,
        settings: Settings,
        archive: Archive,
        path: Path,
        start_at: StartAt,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._archive = archive
        self._path = path
        self._start_at = start_at
        self._progress = progress
        self._stages = {stage.name: stage for stage in stages(settings)}

    async def run(self) -> dict[str, int]:
        checked = self._check()
        both = tuple(self._stages.values())
        names = [name for stage in both for name in (stage.source, stage.changelog)]
        facts = await facts_of(self._settings, names)
        starts = await self._starts(checked, facts)
        counts = [(stage, facts[stage.changelog].partitions) for stage in both]
        async with exclusive(self._settings, counts, "importing a state") as writer:
            await self._refuse_state(checked, facts)
            sums_begin = await self._ends(self._stages["scopes"], facts)
            await self._block(writer, checked, facts)
            done = 0
            total = sum(checked.counts.values())
            records = ((record,) for record in self._records(facts))
            for chunk in in_transactions(records):
                await writer.transact(chunk)
                done += len(chunk)
                self._progress("importing", done, total, f"{done:,} of {total:,}")
            starts_of = {"broadcasts": starts, "scopes": sums_begin}
            await self._finish(writer, facts, starts_of, checked.since)
        return checked.counts

    # -- before anything is written ----------------------------------------------------------------

    def _check(self) -> _Checked:
        """Read the file through."""
        counts: dict[str, int] = dict.fromkeys(SECTIONS, 0)
        positions = {}
        archive = self._archive
        for done, entry in enumerate(archive.entries(), 1):
            counts[entry.section] += 1
            self._check_entry(entry)
            if entry.section == "broadcasts-position":
                positions[entry.partition] = decode_position(entry.value)
            if not done % 10_000:
                self._progress("checking the file", done, 0, f"{done:,} entries")
        assert archive.trailer is not None
        return _Checked(counts, archive.trailer.sha256, positions)

    def _check_entry(self, entry: Entry) -> None:
        try:
            if entry.section in ("broadcasts", "scopes"):
                self._stages[entry.section].decode(entry.value)
            elif entry.section == "sums":
                decode_delta(entry.value)
            else:
                decode_position(entry.value)
        except (msgspec.DecodeError, ExactError) as error:
            raise InputError(
                f"{self._path}: {entry.section} {entry.key!r} of partition {entry.partition} "
                f"cannot be read: {error}"
            ) from error

    async def _starts(self, checked: _Checked, facts: dict[str, TopicMetadata]) -> dict[int, int]:
        """From where each partition of the viewer events is to be read."""
        stage, header = self._stages["broadcasts"], self._archive.header
        events = facts[stage.source]
        sources = [TopicPartition(stage.source, number) for number in range(events.partitions)]
        async with kafka.reader(self._settings) as consumer:
            begins = await consumer.beginning_offsets(sources)
            ends = await consumer.end_offsets(sources)
        if self._start_at == "end":
            if self._settings.partitioner == "any" and events.partitions != header.partitions:
                raise StateError(
                    "AUDIENCE_PARTITIONER=any does not say where a key belongs, and the export had "
                    f"{header.partitions} partitions, {stage.source} has {events.partitions}: set "
                    "it to what the producers use (murmur2 or crc32)"
                )
            return {source.partition: ends[source] for source in sources}
        if (events.topic_id, events.partitions) != (header.events_id, header.partitions):
            raise StateError(
                f"the export is of {header.events} (id {header.events_id}, {header.partitions} "
                f"partitions), {stage.source} here is another (id {events.topic_id}, "
                f"{events.partitions} partitions): its positions mean nothing here. With "
                "--start-at end the workers begin where this topic ends now"
            )
        starts = {}
        for source in sources:
            position = checked.positions.get(source.partition)
            starts[source.partition] = at = begins[source] if position is None else position.offset
            if not begins[source] <= at <= ends[source]:
                raise StateError(
                    f"the export stands at offset {at} of {source.topic}/{source.partition}, the "
                    f"topic holds {begins[source]} to {ends[source]}: what lies between is gone"
                )
        return starts

    async def _refuse_state(self, checked: _Checked, facts: dict[str, TopicMetadata]) -> None:
        """Do nothing if there is no state, or what this file's import has begun to write."""
        operation = (await read_state(self._stages["broadcasts"], 0)).operation
        if operation is not None:
            if operation.kind == "import" and operation.digest == checked.digest:
                return
            what = (
                "a repartition" if operation.kind == "repartition" else "the import of another file"
            )
            raise StateError(f"{what} into this state is not through: run that to its end")
        for stage in self._stages.values():
            for number in range(facts[stage.changelog].partitions):
                if not (await read_state(stage, number)).is_empty:
                    raise StateError(
                        f"AUDIENCE_GROUP={self._settings.group} has state already "
                        f"({stage.changelog}/{number}): import into a group that has none"
                    )

    async def _ends(self, stage: Stage, facts: dict[str, TopicMetadata]) -> dict[int, int]:
        """Where the sums of this import will begin: what an earlier attempt wrote is passed by."""
        count = facts[stage.source].partitions
        sources = [TopicPartition(stage.source, number) for number in range(count)]
        async with kafka.reader(self._settings) as consumer:
            ends = await consumer.end_offsets(sources)
        return {source.partition: end for source, end in ends.items()}

    # -- writing -----------------------------------------------------------------------------------

    async def _block(
        self, writer: Writer, checked: _Checked, facts: dict[str, TopicMetadata]
    ) -> None:
        operation = Operation("import", "writing", digest=checked.digest)
        records = [
            Record(
                self._stages["broadcasts"].changelog, 0, OPERATION_KEY, encode_operation(operation)
            )
        ]
        for stage in self._stages.values():
            blocked = encode_position(Position(0, facts[stage.source].topic_id, MOVING))
            records += [
                Record(stage.changelog, number, POSITION_KEY, blocked)
                for number in range(facts[stage.changelog].partitions)
            ]
        await writer.transact(records)

    def _records(self, facts: dict[str, TopicMetadata]) -> Iterator[Record]:
        """All rows and sums, where they belong here."""
        scopes = self._stages["scopes"]
        sums = facts[scopes.source].partitions
        events = facts[self._stages["broadcasts"].source].partitions
        same = events == self._archive.header.partitions
        for section, number, key, value in self._archive.entries():
            if section == "broadcasts":
                stage = self._stages["broadcasts"]
                # Broadcasts stay where the producers' events go on, whatever put them there.
                home = number if same else stage.home(key, events)
                yield Record(stage.changelog, home, key, value)
            elif section == "scopes":
                yield Record(scopes.changelog, scopes.home(key, sums), key, value)
            elif section == "sums":
                place = (murmur2(key) & 0x7FFFFFFF) % sums
                yield Record(scopes.source, place, key, value)

    async def _finish(
        self,
        writer: Writer,
        facts: dict[str, TopicMetadata],
        starts: dict[str, dict[int, int]],
        since: int,
    ) -> None:
        records = [Record(self._stages["broadcasts"].changelog, 0, OPERATION_KEY, None)]
        for name, offsets in starts.items():
            stage = self._stages[name]  # type: ignore[index]  # its own names
            source = facts[stage.source]
            records += [
                Record(
                    stage.changelog,
                    number,
                    POSITION_KEY,
                    encode_position(
                        Position(
                            offset,
                            source.topic_id,
                            source.partitions,
                            since=since if name == "broadcasts" else 0,
                        )
                    ),
                )
                for number, offset in offsets.items()
            ]
        await writer.transact(records)
