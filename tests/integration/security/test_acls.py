"""The least rights that a worker works with: each is enough with the others, and each is needed."""

import asyncio
import sys
import time

import orjson
import pytest
from aiokafka.client import AIOKafkaClient
from integration.pipeline.system import System
from kafka_tools import produce_all
from processes import Process

from agents import worker
from agents.kafka import client_options
from agents.serving.web import GroupClient
from agents.serving.web.stage import UnknownOwnersError
from agents.topics.access import creator_rights, require_rights, useful_rights, worker_rights
from agents.topics.admin import check_topics
from streams import audience, rfc3339
from streams.audience import Row, Rules
from streams.errors import AccessError
from streams.exact.cluster import topic_metadata
from streams.exact.errors import Unrecoverable
from streams.exact.position import POSITION_KEY, Position, encode_position
from streams.names import Names
from streams.settings import Settings
from streams.viewer_event import ViewerEvent

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(200)]
KINDS = {"topic": "topic", "group": "group", "transactional-id": "transactional_id"}
OPERATIONS = {
    "Create": "CREATE",
    "Describe": "DESCRIBE",
    "Read": "READ",
    "Write": "WRITE",
    "DescribeConfigs": "DESCRIBE_CONFIGS",
}
RIGHTS = worker_rights(Settings())


def acl(right):
    pattern = "prefixed" if right.prefixed else "literal"
    return KINDS[right.kind], right.name, pattern, OPERATIONS[right.operation]


def system(secured, prefix):
    return System(secured.cluster.bootstrap, prefix, 1, replication="1")


def event(broadcast, **more):
    now = int(time.time())
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    fields = {"platform": "fliggy", "broadcast": broadcast, "at": at, "viewers": 7, **more}
    return f"fliggy:{broadcast}".encode(), orjson.dumps(fields)


def records():
    """What makes a worker do all that it ever does."""
    return [event("b-1", kind="started"), event("b-1", kind="ended"), (b"fliggy:x", b"no JSON")]


async def user(secured, name):
    await secured.user(name, f"{name}-canary")
    return secured.login(name)


def said(operation, name, kind="topic"):
    """What is said of a right that is missing when something is tried: a single name."""
    return f"the right {operation} on the {kind.replace('-', ' ')} {name}"


async def call(*arguments, **settings):
    env = {f"AUDIENCE_{name.upper()}": value for name, value in settings.items()}
    command = await Process(sys.executable, "-m", "agents.cli", *arguments, env=env).start()
    return await command.ended(60), "\n".join(command.lines)


async def test_all_that_are_missing_are_named_at_the_start(secured, topic_prefix):
    login = await user(secured, "nothing")
    async with system(secured, topic_prefix) as running:
        settings = Settings(**{**running.given, **login})
        rights = worker_rights(settings)
        with pytest.raises(AccessError) as caught:
            await require_rights(settings)
        told = str(caught.value)
        for right in rights:
            if right.kind != "transactional-id":  # Kafka does not tell beforehand
                assert f"\n  {right}\n" in told, right
        assert "live-audience acls" in told
        # Who owns what is asked of the group: for that, too, these rights are enough.
        asking = (Names.of(settings).broadcasts_group, running.topics.events.name)
        owners = GroupClient(settings)
        with pytest.raises(UnknownOwnersError, match="the right"):
            await owners.owners(*asking)
        await secured.allow("nothing", [acl(right) for right in rights])
        await require_rights(settings)
        assert await owners.owners(*asking) == {}
        await owners.close()


async def test_each_that_is_missing_is_named_at_the_start(secured, topic_prefix):
    login = await user(secured, "starting")
    async with system(secured, topic_prefix) as running:
        settings = Settings(**{**running.given, **login})
        rights = worker_rights(settings)
        await secured.allow("starting", [acl(right) for right in rights])
        await worker.check_topics_first(settings)
        for right in rights:
            await secured.forbid("starting", acl(right))
            with pytest.raises(AccessError) as caught:
                await worker.check_topics_first(settings)
            named = (
                str(right)
                if right.kind != "transactional-id"
                else said(right.operation, right.name, right.kind)
            )
            assert named in str(caught.value)
            await secured.allow("starting", [acl(right)])
        await worker.check_topics_first(settings)


