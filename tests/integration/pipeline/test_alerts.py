"""What goes wrong is told, and nothing else: Kafka, workers, Prometheus, Alertmanager, all real.

Durations are ten times as fast as in production; expressions, labels and texts are the real ones.
"""

import asyncio
import re
import signal
import time
from pathlib import Path

import pytest
from integration.pipeline.alarms import (
    JOB,
    Platforms,
    Told,
    about,
    alert,
    in_all,
    most,
    no_sum_doubled,
    platform,
    sending,
)
from integration.pipeline.observing import Alertmanager, Server
from integration.pipeline.system import System

from agents.alerts.timing import duration
from agents.demo.observe.notifications import receiving
from agents.demo.worker import free_port

pytestmark = [pytest.mark.kafka, pytest.mark.alone, pytest.mark.timeout(600)]

PARTITIONS = 4
SCALE = 1 / 10
# Named so that every partition has some.
VIEWERS = {f"c{number}": 5_000 * (number + 1) for number in range(8)}
WORLD = sum(VIEWERS.values())
IN_ALL = in_all()
DROPPED, SILENT = "c3", "c5"
BOTH = ["firing", "resolved"]

#: Another system under the same Prometheus, which has broadcasts of the same names among others.
STAGING = "staging/live-audience"
STAGED = {"c1": 70_000, "c8": 90_000}
PLATFORM = "fliggy"
DEAFENED = Path(__file__).with_name("deafened.py")


@pytest.fixture
def folders(tmp_path):
    """One for Prometheus and one for Alertmanager."""
    made = [tmp_path / "prometheus", tmp_path / "alertmanager"]
    for folder in made:
        folder.mkdir()
    return made


async def test_what_goes_wrong_is_told_and_nothing_else(brokers, topic_prefix, folders):
    told = Told()
    ports = [free_port("127.0.0.1", 0) for _ in range(3)]
    async with (
        System(brokers, topic_prefix, PARTITIONS) as system,
        receiving(told.take) as receiver,
        Alertmanager(folders[1], receiver, SCALE) as manager,
    ):
        for port in ports[:2]:
            worker = await system.worker(http_port=str(port))
            await worker.says("restored", 60)
        server = Server(folders[0], ports[:2], SCALE, manager.port)
        platforms = Platforms(system, VIEWERS)
        async with server, sending(platforms):
            began = time.time()
            await server.until("sum(audience_worker_ready)", 2)
            await server.until(IN_ALL, WORLD)

            await hand_over(system, server, ports)
            assert told.statuses == {}

            expected = await audience_and_events(platforms, server, told)
            expected |= await a_killed_worker(system, server, ports, told)
            assert told.statuses == expected
            await no_sum_doubled(server, began, most(VIEWERS))


async def hand_over(system, server, ports):
    """Partitions move to a third worker, and back."""
    third = await system.worker(http_port=str(ports[2]))
    await third.says('"http server started"', 60)
    server.watch(ports)
    has = f'sum(audience_live_broadcasts{{instance="127.0.0.1:{ports[2]}"}}) > bool 0'
    await server.until(has, 1)
    await server.until(IN_ALL, WORLD)
    server.watch(ports[:2])
    await server.until('count(up{job="live-audience"})', 2)
    assert await third.stop() == 0, third.tail()
    await server.until("sum(audience_worker_ready)", 2)
    await server.until(IN_ALL, WORLD)
    # Longer than most alerts wait.
    await asyncio.sleep(15)


async def audience_and_events(platforms, server, told):
    """A broadcast drops by 60 %, another goes silent, and malformed events come."""
    dropped, silent = (
        about("BroadcastAudienceDropped", DROPPED),
        about("BroadcastSilent", SILENT),
    )
    refused = alert("EventsRefused", job="live-audience", reason="malformed")
    platforms.viewers[DROPPED] = VIEWERS[DROPPED] * 4 // 10
    platforms.silent.add(SILENT)
    await platforms.send_malformed(50)
    await told.until(refused, ["firing"])
    await told.until(silent, ["firing"])
    platforms.silent.clear()
    await told.until(dropped, ["firing"])
    platforms.viewers[DROPPED] = VIEWERS[DROPPED]
    for key in (dropped, silent, refused):
        await told.until(key, BOTH)
    louvre = ("venue-louvre", (("title", "1 firing: BroadcastAudienceDropped (louvre)"),))
    over = ("venue-louvre", (("title", "resolved: BroadcastAudienceDropped (louvre)"),))
    await told.until(over, ["good"])

    assert told.texts[dropped] == {
        "summary": "The audience of fliggy:c3 (louvre) has dropped",
        "description": "Only 40% of what it was are left.",
        "runbook_url": "deploy/runbooks/BroadcastAudienceDropped.md",
    }
    assert told.texts[louvre].strip().splitlines() == [
        "[warning] The audience of fliggy:c3 (louvre) has dropped",
        "Only 40% of what it was are left.",
        "What to do: deploy/runbooks/BroadcastAudienceDropped.md",
    ]
    assert told.texts[silent]["summary"] == "fliggy:c5 (prado) is silent"
    assert re.fullmatch(
        r"Nothing came for [23]\d(\.\d+)?s, and it has not ended\.",
        told.texts[silent]["description"],
    )
    assert told.texts[refused]["summary"] == "Events are rejected as malformed"
    assert re.match(
        r"[234]\d(\.\d+)?% of all events of the last 5 minutes\.",
        told.texts[refused]["description"],
    )
    return {dropped: BOTH, silent: BOTH, refused: BOTH, louvre: ["warning"], over: ["good"]}


