"""What a log of viewer events must come to, by brute force.

Workers that read it within minutes make nothing final and remove no row, so no clock counts here:
each run is the contract's by brute force (`tests/contract/run.py`), and its scopes are their sums.
"""

from collections import defaultdict
from types import SimpleNamespace

from contract.rules import Settings
from contract.run import MINUTE, Run

from streams import rfc3339

FIELDS = ("viewers", "joins", "views", "venue", "programme", "title")
#: How hard logs are taken in, as environment variables. What is told of viewers stays fresh.
RULES = {
    "AUDIENCE_LATENESS_BY_PLATFORM": "ivs=2h",
    "AUDIENCE_CARRY_BY_PLATFORM": "kuaishou=5m",
    "AUDIENCE_RUN_GAP": "3h",
    "AUDIENCE_STALE": "7d",
}
COUNTS = ("events", "late")
NOT_PUBLISHED = ("viewers", "peak_5m", "peak_1h")


class Oracle:
    """Takes records in the order in which they are sent; says what becomes of each.

    Attributes:
        runs: The run of each summary's key.
        rows: The newest run of each broadcast, by the record's key.
        rejected: Reasons by partition and offset.
        records: The records themselves, likewise.
    """

    def __init__(self, rules=RULES):
        self.settings = Settings(rules)
        self.runs = {}
        self.rows = {}
        self.rejected = {}
        self.records = {}
        self._counts = defaultdict(int)
        self._minutes = {}

    def take(self, records):
        for record in records:
            source = record.partition, self._counts[record.partition]
            self._counts[record.partition] += 1
            self.records[source] = record
            reason = record.reason
            if reason is None and not self.accept(record.key, as_event(record.event), record.at):
                reason = "late"
            if reason is not None:
                self.rejected[source] = reason
        return self

    def accept(self, key, event, at):
        """Take in an event; False if it is late."""
        platform = key.decode().partition(":")[0]
        run, minute = self.rows.get(key), at // MINUTE
        if run is None:
            run = self._begin(key, Run(self.settings.rules(platform)))
        elif run.is_late(at):
            run.late += 1
            return False
        elif event.revision == 0 and (event.kind == "started" or (event.viewers or 0) > 0):
            gap = run.restart()
            if minute > gap:
                run = self._begin(key, Run(run.rules, minute, gap))
        run.accept(event, at)
        for scope in scopes_of(platform, run):
            self._minutes[scope] = max(self._minutes.get(scope, -1), run.last())
        return True

    def _begin(self, key, run):
        self.rows[key] = self.runs[summary_key(key, run)] = run
        return run

    def summary(self, key, status):
        """The JSON of a run's summary as the contract has it."""
        platform, _, broadcast = key.decode().partition(":")
        figures = self.runs[key].figures()
        told = {name: value for name, value in figures.items() if name not in NOT_PUBLISHED}
        for name in ("peak_at", "first_audience_at", "run"):
            told[name] = None if told[name] is None else time_text(told[name] * MINUTE)
        for name in ("started_at", "ended_at"):
            told[name] = time_text(told[name])
        platform = platform.partition("/")[0]
        return {"platform": platform, "broadcast": broadcast, "status": status, **told}

    def scopes(self):
        """The JSON of all scopes' summaries, by name."""
        members = defaultdict(list)
        newest = {id(run) for run in self.rows.values()}
        for key, run in self.runs.items():
            is_live = id(run) in newest and run.ended_at() is None
            for scope in scopes_of(key.decode().partition(":")[0].partition("/")[0], run):
                members[scope].append((run, is_live))
        return {name: self._scope(name, runs) for name, runs in members.items()}

    def _scope(self, name, members):
        sums = defaultdict(int)
        for run, _ in members:
            for minute, audience in run.in_scopes().items():
                sums[minute] += audience
        peak = max(sums.values(), default=None)
        told = [run.figures() for run, _ in members]
        now = [run.figures()["viewers"] for run, is_live in members if is_live]
        now = [viewers for viewers in now if viewers is not None]
        kind, _, rest = name.partition(":")
        peak_at = min((minute for minute in sums if sums[minute] == peak), default=None)
        return {
            "scope": kind,
            "name": rest,
            "minute": time_text(self._minutes[name] * MINUTE),
            "viewers": sum(now) if now else None,
            "peak": peak,
            "peak_at": None if peak_at is None else time_text(peak_at * MINUTE),
            "peak_sum": sum(one["peak"] or 0 for one in told),
            "viewer_minutes": sum(one["viewer_minutes"] for one in told),
            "joins": sum(one["joins"] for one in told),
            "views": sum(one["joins"] if one["views"] is None else one["views"] for one in told),
            "broadcasts": len(members),
            "live": sum(is_live for _, is_live in members),
        }


def scopes_of(platform, run):
    """The names of a run's scopes as it is now."""
    names = ["world", f"platform:{platform}", f"venue:{run.venue or 'unknown'}"]
    return names if run.programme is None else [*names, f"programme:{run.programme}"]


def summary_key(key, run):
    """The key of a run's summaries, of its records' key."""
    if run.began is None:
        return key
    platform, _, broadcast = key.decode().partition(":")
    stamp = rfc3339.text(run.began * MINUTE)[:16].replace("-", "").replace(":", "")
    return f"{platform}/{stamp}:{broadcast}".encode()


def as_event(fields):
    """A viewer event as it is read, of its JSON fields."""
    event = {name: fields.get(name) for name in FIELDS}
    if event["viewers"] == -1:
        event["viewers"] = None
    if event["title"] is not None:
        event["title"] = "".join(
            "\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in event["title"]
        )[:200]
    return SimpleNamespace(
        kind=fields.get("kind", "sample"), revision=fields.get("revision", 0), **event
    )


def time_text(at):
    return None if at is None else rfc3339.text(at)
