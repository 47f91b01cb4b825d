"""Compares topics as they are with topics as they should be: pure, it asks no broker."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from agents.topics.remedies import REBUILD
from streams.events import MAX_VALUE_BYTES
from streams.exact.compression import CODECS, missing_packages
from streams.settings import format_duration, milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from streams.settings import Settings
    from streams.topics import Topic, Topics

Severity = Literal["error", "warning"]

_CREATE: Final = "make it with `live-audience topics create`"
# The three internal topics are one state: with one of them gone, scopes would count twice or lose.
_ANEW: Final = (
    f"{REBUILD}. Made anew alone, this topic would no longer fit the other internal ones, and "
    "scopes would count twice or lose"
)
# What a batch needs beside the largest value: key, headers and its own frame.
_HEADROOM: Final = 4096
# More than was asked for of any of these means that a restore reads too much.
_RESTORE: Final = (
    "segment.bytes",
    "segment.ms",
    "min.cleanable.dirty.ratio",
    "max.compaction.lag.ms",
)

# A thousand years, in milliseconds: no bound at all.
_FOR_EVER: Final = 1_000 * 365 * 86_400_000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a topic that is not as it should be.

    Attributes:
        topic: its name; `transactions` where it is about the broker.
        severity: `error`: the pipeline would not work, or lose something; `warning`: it works, but
            not as well as it could.
        what: what is wrong, for people.
        remedy: what to do about it: a command or a setting.
    """

    topic: str
    severity: Severity
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it is.

    Attributes:
        partitions: how many.
        replication: copies of the partition that has fewest.
        config: its settings in force, defaults included; None if they may not be read.
    """

    partitions: int
    replication: int
    config: Mapping[str, str | None] | None


def findings(settings: Settings, topics: Topics, found: Mapping[str, TopicState]) -> list[Finding]:
    """All that is wrong with the topics.

    Args:
        settings: those that the topics were derived from.
        topics: as they should be.
        found: as they are, by name; what is missing here is missing there.
    """
    all_findings: list[Finding] = []
    internal = (topics.broadcasts_changelog, topics.scope_deltas, topics.scopes_changelog)
    for topic in topics:
        actual = found.get(topic.name)
        if actual is None:
            remedy = (
                _ANEW if topic in internal and any(t.name in found for t in internal) else _CREATE
            )
            all_findings.append(Finding(topic.name, "error", f"is missing ({topic.holds})", remedy))
        else:
            case = _Check(settings, topics, found, topic, actual)
            for check in _CHECKS:
                all_findings.extend(check(case))
    return all_findings


@dataclass(frozen=True, slots=True)
class _Check:
    """One topic as it should be and as it is, and all around it."""

    settings: Settings
    topics: Topics
    found: Mapping[str, TopicState]
    topic: Topic
    actual: TopicState

    def error(self, what: str, remedy: str) -> Finding:
        return Finding(self.topic.name, "error", what, remedy)

    def warning(self, what: str, remedy: str) -> Finding:
        return Finding(self.topic.name, "warning", what, remedy)

    def text(self, name: str) -> str | None:
        """A setting of the topic, None if it may not be read or the broker has none of the name."""
        return None if self.actual.config is None else self.actual.config.get(name)

    def number(self, name: str) -> float | None:
        text = self.text(name)
        return None if text is None else float(text)

    def alter(self, config: Mapping[str, str] | None = None, *names: str) -> str:
        """The command that sets these of the topic's settings, or those of these names, right."""
        values = {**{name: self.topic.config[name] for name in names}, **(config or {})}
        pairs = ",".join(f"{name}={value}" for name, value in values.items())
        return (
            f"kafka-configs.sh --bootstrap-server {self.settings.brokers[0]} --alter "
            f"--entity-type topics --entity-name {self.topic.name} --add-config {pairs}"
        )


