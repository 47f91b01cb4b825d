"""What is published of a run and of a scope, by the contract's words: keys, names and figures."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from contract.run import MINUTE, Run

from streams import rfc3339

MINUTES = ("peak_at", "first_audience_at", "run")
TIMES = ("started_at", "ended_at")
NOT_PUBLISHED = ("viewers", "peak_5m", "peak_1h")
COUNTS = ("events", "late")


def run_key(platform: str, broadcast: str, run: Run) -> str:
    """The key of a run's summaries."""
    if run.began is None:
        return f"{platform}:{broadcast}"
    stamp = rfc3339.text(run.began * MINUTE)[:16].replace("-", "").replace(":", "")
    return f"{platform}/{stamp}:{broadcast}"


def scopes_of(platform: str, run: Run) -> list[str]:
    """The names of a run's scopes as it is now."""
    scopes = ["world", f"platform:{platform}", f"venue:{run.venue or 'unknown'}"]
    return scopes if run.programme is None else [*scopes, f"programme:{run.programme}"]


def run_summary(
    platform: str, broadcast: str, status: str, figures: Mapping[str, object]
) -> dict[str, object]:
    """The summary of a run as it is now, of its figures."""
    told = {name: value for name, value in figures.items() if name not in NOT_PUBLISHED}
    for name in MINUTES:
        told[name] = _minute_text(told[name])
    for name in TIMES:
        told[name] = None if told[name] is None else rfc3339.text(told[name])
    return {"platform": platform, "broadcast": broadcast, "status": status, **told}


class Member(NamedTuple):
    """A run of a scope, its figures, whether it is live, and whether it counts in `viewers`."""

    run: Run
    figures: Mapping[str, object]
    is_live: bool
    counts: bool


def scope_summary(name: str, minute: int, members: Iterable[Member]) -> dict[str, object]:
    """The summary of a scope as it is now (section 4); `minute` is its own."""
    members = list(members)
    sums: dict[int, int] = {}
    for member in members:
        for at, audience in member.run.in_scopes().items():
            sums[at] = sums.get(at, 0) + audience
    peak = max(sums.values(), default=None)
    told = [member.figures for member in members]
    now = [member.figures["viewers"] for member in members if member.counts]
    kind, _, rest = name.partition(":")
    return {
        "scope": kind,
        "name": rest,
        "minute": rfc3339.text(minute * MINUTE),
        "viewers": sum(now) if now else None,
        "peak": peak,
        "peak_at": _minute_text(min((m for m in sums if sums[m] == peak), default=None)),
        "peak_sum": sum(one["peak"] or 0 for one in told),
        "viewer_minutes": sum(one["viewer_minutes"] for one in told),
        "joins": sum(one["joins"] for one in told),
        "views": sum(one["joins"] if one["views"] is None else one["views"] for one in told),
        "broadcasts": len(members),
        "live": sum(member.is_live for member in members),
    }


def _minute_text(minute: int | None) -> str | None:
    return None if minute is None else rfc3339.text(minute * MINUTE)
