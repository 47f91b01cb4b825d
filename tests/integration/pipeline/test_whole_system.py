"""Any worker answers for all: whole and right, or it says what is missing, whatever happens."""

import asyncio
import contextlib
import json
import signal
import time
from datetime import UTC, datetime
from urllib.parse import quote

import aiohttp
import pytest
from contract.reading import Record
from integration.pipeline.hard_log import place
from integration.pipeline.system import System

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

PARTITIONS = 8
BROADCASTS = 20
KEYS = [f"kick:b{n}" for n in range(BROADCASTS)]
#: A busy machine must not lose its sessions by itself.
SLOWER = {"query_timeout": "2s", "session_timeout": "10s"}
#: Minutes are sealed while it goes on.
MINUTES = {"minutes": "on", "lateness": "1m"}
LISTS = ("/v1/broadcasts?limit=3", "/v1/broadcasts?venue=v1", "/v1/scopes?limit=4")
LOOK_UPS = (
    *("/v1/scopes/world", "/v1/scopes/platform/kick", "/v1/scopes/venue/v2"),
    *(f"/v1/broadcasts/{key.replace(':', '/')}" for key in KEYS),
)


def round_of():
    """A sample of each broadcast, now."""
    at = datetime.now(UTC).isoformat()
    for n, key in enumerate(KEYS):
        event = {"platform": "kick", "broadcast": f"b{n}", "at": at, "viewers": 100 + n % 7}
        value = json.dumps(event | {"venue": f"v{n % 3}"}).encode()
        where = place(key.encode(), PARTITIONS)
        yield Record(value, key.encode(), int(time.time() * 1000), 0, partition=where)


def url_of(worker):
    line = next((line for line in worker.lines if '"http server started"' in line), None)
    return None if line is None else json.loads(line)["url"]


async def asked(session, worker, path):
    """Status and JSON of an answer."""
    async with session.get(url_of(worker) + path) as answer:
        return answer.status, await answer.json(content_type=None)


async def everything(session, worker, local=""):
    """What a worker answers to all there is to ask, page by page."""
    found = {}
    for path in LISTS:
        cursor = ""
        while cursor is not None:
            status, told = await asked(session, worker, path + cursor + local)
            assert status == 200, told
            found[path, cursor] = told
            cursor = told["next"] and f"&cursor={quote(told['next'])}"
    for path in LOOK_UPS:
        found[path] = await asked(session, worker, path)
    return found


def without_coverage(found):
    """The answers, but for whom they are of; these are whole."""
    for told in found.values():
        if isinstance(told, dict):
            answered = told.pop("partitions")
            whole = list(range(PARTITIONS))
            assert answered in (whole, {"answered": whole, "missing": []})
    return found


class Client:
    """Asks all workers all the time, and believes no answer that tells less than one before it."""

    def __init__(self, session, system):
        self._session = session
        self._system = system
        self.least = dict.fromkeys(KEYS, 0)
        self.world = 0
        self.whole = {}
        self.last = {}
        self.parts = 0

    async def ask(self, worker):
        least, world = dict(self.least), self.world
        status, told = await asked(self._session, worker, "/v1/broadcasts?limit=1000")
        if status == 200:
            self._check(worker, told, least)
        else:
            assert status == 503, told
        status, told = await asked(self._session, worker, "/v1/scopes/world")
        if status == 200:
            assert told["viewer_minutes"] >= world, (told, world)
            self.world = max(self.world, told["viewer_minutes"])
        else:
            assert status == 503, told
            assert told["detail"]

    def _check(self, worker, told, least):
        covered = self.last[worker] = told["partitions"]
        missing = {each["partition"] for each in covered["missing"]}
        assert sorted([*covered["answered"], *missing]) == list(range(PARTITIONS)), covered
        assert all(each["why"] for each in covered["missing"]), covered
        found = {f"kick:{each['broadcast']}": each["events"] for each in told["broadcasts"]}
        assert len(found) == len(told["broadcasts"]), "one came twice"
        assert found.keys() == {
            key for key in KEYS if place(key.encode(), PARTITIONS) not in missing
        }, covered
        for key, events in found.items():
            assert events >= least[key], (key, events, least[key], covered)
            self.least[key] = max(self.least[key], events)
        if missing:
            self.parts += 1
        else:
            self.whole[worker] = self.whole.get(worker, 0) + 1

    async def run(self):
        async def follow(worker):
            while worker.running:
                # (It may be gone, or stand still.)
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    await self.ask(worker)
                await asyncio.sleep(0.05)

        followed = {}
        async with asyncio.TaskGroup() as group:
            while True:
                for worker in self._system.workers:
                    if url_of(worker) and worker not in followed:
                        followed[worker] = group.create_task(follow(worker))
                await asyncio.sleep(0.1)

    async def until_whole(self, seconds=120):
        """Wait until each worker that runs gives whole answers, from now on."""
        self.whole.clear()
        end = time.monotonic() + seconds
        while True:
            running = [worker for worker in self._system.workers if worker.running]
            if all(self.whole.get(worker, 0) >= 3 for worker in running):
                return
            if self.asking.done():
                self.asking.result()
            assert time.monotonic() < end, [self.last.get(worker) for worker in running]
            await asyncio.sleep(0.1)

    @contextlib.asynccontextmanager
    async def always(self):
        self.asking = asyncio.create_task(self.run())
        try:
            yield
        finally:
            self.asking.cancel()
            await asyncio.wait({self.asking})


