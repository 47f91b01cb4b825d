"""What a gateway must be allowed to do in Kafka: the least with which it works."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.gateway.topics import GatewayTopics, group_of
from agents.topics.access import Right

if TYPE_CHECKING:
    from streams.settings import Settings


def gateway_rights(settings: Settings) -> list[Right]:
    """The rights of a gateway. Read and Write include Describe.

    Who may write to a topic may do so idempotently, so that nothing is asked for the cluster.
    """
    topics = GatewayTopics.of(settings)
    own = group_of(settings)
    return [
        Right("topic", own, True, "Read", "to read observations and open broadcasts back"),
        Right("topic", own, True, "Write", "to write them"),
        Right("topic", topics.events.name, False, "Write", "to write viewer events"),
        Right("topic", topics.rejected.name, False, "Write", "to keep what cannot be mapped"),
        Right("topic", topics.rejected.name, False, "Read", "for `gateway replay` alone"),
        Right("group", own, True, "Read", "to share the observations and keep its offsets"),
        Right("transactional-id", own, True, "Write", "to write in transactions"),
    ]


def gateway_creator_rights(settings: Settings) -> list[Right]:
    """The rights that `gateway topics` needs beyond those of `topics create`.

    Those cover all that begins with the deployment's name, so the gateway's table and observations.
    """
    rejected = GatewayTopics.of(settings).rejected.name
    return [
        Right("topic", rejected, False, "Create", "to make the topics"),
        Right("topic", rejected, False, "Describe", "to see whether they are there"),
    ]
