"""The twin: the contract by brute force, for a whole system with an injected clock.

It keeps every event of every run and works each figure out anew (see `run.py`); nothing of
`streams.audience` or the agents is used. See README.md here for how to compare with the code.

    twin = Twin({"AUDIENCE_CARRY_BY_PLATFORM": "youtube=5m"})
    twin.feed(record)                    # in the order of the partition; None, or why it is refused
    twin.advance(now_ms)                 # timers: what is silent becomes final, rows go
    twin.published                       # every (key, summary) that broadcast-summaries was given
    twin.summary("twitch:b1")            # the newest figures, with `viewers` and the short peaks
    twin.scope("venue:louvre")["viewers"]
"""

from collections import Counter
from collections.abc import Collection, Mapping

from contract.reading import Record, check, read
from contract.rules import Settings
from contract.run import MINUTE, Cell, Run
from contract.summaries import (
    COUNTS,
    NOT_PUBLISHED,
    Member,
    run_key,
    run_summary,
    scope_summary,
    scopes_of,
)

from streams.rejections import Reason, Rejected
from streams.routing import PartitionChecker


class Life:
    """A run with its place in the world: what it published, when it was read, if it is fresh."""

    def __init__(self, platform: str, broadcast: str, run: Run, partition: int):
        self.platform = platform
        self.broadcast = broadcast
        self.run = run
        self.partition = partition
        self.final = False
        self.fresh = False
        self.read_at = 0
        self.busy_at = 0
        self.timestamp = 0
        self.viewers_timestamp = 0
        self.published: dict[str, object] | None = None
        self._known: dict[str, object] | None = None

    @property
    def key(self) -> str:
        """The key of its summaries."""
        return run_key(self.platform, self.broadcast, self.run)

    @property
    def status(self) -> str:
        if self.final:
            return "final"
        return "live" if self.run.ended_at() is None else "ended"

    def scopes(self) -> list[str]:
        return scopes_of(self.platform, self.run)

    def figures(self) -> dict[str, object]:
        """Those of the run, kept until the next event: nothing else changes them."""
        if self._known is None:
            self._known = self.run.figures()
        return self._known

    def changed(self) -> None:
        self._known = None


class Tombstone:
    """What is left of a row that went."""

    def __init__(self, last: int, expires: int):
        self.last = last
        self.expires = expires