async def test_these_are_enough_and_a_worker_that_lacks_one_says_which(secured, topic_prefix):
    login = await user(secured, "enough")
    async with system(secured, topic_prefix) as running:
        rights = worker_rights(running.settings)
        await secured.allow("enough", [acl(right) for right in rights])
        first = await running.worker(**login)
        await first.says("restored")
        await produce_all(running.brokers, running.topics.events.name, records())
        async with asyncio.timeout(30):
            while not await running.read(running.topics.scope_summaries):  # noqa: ASYNC110 - Kafka's
                await asyncio.sleep(0.2)
        (refused,) = await running.read(running.topics.rejected)
        assert refused.value == b"no JSON"
        (summary,) = await running.read(running.topics.broadcast_summaries)
        assert summary.key == b"fliggy:b-1"
        # Only the topics' settings could not be looked at.
        assert any("allow DescribeConfigs on it" in line for line in first.lines)
        assert await first.stop() == 0
        await secured.allow("enough", [acl(right) for right in useful_rights(running.settings)])
        await secured.forbid("enough", acl(rights[0]))
        second = await running.worker(**login)
        assert await second.ended() == 1
        assert any(str(rights[0]) in line for line in second.lines)
        await secured.allow("enough", [acl(rights[0])])
        assert await check_topics(Settings(**{**running.given, **login})) == []


async def test_who_makes_the_topics_and_who_sends_events_needs_other_rights(
    secured, topic_prefix, tmp_path
):
    maker, sender = await user(secured, "making"), await user(secured, "sending")
    given = {"topic_prefix": topic_prefix, "replication": "3"}
    rights = creator_rights(Settings(**given))
    await secured.allow("making", [acl(right) for right in rights])
    code, text = await call("topics", "create", **given, **maker)
    assert code == 0, text
    file = tmp_path / "events.jsonl"
    file.write_bytes(records()[0][1])
    code, text = await call("replay", str(file), **given, **sender)
    assert code == 1
    assert said("Describe", f"{topic_prefix}viewer-events") in text
    await secured.allow("sending", [("topic", f"{topic_prefix}viewer-events", "literal", "WRITE")])
    code, text = await call("replay", str(file), **given, **sender)
    assert code == 0, text


async def test_who_corrects_needs_to_read_the_changelog_and_to_write_events(secured, topic_prefix):
    login = await user(secured, "correcting")
    async with system(secured, topic_prefix) as running:
        topics, minute = running.topics, "2026-03-01T12:00:00Z"
        told = ViewerEvent("fliggy", "b-1", minute, viewers=7)
        row = Row.new(told, rfc3339.microseconds(minute), 1, Rules(15, 2))
        await produce_all(
            running.brokers,
            topics.broadcasts_changelog.name,
            [
                (b"fliggy:b-1", audience.encode(row)),
                (POSITION_KEY, encode_position(Position(0, "", 1))),
            ],
        )
        given = {**running.given, **login}
        command = ("correct", "fliggy", "b-1", "--minute", minute, "--viewers", "5")
        for topic, operation, lacks in (
            (topics.events, "WRITE", "Describe"),
            (topics.broadcasts_changelog, "READ", "Describe"),
        ):
            code, text = await call(*command, **given)
            assert code == 1
            assert said(lacks, topic.name) in text
            await secured.allow("correcting", [("topic", topic.name, "literal", operation)])
        code, text = await call(*command, **given)
        assert code == 0, text
        (record,) = await running.read(topics.events)
        assert orjson.loads(record.value)["revision"] == 1


#: One of each kind of use: a topic that is read, one that is written, its own topics, its groups,
#: its transactions. (The owner of the outputs is read at the start alone.)
WORKING = [
    number
    for number, right in enumerate(RIGHTS)
    if right.name.endswith(("viewer-events", "-rejected"))
    or (right.prefixed and (right.kind, right.operation) != ("topic", "Read"))
]


async def test_a_topic_that_may_not_be_seen_is_named_with_the_right_that_the_work_needs(
    secured, topic_prefix
):
    # Whichever notices first that Read was taken away, a fetch or the next look at the topics.
    login = await user(secured, "blind")
    async with system(secured, topic_prefix) as running:
        settings = Settings(**{**running.given, **login})
        client = AIOKafkaClient(**client_options(settings))
        await client.bootstrap()
        try:
            events = running.topics.events.name
            for reads, operation in (({events}, "Read"), (set(), "Write"), (None, "Describe")):
                with pytest.raises(Unrecoverable, match=f"the right {operation} on .* {events} "):
                    await topic_metadata(client, [events], reads)
        finally:
            await client.close()


async def test_each_that_is_taken_away_is_named_during_work(secured, topic_prefix):
    most = asyncio.Semaphore(3)  # workers at once

    async def one(number):
        async with most, system(secured, f"{topic_prefix}{number}.") as running:
            name = f"working-{number}"
            login = await user(secured, name)
            rights = worker_rights(running.settings)
            await secured.allow(name, [acl(right) for right in rights])
            at_work = await running.worker(**login, deadline="8s")
            await at_work.says("restored", 60)
            await secured.forbid(name, acl(rights[number]))
            await produce_all(running.brokers, running.topics.events.name, records())
            assert await at_work.ended(30) == 1, at_work.tail()
            ends = [line for line in at_work.lines if "worker stopped: " in line]
            return rights[number], ends[-1]

    for right, last in await asyncio.gather(*map(one, WORKING)):
        assert said(right.operation, right.name, right.kind) in last, (right, last)
