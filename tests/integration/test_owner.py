"""Who writes the outputs: one group, on a real Apache Kafka."""

import asyncio
import gc
import re
import sys

import pytest
from integration.pipeline.hard_log import hard_log
from integration.pipeline.system import System
from kafka_tools import consume_all, create_topic
from processes import Process

from agents import owner as owner_module
from agents.admin import check_topics, create_topics, look_at_topics
from agents.owner import NotOwnerError, OutputOwnership, claim, read_owner
from streams.errors import TopicsError
from streams.exact.errors import Unrecoverable
from streams.settings import Settings
from streams.topics import Topics

pytestmark = pytest.mark.kafka


@pytest.fixture
def blue(brokers, topic_prefix):
    return Settings(brokers=brokers, topic_prefix=topic_prefix, partitions=2, group="blue")


def other(settings, **changes):
    return Settings(**{**settings.model_dump(exclude_unset=True), "group": "green", **changes})


async def test_a_second_group_is_refused_before_anything_is_made(blue, admin):
    await create_topics(blue)
    green = other(blue)
    with pytest.raises(NotOwnerError, match="belong to the group blue") as caught:
        await create_topics(green)
    for said in ("AUDIENCE_OUTPUT_PREFIX", "AUDIENCE_GROUP=blue", "--take-over", "operations.md"):
        assert said in str(caught.value)
    assert Topics.of(green).broadcasts_changelog.name not in await admin.list_topics()
    for look in (check_topics, look_at_topics):
        found = [each for each in await look(green) if "belong to the group blue" in each.what]
        assert [each.severity for each in found] == ["error"]
        assert not [each for each in await look(blue) if each.severity == "error"]
    with pytest.raises(Unrecoverable, match="belong to the group blue"):
        await OutputOwnership(green).check()
    await OutputOwnership(blue).check()


async def test_other_outputs_are_another_group_s(blue):
    await create_topics(blue)
    green = other(blue, output_prefix=f"{blue.topic_prefix}green.")
    await create_topics(green)
    assert await check_topics(green) == await check_topics(blue) == []


async def test_the_same_group_under_another_prefix_is_another(blue):
    outputs = f"{blue.topic_prefix}out."
    await create_topics(other(blue, group="blue", output_prefix=outputs))
    there = other(blue, group="blue", topic_prefix=f"{blue.topic_prefix}x.", output_prefix=outputs)
    with pytest.raises(NotOwnerError, match=f"AUDIENCE_TOPIC_PREFIX={blue.topic_prefix};"):
        await create_topics(there)


async def test_of_many_that_claim_at_once_one_becomes_the_owner(blue, asyncio_errors):
    topic = Topics.of(blue).output_owner
    await create_topic(blue.brokers[0], topic.name, cleanup_policy="compact")
    groups = [other(blue, group=f"g{number}") for number in range(4)]
    answers = await asyncio.gather(*(answer_to_claim(each) for each in groups))
    won = [number for number, answer in enumerate(answers) if not answer]
    owner = await read_owner(blue)
    assert [f"g{number}" for number in won] == [owner.group]
    assert len(await consume_all(blue.brokers[0], topic.name)) == 1
    for answer in answers:
        assert not answer or re.search("right now|belong to the group", answer), answer
    gc.collect()
    # What aiokafka leaves behind of a fenced producer.
    assert all("ProducerFenced" in message for message in asyncio_errors)
    asyncio_errors.clear()


async def test_a_take_over_that_was_killed_is_run_again(blue):
    await create_topics(blue)
    green = other(blue)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner_module, "fence", broken)
        with pytest.raises(RuntimeError):
            await create_topics(green, take_over=True)
        with pytest.raises(
            Unrecoverable, match=r"is not through.*topics create --take-over. again"
        ):
            await OutputOwnership(green).check()
        with pytest.raises(Unrecoverable, match="belong to the group green"):
            await OutputOwnership(blue).check()
    await create_topics(green, take_over=True)
    await OutputOwnership(green).check()


async def broken(*_):
    raise RuntimeError


async def answer_to_claim(settings):
    try:
        await claim(settings)
    except TopicsError as error:
        return str(error)
    return ""


async def test_outputs_of_nobody_are_to_be_claimed_first(blue):
    topic = Topics.of(blue).output_owner
    await create_topic(blue.brokers[0], topic.name, cleanup_policy="compact")
    with pytest.raises(Unrecoverable, match=r"nobody has claimed .* `live-audience topics create`"):
        await OutputOwnership(blue).check()


@pytest.mark.timeout(120)
async def test_a_take_over(brokers, topic_prefix):
    """The new group refuses no record again, the old one's worker ends with the reason."""
    given = {"silence": "1s", "final_margin": "1s"}
    async with System(brokers, topic_prefix, 2, group="blue", **given) as system:
        events = hard_log(7, 400, 2)
        await system.send(events)
        worker = await system.worker()
        await system.done(len(events))
        rejected = await system.read(system.topics.rejected)
        assert len(rejected) > 10
        green = Settings(**{**system.given, "group": "green"})
        with pytest.raises(TopicsError, match="workers of the group blue are at work"):
            await create_topics(green, take_over=True)
        assert (await read_owner(green)).group == "blue"
        assert await worker.stop() == 0, worker.tail()
        await create_topics(green, take_over=True)

        old = await system.worker()
        assert await old.ended(60) == 1
        assert "belong to the group green" in "\n".join(old.lines)
        # Faust's own command looks too, before it reads or writes anything.
        env = {f"AUDIENCE_{name.upper()}": value for name, value in system.given.items()}
        command = (sys.executable, "-m", "faust", "-A", "agents.app", "worker", "-l", "info")
        faust = await Process(*command, env=env, measured=False).start()
        assert await faust.ended(60) != 0
        assert "belong to the group green" in faust.lines[-1]

        system.given["group"] = "green"
        system.settings = green
        system.topics = Topics.of(green)
        await system.worker()
        broken = hard_log(8, 50, 2, broken_share=1.0)
        await system.send(broken)
        await system.done(len(events) + len(broken))
        again = await system.read(system.topics.rejected)
        sources = [dict(record.headers)["source"] for record in again]
        assert len(sources) == len(set(sources)) > len(rejected)
