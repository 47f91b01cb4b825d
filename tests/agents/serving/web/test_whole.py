"""One answer for the whole system: parts of several workers, put together exactly."""

import asyncio
import json
import random
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import quote

import pytest
from aiohttp import web
from web_worker import PARTITIONS, Table, Worker

from agents.serving.web.lists import ListPart, merge
from streams.routing import partition_for

ALL = tuple(range(PARTITIONS))
SHARES = ((0, 3, 6), (1, 4, 7), (2, 5))
ONE = "/v1/broadcasts/{platform}/{broadcast}"


@asynccontextmanager
async def workers(shares=SHARES, seconds=2.0, partitioner="murmur2"):
    """Some workers that share the partitions, and the table of who owns which."""
    table = Table()
    async with AsyncExitStack() as stack:
        found = [
            await stack.enter_async_context(
                Worker(
                    owned=share,
                    owned_scopes=share,
                    owners=(table, table),
                    seconds=seconds,
                    partitioner=partitioner,
                )
            )
            for share in shares
        ]
        for worker, share in zip(found, shares, strict=True):
            table.urls.update(dict.fromkeys(share, worker.server.advertised_url))
        yield found, table


def fill(found, count=200, seed=1):
    """The same broadcasts and scopes at whoever of these workers owns them."""
    rng = random.Random(seed)
    for number in range(count):
        key, viewers = f"kick:b{number}", rng.randrange(50)
        kind = rng.choice(["sample", "sample", "ended"])
        for worker in found:
            if partition_for(key.encode(), PARTITIONS) in worker.owned:
                worker.add(key, viewers, venue=rng.choice(["louvre", None]), kind=kind)
    for name in ("world", "platform:kick", "venue:louvre", *(f"venue:v{n}" for n in range(20))):
        viewers = rng.randrange(5)
        for worker in found:
            if partition_for(name.encode(), PARTITIONS) in worker.owned_scopes:
                worker.add_scope(name, viewers)


async def pages(worker, path, field):
    """All pages of a list, one behind the other."""
    listed, cursor = [], ""
    while cursor is not None:
        told = await worker.json(path + cursor, whole=True)
        assert told["partitions"] == {"answered": list(ALL), "missing": []}
        listed.append(told[field])
        cursor = told["next"] and f"&cursor={quote(told['next'])}"
    return listed


async def test_every_answer_equals_that_of_one_that_owns_all():
    async with workers() as (three, _), Worker(owned=ALL, owned_scopes=ALL) as alone:
        random.seed(1)
        fill([alone]), fill(three)
        for query in ("limit=7", "limit=1000", "limit=60&status=ended", "limit=3&venue=louvre"):
            path = f"/v1/broadcasts?{query}"
            wanted = await pages(alone, path, "broadcasts")
            assert sum(map(len, wanted)) > 10
            for worker in three:
                assert await pages(worker, path, "broadcasts") == wanted
        wanted = await pages(alone, "/v1/scopes?limit=4", "scopes")
        for worker in three:
            assert await pages(worker, "/v1/scopes?limit=4", "scopes") == wanted
            for path in ("/v1/broadcasts/kick/b17", "/v1/scopes/world", "/v1/scopes/venue/v3"):
                _, body = await worker.get(path, whole=True)
                assert body == (await alone.get(path))[1]
            told = await worker.json("/v1/broadcasts/kick/none", 404, ONE, whole=True)
            assert told["detail"].startswith("nothing is known of kick:none")
            assert "partitions" not in told


async def test_where_no_place_can_be_told_all_are_asked():
    async with workers(partitioner="any") as (three, table):
        three[1].add("kick:here", 5)
        for worker in three:
            assert await worker.json("/v1/broadcasts/kick/here", operation=ONE, whole=True)
            await worker.json("/v1/broadcasts/kick/none", 404, ONE, whole=True)
        table.urls[7] = "http://127.0.0.1:1"
        assert await three[0].json("/v1/broadcasts/kick/here", operation=ONE, whole=True)
        told = await three[0].json("/v1/broadcasts/kick/none", 503, ONE, whole=True)
        assert "partition 7: http://127.0.0.1:1 cannot be reached" in told["detail"]