async def a_killed_worker(system, server, ports, told):
    """One is killed: that is told, and nothing about its broadcasts. Then there is a new one."""
    await system.workers[1].kill()
    instance = f"127.0.0.1:{ports[1]}"
    down = alert("WorkerDown", job="live-audience", instance=instance)
    await told.until(down, ["firing"])
    await server.until(IN_ALL, WORLD)
    await system.worker(http_port=str(ports[1]))
    await told.until(down, BOTH)
    await server.until("sum(audience_worker_ready)", 2)
    await server.until(IN_ALL, WORLD)
    # Longer than most alerts wait.
    await asyncio.sleep(15)
    assert told.texts[down] == {
        "summary": f"Worker {instance} is down",
        "description": "Prometheus cannot scrape it. The other workers take its partitions over.",
        "runbook_url": "deploy/runbooks/WorkerDown.md",
    }
    return {down: BOTH}


async def test_each_system_is_told_of_by_itself(brokers, topic_prefix, folders):
    told = Told()
    ports = [free_port("127.0.0.1", 0) for _ in range(3)]
    async with (
        System(brokers, topic_prefix, PARTITIONS) as system,
        System(brokers, f"{topic_prefix}staging.", 1, group="staging") as staging,
        receiving(told.take) as receiver,
        Alertmanager(folders[1], receiver, SCALE) as manager,
    ):
        workers = [
            await system.worker(http_port=str(ports[0])),
            await system.worker(str(DEAFENED), http_port=str(ports[1])),
            await staging.worker(http_port=str(ports[2])),
        ]
        for worker in workers:
            await worker.says("restored", 60)
        server = Server(folders[0], {JOB: ports[:2], STAGING: ports[2:]}, SCALE, manager.port)
        platforms, staged = Platforms(system, VIEWERS), Platforms(staging, STAGED)
        async with server:
            began = time.time()
            await server.until(f'sum(audience_worker_ready{{job="{JOB}"}})', 2)
            await server.until(f'sum(audience_worker_ready{{job="{STAGING}"}})', 1)
            async with sending(platforms), sending(staged):
                await server.until(IN_ALL, WORLD)
                await server.until(in_all(STAGING), sum(STAGED.values()))
                assert told.statuses == {}
                expected = await another_system_dies(platforms, staging, staged, server, told)
                # A platform is silent against what it was before: so not at once.
                expected |= await a_platform_stops(platforms, server, told)
                expected |= await a_fetch_task_dies(workers[1], ports[1], server, told)
            assert told.statuses == expected
            await all_counted(server, platforms)
            await no_sum_doubled(server, began, most(VIEWERS) | most(STAGED, STAGING))
            for job, viewers in ((JOB, VIEWERS), (STAGING, STAGED)):
                await never_more_live(server, began, job, viewers)


async def test_an_outage_of_all_input_is_told_once(brokers, topic_prefix, folders):
    told = Told()
    port = free_port("127.0.0.1", 0)
    async with (
        System(brokers, topic_prefix, PARTITIONS) as system,
        receiving(told.take) as receiver,
        Alertmanager(folders[1], receiver, SCALE) as manager,
    ):
        worker = await system.worker(http_port=str(port))
        await worker.says("restored", 60)
        server = Server(folders[0], [port], SCALE, manager.port)
        platforms = Platforms(system, VIEWERS)
        async with server:
            began = time.time()
            await server.until("sum(audience_worker_ready)", 1)
            async with sending(platforms):
                await server.until(IN_ALL, WORLD)
                # What it was before the outage is known 5 minutes later.
                before = f'job_platform:audience_events:increase3m{{job="{JOB}"}}'
                await server.until(f"count({before} offset {duration(300 * SCALE)} > 0)", 2)
                assert told.statuses == {}
                expected = await all_input_stops(platforms, server, told)
            assert told.statuses == expected
            await all_counted(server, platforms)
            await no_sum_doubled(server, began, most(VIEWERS))
            await never_more_live(server, began, JOB, VIEWERS)


