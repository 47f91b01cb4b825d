"""The embedded Apache Kafka: what the pipeline and its tests rely on."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from kafka_tools import admin_client, consume_all, create_topic, produce_all

from agents.broker import (
    Broker,
    BrokerDiedError,
    Cluster,
    EmbeddedBrokerError,
    FolderInUseError,
    PortInUseError,
    aot,
    jars,
    runtime,
)
from agents.broker.ready import answers, free_port
from agents.broker.train import train

pytestmark = pytest.mark.kafka


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def until(condition, seconds=10.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - a process has no event to wait for
            await asyncio.sleep(0.05)


def values(records):
    return [record.value for record in records]


async def test_transactions_are_seen_whole_or_not_at_all(brokers, topic_prefix):
    topic = f"{topic_prefix}events"
    await create_topic(brokers, topic)
    async with AIOKafkaProducer(
        bootstrap_servers=brokers, transactional_id=f"{topic_prefix}writer"
    ) as producer:
        async with producer.transaction():
            await producer.send_and_wait(topic, b"committed")
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"aborted")
        await producer.abort_transaction()
    assert values(await consume_all(brokers, topic)) == [b"committed"]
    everything = await consume_all(brokers, topic, committed=False)
    assert values(everything) == [b"committed", b"aborted"]


async def test_records_of_almost_8_mib_are_taken(brokers, topic_prefix):
    topic = f"{topic_prefix}events"
    await create_topic(brokers, topic)
    size = 8 * 1024 * 1024 - 1024
    async with AIOKafkaProducer(bootstrap_servers=brokers, max_request_size=2 * size) as producer:
        await producer.send_and_wait(topic, bytes(size))
    assert [len(value) for value in values(await consume_all(brokers, topic))] == [size]


async def test_a_topic_never_comes_to_be_by_itself(admin, topic_prefix):
    name = f"{topic_prefix}misspelt"
    await admin.describe_topics([name])
    assert name not in await admin.list_topics()


async def test_killed_and_started_again_it_has_its_data_and_its_port(tmp_path, topic_prefix):
    topic = f"{topic_prefix}events"
    async with Broker(tmp_path / "data") as broker:
        address, pid = broker.bootstrap, broker.pid
        await create_topic(address, topic, partitions=2)
        await produce_all(address, topic, [(b"key", b"before")])
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not broker.running)
        await asyncio.to_thread(broker.start)
        assert broker.bootstrap == address
        assert broker.pid != pid
        await produce_all(address, topic, [(b"key", b"between")])
        await asyncio.to_thread(broker.restart)
        await produce_all(address, topic, [(b"key", b"after")])
        records = await consume_all(address, topic)
        with pytest.raises(EmbeddedBrokerError, match="running already"):
            broker.start()
        last = broker.pid
    assert values(records) == [b"before", b"between", b"after"]
    assert gone(last)


def test_it_starts_from_javas_cache_and_without_one_that_is_broken(tmp_path, monkeypatch):
    cache = train()  # tests/run has done so before
    with Broker(tmp_path / "data") as broker:
        mapped = {Path(each.path) for each in psutil.Process(broker.pid).memory_maps()}
        assert cache in mapped
        assert "[aot" not in broker.log.read_text()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    broken = aot.cache(runtime.java(), jars.class_path())
    broken.parent.mkdir()
    broken.write_bytes(cache.read_bytes()[:100_000])
    with Broker(tmp_path / "data") as broker:
        assert answers(broker.port, 5)
        mapped = {Path(each.path) for each in psutil.Process(broker.pid).memory_maps()}
        assert broken not in mapped
        assert "[aot" in broker.log.read_text()  # says why


def test_a_port_in_use_is_named_at_once(broker, tmp_path):
    second = Broker(tmp_path, broker.port)
    with pytest.raises(PortInUseError, match=rf"127\.0\.0\.1:{broker.port} \(it is in use\)"):
        second.start()
    assert not second.running


def test_a_broker_that_dies_at_its_start_leaves_its_last_words(tmp_path):
    wrong = Broker(tmp_path, overrides={"log.segment.bytes": "1"})
    with pytest.raises(BrokerDiedError, match=r"(?s)ended with 1.*log\.segment\.bytes"):
        wrong.start()
    assert not wrong.running


@pytest.mark.parametrize("formatted", [False, True])
def test_one_that_is_too_slow_is_ended(tmp_path, formatted):
    if formatted:
        with Broker(tmp_path):
            pass
    slow = Broker(tmp_path, timeout=0.1)
    with pytest.raises(BrokerDiedError, match=r"not (answer|done) within 0 s"):
        slow.start()
    assert not slow.running
    with Broker(tmp_path) as broker:  # what was broken off does no harm
        assert answers(broker.port, 5)


def test_a_folder_in_use_by_another_is_refused(broker):
    second = Broker(broker.data)
    with pytest.raises(FolderInUseError, match=str(broker.data)):
        second.start()
    assert not second.running
    assert broker.running


async def test_a_start_that_is_cancelled_leaves_nothing_running(tmp_path):
    broker = Broker(tmp_path)
    starting = asyncio.ensure_future(broker.__aenter__())
    await until(lambda: broker.running, 60)
    pid = broker.pid
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not broker.running
    assert gone(pid)


PARENT = """
import sys, time
from pathlib import Path
from agents.broker import Broker
broker = Broker(Path(sys.argv[1]))
broker.start()
print(broker.pid, flush=True)
time.sleep(600)
"""


def test_it_ends_when_its_parent_is_killed(tmp_path):
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.kill()
        asyncio.run(until(lambda: gone(pid) or _is_zombie(pid)))


def _is_zombie(pid):
    # In a container whose first process collects no orphans a dead one stays listed.
    status = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return status.stdout.startswith("Z")


SERVE = """
import asyncio, sys
from pathlib import Path
from agents.broker import serve
asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), "256m", int(sys.argv[3])))
"""


@pytest.mark.parametrize(("number", "nodes"), [(signal.SIGINT, 1), (signal.SIGTERM, 3)])
def test_served_in_the_foreground_it_stops_in_order(tmp_path, number, nodes):
    port = free_port()
    ports = range(port, port + nodes)
    addresses = ",".join(f"127.0.0.1:{port}" for port in ports)
    command = [sys.executable, "-c", SERVE, str(tmp_path), str(port), str(nodes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        assert line == f"Apache Kafka 4.3.1 answers at {addresses}\n"
        assert all(answers(port, 5, brokers=nodes) for port in ports)
        started = time.monotonic()
        process.send_signal(number)
        assert process.wait(30) == 0
        assert time.monotonic() - started < 15 + 10 * (nodes - 1)
    assert not any(answers(port, 1) for port in ports)


async def test_three_nodes_hold_three_copies_and_one_may_die(tmp_path, topic_prefix):
    topic = f"{topic_prefix}events"
    async with Cluster(tmp_path / "cluster") as cluster:
        assert cluster.running
        async with admin_client(cluster.bootstrap) as client:
            new = NewTopic(topic, 3, 3, topic_configs={"min.insync.replicas": "2"})
            answer = await client.create_topics([new])
            assert not answer.topic_errors[0][1], answer
        await produce_all(cluster.bootstrap, topic, [(b"%d" % n, b"before") for n in range(30)])
        first = cluster.nodes[0]
        first.kill()
        assert not cluster.running
        # The other two lead what it led, transactions included.
        async with (
            AIOKafkaProducer(
                bootstrap_servers=cluster.bootstrap, transactional_id=f"{topic_prefix}writer"
            ) as producer,
            producer.transaction(),
        ):
            for number in range(3):
                await producer.send_and_wait(topic, b"between", partition=number)
        async with asyncio.timeout(30):
            # The marker of a commit is written after it was acknowledged.
            while len(records := await consume_all(cluster.bootstrap, topic)) < 33:
                pass
        assert Counter(values(records)) == {b"before": 30, b"between": 3}
        await asyncio.to_thread(cluster.start)  # what is missing
        assert cluster.running
        second = Cluster(cluster.data)
        with pytest.raises(FolderInUseError):
            second.start()
        await asyncio.to_thread(cluster.kill)


def test_a_node_that_cannot_start_ends_the_others(tmp_path):
    cluster = Cluster(tmp_path, overrides={"log.segment.bytes": "1"})
    with pytest.raises(BrokerDiedError, match=r"(?s)ended with 1.*log\.segment\.bytes"):
        cluster.start()
    assert not any(node.running for node in cluster.nodes)
