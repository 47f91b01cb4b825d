"""What a log of viewer events must come to, by brute force.

Workers that read it within minutes make nothing final and remove no row, so no clock counts here:
each run is the contract's by brute force (`tests/contract/run.py`), and its scopes are their sums.
"""

from collections import defaultdict
from types import SimpleNamespace

from contract.rules import Settings
from contract.run import MINUTE, Run
from contract.summaries import Member, run_key, run_summary, scope_summary, scopes_of

FIELDS = ("viewers", "joins", "views", "venue", "programme", "title")
#: How hard logs are taken in, as environment variables. What is told of viewers stays fresh.
RULES = {
    "AUDIENCE_LATENESS_BY_PLATFORM": "ivs=2h",
    "AUDIENCE_CARRY_BY_PLATFORM": "kuaishou=5m",
    "AUDIENCE_RUN_GAP": "3h",
    "AUDIENCE_STALE": "7d",
}


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
        platform = platform.partition("/")[0]
        return run_summary(platform, broadcast, status, self.runs[key].figures())

    def scopes(self):
        """The JSON of all scopes' summaries, by name."""
        members = defaultdict(list)
        newest = {id(run) for run in self.rows.values()}
        for key, run in self.runs.items():
            figures = run.figures()
            is_live = id(run) in newest and run.ended_at() is None
            counts = is_live and figures["viewers"] is not None
            for scope in scopes_of(key.decode().partition(":")[0].partition("/")[0], run):
                members[scope].append(Member(run, figures, is_live, counts))
        return {
            name: scope_summary(name, self._minutes[name], runs) for name, runs in members.items()
        }


def summary_key(key, run):
    """The key of a run's summaries, of its records' key."""
    platform, _, broadcast = key.decode().partition(":")
    return run_key(platform, broadcast, run).encode()


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
