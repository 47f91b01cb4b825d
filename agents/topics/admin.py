"""Makes the topics, and looks at those that are there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidReplicationFactorError,
    PolicyViolationError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from agents import kafka
from agents.topics.findings import Finding, TopicState, findings
from agents.topics.owner import claim, read_owner, refuse_other, why_not_owner
from streams.errors import BrokerUnfitError, BrokerUnreachableError, TopicsError
from streams.metadata import OwnTopics
from streams.names import Names
from streams.topics import Topic, Topics

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiokafka.admin import AIOKafkaAdminClient

    from streams.settings import Settings


_LOOKS: Final = 50
_LOOK_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class TopicCreation:
    """What became of a topic that was to be made.

    Attributes:
        topic: the topic.
        created: false if it was there already; then nothing about it was changed.
    """

    topic: Topic
    created: bool


async def create_topics(settings: Settings, *, take_over: bool = False) -> list[TopicCreation]:
    """Make the topics that are missing, and claim the outputs; what is there is left as it is.

    Args:
        settings: the settings in force.
        take_over: claim the outputs also if they are another group's.

    Raises:
        NotOwnerError: the outputs are another group's; then nothing was made.
        TopicsError: one or more could not be made; the others were.
        LiveAudienceError: the broker cannot be reached, is too old or does not allow it.
    """
    topics = Topics.of(settings)
    wanted = [
        NewTopic(topic.name, topic.partitions, topic.replication, topic_configs=dict(topic.config))
        for topic in topics
    ]
    async with kafka.admin(settings) as client:
        owned = topics.output_owner.name in await _described(client, [topics.output_owner.name])
    if owned and not take_over:
        owner = await read_owner(settings)
        if owner is not None:
            refuse_other(settings, owner)
    async with kafka.admin(settings) as client:
        response = await client.create_topics(wanted)
        await _wait_until_described(
            client, {name for name, code, *_ in response.topic_errors if not code}
        )
    # An older broker's answer has no message.
    answers = {name: (code, *rest) for name, code, *rest in response.topic_errors}
    problems = []
    creations = []
    for topic in topics:
        code, *rest = answers[topic.name]
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            problems.append(f"{topic.name}: {_refusal(error, rest, settings)}")
        else:
            creations.append(TopicCreation(topic, created=not code))
    if problems:
        raise TopicsError("these topics could not be made:\n  " + "\n  ".join(problems))
    await claim(settings, take_over=take_over)
    return creations


async def _wait_until_described(client: AIOKafkaAdminClient, names: set[str]) -> None:
    """Wait until the broker tells of new topics: it says that they are made a moment before.

    For a bounded time, for another broker of the cluster may be asked next anyway.
    """
    for _ in range(_LOOKS):
        if len(await _described(client, names)) == len(names):
            return
        await asyncio.sleep(_LOOK_SECONDS)


def _refusal(error: type[Exception], rest: list[str | None], settings: Settings) -> str:
    said = (rest[0] if rest else None) or error.__name__
    if error is InvalidReplicationFactorError:
        return (
            f"{said} (AUDIENCE_REPLICATION={settings.replication}: "
            "no more copies than the cluster has brokers)"
        )
    if error is PolicyViolationError:
        return f"{said} (the cluster's own policy for topics)"
    return said


async def check_topics(settings: Settings) -> list[Finding]:
    """What is wrong with the topics, or with the broker as far as it can be told.

    Raises:
        LiveAudienceError: the broker cannot be reached, is too old or does not allow it.
    """
    # Imported here: it brings all of Faust along, which the other commands need not wait for.
    from streams.exact.cluster import require_transactions  # noqa: PLC0415 - see above
    from streams.exact.errors import ExactError  # noqa: PLC0415 - see above

    topics = Topics.of(settings)
    async with kafka.admin(settings) as client:
        try:
            # The public client has no way to ask for it.
            await require_transactions(client._client)  # noqa: SLF001 - see above
        except ExactError as error:
            raise BrokerUnfitError(str(error)) from error
        found = await _found(client, [topic.name for topic in topics])
    unfit = await _transactions(settings)
    owned = await _ownership(settings, topics, found)
    return [*unfit, *findings(settings, topics, found), *owned]


async def find_topic_problems(settings: Settings) -> list[Finding]:
    """What is wrong with the topics alone: no transaction is begun, so it may be asked often.

    Raises:
        LiveAudienceError: the broker cannot be reached or does not allow it.
    """
    topics = Topics.of(settings)
    async with kafka.admin(settings) as client:
        found = await _found(client, [topic.name for topic in topics])
    owned = await _ownership(settings, topics, found)
    return [*findings(settings, topics, found), *owned]


async def _ownership(
    settings: Settings, topics: Topics, found: Mapping[str, TopicState]
) -> list[Finding]:
    name = topics.output_owner.name
    if name not in found:
        return []
    what, remedy = why_not_owner(settings, await read_owner(settings))
    return [Finding(name, "error", what, remedy)] if what else []


async def partitions_of(settings: Settings, names: Iterable[str]) -> dict[str, int]:
    """How many partitions each of these topics has.

    Raises:
        TopicsError: one of them is missing.
        LiveAudienceError: the broker cannot be reached or does not allow it.
    """
    names = list(names)
    async with kafka.admin(settings) as client:
        described = await _described(client, names)
    counts = {}
    for name in names:
        if name not in described:
            raise TopicsError(
                f"there is no topic {name} at AUDIENCE_BROKERS={','.join(settings.brokers)}: "
                "make the topics with `live-audience topics create`, or set AUDIENCE_TOPIC_PREFIX"
            )
        counts[name] = len(described[name])
    return counts


async def _described(
    client: AIOKafkaAdminClient, names: Iterable[str]
) -> dict[str, list[Mapping[str, Any]]]:
    """The partitions of those of these topics that are there, and of no others.

    Raises:
        TopicAuthorizationFailedError: the broker does not tell us about one of them.
    """
    # The public client asks for all topics, which takes seconds where there are many, or by name,
    # by which a broker may make the missing ones.
    inner = client._client  # noqa: SLF001 - see above
    response = await inner.send(inner.get_random_node(), OwnTopics(list(names)))
    described = {}
    for topic in response.to_object()["topics"]:
        if for_code(topic["error_code"]) is TopicAuthorizationFailedError:
            raise TopicAuthorizationFailedError(topic["topic"])
        if not topic["error_code"]:
            described[topic["topic"]] = topic["partitions"]
    return described


async def _found(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, TopicState]:
    described = await _described(client, names)
    present = [name for name in names if name in described]
    if not present:
        return {}
    responses = await client.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name) for name in present]
    )
    configs = {
        name: {entry[0]: entry[1] for entry in entries}
        for response in responses
        for code, _, _, name, entries in response.resources
        if not code
    }
    return {
        name: TopicState(
            partitions=len(described[name]),
            replication=min(len(partition["replicas"]) for partition in described[name]),
            config=configs.get(name),
        )
        for name in present
    }


async def _transactions(settings: Settings) -> list[Finding]:
    """Begin a transaction for good: that a broker knows how does not say that it can."""
    try:
        async with kafka.producer(
            settings,
            transactional_id=Names.of(settings).check_transaction,
        ):
            return []
    except BrokerUnreachableError:
        # It was reached a moment ago.
        return [
            Finding(
                "transactions",
                "error",
                f"the broker began none within {kafka.CONNECT_TIMEOUT:g} s",
                "look at the broker's log; a cluster of fewer than 3 brokers needs "
                "transaction.state.log.replication.factor and transaction.state.log.min.isr to be "
                "no more than it has",
            )
        ]
