"""A batch with thousands of records of one key: in small steps, and the same as in many batches."""

import time

import orjson
import pytest
from aiokafka import TopicPartition
from contract import logs
from memory_pipeline import Line

from streams import rfc3339
from streams.exact import Batch

KEY = b"fliggy:b"
COUNT = 1_500


def told(at, **fields):
    at = rfc3339.text(at * logs.MINUTE)
    return orjson.dumps({"platform": "fliggy", "broadcast": "b", "at": at, **fields})


def runs():
    """Each begins another run: a stream key's broadcasts of years, or what a stranger makes up."""
    start = logs.START - 62 * COUNT
    return [told(start + 62 * n, kind="ended", viewers=n) for n in range(COUNT)]


def restated():
    """Each changes a figure of a broadcast that has ended."""
    ended = told(logs.START + 14, kind="ended")
    return [ended, *(told(logs.START + n % 14, viewers=n) for n in range(COUNT))]


def line_of(values):
    line = Line(1)
    line.now = (logs.START + 15) * 60.0
    for value in values:
        line.append(line.topics.events.name, 0, KEY, value, int(line.now * 1000))
    return line


@pytest.mark.parametrize("values", [runs(), restated()], ids=["runs", "restated"])
async def test_no_step_takes_a_great_part_of_the_batch(values):
    line = line_of(values)
    stage = line.broadcasts
    records = line.log[stage.topic, 0]
    batch = Batch(
        TopicPartition(stage.topic, 0), records, stage.rows[0], caught_up=False, read_at=line.now
    )
    steps, began = [], time.process_time()
    with batch:
        for _ in stage.work.steps(batch):
            steps.append(time.process_time())
    whole = time.process_time() - began
    taken = [after - before for before, after in zip([began, *steps], steps, strict=False)]
    assert max(taken) < whole / 4


@pytest.mark.parametrize("values", [runs(), restated()], ids=["runs", "restated"])
async def test_it_comes_to_the_same_in_small_batches(values):
    whole, parts = line_of(values), line_of(values)
    whole.drain(COUNT + 1)
    parts.drain(37)
    assert dict(whole.broadcasts.rows[0].items()) == dict(parts.broadcasts.rows[0].items())

    def last(line):
        log = line.log[line.topics.broadcast_summaries.name, 0]
        return {record.key: record.value for record in log}

    assert last(whole) == last(parts)
    assert {name: head.peak() for name, head in whole.heads().items()} == {
        name: head.peak() for name, head in parts.heads().items()
    }
