"""`topics create` and `topics check` on a real Apache Kafka."""

import asyncio
import time

import pytest
from aiokafka import AIOKafkaProducer
from kafka_tools import admin_client, alter_topic, consume_all, create_topic

from agents.topics.admin import check_topics, create_topics, partitions_of
from streams.errors import BrokerUnreachableError, TopicsError
from streams.settings import Settings
from streams.topics import Topics

pytestmark = pytest.mark.kafka


@pytest.fixture
def settings(brokers, topic_prefix):
    return Settings(brokers=brokers, topic_prefix=topic_prefix, partitions=3)


async def create_but(settings, name, partitions=3, **config):
    """Make all topics, this one (by attribute) with settings of its own."""
    topic = getattr(Topics.of(settings), name)
    plain = {key.replace(".", "_"): value for key, value in topic.config.items()}
    await create_topic(settings.brokers[0], topic.name, partitions, **{**plain, **config})
    await create_topics(settings)
    return topic.name


async def test_created_once_and_as_they_should_be(settings):
    assert all(creation.created for creation in await create_topics(settings))
    assert not any(creation.created for creation in await create_topics(settings))
    assert await check_topics(settings) == []


async def test_missing_ones_are_found_and_not_made_by_looking(settings):
    for _ in range(2):
        findings = await check_topics(settings)
        assert [finding.topic for finding in findings] == [
            topic.name for topic in Topics.of(settings)
        ]
        assert all("is missing" in finding.what for finding in findings)


async def test_only_the_missing_one_is_made(settings):
    await create_topic(settings.brokers[0], Topics.of(settings).events.name, 3)
    creations = await create_topics(settings)
    assert [creation.created for creation in creations] == [False] + [True] * 7


@pytest.mark.parametrize(
    ("name", "partitions", "config", "severity", "said"),
    [
        ("events", 3, {"cleanup_policy": "compact"}, "error", "cleanup.policy=compact"),
        ("events", 3, {"retention_ms": 1000}, "warning", "keeps events 1s"),
        ("events", 3, {"retention_ms": -1}, "error", "keeps events for ever"),
        ("events", 3, {"max_message_bytes": 1000}, "error", "too little"),
        ("rejected", 3, {"max_message_bytes": 1048588}, "error", "too little"),
        ("broadcast_summaries", 3, {"cleanup_policy": "delete"}, "error", "cleanup.policy=delete"),
        ("broadcast_summaries", 4, {}, "warning", "has 4 partitions"),
        ("broadcasts_changelog", 2, {}, "error", "has 2 partitions"),
        ("broadcasts_changelog", 3, {"segment_bytes": 1073741824}, "warning", "cleaned late"),
        ("broadcasts_changelog", 3, {"min_insync_replicas": 2}, "error", "nothing can be written"),
        ("scopes_changelog", 3, {"delete_retention_ms": 1000}, "warning", "forgets deletions"),
        ("scope_deltas", 3, {"retention_bytes": 1000000}, "warning", "before their time"),
    ],
)
async def test_each_wrong_configuration_is_found(
    settings, name, partitions, config, severity, said
):
    topic = await create_but(settings, name, partitions, **config)
    finding, *others = [each for each in await check_topics(settings) if each.topic == topic]
    assert finding.severity == severity
    assert said in finding.what
    # Events that stay for ever outlive the history of the scopes too.
    assert len(others) == (1 if config == {"retention_ms": -1} else 0)


@pytest.mark.parametrize(
    ("config", "ahead"),
    [
        ({}, "1h"),  # Kafka's own default
        ({"message_timestamp_after_max_ms": 7_200_000}, "2h"),
        ({"message_timestamp_after_max_ms": 120_000}, None),
    ],
)
async def test_producers_timestamps_are_found(settings, config, ahead):
    config = {"message_timestamp_type": "CreateTime", **config}
    await create_but(settings, "events", **config)
    of_type, *of_clocks = await check_topics(settings)
    assert "has message.timestamp.type=CreateTime, not LogAppendTime" in of_type.what
    assert [finding.severity for finding in (of_type, *of_clocks)] == ["warning"] * (
        1 + (ahead is not None)
    )
    for finding in of_clocks:
        assert f"message.timestamp.after.max.ms: {ahead}) by more than" in finding.what


