"""What a worker must be allowed to do in Kafka, and whether it is.

The table of rights is derived from the settings: `live-audience acls` prints it as commands, the
worker compares it at its start, and the tests take each right away in turn.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, for_code

from agents import kafka
from streams.errors import AccessError
from streams.names import Names
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aiokafka.admin import AIOKafkaAdminClient

    from streams.settings import Settings

_ATTEMPTS: Final = 20
_PAUSE_SECONDS: Final = 0.25


class Right(NamedTuple):
    """One ACL.

    Attributes:
        kind: `topic`, `group` or `transactional-id`, as kafka-acls.sh has them.
        name: of the resource, or its beginning.
        prefixed: whether `name` is the beginning of names.
        operation: as Kafka names it, e.g. `Read`.
        purpose: what it is needed for, for people.
    """

    kind: str
    name: str
    prefixed: bool
    operation: str
    purpose: str

    def __str__(self) -> str:
        """Say it for people, e.g. `Read on the topic viewer-events`."""
        kind = self.kind.replace("-", " ")
        if self.prefixed:
            return f"{self.operation} on {kind}s that begin with {self.name}"
        return f"{self.operation} on the {kind} {self.name}"


def worker_rights(settings: Settings) -> list[Right]:
    """The rights without which a worker does not work: the least that there are.

    Read and Write include Describe. IdempotentWrite on the cluster is not among them: who may
    write with a transactional id needs it no more.
    """
    names = Names.of(settings)
    own = f"{names.deployment}."
    outputs = [names.rejected, names.broadcast_summaries, names.scope_summaries]
    read_again = []
    if settings.minutes == "on":
        outputs.append(names.broadcast_minutes)
        purpose = "to read sealed minutes for the API"
        read_again.append(Right("topic", names.broadcast_minutes, False, "Read", purpose))
    return [
        Right("topic", names.events, False, "Read", "to read the viewer events"),
        *(Right("topic", name, False, "Write", "to write what comes out") for name in outputs),
        *read_again,
        Right("topic", names.output_owner, False, "Read", "to see whose the outputs are"),
        Right("topic", own, True, "Read", "to read its state and the sums back"),
        Right("topic", own, True, "Write", "to write its state and the sums"),
        Right("group", own, True, "Read", "to join its groups and keep its offsets"),
        Right("transactional-id", own, True, "Write", "to write in transactions"),
    ]


def useful_rights(settings: Settings) -> list[Right]:
    """Rights without which a worker works, but cannot see what is wrong with the topics."""
    names = Names.of(settings)
    own = f"{names.deployment}."
    purpose = "to look at the topics' settings"
    outside = [topic.name for topic in Topics.of(settings) if not topic.name.startswith(own)]
    return [
        *(Right("topic", name, False, "DescribeConfigs", purpose) for name in outside),
        Right("topic", own, True, "DescribeConfigs", purpose),
    ]


def creator_rights(settings: Settings) -> list[Right]:
    """The rights that `topics create` needs: to make the topics, and to claim the outputs.

    Create also where the topics are there already: the broker asks for it before it looks.
    """
    names = Names.of(settings)
    own = f"{names.deployment}."
    make, look = "to make the topics", "to see whether they are there"
    outside = [topic.name for topic in Topics.of(settings) if not topic.name.startswith(own)]
    claim = "to claim the outputs"
    return [
        *(Right("topic", name, False, "Create", make) for name in outside),
        *(Right("topic", name, False, "Describe", look) for name in outside),
        Right("topic", own, True, "Create", make),
        Right("topic", own, True, "Describe", look),
        Right("topic", names.output_owner, False, "Read", claim),
        Right("topic", names.output_owner, False, "Write", claim),
        Right("transactional-id", names.owner_transaction, False, "Write", claim),
    ]


async def require_rights(settings: Settings) -> None:
    """Look whether a worker is allowed what it must be, as far as Kafka tells beforehand.

    What it does not tell (transactions, single partitions) is told when it is tried.

    Raises:
        AccessError: a right is missing; all that are known to be are named.
        LiveAudienceError: the broker cannot be reached.
    """
    async with kafka.admin(settings) as client:
        missing = await _missing(settings, client)
    if missing:
        raise AccessError(
            "the user that we log in as is not allowed what a worker must be; missing are:\n"
            + "\n".join(f"  {right}" for right in missing)
            + "\n`live-audience acls` prints the commands that give these rights"
        )


async def _missing(settings: Settings, client: AIOKafkaAdminClient) -> list[Right]:
    # Imported here: it brings all of Faust along, which the other commands need not wait for.
    from streams.exact.cluster import allowed_operations  # noqa: PLC0415 - see above

    rights = worker_rights(settings)
    names = [topic.name for topic in Topics.of(settings)]
    # The public client has no way to ask for it.
    allowed = await allowed_operations(client._client, names)  # noqa: SLF001 - see above
    missing = []
    for right in rights:
        if right.kind == "topic":
            concerned = [name for name in names if _concerns(right, name)]
            # (One that is not there is told by whoever looks at the topics.)
            if any(name in allowed and right.operation not in allowed[name] for name in concerned):
                missing.append(right)
    own = Names.of(settings)
    for group in (own.broadcasts_group, own.scopes_group):
        if await _group_denied(client, group):
            missing.extend(right for right in rights if right.kind == "group")
            break
    return missing


def _concerns(right: Right, name: str) -> bool:
    return name.startswith(right.name) if right.prefixed else name == right.name


async def _group_denied(client: AIOKafkaAdminClient, group: str) -> bool:
    for _ in range(_ATTEMPTS):
        try:
            (response,) = await client.describe_consumer_groups([group])
        except GroupAuthorizationFailedError:
            return True
        except KafkaError as error:
            # A cluster that has had no group yet prepares for the first one.
            if not error.retriable:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        return any(for_code(found[0]) is GroupAuthorizationFailedError for found in response.groups)
    return False  # whoever joins the group tells what is the matter


def commands(
    settings: Settings, principal: str, rights: Iterable[Right] | None = None
) -> Iterator[str]:
    """The commands of Apache Kafka that give rights, one a line.

    Args:
        settings: those in force.
        principal: who gets them, as the brokers know it, e.g. `User:live-audience`.
        rights: by default those of a worker.
    """
    brokers = ",".join(settings.brokers)
    together: dict[tuple[str, str, bool], list[str]] = {}
    if rights is None:
        rights = (*worker_rights(settings), *useful_rights(settings))
    for right in rights:
        together.setdefault((right.kind, right.name, right.prefixed), []).append(right.operation)
    for (kind, name, prefixed), operations in together.items():
        pattern = " --resource-pattern-type prefixed" if prefixed else ""
        allowed = " ".join(f"--operation {operation}" for operation in operations)
        yield (
            f"kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal '{principal}' "
            f"{allowed} --{kind} {name}{pattern}"
        )