async def test_what_is_missing_is_told_with_the_reason():
    async with workers(seconds=0.4) as (three, table):
        fill(three)
        first, second, third = three
        table.urls[1] = "http://127.0.0.1:1"  # nobody is there
        table.urls[4] = None  # its worker tells nothing
        del table.urls[7]
        third.current = False  # it stood still: others may have its partitions by now
        told = await first.json("/v1/broadcasts?limit=1000", whole=True)
        assert told["partitions"]["answered"] == [0, 3, 6]
        missing = {each["partition"]: each["why"] for each in told["partitions"]["missing"]}
        assert missing.pop(1).startswith("http://127.0.0.1:1 cannot be reached")
        assert missing.pop(4) == "its worker does not tell where it answers"
        assert missing.pop(7).startswith("no worker owns it now")
        assert missing.keys() == {2, 5}
        assert all("no longer has it" in why for why in missing.values())
        assert {each["partition"] for each in told["broadcasts"]} == {0, 3, 6}
        # Its own partitions are as uncertain to whoever stood still.
        told = await third.json("/v1/broadcasts?limit=1000", whole=True)
        assert told["partitions"]["answered"] == [0, 3, 6]
        assert (await third.json("/v1/broadcasts"))["partitions"] == []
        # A look-up says who would know.
        key = next(f"b{n}" for n in range(200) if place(f"kick:b{n}") == 2)
        for worker in (first, third):
            told = await worker.json(f"/v1/broadcasts/kick/{key}", 503, ONE, whole=True)
            assert told["partition"] == 2
        assert (await third.json(f"/v1/broadcasts/kick/{key}", 404, ONE))["partitions"] == []
        assert second.current


def place(key):
    return partition_for(key.encode(), PARTITIONS)


async def test_during_a_hand_over_it_is_asked_again_within_the_time():
    async with workers() as (three, table):
        fill(three)
        held = table.urls[2]
        del table.urls[2]
        asking = asyncio.create_task(three[0].json("/v1/broadcasts", whole=True))
        await asyncio.sleep(0.2)
        assert not asking.done()
        table.urls[2] = held
        assert (await asking)["partitions"] == {"answered": list(ALL), "missing": []}
        assert table.expired


async def test_one_that_does_not_answer_does_not_hold_up_the_others():
    hanging = asyncio.Event()

    async def silent(reader, writer):
        await hanging.wait()
        writer.transport.abort()

    async with workers(seconds=0.6) as (three, table):
        fill(three)
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        table.urls[5] = f"http://127.0.0.1:{port}"
        try:
            async with asyncio.timeout(20):
                told = await three[0].json("/v1/broadcasts", whole=True)
            [missing] = told["partitions"]["missing"]
            assert missing["partition"] == 5
            assert "did not answer" in missing["why"]
        finally:
            hanging.set()
            server.close()
            await server.wait_closed()


async def test_what_a_newer_worker_tells_more_passes_through_and_what_is_no_page_does_not():
    page = {
        "broadcasts": [{"platform": "kick", "broadcast": "new", "mood": "fine"}],
        "places": [[9, "kick:new"]],
        "partitions": [5],
        "next": None,
        "weather": "rain",
    }

    async def answer(request):
        assert request.query["local"] == "true"  # one hop at most
        if request.query["partitions"] == "5":
            return web.json_response(page)
        return web.json_response({"partitions": [2], "next": None, "places": []})

    app = web.Application()
    app.router.add_get("/v1/broadcasts", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with workers(((0, 3, 6), (1, 4, 7)), seconds=0.4) as (two, table):
            newer = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
            table.urls[5] = newer
            table.urls[2] = newer.replace("127.0.0.1", "localhost")
            _, body = await two[0].get("/v1/broadcasts", whole=True)
            told = json.loads(body)
            assert told["broadcasts"] == page["broadcasts"]
            [missing] = told["partitions"]["missing"]
            assert missing["partition"] == 2
            assert "something else than a page" in missing["why"]
    finally:
        await runner.cleanup()


async def test_partitions_go_with_local_alone():
    async with workers() as ([worker, *_], _):
        told = await worker.json("/v1/broadcasts?partitions=1", 400, whole=True)
        assert told["detail"] == "partitions: goes with local=true alone"
        told = await worker.json("/v1/broadcasts?local=maybe", 400, whole=True)
        assert told["detail"].startswith("local: must be one of")
        told = await worker.json("/v1/broadcasts?local=true&partitions=0,7")
        assert told["partitions"] == [0]
        assert told["places"] == []


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 10])
def test_nothing_is_shown_behind_which_a_part_has_more(limit):
    def part(*viewers, last=None, of=0):
        places = [(-each, b"%d" % each, of) for each in viewers]
        return ListPart([b"%d" % each for each in viewers], places, last, [of])

    # The second part's 5 has become final meanwhile, and there is more behind it.
    parts = [part(9, 4, 3), part(7, last=(-5, b"5"), of=1)]
    shown, last = merge(parts, limit)
    assert shown == [b"9", b"7"][:limit]
    assert last == ((-9, b"9") if limit == 1 else (-5, b"5"))