def _partitions(case: _Check) -> Iterator[Finding]:
    have = case.actual.partitions
    followed = case.topic.co_partitioned
    if followed is not None and followed in case.found:
        needed = case.found[followed].partitions
        if have != needed:
            yield case.error(
                f"has {have} partitions, but {followed} has {needed}: each of them keeps its state "
                "in the partition of its own number",
                f"{_repartition(max(have, needed))}. Never delete this topic alone: the scopes "
                "would count twice",
            )
        return
    wanted = case.topic.partitions
    if have == wanted:
        return
    what = f"has {have} partitions, not {wanted} (AUDIENCE_PARTITIONS)"
    remedy = f"set AUDIENCE_PARTITIONS={have}"
    events = case.found.get(case.topics.events.name)
    if have < wanted and events is not None and events.partitions == wanted:
        # The events have got more, and there is no way back. `state repartition` leaves the
        # outputs as they are, for readers find everything all the same.
        if case.topic is case.topics.scope_deltas:
            yield case.error(what, _repartition(wanted))
        return
    if case.topic in (case.topics.events, case.topics.scope_deltas):
        more = (
            f"; for {wanted}, {_repartition(wanted)}. Partitions that are added in another way "
            "move keys away from what is known of them"
        )
        yield case.error(what, remedy + more if have < wanted else remedy)
    else:
        yield case.warning(what, f"{remedy}, or let it be: readers find everything all the same")


def _repartition(partitions: int) -> str:
    return (
        f"stop all workers, set AUDIENCE_PARTITIONS={partitions}, then `live-audience state "
        "repartition`: it moves the state along, and nothing is lost"
    )


def _replication(case: _Check) -> Iterator[Finding]:
    have, wanted = case.actual.replication, case.topic.replication
    if have < wanted:
        yield case.warning(
            f"has partitions with {have} of {wanted} copies (AUDIENCE_REPLICATION)",
            f"add copies with kafka-reassign-partitions.sh, or set AUDIENCE_REPLICATION={have}",
        )
    quorum = case.number("min.insync.replicas")
    if quorum is None:
        return
    if quorum > have:
        yield case.error(
            f"wants {quorum:.0f} copies in step and has {have}: nothing can be written to it",
            case.alter({"min.insync.replicas": str(min(have, _quorum(case)))}),
        )
    elif quorum < _quorum(case) and have >= wanted:
        yield case.warning(
            f"takes a write for done with {quorum:.0f} copy in step: a broker that fails may take "
            "it along",
            case.alter(None, "min.insync.replicas"),
        )
    elif quorum == have > 1:
        yield case.warning(
            f"wants all of its {have} copies in step: nothing can be written to it while one of "
            "their brokers is away",
            case.alter({"min.insync.replicas": str(min(have - 1, _quorum(case)))}),
        )


def _elections(case: _Check) -> Iterator[Finding]:
    if case.actual.replication > 1 and case.text("unclean.leader.election.enable") == "true":
        yield case.warning(
            "may be led by a copy that is behind (unclean.leader.election.enable=true): what was "
            "taken for done is then gone, and figures are wrong without a word",
            case.alter({"unclean.leader.election.enable": "false"}),
        )


def _quorum(case: _Check) -> int:
    return int(case.topic.config["min.insync.replicas"])


def _readable(case: _Check) -> Iterator[Finding]:
    if case.actual.config is None:
        yield case.warning(
            "its settings may not be read, so they are unchecked", "allow DescribeConfigs on it"
        )


def _cleanup(case: _Check) -> Iterator[Finding]:
    have, wanted = case.text("cleanup.policy"), case.topic.config["cleanup.policy"]
    if have is not None and have != wanted:
        loses = "loses what has not changed for long" if case.topic.compacted else "loses records"
        yield case.error(
            f"has cleanup.policy={have}, not {wanted}: it {loses}",
            case.alter(None, "cleanup.policy"),
        )


def _size(case: _Check) -> Iterator[Finding]:
    have = case.number("max.message.bytes")
    if have is None:
        return
    wanted = int(case.topic.config["max.message.bytes"])
    # Producers of events may be held to less, as long as an event that is right fits.
    least = MAX_VALUE_BYTES + _HEADROOM if case.topic == case.topics.events else wanted
    if have < least:
        yield case.error(
            f"has max.message.bytes={have:.0f}, too little: {least} are needed",
            case.alter({"max.message.bytes": str(wanted)}),
        )


def _retention(case: _Check) -> Iterator[Finding]:
    have = case.number("retention.ms")
    if case.topic.compacted or have is None:
        return
    wanted = int(case.topic.config["retention.ms"])
    shown = "for ever" if have < 0 else format_duration(timedelta(milliseconds=have))
    have = math.inf if have < 0 else have
    fix = case.alter(None, "retention.ms")
    if case.topic == case.topics.events:
        yield from _event_retention(case, have, shown, fix)
    elif have < wanted:
        yield case.warning(
            f"keeps its records {shown}, not {format_duration(timedelta(milliseconds=wanted))}", fix
        )
    if (case.number("retention.bytes") or -1) >= 0:
        yield case.warning(
            f"may delete records before their time (retention.bytes="
            f"{case.text('retention.bytes')})",
            case.alter({"retention.bytes": "-1"}),
        )


