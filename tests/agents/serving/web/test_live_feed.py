"""`/v1/live`: the whole state, then what changes; and readers that are slow, many or come back."""

import asyncio
import json

import pytest
from web_clients import HEAD, connected, wait_for
from web_worker import PARTITIONS, Table, Worker

from agents.serving.web import Limits
from agents.serving.web.feed import Feed
from agents.serving.web.patches import merge_patch
from streams.routing import partition_for

OWNED = tuple(range(PARTITIONS))


class Reader:
    """Reads events and keeps the state up as RFC 7396 says."""

    def __init__(self, reader):
        self._reader = reader
        self.state = None
        self.kinds = []
        self.id = None

    async def event(self, seconds=20):
        async with asyncio.timeout(seconds):
            fields = {}
            while True:
                line = (await self._reader.readline()).decode().rstrip("\r\n")
                if not line and "data" in fields:
                    break
                name, _, value = line.partition(": ")
                if name in ("event", "id", "data"):
                    fields[name] = value
        self.kinds.append(fields["event"])
        self.id = fields["id"]
        data = json.loads(fields["data"])
        self.state = data if fields["event"] == "state" else patched(self.state, data)
        return fields["event"], data


def patched(target, patch):
    """RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = patched(target.get(name), value)
    return target


async def reading(worker, last_id=None):
    """An open stream, its head read."""
    header = b"" if last_id is None else b"Last-Event-ID: %b\r\n" % last_id.encode()
    opened = connected(worker, HEAD % b"/v1/live" + header + b"\r\n")
    reader, _ = await opened.__aenter__()
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"text/event-stream" in head
    return opened, Reader(reader)


async def test_the_whole_state_then_what_changes_and_after_a_break_what_was_missed():
    async with Worker(owned=OWNED, owned_scopes=OWNED, limits=Limits(answer=1.5)) as worker:
        worker.add("kick:b1", 5), worker.add("kick:b2", 7, title="a\nb\u2028c")
        worker.add_scope("world", 12)
        opened, first = await reading(worker)
        kind, state = await first.event()
        assert kind == "state"
        assert state["broadcasts"]["kick:b2"]["viewers"] == 7
        assert state["broadcasts"]["kick:b2"]["title"] == "a\nb\u2028c"
        assert state["scopes"]["world"]["viewers"] == 12
        everything = {"answered": list(OWNED), "missing": []}
        assert state["partitions"] == {"broadcasts": everything, "scopes": everything}
        began = asyncio.get_running_loop().time()
        worker.add("kick:b1", 9)
        kind, change = await first.event()
        assert kind == "change"
        assert change.keys() == {"broadcasts"}
        assert change["broadcasts"]["kick:b1"]["viewers"] == 9
        assert "venue" not in change["broadcasts"]["kick:b1"]
        # One that comes back is told what it has missed, and only that.
        known = first.id
        worker.commit("kick:b2", None)
        await first.event()
        assert asyncio.get_running_loop().time() - began > 0.9, "more than once a second"
        again_opened, again = await reading(worker, known)
        kind, change = await again.event()
        assert (kind, change) == ("change", {"broadcasts": {"kick:b2": None}})
        other_opened, other = await reading(worker, "0badcafe-1")
        assert (await other.event())[0] == "state"
        assert other.state == first.state
        await asyncio.sleep(1.6)  # longer than an answer may take: a stream has no end
        worker.add("kick:b3", 1)
        for reader in (first, other):
            await reader.event()
            assert reader.state["broadcasts"]["kick:b3"]["viewers"] == 1
        for each in (opened, again_opened, other_opened):
            await each.__aexit__(None, None, None)
        await wait_for(lambda: worker.server._feed.readers == 0)


async def test_what_cannot_be_seen_stays_as_it_was_and_is_told():
    table = Table()
    mine = next(n for n in range(99) if partition_for(b"kick:b%d" % n, PARTITIONS) == 0)
    theirs = next(n for n in range(99) if partition_for(b"kick:b%d" % n, PARTITIONS) == 1)
    owners = {"owners": (table, table), "seconds": 0.3}
    async with (
        Worker(owned=(0,), owned_scopes=OWNED, **owners) as first,
        Worker(owned=OWNED[1:], owned_scopes=(), **owners) as second,
    ):
        table.urls.update(dict.fromkeys(OWNED[1:], second.server.advertised_url))
        first.add(f"kick:b{mine}", 5)
        second.add(f"kick:b{theirs}", 6)
        opened, reader = await reading(first)
        await reader.event()
        assert reader.state["broadcasts"].keys() == {f"kick:b{mine}", f"kick:b{theirs}"}
        second.current = False
        _, change = await reader.event()
        missing = change["partitions"]["broadcasts"]["missing"]
        assert [each["partition"] for each in missing] == list(OWNED[1:])
        assert reader.state["broadcasts"][f"kick:b{theirs}"]["viewers"] == 6
        second.current = True
        await reader.event()
        assert reader.state["partitions"]["broadcasts"]["missing"] == []
        await opened.__aexit__(None, None, None)


async def test_readers_leave_room_for_others():
    async with Worker(owned=OWNED, owned_scopes=OWNED, limits=Limits(connections=8)) as worker:
        opened = [(await reading(worker))[0] for _ in range(6)]
        await worker.json("/v1/live", 503)
        assert await worker.json("/healthz")
        for each in opened:
            await each.__aexit__(None, None, None)


async def test_a_slow_reader_costs_no_memory_and_starts_anew():
    looks = asyncio.Event()
    number = 0

    async def look(before):
        nonlocal number
        number += 1
        if number == 2_000:
            looks.set()
        return {"text": f"{number} " + "x" * 10_000}

    feed = Feed(look, every=0.0)
    feed.enter()
    await feed.next(5)
    text, position = feed.after(None)
    assert text.startswith(b"event: state\n")
    await looks.wait()
    assert feed._bytes < 2_200_000
    assert len(feed._changes) <= 120
    text, reached = feed.after(position)
    assert text.startswith(b"event: state\n")
    assert reached > position
    text, _ = feed.after(reached - 3)
    assert text.count(b"event: change\n") == 3
    await feed.stop()


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": 1, "b": None}, {}),
        ({"a": 1, "b": 2}, {"a": 3}, {"a": 3, "b": None}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}),
        ({"a": [1]}, {"a": [1, 2]}, {"a": [1, 2]}),
        ({"a": {"b": 1}}, {"a": 2}, {"a": 2}),
    ],
)
def test_a_patch_makes_one_of_the_other(before, after, patch):
    assert merge_patch(before, after) == patch
    without_null = {name: value for name, value in after.items() if value is not None}
    assert patched(before, patch) == without_null
