"""Every name that a deployment has in Kafka: topics, consumer groups, transactional ids.

A deployment is a topic prefix and a group. Whatever these are, the names of two deployments never
meet, but for the viewer events, which groups on one prefix share, and for the outputs, which
belong to one of them (see `agents.topics.owner`).

What is a deployment's own is `{topic prefix}audience.{group}.{what}`. Neither a group nor `what`
has a dot, so the name can be taken apart from its end: a prefix `a.` with the group `b` is never
taken for the group `a.b`, and `x-scopes` is nobody's scopes. The dot behind the group also makes
`{topic prefix}audience.{group}.` a prefix for access rules that covers this deployment alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one deployment.

    Args:
        topic_prefix: AUDIENCE_TOPIC_PREFIX.
        output_prefix: AUDIENCE_OUTPUT_PREFIX; the topic prefix where that is empty.
        group: AUDIENCE_GROUP, without dots.
    """

    topic_prefix: str
    output_prefix: str
    group: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The names that these settings ask for."""
        prefix = settings.topic_prefix
        return cls(prefix, settings.output_prefix or prefix, settings.group)

    # -- outside topics ----------------------------------------------------------------------------

    @property
    def events(self) -> str:
        """The viewer events."""
        return f"{self.topic_prefix}viewer-events"

    @property
    def rejected(self) -> str:
        """Refused viewer events."""
        return f"{self.output_prefix}viewer-events-rejected"

    @property
    def broadcast_summaries(self) -> str:
        """Summaries of broadcasts."""
        return f"{self.output_prefix}broadcast-summaries"

    @property
    def broadcast_minutes(self) -> str:
        """Sealed minutes of broadcasts, if they are asked for."""
        return f"{self.output_prefix}broadcast-minutes"

    @property
    def scope_summaries(self) -> str:
        """Summaries of scopes."""
        return f"{self.output_prefix}scope-summaries"

    @property
    def output_owner(self) -> str:
        """Which deployment writes the three outputs."""
        return f"{self.output_prefix}output-owner"

    # -- what is the deployment's own --------------------------------------------------------------

    @property
    def deployment(self) -> str:
        """What stands in front of all that is the deployment's own, but for the dot."""
        return f"{self.topic_prefix}audience.{self.group}"

    @property
    def broadcasts_changelog(self) -> str:
        """State of the broadcasts."""
        return f"{self.deployment}.broadcasts-changelog"

    @property
    def scope_deltas(self) -> str:
        """Differences on their way to the scopes."""
        return f"{self.deployment}.scope-deltas"

    @property
    def scopes_changelog(self) -> str:
        """State of the scopes."""
        return f"{self.deployment}.scopes-changelog"

    @property
    def broadcasts_group(self) -> str:
        """The consumer group of the viewer events; its transactional ids end in `.PARTITION`."""
        return f"{self.deployment}.broadcasts"

    @property
    def scopes_group(self) -> str:
        """The consumer group of the scopes' stage; its transactional ids end in `.PARTITION`."""
        return f"{self.deployment}.scopes"

    @property
    def check_transaction(self) -> str:
        """The transactional id by which `topics check` tries whether there are transactions."""
        return f"{self.deployment}.check"

    @property
    def state_transaction(self) -> str:
        """The transactional id of `live-audience state`."""
        return f"{self.deployment}.state"

    @property
    def owner_transaction(self) -> str:
        """The transactional id of whoever claims the outputs."""
        return f"{self.output_prefix}output-owner"
