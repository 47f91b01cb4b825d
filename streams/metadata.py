"""Kafka clients that ask for their own topics alone, and make none by asking.

aiokafka's clients ask for all topics of the cluster while they know of none to ask for, every five
minutes and whenever a connection fails: with 100,000 partitions that takes seconds of the loop. And
they ask so that a broker with `auto.create.topics.enable` makes what is missing, with settings that
are not ours: a topic that was deleted under a worker would be there again, empty.

Importing this module puts `OwnTopics` in the place of aiokafka's request. It is the one thing that
its clients ask for metadata with; `AIOKafkaConsumer.topics()` tells nothing then.
"""

from __future__ import annotations

import aiokafka.client
from aiokafka.protocol.metadata import MetadataRequest


class OwnTopics(MetadataRequest):
    """Asks for these topics, and for none where there are none."""

    def __init__(self, topics: list[str] | None = None) -> None:
        super().__init__(topics or [], allow_auto_topic_creation=False)


# aiokafka's clients look it up at each request.
aiokafka.client.MetadataRequest = OwnTopics
