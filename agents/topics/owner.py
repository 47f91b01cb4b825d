"""Which deployment writes the outputs: one at a time, and told in Kafka.

Summaries and refused records carry no group. A second group that wrote to the same topics would
write its own summaries over right ones and refuse each record once more. So the outputs have an
owner, the last record of the topic `output-owner`. `topics create` claims outputs that are
nobody's; a worker that finds another's refuses to work.

Claims cannot cross. A claim is made in a transaction whose id is that of the outputs: the later
claimant fences the earlier one, then reads who the owner is. A take-over first says so, then fences
all transactional ids of the former owner, and only then counts what that one has refused: a worker
looks who the owner is after it has taken its own transactional id, so either it is fenced or it
sees the claim.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
from aiokafka.errors import InvalidProducerEpoch, ProducerFenced
from msgspec.structs import replace

from agents import kafka
from agents.topics.groups import applied_offsets, facts_of, fence, members_of
from agents.topics.reading import read_to_end
from agents.topics.remedies import GUIDE
from streams.errors import BrokerUnreachableError, LiveAudienceError, TopicsError
from streams.names import Names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aiokafka import AIOKafkaProducer

    from streams.settings import Settings

FORMAT: Final = 1
_KEY: Final = b"owner"
_LOOKS: Final = 50
_LOOK_SECONDS: Final = 0.1


class Owner(msgspec.Struct, frozen=True):
    """Who writes the outputs.

    Attributes:
        group: Its AUDIENCE_GROUP.
        topic_prefix: Its AUDIENCE_TOPIC_PREFIX.
        since: When it claimed them.
        events_id: The id of the viewer events' topic that `refused` is about.
        refused: Up to where former owners have refused what was to be refused, by partition: so
            that whoever begins anew refuses no record a second time.
        taking_from: Group and topic prefix of the former owner, while a take-over is not through.
        format: Version of this record.
    """

    group: str
    topic_prefix: str
    since: str
    events_id: str = ""
    refused: dict[int, int] = {}
    taking_from: tuple[str, str] | None = None
    format: int = FORMAT

    @property
    def deployment(self) -> str:
        """The owner's own names begin so."""
        return self.names.deployment

    @property
    def names(self) -> Names:
        """The owner's own names."""
        return Names(self.topic_prefix, "", self.group)


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Owner)


class NotOwnerError(TopicsError):
    """The outputs are another deployment's."""


async def read_owner(settings: Settings) -> Owner | None:
    """Who owns the outputs that the settings name; None if nobody has claimed them.

    Raises:
        LiveAudienceError: the topic cannot be read, or a newer version wrote it.
    """
    topic = Names.of(settings).output_owner
    last: bytes | None = None
    async with kafka.reader(settings) as consumer:
        async for record in read_to_end(settings, consumer, topic, 1):
            last = record.value if record.key == _KEY else last
    if last is None:
        return None
    try:
        owner = _decoder.decode(last)
    except msgspec.DecodeError as error:
        raise TopicsError(f"the topic {topic} does not say who the owner is: {error}") from error
    if owner.format > FORMAT:
        raise TopicsError(
            f"a newer version of live-audience wrote the topic {topic} (format {owner.format}): "
            "use that one"
        )
    return owner


def refuse_other(settings: Settings, owner: Owner | None) -> None:
    """Do nothing if the settings' deployment owns the outputs.

    Raises:
        NotOwnerError: another does, or nobody; the message says what to do.
    """
    what, remedy = why_not_owner(settings, owner)
    if what:
        raise NotOwnerError(f"{what}: {remedy}")


def why_not_owner(settings: Settings, owner: Owner | None) -> tuple[str, str]:
    """What is wrong with the ownership of the outputs, and what to do; empty if all is well."""
    names = Names.of(settings)
    outputs = f"{names.rejected}, {names.broadcast_summaries}, {names.scope_summaries}"
    if owner is None:
        return (
            f"nobody has claimed the outputs {outputs}",
            "claim them with `live-audience topics create`",
        )
    if owner.deployment == names.deployment:
        if owner.taking_from is None:
            return "", ""
        former = owner.taking_from[0]
        what = f"the take-over of the outputs {outputs} from the group {former} is not through"
        return what, "run `live-audience topics create --take-over` again"
    prefix = f", AUDIENCE_TOPIC_PREFIX={owner.topic_prefix}" if owner.topic_prefix else ""
    what = (
        f"the outputs {outputs} belong to the group {owner.group} (AUDIENCE_GROUP={owner.group}"
        f"{prefix}; since {owner.since}), not to {settings.group}"
    )
    remedy = (
        "two groups would write over each other's summaries. Set AUDIENCE_OUTPUT_PREFIX to give "
        f"the group {settings.group} outputs of its own, or set AUDIENCE_GROUP={owner.group}. To "
        f"take the outputs over, stop the workers of {owner.group}, then `live-audience topics "
        f"create --take-over` ({GUIDE} says what a rebuild can give)"
    )
    return what, remedy