async def test_events_have_the_brokers_time_and_not_their_producers(settings):
    await create_topics(settings)
    events = Topics.of(settings).events.name
    began = time.time() * 1000
    async with AIOKafkaProducer(bootstrap_servers=settings.brokers[0]) as producer:
        # A year ahead, an hour behind and none: with a producer's time, Kafka refuses the first.
        for ahead in (365 * 86_400_000, -3_600_000, -began):
            await producer.send_and_wait(events, b"{}", b"a:1", timestamp_ms=round(began + ahead))
    records = await consume_all(settings.brokers[0], events)
    assert len(records) == 3
    for record in records:
        assert record.timestamp_type == 1
        assert began - 1000 < record.timestamp < began + 60_000


async def test_what_the_remedy_says_mends_it(settings):
    topic = await create_but(settings, "rejected", max_message_bytes=1000)
    (finding,) = await check_topics(settings)
    setting, value = finding.remedy.rsplit(" ", 1)[1].split("=")
    await alter(settings, topic, {setting: value})
    for _ in range(100):  # the broker takes a moment to know
        if not await check_topics(settings):
            return
        await asyncio.sleep(0.1)
    pytest.fail(finding.remedy)


async def alter(settings, topic, config):
    async with admin_client(settings.brokers[0]) as client:
        # This call replaces all settings of the topic, so the others go along.
        whole = {**Topics.of(settings).rejected.config, **config}
        await alter_topic(client, topic, whole)


async def test_more_copies_than_brokers_cannot_be_made(settings):
    with pytest.raises(TopicsError, match="AUDIENCE_REPLICATION=3: no more copies than") as caught:
        await create_topics(settings.model_copy(update={"replication": 3}))
    assert str(caught.value).count("viewer-events:") == 1


async def test_partitions_of_what_is_missing_names_the_command(settings):
    with pytest.raises(TopicsError, match="live-audience topics create"):
        await partitions_of(settings, [Topics.of(settings).events.name])


async def test_rejected_takes_the_largest_record_that_could_be_read(settings):
    await create_topics(settings)
    topics = Topics.of(settings)
    key, value = b"k" * 1_000_000, b"v" * 512 * 1024
    async with AIOKafkaProducer(
        bootstrap_servers=settings.brokers[0], max_request_size=4_000_000
    ) as producer:
        await producer.send_and_wait(topics.rejected.name, value, key)
    (record,) = await consume_all(settings.brokers[0], topics.rejected.name)
    assert (len(record.key), len(record.value)) == (len(key), len(value))


@pytest.mark.parametrize("security", ["PLAINTEXT", "SSL"])
async def test_no_answer_is_told_within_ten_seconds(security):
    """A port that takes connections and says nothing."""

    async def listen(reader, writer):
        await reader.read()
        writer.close()
        await writer.wait_closed()

    silent = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    began = time.monotonic()
    with pytest.raises(BrokerUnreachableError, match=f"AUDIENCE_BROKERS=127.0.0.1:{port}"):
        await check_topics(Settings(brokers=f"127.0.0.1:{port}", security=security))
    assert time.monotonic() - began < 13
    silent.close()
    await asyncio.sleep(0.1)


async def test_security_that_the_broker_does_not_speak_is_told(brokers):
    settings = Settings(
        brokers=brokers, security="SASL_PLAINTEXT", security_user="u", security_password="hunter2"
    )
    with pytest.raises(BrokerUnreachableError, match="AUDIENCE_SECURITY=SASL_PLAINTEXT") as caught:
        await check_topics(settings)
    assert "hunter2" not in str(caught.value)
