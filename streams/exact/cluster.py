"""What a cluster says of its topics: ids and partition counts, which aiokafka's clients hide."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.admin import ApiVersionRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from streams.authorization import missing_right
from streams.exact.deadline import close_within, with_deadline
from streams.exact.errors import SessionLost, Unrecoverable

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from streams.exact.settings import ExactSettings

#: The oldest broker that can do all that is asked of it here: topic ids came with 2.8.
OLDEST_BROKER = "2.8"


class _Uuid:
    @classmethod
    def encode(cls, value: uuid.UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: Any) -> uuid.UUID:
        return uuid.UUID(bytes=data.read(16))

    @classmethod
    def repr(cls, value: uuid.UUID) -> str:
        return str(value)


class _MetadataResponse(Response):
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequestV12(RequestStruct):
    """Metadata v12, the first that tells topic ids in a form that can be asked by name."""

    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields)
            ),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestV12]):
    API_KEY = 3

    def __init__(self, topics: list[str], *, operations: bool = False) -> None:
        self._topics = topics
        self._operations = operations

    def build(self, request_struct_class: type[_MetadataRequestV12]) -> _MetadataRequestV12:
        none = uuid.UUID(int=0)
        return request_struct_class(
            [(none, name, {}) for name in self._topics], False, self._operations, {}
        )


class TopicMetadata(NamedTuple):
    """A topic's id and how many partitions it has."""

    topic_id: str
    partitions: int


async def topic_metadata(
    client: AIOKafkaClient, topics: list[str], reads: Container[str] | None = None
) -> dict[str, TopicMetadata]:
    """Ask the cluster about topics; those that do not exist are missing in the answer.

    Args:
        client: Connected to the cluster.
        topics: Names.
        reads: Those that are read from, while the others are written to; None if it is only asked
            what topics there are. Who may neither read nor write may not see a topic either, and
            the error names the right that the work needs.

    Raises:
        Unrecoverable: The broker is too old to tell topic ids, or does not let us see one.
        SessionLost: It did not answer.
    """
    try:
        response = await client.send(client.get_random_node(), _MetadataRequest(topics))
    except NotImplementedError as error:
        raise Unrecoverable(
            f"the broker is older than Apache Kafka {OLDEST_BROKER} and cannot tell whether a "
            "topic was made anew: use a newer one"
        ) from error
    except KafkaError as error:
        raise SessionLost(f"the cluster did not tell about its topics: {error!r}") from error
    facts = {}
    for code, name, topic_id, _internal, partitions, _operations, _tags in response.topics:
        if code == 0:
            facts[name] = TopicMetadata(str(topic_id), len(partitions))
        elif for_code(code) is TopicAuthorizationFailedError:
            raise Unrecoverable(
                missing_right(TopicAuthorizationFailedError(name), reads, looking=reads is None)
            )
        elif for_code(code) is not UnknownTopicOrPartitionError:
            raise SessionLost(f"topic {name} is not ready: {for_code(code).__name__}")
    return facts


#: What may be done with a topic, by its bit in Kafka's answer.
_OPERATIONS = {
    3: "Read",
    4: "Write",
    5: "Create",
    6: "Delete",
    7: "Alter",
    8: "Describe",
    10: "DescribeConfigs",
    11: "AlterConfigs",
}


def operations_of(bits: int) -> frozenset[str] | None:
    """Read what may be done with a topic that we were told of; None where that was not told.

    Brokers other than Apache Kafka may leave it out: then there is Kafka's lowest number, or
    nothing at all. Whoever is told of a topic may describe it, so that bit is never missing.
    """
    known = frozenset(text for bit, text in _OPERATIONS.items() if bits & (1 << bit))
    return known if bits >= 0 and "Describe" in known else None


async def allowed_operations(
    client: AIOKafkaClient, topics: list[str]
) -> dict[str, frozenset[str]]:
    """Ask the cluster what we may do with topics.

    Returns:
        The operations by topic, as Kafka names them; none for one that we may not even see,
        whether it exists or not. One that we may see and that does not exist is missing, and so
        is one about which the cluster tells nothing.

    Raises:
        KafkaError: It did not answer.
    """
    request = _MetadataRequest(topics, operations=True)
    response = await client.send(client.get_random_node(), request)
    allowed = {}
    for code, name, _id, _internal, _partitions, bits, _tags in response.topics:
        if code == 0:
            operations = operations_of(bits)
            if operations is not None:
                allowed[name] = operations
        elif for_code(code) is TopicAuthorizationFailedError:
            allowed[name] = frozenset()
    return allowed


#: InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, TxnOffsetCommit.
_TRANSACTION_APIS = frozenset({22, 24, 25, 26, 28})


async def require_transactions(client: AIOKafkaClient) -> None:
    """Make sure that the broker knows transactions at all.

    Raises:
        Unrecoverable: It does not.
        SessionLost: It did not answer.
    """
    try:
        response = await client.send(client.get_random_node(), ApiVersionRequest())
    except KafkaError as error:
        raise SessionLost(f"the broker did not tell what it can do: {error!r}") from error
    missing = _TRANSACTION_APIS - {api[0] for api in response.api_versions}
    if missing:
        raise Unrecoverable(
            "the broker knows no transactions, without which nothing here is exact: use Apache "
            f"Kafka {OLDEST_BROKER} or newer (missing API keys: {sorted(missing)})"
        )


async def check_cluster(
    settings: ExactSettings, source: str, changelog: str, outputs: Iterable[str]
) -> dict[str, TopicMetadata]:
    """Look at the cluster before anything is touched.

    Args:
        settings: The layer's settings.
        source: The topic that is read.
        changelog: The topic of its rows.
        outputs: Other topics that are written to.

    Returns:
        What the cluster says of all these topics.

    Raises:
        Unrecoverable: A topic is missing, source and changelog do not go together, or the broker is
            not one to work with.
        SessionLost: It did not answer.
    """
    client = AIOKafkaClient(**settings.client, client_id=f"{settings.client_id}-survey")
    topics = [source, changelog, *outputs]
    try:
        async with with_deadline(settings.deadline, "connecting to the brokers"):
            await client.bootstrap()
            await require_transactions(client)
            facts = await topic_metadata(client, topics, {source})
    finally:
        await close_within(1.0, client.close())
    for topic in topics:
        if topic not in facts:
            raise Unrecoverable(f"topic {topic} does not exist: create it first")
    if facts[source].partitions != facts[changelog].partitions:
        raise Unrecoverable(
            f"{source} has {facts[source].partitions} partitions and {changelog} has "
            f"{facts[changelog].partitions}: rows lie in the changelog's partition of the same "
            "number, so both must have as many"
        )
    return facts
