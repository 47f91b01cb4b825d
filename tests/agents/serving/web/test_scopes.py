"""`/v1/scopes`: figures, order, pages, and what a 404 says."""

import pytest
from web_worker import BEGAN, OWNED_SCOPES, PARTITIONS, Worker

from streams.audience.scope import CHUNK, ScopeChunk, ScopeHead
from streams.audience.scope_codec import encode_scope
from streams.routing import partition_for

ONE = "/v1/scopes/{scope}/{name}"
FIGURES = {
    "minute": "2019-06-08T13:20:00Z",
    "viewers": 380_000,
    "peak": 400_000,
    "peak_at": "2019-06-08T13:10:00Z",
    "peak_sum": 500_000,
    "viewer_minutes": 45_600_000,
    "joins": 7,
    "views": 9,
    "broadcasts": 3,
    "live": 2,
}
HEAD = {
    "viewers": FIGURES["viewers"],
    **{name: FIGURES[name] for name in ("peak_sum", "viewer_minutes", "joins")},
    **{name: FIGURES[name] for name in ("views", "broadcasts", "live")},
    "chunks": {(BEGAN - 10) // CHUNK: (400_000, (BEGAN - 10) % CHUNK)},
}


@pytest.fixture
async def worker():
    async with Worker() as running:
        yield running


async def scopes(worker, query=""):
    told = await worker.json(f"/v1/scopes{query}")
    return [":".join(filter(None, (one["scope"], one["name"]))) for one in told["scopes"]]


async def test_gives_all_figures_of_a_scope_in_the_contract_s_forms(worker):
    partition = worker.add_scope("venue:louvre", **HEAD)
    told = await worker.json("/v1/scopes/venue/louvre", operation=ONE)
    assert list(told.items()) == [
        ("scope", "venue"),
        ("name", "louvre"),
        *FIGURES.items(),
        ("partition", partition),
    ]


async def test_the_world_has_a_path_of_its_own(worker):
    partition = worker.add_scope("world", **HEAD)
    told = await worker.json("/v1/scopes/world")
    assert told == {"scope": "world", "name": "", **FIGURES, "partition": partition}


async def test_what_is_unknown_is_null(worker):
    worker.add_scope("world")
    told = await worker.json("/v1/scopes/world")
    assert [name for name, value in told.items() if value is None] == [
        *("viewers", "peak", "peak_at")
    ]


async def test_a_404_says_whether_another_worker_has_it(worker):
    told = await worker.json("/v1/scopes/venue/louvre", 404, operation=ONE)
    assert told["partitions"] == list(OWNED_SCOPES)
    assert told["partition"] == partition_for(b"venue:louvre", PARTITIONS)
    assert "nothing is known" in told["detail"]

    told = await worker.json("/v1/scopes/programme/night", 404, operation=ONE)
    assert told["partitions"] == list(OWNED_SCOPES)
    assert told["partition"] == partition_for(b"programme:night", PARTITIONS)
    assert "another worker has it" in told["detail"]

    worker.known_partitions = None
    told = await worker.json("/v1/scopes/world", 404)
    assert "partition" not in told
    assert "another worker may have it" in told["detail"]


async def test_a_kind_that_there_is_not_is_named(worker):
    worker.add_scope("world")
    for kind in ("world", "country"):
        told = await worker.json(f"/v1/scopes/{kind}/x", 404, operation=ONE)
        assert told["detail"].startswith(f"{kind} is no kind of scope with names")


async def test_chunks_of_minutes_are_no_scopes(worker):
    number = worker.add_scope("venue:louvre", 5)
    key, chunk = b"venue:louvre/108333", ScopeChunk({0: 5})
    worker.scope_rows[number].commit({key: chunk}, {key: encode_scope(chunk)})
    worker.scopes.committed(number, {key: chunk})
    assert await scopes(worker) == ["venue:louvre"]
    await worker.json("/v1/scopes/venue/louvre%2F108333", 404, operation=ONE)


async def test_what_has_no_newest_minute_yet_is_not_shown(worker):
    number = partition_for(b"world", PARTITIONS)
    worker.scope_rows[number].commit({b"world": ScopeHead()}, {b"world": encode_scope(ScopeHead())})
    worker.scopes.committed(number, {b"world": ScopeHead()})
    assert await scopes(worker) == []
    await worker.json("/v1/scopes/world", 404)


async def test_lists_the_largest_first_and_by_kind(worker):
    for name, viewers in {
        "venue:orsay": 20,
        "venue:unknown": None,
        "venue:louvre": 30,
        "platform:kick": 30,
        "world": 50,
    }.items():
        worker.add_scope(name, viewers)
    told = await worker.json("/v1/scopes")
    assert told["partitions"] == list(OWNED_SCOPES)
    assert told["next"] is None
    assert await scopes(worker) == [
        *("world", "platform:kick", "venue:louvre", "venue:orsay", "venue:unknown")
    ]
    assert await scopes(worker, "?scope=venue") == ["venue:louvre", "venue:orsay", "venue:unknown"]
    worker.add_scope("venue:louvre", live=0)
    assert (await scopes(worker, "?scope=venue"))[0] == "venue:orsay"
    assert await scopes(worker, "?scope=world") == ["world"]
    assert await scopes(worker, "?scope=programme") == []


async def test_pages_follow_one_another_without_a_gap(worker):
    names = [f"venue:v{n}" for n in range(50)]
    here = [name for name in names if partition_for(name.encode(), PARTITIONS) in OWNED_SCOPES]
    for number, name in enumerate(here):
        worker.add_scope(name, number // 4)
    everything = await scopes(worker, "?limit=1000")
    assert sorted(everything) == sorted(here)
    seen, cursor = [], ""
    while cursor is not None:
        query = f"?limit=5&scope=venue{cursor and '&cursor=' + cursor}"
        seen += await scopes(worker, query)
        cursor = (await worker.json(f"/v1/scopes{query}"))["next"]
    assert seen == everything


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("scope=country", "scope"),
        ("cursor=%21", "cursor"),
        ("venue=louvre", "venue"),
        ("scope=world&scope=venue", "scope"),
    ],
)
async def test_a_wrong_parameter_is_named(worker, query, named):
    told = await worker.json(f"/v1/scopes?{query}", 400)
    assert told["detail"].startswith(f"{named}: ")
