"""Why a source is not ready, in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streams.exact.failure import Failure


class Standing(NamedTuple):
    """How a partition stands.

    Attributes:
        phase: The phase, in words.
        is_running: Whether it is at work.
        failure: Why it cannot go on, None if it does.
        unanswered: For how long no fetch of it was answered, in seconds.
    """

    phase: str
    is_running: bool
    failure: Failure | None
    unanswered: float


def not_ready_reason(
    topic: str,
    group: str,
    partitions: Mapping[int, Standing],
    *,
    silent: float,
    limit: float,
    now: float,
) -> str | None:
    """Return what is missing of a member of a group, or None.

    Args:
        topic: The source.
        group: The group.
        partitions: How each of its partitions stands.
        silent: For how long the group's coordinator has not answered, in seconds.
        limit: How long it and fetches may be without an answer, in seconds.
        now: The time by a monotonic clock, in seconds.
    """
    reasons = []
    if silent > limit:
        reasons.append(f"the coordinator of group {group} has not answered for {silent:.0f} s")
    waiting: dict[int, str] = {}
    failing: dict[str, list[int]] = {}
    unanswered: dict[str, list[int]] = {}
    for number, status in sorted(partitions.items()):
        if status.failure is not None:
            failing.setdefault(status.failure.described(now), []).append(number)
        elif not status.is_running:
            waiting[number] = status.phase
        elif status.unanswered > limit:
            unanswered.setdefault(f"{status.unanswered:.0f}", []).append(number)
    # What is the same of several is said once: a broker that is away takes all its partitions.
    for failure, numbers in failing.items():
        reasons.append(f"{_named(numbers)} of {topic} {_are(numbers)} {failure}")
    for seconds, numbers in unanswered.items():
        reasons.append(
            f"no fetch of {_named(numbers)} of {topic} was answered for {seconds} s: "
            "what waits there is not known"
        )
    if waiting:
        reasons.append(f"partitions of {topic} not at work yet: {waiting}")
    return "; ".join(reasons) or None


def _named(numbers: list[int]) -> str:
    return f"partition{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"


def _are(numbers: list[int]) -> str:
    return "are" if len(numbers) > 1 else "is"
