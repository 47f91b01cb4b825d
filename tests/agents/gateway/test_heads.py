"""What pollers are shown of the table of open broadcasts: of their own partitions alone."""

from agents.gateway.config import Config
from agents.gateway.observation import Observation
from agents.gateway.places import Places
from agents.gateway.processor import Processor
from agents.gateway.table import Channel, apply
from agents.gateway.topics import GatewayTopics
from streams import rfc3339
from streams.settings import Settings

CONFIG = Config.model_validate(
    {"endpoint": [{"name": "hooks", "source": "twitch", "secrets": [{"env": "X"}]}]}
)


class Rows(dict):
    """Rows that were read back, as the exactly-once layer shows them."""

    def read(self, key):
        return self[key]


class Batch:
    def __init__(self, partition, changed):
        self.partition = partition
        self.changed = changed


def seen(channel, kind, second, **more):
    at = second * rfc3339.SECOND
    return Observation("hooks", "twitch", channel, kind, at, broadcast=f"b{channel}", **more)


def row_of(*observations):
    row = Channel("hooks", "twitch", observations[0].channel)
    for each in observations:
        apply(row, each)
    return observations[0].key, row


def test_heads_follow_rows_and_partitions():
    work = Processor(GatewayTopics.of(Settings()), Places(CONFIG), "murmur2", 3, ["hooks"])
    assert dict(work.heads_of("hooks")) == {}
    key, row = row_of(seen("1", "started", 60), seen("1", "sample", 120))
    work.restored(0, Rows({key: row}))
    work.restored(1, Rows())
    assert set(work.owned) == {0, 1}
    head = work.heads_of("hooks")["1"]
    assert (head.broadcast, head.is_open, head.newest) == ("b1", True, 120 * rfc3339.SECOND)

    other, second = row_of(seen("2", "started", 60))
    before = work.version
    work.committed(Batch(1, {other: second}))
    assert work.version != before
    assert set(work.heads_of("hooks")) == {"1", "2"}
    # A sample is no news, an end is.
    before = work.version
    apply(second, seen("2", "sample", 180))
    work.committed(Batch(1, {other: second}))
    assert work.version == before
    apply(second, seen("2", "ended", 200))
    work.committed(Batch(1, {other: second}))
    assert work.version != before
    assert work.heads_of("hooks")["2"].ended == 200 * rfc3339.SECOND

    # A row that goes, and a partition that another gateway takes.
    work.committed(Batch(1, {other: None}))
    assert set(work.heads_of("hooks")) == {"1"}
    work.lost(0)
    assert dict(work.heads_of("hooks")) == {}
    assert set(work.owned) == {1}


def test_rows_of_what_is_not_polled_are_left_out():
    work = Processor(GatewayTopics.of(Settings()), Places(CONFIG), "murmur2", 3)
    key, row = row_of(seen("1", "started", 60))
    work.restored(0, Rows({key: row}))
    assert dict(work.heads_of("hooks")) == {}