class Twin:
    """The whole system. Of two records fed, the later one lies behind the other in its partition.

    `environment` holds settings as texts. `router` checks where records lie; without one only the
    key is checked.
    """

    def __init__(
        self, environment: Mapping[str, str] | None = None, router: PartitionChecker | None = None
    ):
        self.settings = Settings(environment)
        self.now = 0
        self.runs: list[Life] = []
        self.published: list[tuple[str, dict[str, object]]] = []
        self.refused: Counter[str] = Counter()
        self.mended: Counter[str] = Counter()
        self.finalised = 0
        self._router = router
        self._state: dict[bytes, Life | Tombstone] = {}
        self._behind: Collection[int] = ()
        self._minutes: dict[str, int] = {}

    # -- records ---------------------------------------------------------------------------------

    def feed(self, record: Record) -> Rejected | None:
        """Take in a record; why it is refused, if it is."""
        self.now = record.read_at
        try:
            event, at, mended = read(record.value)
            self.mended.update(mended)
            check(record, event, at, self.settings.future_ms, self._router)
            self._take(record, event, at)
        except Rejected as refused:
            self.refused[refused.reason.value] += 1
            return refused
        return None

    def _take(self, record, event, at):
        key = f"{event.platform}:{event.broadcast}".encode()
        minute = at // MINUTE
        rules = self.settings.rules(event.platform)
        state = self._state.get(key)
        if isinstance(state, Tombstone) and self.now >= state.expires:
            state = None
        begins = event.revision == 0 and (event.kind == "started" or (event.viewers or 0) > 0)
        if state is None:
            run = Run(rules)
        elif isinstance(state, Tombstone):
            if not (begins and minute > state.last + rules.restart_gap):
                raise Rejected(Reason.LATE, "its row is gone", event.platform)
            run = Run(rules, minute, state.last + rules.restart_gap)
        elif begins and not state.run.is_late(at) and minute > state.run.restart():
            self._close(state)
            run = Run(rules, minute, state.run.restart())
        else:
            run = None
        if run is not None:
            state = Life(event.platform, event.broadcast, run, record.partition)
            self.runs.append(state)
            self._state[key] = state
        elif state.run.is_late(at):
            state.run.late += 1
            state.changed()
            raise Rejected(Reason.LATE, "its minute is sealed", event.platform)
        self._apply(state, record, event, at)

    def _apply(self, life, record, event, at):
        run = life.run
        before = self._summary(life) if run.told else None
        run.accept(event, at)
        life.changed()
        after = self._summary(life)
        changed = before is None or _but_counts(before) != _but_counts(after)
        was_ended = before is not None and before["ended_at"] is not None
        is_ended = after["ended_at"] is not None
        stands = was_ended and before["ended_at"] == after["ended_at"]
        if changed and not (stands and at // MINUTE > run.ended_at() // MINUTE):
            life.busy_at = record.read_at
        life.read_at = record.read_at
        life.timestamp = record.effective_timestamp
        if event.viewers is not None:
            life.fresh = True
            life.viewers_timestamp = max(life.viewers_timestamp, record.effective_timestamp)
        was_final = life.final
        if life.final and changed and not is_ended:
            life.final = False
        if changed and (is_ended or was_ended or was_final):
            self._publish(life)
        for scope in life.scopes():
            self._minutes[scope] = max(self._minutes.get(scope, run.last()), run.last())

    # -- the clock -------------------------------------------------------------------------------

    def advance(self, now: int, behind: Collection[int] = ()) -> None:
        """Set the clock (milliseconds); of partitions that are behind, nothing ages."""
        self.now, self._behind = now, behind
        for life in self.runs:
            if life.fresh and not self._is_fresh(life):
                life.fresh = False
        for key, state in list(self._state.items()):
            if isinstance(state, Tombstone):
                if now >= state.expires:
                    del self._state[key]
            elif state.partition not in behind:
                self._age(key, state)

    def _age(self, key, life):
        rules, margin = life.run.rules, self.settings.margin_ms
        if not life.final:
            if life.run.ended_at() is not None:
                due = life.busy_at + rules.lateness * 60_000 + margin
            else:
                due = life.read_at + rules.silence_ms + margin
            if self.now < due:
                return
            life.final = True
            self.finalised += 1
            self._publish(life)
        if self.now - life.timestamp > (rules.run_gap + rules.lateness) * 60_000 + margin:
            self._close(life)
            self._state[key] = Tombstone(life.run.last(), self.now + self.settings.tombstone_ms)

    def _close(self, life):
        """Let a run go: it is final, and its last summary has all its events. It is done."""
        life.fresh = False
        if not life.final:
            life.final = True
            self.finalised += 1
            self._publish(life)
        elif any(life.published[name] != self._summary(life)[name] for name in COUNTS):
            self._publish(life)

    def _is_fresh(self, life):
        young = self.now - life.viewers_timestamp < life.run.rules.stale_ms
        return life.fresh and (young or life.partition in self._behind)

    # -- what comes out --------------------------------------------------------------------------

    def run_keys(self) -> list[str]:
        """The keys of all runs, in the order in which they began."""
        return [life.key for life in self.runs]

    def summary(self, key: str) -> dict[str, object]:
        """All figures of a run as they are now: the summary's fields, and the three of now."""
        life = self._life(key)
        told = life.figures()
        return self._summary(life) | {name: told[name] for name in NOT_PUBLISHED}

    def last_published(self) -> dict[str, dict[str, object]]:
        """What a compacted broadcast-summaries holds."""
        return dict(self.published)

    def minutes(self, key: bytes) -> dict[int, Cell] | None:
        """What was told of each minute of the newest run of a broadcast; None where it has gone."""
        state = self._state.get(key)
        return state.run.cells() if isinstance(state, Life) else None

    def counts_now(self, key: str) -> bool:
        """Whether a run counts in the `viewers` of its scopes, and so is in `audience_viewers`."""
        return self._counts(self._life(key))

    def exported(self, name: str) -> bool:
        """Whether a scope is in `/metrics`: the world, and those with what is live or fresh."""
        return name == "world" or any(
            life.status == "live" or self._is_fresh(life)
            for life in self.runs
            if name in life.scopes()
        )

    def relabelled(self) -> int:
        return sum(life.run.relabelled for life in self.runs)

    def scopes(self) -> list[str]:
        return sorted(self._minutes)

    def scope(self, name: str) -> dict[str, object]:
        """A scope's summary as it is now (section 7)."""
        members = [
            Member(life.run, life.figures(), life.status == "live", self._counts(life))
            for life in self.runs
            if name in life.scopes()
        ]
        return scope_summary(name, self._minutes[name], members)

    def _life(self, key):
        return next(life for life in reversed(self.runs) if life.key == key)

    def _counts(self, life):
        known = life.figures()["viewers"] is not None
        return known and life.status == "live" and self._is_fresh(life)

    def _publish(self, life):
        life.published = self._summary(life)
        self.published.append((life.key, life.published))

    def _summary(self, life):
        return run_summary(life.platform, life.broadcast, life.status, life.figures())


def _but_counts(summary: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in summary.items() if name not in (*COUNTS, "status")}