async def claim(settings: Settings, *, take_over: bool = False) -> Owner | None:
    """Make the settings' deployment the owner of its outputs.

    Args:
        settings: the settings in force; the topics are there.
        take_over: also if another owns them; its workers must have stopped.

    Returns:
        The owner before, None if there was none.

    Raises:
        NotOwnerError: another owns them.
        TopicsError: a worker of the former owner is at work.
        LiveAudienceError: the broker cannot be reached or does not allow it.
    """
    try:
        with _quiet():
            return await _claim(settings, take_over=take_over)
    except LiveAudienceError as error:
        if not isinstance(error.__cause__, (ProducerFenced, InvalidProducerEpoch)):
            raise
        names = Names.of(settings)
        raise TopicsError(
            f"another `topics create` claims the outputs of {names.output_owner} right now: look "
            "with `live-audience topics check`, then try again"
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Log no error of aiokafka's about a topic that was made a moment ago: it asks again."""
    logger = logging.getLogger("aiokafka.consumer.fetcher")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


async def _claim(settings: Settings, *, take_over: bool) -> Owner | None:
    names = Names.of(settings)
    async with kafka.producer(settings, transactional_id=names.owner_transaction) as producer:
        # The producer has started: any other claim under way is fenced from here on.
        before = await read_owner(settings)
        owner = Owner(
            settings.group,
            settings.topic_prefix,
            datetime.now(UTC).isoformat(timespec="seconds"),
        )
        if before is not None:
            if before.deployment != names.deployment:
                if not take_over:
                    refuse_other(settings, before)
                await _refuse_while_at_work(settings, before)
                pending = replace(
                    owner,
                    events_id=before.events_id,
                    refused=before.refused,
                    taking_from=(before.group, before.topic_prefix),
                )
                await _tell(settings, producer, pending)
            elif before.taking_from is None:
                return before
            else:
                pending = before
            owner = await _taken_over(settings, pending)
        await _tell(settings, producer, owner)
    # A commit is answered before readers see it.
    for _ in range(_LOOKS):
        if await read_owner(settings) == owner:
            break
        await asyncio.sleep(_LOOK_SECONDS)
    return before


async def _tell(settings: Settings, producer: AIOKafkaProducer, owner: Owner) -> None:
    async with producer.transaction():
        topic = Names.of(settings).output_owner
        await producer.send_and_wait(topic, _encoder.encode(owner), _KEY)


async def _refuse_while_at_work(settings: Settings, owner: Owner) -> None:
    theirs = owner.names
    members = await members_of(settings, [theirs.broadcasts_group, theirs.scopes_group])
    if members:
        raise TopicsError(
            f"workers of the group {owner.group} are at work ({', '.join(members)}): stop them "
            "first; one that was killed leaves the group after its AUDIENCE_SESSION_TIMEOUT"
        )


async def _taken_over(settings: Settings, pending: Owner) -> Owner:
    """Keep the former owner from writing, and find up to where it has refused records."""
    assert pending.taking_from is not None
    group, prefix = pending.taking_from
    theirs = Names(prefix, "", group)
    facts = await facts_of(settings, [theirs.events, theirs.scope_deltas])
    stages = ((theirs.broadcasts_group, theirs.events), (theirs.scopes_group, theirs.scope_deltas))
    await fence(
        settings,
        (
            f"{stage}.{number}"
            for stage, source in stages
            if source in facts
            for number in range(facts[source].partitions)
        ),
    )
    if prefix != settings.topic_prefix or theirs.events not in facts:
        return replace(pending, taking_from=None, events_id="", refused={})  # it read other events
    events_id = facts[theirs.events].topic_id
    applied = await applied_offsets(settings, theirs.broadcasts_group, theirs.events)
    earlier = pending.refused if pending.events_id == events_id else {}
    refused = {
        number: max(applied.get(number, 0), earlier.get(number, 0))
        for number in sorted(applied.keys() | earlier.keys())
    }
    return replace(pending, taking_from=None, events_id=events_id, refused=refused)


class OutputOwnership:
    """Asks, for a worker, whether its deployment owns its outputs.

    Args:
        settings: The settings in force.

    Attributes:
        owner: The owner as last read.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = asyncio.Lock()
        self._began = float("-inf")
        self.owner: Owner | None = None

    async def check(self) -> None:
        """Do nothing if it does; many that ask at once are answered by one look.

        Raises:
            Unrecoverable: it does not.
            SessionLost: the broker did not answer.
        """
        # Imported here: it brings all of Faust along, which the commands need not wait for.
        from streams.exact.errors import SessionLost, Unrecoverable  # noqa: PLC0415 - see above

        clock = asyncio.get_running_loop().time
        asked = clock()
        async with self._lock:
            if self._began >= asked:
                return
            began = clock()
            try:
                self.owner = await read_owner(self._settings)
                refuse_other(self._settings, self.owner)
            except BrokerUnreachableError as error:
                raise SessionLost(str(error)) from error
            except LiveAudienceError as error:
                raise Unrecoverable(str(error)) from error
            self._began = began

    def refused(self, events_id: str | None) -> Mapping[int, int]:
        """Up to where former owners have refused, by partition of the topic with this id."""
        owner = self.owner
        return owner.refused if owner is not None and owner.events_id == events_id else {}
