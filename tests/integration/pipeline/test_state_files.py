"""State taken out of one group and put into another: every figure equals the oracle's."""

import asyncio
import re
import sys

import orjson
import pytest
from integration.pipeline.hard_log import hard_log
from integration.pipeline.oracle import Oracle
from integration.pipeline.system import System
from integration.pipeline.test_scopes import KEPT, heads
from processes import Process

from agents.state import access
from agents.state.exporting import export_state, open_archive
from agents.state.importing import import_state
from agents.state.operation import StateError
from agents.topics.admin import create_topics
from streams.audience.scope import scope_summary
from streams.errors import LiveAudienceError
from streams.settings import Settings
from streams.summaries import encode
from streams.topics import Topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

PARTITIONS = 4


def quiet(*_):
    pass


class Broken(Exception):
    pass


async def imported(settings, path, allowed, start_at="exported"):
    """Import in this process, and break it off after so many transactions."""
    transact, left = access.Writer.transact, allowed

    async def breaking(self, records):
        nonlocal left
        if left == 0:
            raise Broken
        left -= 1
        await transact(self, records)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(access.Writer, "transact", breaking)
        patch.setattr(access, "TRANSACTION_BYTES", 20_000)
        try:
            return await import_state(settings, path, start_at, quiet)
        except Broken:
            return None


async def alone(settings, what):
    """Wait until Kafka has given up workers that were killed."""
    for _ in range(100):
        try:
            return await what()
        except StateError as error:
            if "are at work" not in str(error):
                raise
            await asyncio.sleep(0.3)
    raise AssertionError("still at work")


def as_of(system, settings):
    """The same system, seen as another group's."""
    system.settings = settings
    system.topics = Topics.of(settings)
    system.given = {
        **system.given,
        "group": settings.group,
        "output_prefix": settings.output_prefix,
    }


async def test_from_blue_to_green_in_the_middle_of_a_hard_log(brokers, topic_prefix, tmp_path):
    log = hard_log(11, 12_000, PARTITIONS)
    first, rest = log[: len(log) // 2], log[len(log) // 2 :]
    oracle = Oracle().take(log)
    async with System(
        brokers, topic_prefix, PARTITIONS, **KEPT, group="blue", batch_records="300"
    ) as system:
        blue = system.settings
        jsonl, parquet = tmp_path / "state.jsonl", tmp_path / "state.parquet"
        with pytest.raises(StateError, match="has no state"):
            await export_state(blue, jsonl, quiet)
        worker = await system.worker()
        await system.send(first)
        await system.done(len(first) // 2)
        with pytest.raises(StateError, match=r"are at work .*: stop them all"):
            await export_state(blue, jsonl, quiet)
        await worker.kill()  # so that sums may be on their way, and a transaction open
        counts = await alone(blue, lambda: export_state(blue, jsonl, quiet))
        assert counts["broadcasts"] > 50
        assert counts["broadcasts-position"] == PARTITIONS
        assert await export_state(blue, parquet, quiet) == counts
        assert list(open_archive(jsonl).entries()) == list(open_archive(parquet).entries())

        # What is no whole file is refused before anything is written.
        green = Settings(
            **{**system.given, "group": "green", "output_prefix": f"{topic_prefix}green."}
        )
        await create_topics(green)
        cut = tmp_path / "cut.jsonl"
        cut.write_bytes(jsonl.read_bytes()[:-50])
        with pytest.raises(LiveAudienceError, match=r"cut|damaged"):
            await import_state(green, cut, "exported", quiet)
        with pytest.raises(StateError, match="has no state"):
            await export_state(green, cut, quiet)

        allowed = 1
        while await imported(green, parquet, allowed) is None:
            if allowed == 1:
                with pytest.raises(StateError, match="not through"):
                    await export_state(green, cut, quiet)
                other = tmp_path / "other.jsonl"
                other.write_bytes(jsonl.read_bytes().replace(b"murmur2", b"murmur3"))
                with pytest.raises(LiveAudienceError, match="SHA-256"):
                    await import_state(green, other, "exported", quiet)
                as_of(system, green)
                early = await system.worker()
                assert await early.ended(60) != 0
                assert "run the same `live-audience state import`" in early.lines[-1]
                as_of(system, blue)
            allowed += 3
        assert allowed > 3
        for group in (green, blue):
            with pytest.raises(StateError, match="has state already"):
                await import_state(group, jsonl, "exported", quiet)

        as_of(system, green)
        await system.worker()
        await system.send(rest)
        await system.done(len(log))
        await system.compare_rows(oracle)
        await compare_heads(system, oracle)
        # Each was refused once: before the export by blue, after it by green.
        found = [source(r) for r in await system.read(system.topics.rejected)]
        found += [source(r) for r in await system.read(Topics.of(blue).rejected)]
        assert sorted(found) == sorted(oracle.rejected)


def source(record):
    _, partition, offset = dict(record.headers)["source"].decode().rsplit("/", 2)
    return int(partition), int(offset)


async def compare_heads(system, oracle, seconds=60):
    """The scopes' rows, for what did not change is not published again."""
    expected = oracle.scopes()
    async with asyncio.timeout(seconds):
        while True:
            rows, _ = await heads(system)
            found = {name: scope_summary(name, head) for name, head in rows.items()}
            told = {name: as_dict(summary) for name, summary in found.items()}
            if told == expected:
                return
            await asyncio.sleep(0.5)


def as_dict(summary):
    return orjson.loads(encode(summary))


async def test_into_other_topics_with_other_partitions(brokers, topic_prefix, tmp_path):
    """Another cluster, as it were: rows are placed anew, events are read from their ends."""
    log = hard_log(12, 3_000, 2)
    oracle = Oracle().take(log)
    path = tmp_path / "state.jsonl"
    async with System(brokers, topic_prefix, 2, **KEPT) as system:
        worker = await system.worker()
        await system.send(log)
        await system.done(len(log))
        assert await worker.stop() == 0, worker.tail()
        out = Process(
            sys.executable,
            *("-m", "agents.cli", "state", "export", str(path)),
            env={f"AUDIENCE_{name.upper()}": value for name, value in system.given.items()},
            measured=False,
            forked=True,
        )
        await out.start()
        assert await out.ended(60) == 0, out.tail()
        assert re.search(r"state\.jsonl: [\d,]+ rows of broadcasts, [\d,]+ of scopes", out.tail())
    async with System(brokers, f"{topic_prefix}there.", 5, **KEPT) as system:
        with pytest.raises(StateError, match="--start-at end"):
            await import_state(system.settings, path, "exported", quiet)
        await import_state(system.settings, path, "end", quiet)
        await system.compare_rows(oracle)
        worker = await system.worker()
        await worker.says("restored", 60)
        # Sums that were on their way when the first worker ended are taken in by this one.
        await compare_heads(system, oracle)
        rows = await system.rows()
        ended = next(key for key, run in oracle.rows.items() if run.ended_at() is None)
        assert rows[ended].events == len(oracle.rows[ended].told)
