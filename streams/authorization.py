"""Says which right is missing where a broker does not allow something: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

if TYPE_CHECKING:
    from collections.abc import Container

NOT_ALLOWED = (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)


def missing_right(
    error: BaseException, reads: Container[str] | None = None, *, looking: bool = False
) -> str:
    """The right that would have allowed it, as an ACL names it.

    Args:
        error: One of `NOT_ALLOWED`.
        reads: Topics that were only read from when it happened; None if nothing was written to.
        looking: Whether it was only asked what topics there are.

    Returns:
        For people, e.g. `the right Write on the topic summaries is missing`.
    """
    subject = error.args[0] if error.args else None
    if isinstance(subject, str):
        # aiokafka's admin client has a sentence there, which ends in the name.
        subject = subject.rpartition(" ")[2]
    if isinstance(error, TransactionalIdAuthorizationFailed):
        rights = [("Write", f"the transactional id {subject}" if subject else "transactional ids")]
    elif isinstance(error, GroupAuthorizationFailedError):
        rights = [("Read", f"the group {subject}" if subject else "the group")]
    elif isinstance(error, ClusterAuthorizationFailedError):
        rights = [("IdempotentWrite", "the cluster")]
    else:
        topics = [subject] if isinstance(subject, str) else sorted(subject or [])
        rights = [
            (_operation(topic, reads, looking=looking), f"the topic {topic}") for topic in topics
        ] or [("Read" if reads is None else "Read or Write", "a topic")]
    wanted = " and ".join(f"{operation} on {resource}" for operation, resource in rights)
    return f"the broker does not allow it: the right {wanted} is missing"


def _operation(topic: str, reads: Container[str] | None, *, looking: bool) -> str:
    if looking:
        return "Describe"  # which Read and Write include
    return "Read" if reads is None or topic in reads else "Write"
