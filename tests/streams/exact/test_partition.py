"""Where a partition does not begin."""

import time
from unittest.mock import Mock

import pytest
from aiokafka import TopicPartition

from streams.exact import ExactSettings, Rows
from streams.exact.cluster import TopicMetadata
from streams.exact.errors import Unrecoverable
from streams.exact.partition import CachedState, PartitionTask
from streams.exact.position import OPERATION_KEY, Position


async def test_no_partition_begins_while_another_program_is_at_work_on_its_rows():
    """Its positions may be right all the same: a repartition tells of itself before all else."""
    rows = Rows(int, str)
    rows.load(OPERATION_KEY, b"{}")
    settings = ExactSettings(client={}, client_id="c", group="g", transactional_id_prefix="g.")
    partition = PartitionTask(
        settings,
        TopicPartition("words", 0),
        "counts",
        TopicMetadata("id", 1),
        CachedState(rows),
        Mock(),
        Mock(),
        Mock(),
        Mock(),
        time.time,
        time.monotonic,
        Mock(),
    )
    with pytest.raises(Unrecoverable, match="words/0, and is not through: let the program"):
        await partition._resume_at(Position(5, "id", 1))
