"""Makes the gateway's topics, looks at them, and takes refused deliveries again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiokafka.admin import NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from agents import kafka
from agents.gateway.intake import again
from agents.gateway.topics import REJECTED_BYTES, GatewayTopics
from agents.topics.admin import partitions_of
from agents.topics.reading import read_to_end
from streams.errors import TopicsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.gateway.intake import Intake
    from streams.settings import Settings
    from streams.topics import Topic


async def create(settings: Settings) -> list[tuple[Topic, bool]]:
    """Make the topics that are missing; what is there is left as it is.

    Returns:
        Each topic, and whether it was made.

    Raises:
        TopicsError: one or more could not be made.
        LiveAudienceError: the broker cannot be reached, or does not allow it.
    """
    topics = list(GatewayTopics.of(settings).own)
    async with kafka.admin(settings) as client:
        response = await client.create_topics(
            [
                NewTopic(each.name, each.partitions, each.replication, topic_configs=each.config)
                for each in topics
            ]
        )
    answers = {name: for_code(code) for name, code, *_ in response.topic_errors}
    problems = [
        f"{name}: {error.__name__}"
        for name, error in answers.items()
        if error.errno not in {0, TopicAlreadyExistsError.errno}
    ]
    if problems:
        raise TopicsError("these topics could not be made:\n  " + "\n  ".join(problems))
    return [(each, answers[each.name] is not TopicAlreadyExistsError) for each in topics]


async def check(settings: Settings) -> list[str]:
    """What is wrong with the topics, in words; nothing if all is well.

    Raises:
        LiveAudienceError: the broker cannot be reached, or does not allow it.
    """
    topics = GatewayTopics.of(settings)
    problems = []
    counts = {}
    for topic, command in (
        *((each, "gateway topics") for each in topics.own),
        (topics.events, "topics create"),
    ):
        try:
            counts.update(await partitions_of(settings, [topic.name]))
        except TopicsError:
            problems.append(f"{topic.name} is missing: run `live-audience {command}`")
    if not problems and counts[topics.observations.name] != counts[topics.broadcasts.name]:
        problems.append(
            f"{topics.observations.name} and {topics.broadcasts.name} must have as many partitions"
        )
    found = counts.get(topics.events.name, settings.partitions)
    if settings.partitioner == "crc32" and found != settings.partitions:
        problems.append(
            f"{topics.events.name} has {found} partitions: set AUDIENCE_PARTITIONS={found}, for "
            "the gateway places viewer events by it"
        )
    return problems


@dataclass(slots=True)
class Replayed:
    """What became of the deliveries of `gateway-rejected`.

    Attributes:
        taken: how many could be mapped now, by endpoint.
        left: how many still cannot, by the reason.
        unknown: how many are of endpoints that the configuration does not name.
    """

    taken: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    unknown: int = 0


async def replay(settings: Settings, intakes: Mapping[str, Intake]) -> Replayed:
    """Take refused deliveries again, up to those that are there now.

    They were verified when they came. Their times stay, so what is too old is refused as late. A
    message with an id counts once, however often it is taken again.

    Args:
        settings: brokers and topics.
        intakes: by the names of their endpoints.

    Raises:
        LiveAudienceError: the topic is missing, or the broker did not take them.
    """
    topic = GatewayTopics.of(settings).rejected.name
    count = (await partitions_of(settings, [topic]))[topic]
    result = Replayed()
    async with (
        kafka.reader(settings) as consumer,
        kafka.producer(settings, acks="all", max_request_size=REJECTED_BYTES) as producer,
    ):
        async for record in read_to_end(settings, consumer, topic, count):
            intake = intakes.get((record.key or b"").decode(errors="replace"))
            if intake is None:
                result.unknown += 1
                continue
            try:
                delivery, verified = again(record.headers, record.value or b"")
            except ValueError as error:
                result.left[str(error)] += 1
                continue
            taken = intake.take(delivery, verified)
            if taken.unmapped:
                result.left[taken.unmapped] += 1
                continue
            for output in taken.outputs:
                await producer.send_and_wait(
                    output.topic, output.value, output.key, timestamp_ms=output.timestamp
                )
            result.taken[intake.endpoint.name] += 1
    return result
