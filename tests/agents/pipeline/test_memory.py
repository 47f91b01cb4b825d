"""Nothing of a batch waits for the garbage collector, whatever becomes of the batch."""

import gc
import weakref

import orjson
import pytest
from aiokafka import TopicPartition
from memory_pipeline import fail_at_666

from agents.entries import broadcast_rows, scope_rows
from agents.pipeline.broadcasts import agent
from agents.pipeline.broadcasts.agent import BroadcastProcessor
from agents.pipeline.broadcasts.applying import EventApplier
from agents.pipeline.scopes.agent import ScopeProcessor
from streams.audience.scope_codec import encode_delta
from streams.audience.scope_delta import ScopeDelta
from streams.exact import Batch
from streams.settings import Settings
from streams.topics import Topics

SETTINGS = Settings(partitions=1)
TOPICS = Topics.of(SETTINGS)
GOOD = {"platform": "fliggy", "broadcast": "b", "at": "2020-09-13T12:27:00Z", "viewers": 5}
KEY = b"fliggy:b"
SENT = 1_600_000_100_000


class Record:
    """As aiokafka's decoder gives them, and it can be watched."""

    timestamp_type = 0

    def __init__(self, value, key=KEY, timestamp=SENT):
        self.offset, self.timestamp, self.key, self.value, self.headers = (
            0,
            timestamp,
            key,
            value,
            (),
        )


class Watched(Batch):
    """A batch that can be watched."""


@pytest.fixture
def collector(logged):
    """No garbage collector while a test runs, and exceptions logged as a worker logs them."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def taken(**fields):
    return Record(orjson.dumps({**GOOD, **fields}))


BROADCASTS = {
    "accepted": [taken(), taken()],
    "malformed": [Record(b"x" * 60_000), taken()],
    "beyond floats": [Record(b"[1e400")],
    "not UTF-8": [Record(b"\xff")],
    "null": [Record(None)],
    "invalid": [taken(viewers=-5)],
    "a wrong time": [taken(at="2020-02-30T00:00:00Z")],
    "misrouted": [Record(taken().value, b"else")],
    "a long key": [Record(taken().value, b"k" * 2_000)],
    "without a key": [Record(taken().value, None)],
    "future": [Record(taken().value, timestamp=SENT - 300_000)],
    "late": [taken(), taken(at="2020-09-12T12:27:00Z")],
}


def process_batch(work, source, records, rows):
    """Work off one batch; what can be watched of it."""
    batch = Watched(TopicPartition(source, 0), records, rows, caught_up=True, read_at=SENT / 1000)
    for offset, record in enumerate(records):
        record.offset = offset
    with batch:
        work.process_batch(batch)
    assert batch._done.exception() is None
    return [weakref.ref(batch), *map(weakref.ref, records)], batch.result


@pytest.mark.parametrize("name", BROADCASTS)
@pytest.mark.parametrize("defect", [None, "once", "always"])
async def test_of_viewer_events(name, defect, collector, monkeypatch):
    work, rows = BroadcastProcessor(SETTINGS, TOPICS), broadcast_rows()
    work.restored(0, rows, SENT / 1000, SENT / 1000, 1)
    if defect is not None:
        taking, failed = EventApplier.apply, []

        def fail(self, *given, **options):
            if defect == "always" or not failed:
                failed.append(True)
                raise ZeroDivisionError("a defect")
            taking(self, *given, **options)

        monkeypatch.setattr(EventApplier, "apply", fail)
        monkeypatch.setattr(agent, "newcomers", lambda *_: lambda *_: False)  # all that way
    records = [Record(record.value, record.key, record.timestamp) for record in BROADCASTS[name]]
    watched, counters = process_batch(work, TOPICS.events.name, records, rows)
    accepted = sum(counters.accepted.values())
    assert accepted + sum(counters.reasons.values()) == len(records)
    del records
    assert not any(ref() for ref in watched)


async def test_of_a_record_that_our_own_code_fails_on(collector, monkeypatch):
    work, rows = BroadcastProcessor(SETTINGS, TOPICS), broadcast_rows()
    fail_at_666(monkeypatch)
    records = [taken(), taken(viewers=666), taken()]
    watched, counters = process_batch(work, TOPICS.events.name, records, rows)
    assert counters.reasons == {"error": 1}
    del records
    assert not any(ref() for ref in watched)


CHANGES = {
    "added": [Record(encode_delta(ScopeDelta({5: 1}, {5: 1}, minute=5)), b"world")],
    "unreadable": [Record(b"x", b"world"), Record(None, b"world")],
    "no scope": [Record(encode_delta(ScopeDelta({5: 1}, {5: 1}, minute=5)), b"else")],
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("defect", [False, True])
async def test_of_sums(name, defect, collector, monkeypatch):
    work, rows = ScopeProcessor(SETTINGS, TOPICS), scope_rows()
    work.restored(0, rows)
    if defect:

        def fail(self, change, history):
            raise ZeroDivisionError("a defect")

        monkeypatch.setattr("streams.audience.scope.ScopeUpdate.add", fail)
    records = [Record(record.value, record.key) for record in CHANGES[name]]
    watched, _ = process_batch(work, TOPICS.scope_deltas.name, records, rows)
    del records
    assert not any(ref() for ref in watched)
