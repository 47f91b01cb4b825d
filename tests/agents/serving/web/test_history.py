"""`…/minutes`: what is kept of each minute, and what is wrong with what was asked."""

import pytest
from web_worker import BEGAN, MINUTE, PARTITIONS, RULES

from streams.audience import Row
from streams.audience.scope import CHUNK, ScopeChunk, chunk_key
from streams.audience.scope_codec import encode_scope
from streams.events import ViewerEvent
from streams.routing import partition_for
from streams.summaries import minute_text

SCOPE = "/v1/scopes/{scope}/{name}/minutes"
BROADCAST = "/v1/broadcasts/{platform}/{broadcast}/minutes"


def keep(worker, name, audiences):
    """Give a scope the audience of each of these minutes."""
    chunks = {}
    for minute, audience in audiences.items():
        chunks.setdefault(minute // CHUNK, ScopeChunk({}, {})).add(minute % CHUNK, audience, 1)
    peaks = {number: chunk.peak() for number, chunk in chunks.items()}
    number = worker.add_scope(name, 5, chunks=peaks)
    for place, chunk in chunks.items():
        key = chunk_key(name.encode(), place)
        worker.scope_rows[number].commit({key: chunk}, {key: encode_scope(chunk)})


async def test_a_scope_has_the_minutes_that_were_told_and_null_for_others(worker):
    kept = {BEGAN - 3: 7, BEGAN - 1: 0, BEGAN: 9, BEGAN - CHUNK: 4}
    keep(worker, "venue:louvre", kept)
    path = "/v1/scopes/venue/louvre/minutes"
    told = await worker.json(path, operation=SCOPE)
    assert (told["scope"], told["name"]) == ("venue", "louvre")
    assert (told["first"], told["last"]) == (minute_text(BEGAN - 1439), minute_text(BEGAN))
    assert told["kept_from"] == minute_text((BEGAN - CHUNK) // CHUNK * CHUNK)
    wanted = [kept.get(minute) for minute in range(BEGAN - 1439, BEGAN + 1)]
    assert told["audience"] == wanted
    told = await worker.json(
        f"{path}?from={minute_text(BEGAN - 2)}&to={minute_text(BEGAN + 1)}", operation=SCOPE
    )
    assert told["audience"] == [None, 0, 9, None]
    told = await worker.json(f"{path}?from={minute_text(BEGAN + 5)}", operation=SCOPE)
    assert told["audience"] == [None]  # it is yet to come


async def test_the_world_has_minutes_too_and_asks_its_owner(worker):
    keep(worker, "world", {BEGAN: 3})
    for whole in (False, True):
        told = await worker.json(f"/v1/scopes/world/minutes?from={minute_text(BEGAN)}", whole=whole)
        assert told["audience"] == [3]
    await worker.json("/v1/scopes/venue/none/minutes", 404, operation=SCOPE)


async def test_a_broadcast_has_its_open_minutes(worker):
    told_of = [(0, 10, 12), (1, None, None), (2, 30, None), (20, 50, None)]
    events = [
        (
            ViewerEvent("kick", "a/minutes", "", viewers=viewers, joins=joins),
            (BEGAN + after) * MINUTE,
            (BEGAN + after) * 60_000,
        )
        for after, viewers, joins in told_of
    ]
    row, _ = Row.begin(events, RULES)
    row.fold_sealed()
    worker.commit("kick:a/minutes", row)
    path = "/v1/broadcasts/kick/a%2Fminutes"
    told = await worker.json(f"{path}/minutes", operation=BROADCAST)
    assert told["sealed_until"] == minute_text(BEGAN + 5)
    assert told["carry"] == RULES.carry
    assert told["minutes"] == [
        {
            "minute": minute_text(BEGAN + 20),
            "revision": 0,
            "audience": 50,
            "high": 50,
            "joins": None,
            "views": None,
        }
    ]
    # An id that ends so is told from the path by its percent-encoding.
    assert (await worker.json(path, operation="/v1/broadcasts/{platform}/{broadcast}"))["events"]
    await worker.json("/v1/broadcasts/kick/a/minutes", 404, operation=BROADCAST)
    assert partition_for(b"kick:a/minutes", PARTITIONS) in worker.owned


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("from=yesterday", "from: must be a time such as"),
        ("to=2026-11-22T19:00:00+01:00", "to: must be a time such as"),
        ("from=2020-01-02T00:00:00Z&to=2020-01-01T00:00:00Z", "from: must not be after `to`"),
        ("from=2020-01-01T00:00:00Z&to=2020-01-09T00:00:00Z", "from: at most 11520 minutes"),
        ("since=1", "since: no such parameter"),
    ],
)
async def test_a_wrong_parameter_is_named(worker, query, detail):
    for path in ("/v1/scopes/world/minutes", "/v1/broadcasts/kick/x/minutes"):
        _, body = await worker.get(f"{path}?{query}", 400, whole=True)
        assert detail in body.decode()