async def test_each_answer_is_whole_and_right_or_says_what_is_missing(brokers, topic_prefix):
    timeout = aiohttp.ClientTimeout(total=10)
    async with (
        System(brokers, topic_prefix, PARTITIONS, rules={}, **SLOWER, **MINUTES) as system,
        aiohttp.ClientSession(timeout=timeout) as session,
        contextlib.AsyncExitStack() as stack,
    ):
        first = await system.worker()
        await first.says("restored", 120)
        await system.send([*round_of(), *round_of()])
        await system.done(2 * BROADCASTS)
        wanted = await settled(session, first)
        assert len(wanted["/v1/broadcasts?limit=3", ""]["broadcasts"]) == 3
        # Three workers: each answers as the one that owned all.
        await system.worker(), await system.worker()
        client = Client(session, system)
        await stack.enter_async_context(client.always())
        await client.until_whole()
        for worker in system.workers:
            _, own = await asked(session, worker, "/v1/broadcasts?local=true")
            assert 0 < len(own["partitions"]) < PARTITIONS
            assert without_coverage(await everything(session, worker)) == wanted

        over = asyncio.Event()

        async def sending():
            while not over.is_set():
                await system.send(list(round_of()))
                await asyncio.sleep(0.1)

        load = asyncio.create_task(sending())
        parts = client.parts
        await system.workers[1].kill()
        await client.until_whole()
        assert client.parts > parts, "nobody noticed"
        # One stands still until others have its partitions, and goes on.
        stopped = system.workers[2]
        stopped.signal(signal.SIGSTOP)
        await asyncio.sleep(14)  # longer than the session
        stopped.signal(signal.SIGCONT)
        await client.until_whole()
        # A rolling restart.
        for worker in [first, stopped]:
            await system.worker()
            await client.until_whole()
            assert await worker.stop() == 0, worker.tail()
            await client.until_whole()
        over.set()
        await load
        sealed = await no_minute_is_there_twice(system)
        await every_worker_has_all_minutes(session, system, sealed)
        print(f"{client.parts} answers said what was missing; {client.least}")


async def no_minute_is_there_twice(system):
    """Whatever was killed meanwhile: no sealed minute of a broadcast went out twice."""
    found = {}
    for record in await system.read(system.topics.broadcast_minutes):
        told = json.loads(record.value)
        minutes = found.setdefault(record.key.decode(), [])
        assert told["minute"] not in minutes
        minutes.append(told["minute"])
        assert told["audience"] == 100 + int(told["broadcast"][1:]) % 7
    assert found
    assert found.keys() <= set(KEYS)
    for minutes in found.values():
        times = [datetime.fromisoformat(minute).timestamp() for minute in minutes]
        assert times == sorted(times)
    return found


async def every_worker_has_all_minutes(session, system, sealed):
    """Each worker tells the sealed minutes of all broadcasts, and behind them the open ones."""
    running = [worker for worker in system.workers if worker.running]
    for key, minutes in sealed.items():
        answers = []
        for worker in running:
            status, told = await asked(
                session, worker, f"/v1/broadcasts/{key.replace(':', '/')}/minutes"
            )
            assert status == 200, told
            answers.append(told)
        assert all(told == answers[0] for told in answers)
        assert answers[0]["missing"] == []
        assert answers[0]["sealed_until"] >= minutes[-1]
        found = [minute["minute"] for minute in answers[0]["minutes"]]
        assert found[: len(minutes)] == minutes
        # What is open is the last minutes alone.
        assert all(minute > answers[0]["sealed_until"] for minute in found[len(minutes) :])


async def settled(session, worker):
    """All answers of one that owns all, once two rounds give the same."""
    before = None
    async with asyncio.timeout(60):
        while True:
            found = without_coverage(await everything(session, worker))
            if found == before and found["/v1/scopes/world"][1]["live"] == BROADCASTS:
                return found
            before = found
            await asyncio.sleep(0.5)