async def all_counted(server, platforms):
    counted = f'sum(audience_event_latency_seconds_count{{job="{JOB}", stage="broadcasts"}})'
    await server.until(counted, platforms.sent)


async def never_more_live(server, began, job, viewers):
    span = f"[{time.time() - began:.0f}s]"
    live = f'max_over_time(job:audience_live_broadcasts:sum{{job="{job}"}}{span})'
    assert await server.value(live) == len(viewers)


def firing(name, **labels):
    """How many alerts of a name fire in Prometheus, told or not."""
    matchers = {"job": JOB, "alertname": name, "alertstate": "firing"} | labels
    inside = ", ".join(f'{key}="{value}"' for key, value in matchers.items())
    return f"count(ALERTS{{{inside}}})"


async def another_system_dies(platforms, staging, staged, server, told):
    """The other system has no worker any more; of this one a broadcast is silent meanwhile."""
    dead = alert("NoWorkerReady", "critical", job=STAGING)
    silent = about("BroadcastSilent", SILENT)
    # (What waits for the worker would come late, which is another alert.)
    staged.silent = set(STAGED)
    platforms.silent = {SILENT}
    await asyncio.sleep(3)
    await staging.workers[0].kill()
    await told.until(dead, ["firing"])
    # That goes without saying.
    await server.until(firing("WorkerDown", job=STAGING), 1)
    await told.until(silent, ["firing"])
    assert told.statuses == {dead: ["firing"], silent: ["firing"]}
    platforms.silent = set()
    port = staging.workers[0].env["AUDIENCE_HTTP_PORT"]
    worker = await staging.worker(http_port=port)
    await worker.says("restored", 60)
    staged.silent = set()
    for key in (dead, silent):
        await told.until(key, BOTH)
    await server.until(in_all(STAGING), sum(STAGED.values()))
    return {dead: BOTH, silent: BOTH}


async def a_platform_stops(platforms, server, told):
    """Nothing comes of one platform: that is told once, and not of each of its broadcasts."""
    key = alert("PlatformSilent", job=JOB, platform=PLATFORM)
    stopped = {broadcast for broadcast in VIEWERS if platform(broadcast) == PLATFORM}
    platforms.silent = stopped
    await told.until(key, ["firing"])
    assert told.texts[key]["summary"] == f"Platform {PLATFORM} is silent"
    await server.until(firing("BroadcastSilent", platform=PLATFORM), len(stopped))
    # Longer than a group of alerts waits until it is told.
    await asyncio.sleep(8)
    platforms.silent = set()
    await told.until(key, BOTH)
    assert await server.value(firing("BroadcastSilent")) is None
    return {key: BOTH}


async def all_input_stops(platforms, server, told):
    """Nothing comes at all: somebody is paged for as long, and nothing else is told."""
    key = alert("EventsStopped", "critical", job=JOB)
    platforms.silent = set(VIEWERS)
    await told.until(key, ["firing"])
    assert told.texts[key]["summary"] == "No events come any more"
    await server.until(firing("PlatformSilent"), 2)
    await server.until(firing("BroadcastSilent"), len(VIEWERS))
    # Longer than a group of alerts waits until it is told.
    await asyncio.sleep(8)
    assert told.statuses[key] == ["firing"]
    assert await server.value(firing("EventsStopped")) == 1
    platforms.silent = set()
    await told.until(key, BOTH)
    assert await server.value(firing("BroadcastSilent")) is None
    assert await server.value(firing("PlatformSilent")) is None
    return {key: BOTH}


async def a_fetch_task_dies(worker, port, server, told):
    """A worker's fetch tasks die as they begin: that is told of it, and the other reads for it."""
    labels = {"job": JOB, "instance": f"127.0.0.1:{port}"}
    lost = alert("SessionsLost", stage="broadcasts", **labels)
    unready = alert("RestoreTooLong", **labels)
    worker.signal(signal.SIGUSR1)
    await told.until(lost, ["firing"])
    assert told.texts[lost]["summary"] == (
        f"Worker 127.0.0.1:{port} loses its session with Kafka again and again"
    )
    await told.until(unready, ["firing"])
    worker.signal(signal.SIGUSR1)
    await told.until(unready, BOTH)
    await server.until(f'sum(audience_worker_ready{{job="{JOB}"}})', 2)
    await server.until(IN_ALL, WORLD)
    # Lost sessions are looked at for longer than this test goes on.
    return {lost: ["firing"], unready: BOTH}