def _event_retention(case: _Check, have: float, shown: str, fix: str) -> Iterator[Finding]:
    settings = case.settings
    if have == milliseconds(settings.retention):
        pass  # as it was asked for; the settings themselves are checked when they are read
    elif have >= milliseconds(settings.tombstone):
        yield case.error(
            f"keeps events {shown}, but broadcasts whose rows are gone are known for only "
            f"{format_duration(settings.tombstone)} (AUDIENCE_TOMBSTONE): an old event that is "
            "sent again would start its broadcast anew",
            f"set AUDIENCE_RETENTION to what it is and AUDIENCE_TOMBSTONE to more, or {fix}",
        )
    else:
        yield case.warning(
            f"keeps events {shown}, not {format_duration(settings.retention)} (AUDIENCE_RETENTION)",
            f"set AUDIENCE_RETENTION={shown}, or {fix}",
        )
    if have >= milliseconds(settings.scope_history):
        yield case.warning(
            f"keeps events {shown}, but scopes keep their minutes for "
            f"{format_duration(settings.scope_history)} (AUDIENCE_SCOPE_HISTORY): a rebuild from "
            "the topic may give other peaks",
            "set AUDIENCE_SCOPE_HISTORY to more",
        )


def _timestamps(case: _Check) -> Iterator[Finding]:
    """Whose clock a record's timestamp is, where that decides what is from the future."""
    wanted = case.topic.config.get("message.timestamp.type")
    have = case.text("message.timestamp.type")
    if wanted is not None and have is not None and have != wanted:
        yield case.warning(
            f"has message.timestamp.type={have}, not {wanted}: a producer whose clock is wrong "
            "gives its events and their timestamps the same wrong time; what is from the future is "
            "then known by the workers' clocks alone, with a margin of 10 min",
            case.alter(None, "message.timestamp.type"),
        )


def _clocks(case: _Check) -> Iterator[Finding]:
    """How far ahead of the broker's clock a producer's may be, where its time is what counts."""
    ahead = case.number("message.timestamp.after.max.ms")
    if (
        "message.timestamp.type" not in case.topic.config
        or ahead is None
        or case.text("message.timestamp.type") != "CreateTime"
    ):
        return
    most = milliseconds(case.settings.future)
    if ahead > most:
        shown = "by any time" if ahead >= _FOR_EVER else _shown(ahead)
        yield case.warning(
            f"takes records whose time is ahead of the broker's clock (message.timestamp.after."
            f"max.ms: {shown}) by more than AUDIENCE_FUTURE "
            f"({format_duration(case.settings.future)}): a producer with a wrong clock can send "
            "events of the future, which are not refused as such",
            case.alter({"message.timestamp.after.max.ms": str(most)}),
        )


def _shown(number: float) -> str:
    return format_duration(timedelta(milliseconds=number))


def _codec(case: _Check) -> Iterator[Finding]:
    have = case.text("compression.type")
    if have in {None, "producer", "uncompressed"}:
        return
    if have not in CODECS.values():
        yield case.error(
            f"has compression.type={have}, which this version cannot read",
            case.alter({"compression.type": "producer"}),
        )
    elif package := missing_packages().get(have):
        yield case.error(
            f"has compression.type={have}, and the package that reads it is not installed here",
            f"pip install {package}",
        )


def _compaction(case: _Check) -> Iterator[Finding]:
    if not case.topic.compacted:
        return
    over = [name for name in _RESTORE if (case.number(name) or 0) > float(case.topic.config[name])]
    if over:
        listed = ", ".join(f"{name}={case.text(name)}" for name in over)
        yield case.warning(
            f"is cleaned late ({listed}): reading it from the start takes longer than it need",
            case.alter(None, *over),
        )
    markers = case.number("delete.retention.ms")
    if markers is not None and markers < float(case.topic.config["delete.retention.ms"]):
        yield case.warning(
            f"forgets deletions early (delete.retention.ms={markers:.0f}): a reader that comes "
            "back after a pause may miss one",
            case.alter(None, "delete.retention.ms"),
        )


_CHECKS: Final[tuple[Callable[[_Check], Iterator[Finding]], ...]] = (
    _partitions,
    _replication,
    _elections,
    _readable,
    _cleanup,
    _size,
    _retention,
    _timestamps,
    _codec,
    _clocks,
    _compaction,
)
