"""What a log of viewer events must come to, by brute force."""

from collections import defaultdict
from datetime import UTC, datetime
from types import SimpleNamespace

from twin import MINUTE, Twin

FIELDS = ("viewers", "joins", "views", "venue", "programme", "title")


def lateness_of(key):
    return 120 if key.startswith(b"ivs:") else 15


class Oracle:
    """Takes records in the order in which they are sent; says what becomes of each."""

    def __init__(self):
        self.twins = {}
        self.rejected = {}
        self.records = {}
        self.counts = defaultdict(int)

    def take(self, records):
        for record in records:
            offset = self.counts[record.partition]
            self.counts[record.partition] += 1
            self.records[record.partition, offset] = record
            reason = record.reason
            if reason is None:
                twin = self.twins.get(record.key)
                if twin is None:
                    twin = self.twins[record.key] = Twin(lateness_of(record.key), 2)
                if not twin.accept(as_event(record.event), record.at, record.timestamp):
                    reason = "late"
            if reason is not None:
                self.rejected[record.partition, offset] = reason
        return self

    def summary(self, key, status):
        """The summary's JSON as the contract has it."""
        twin = self.twins[key]
        told = twin.figures()
        first = twin.first()
        platform, _, broadcast = key.decode().partition(":")
        whole = {
            name: told[name]
            for name in [
                "peak",
                "first_minute",
                "viewer_minutes",
                "minutes_observed",
                "minutes_live",
                "coverage",
                "average",
                "joins",
                "views",
                "events",
                "late",
            ]
        }
        return {
            "platform": platform,
            "broadcast": broadcast,
            "venue": first.venue or "unknown",
            "programme": first.programme,
            "title": twin.title(),
            "status": status,
            "started_at": time_text(told["started_at"]),
            "ended_at": time_text(told["ended_at"]),
            "peak_at": time_text(
                None if told["peak_minute"] is None else told["peak_minute"] * MINUTE
            ),
            **whole,
        }


def as_event(fields):
    event = {name: fields.get(name) for name in FIELDS}
    if event["viewers"] == -1:
        event["viewers"] = None
    return SimpleNamespace(
        kind=fields.get("kind", "sample"), revision=fields.get("revision", 0), **event
    )


def time_text(at):
    if at is None:
        return None
    text = datetime.fromtimestamp(at // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{at % 1_000_000:06d}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"
