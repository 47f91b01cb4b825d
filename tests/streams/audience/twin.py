"""The twin of streams.audience: every figure by brute force, from all events and the contract.

Plain Python, apart from the code that it judges: it imports nothing of it. It keeps every event
and works each figure out anew from section 3 or 4, so it is slow, and short enough to be checked
against the contract line by line. To be used as an oracle:

    twin = Twin(lateness=15, carry=2)
    twin.accept(event, at, timestamp)     # in the order of the partition; False: late
    twin.figures()["peak"]
    twin.summary("fliggy", "b1", "ended")     # as broadcast-summaries has it
    scope([twin, ...])["audience"]
    scope_summary("platform", "fliggy", [twin, ...])     # as scope-summaries has it

An event is anything with the fields of a viewer event; `at` is in microseconds since 1970.
"""

from datetime import UTC, datetime, timedelta

MINUTE = 60_000_000


def text(at):
    """A time as summaries write it; None stays None."""
    if at is None:
        return None
    time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    whole, _, fraction = time.replace(tzinfo=None).isoformat().partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}Z" if fraction else f"{whole}Z"


def minute_text(minute):
    return None if minute is None else text(minute * MINUTE)


class Twin:
    """One broadcast."""

    def __init__(self, lateness=15, carry=2):
        self.lateness = lateness
        self.carry = carry
        self.accepted = []
        self.late = 0
        self.final = False

    def accept(self, event, at, timestamp=0):
        if self.accepted and at // MINUTE <= self.newest() - self.lateness:
            self.late += 1
            return False
        self.accepted.append((event, at, timestamp))
        return True

    def newest(self):
        return max(at // MINUTE for _, at, _ in self.accepted)

    def first(self):
        return self.accepted[0][0]

    def title(self):
        titles = [(at, event.title) for event, at, _ in self.accepted if event.title is not None]
        return max(titles)[1] if titles else None

    def timestamp(self):
        return max(timestamp for _, _, timestamp in self.accepted)

    def started_at(self):
        started = [at for event, at, _ in self.accepted if event.kind == "started"]
        return min(started or [at for _, at, _ in self.accepted])

    def ended_at(self):
        ended = [at for event, at, _ in self.accepted if event.kind == "ended"]
        if not ended:
            return None
        end = max(ended)
        for event, at, _ in self.accepted:
            if event.kind == "started" and at > end:
                return None
            if event.viewers is not None and event.viewers > 0 and at - end > self.carry * MINUTE:
                return None
        return end

    def cells(self):
        """Minute to audience, high, joins and views, each None where it is not known."""
        all_told = {}
        for event, at, _ in self.accepted:
            all_told.setdefault(at // MINUTE, []).append((event, at))
        cells = {}
        for minute, events in all_told.items():
            highest = max(event.revision for event, _ in events)
            told = [(event, at) for event, at in events if event.revision == highest]
            audiences = [(at, event.viewers) for event, at in told if event.viewers is not None]
            cells[minute] = (
                max(audiences)[1] if audiences else None,
                max((viewers for _, viewers in audiences), default=None),
                max((event.joins for event, _ in told if event.joins is not None), default=None),
                max((event.views for event, _ in told if event.views is not None), default=None),
            )
        return cells

    def observed(self):
        """Observed minutes to their audience."""
        return {minute: cell[0] for minute, cell in self.cells().items() if cell[0] is not None}

    def audiences(self):
        """All minutes with an audience, observed or carried, to it; also past the newest one.

        Those past the newest are for the scopes. When it has ended, none of them is carried.
        """
        observed, ended_at = self.observed(), self.ended_at()
        audiences = {}
        for minute in {seen + more for seen in observed for more in range(self.carry + 1)}:
            if minute in observed:
                audiences[minute] = observed[minute]
            elif ended_at is None or not ended_at // MINUTE < minute:
                sources = [m for m in range(minute - self.carry, minute) if m in observed]
                audiences[minute] = observed[max(sources)]
        return audiences

    def figures(self):
        """All figures of section 3: times in microseconds, minutes as numbers."""
        newest, cells, observed = self.newest(), self.cells(), self.observed()
        audiences = [audience for m, audience in self.audiences().items() if m <= newest]
        highs = {minute: cell[1] for minute, cell in cells.items() if cell[1] is not None}
        peak = max(highs.values(), default=None)
        started_at = self.started_at()
        live = max(1, newest - started_at // MINUTE + 1)
        return {
            "viewers": observed[max(observed)] if observed else None,
            "peak": peak,
            "peak_minute": min((m for m in highs if highs[m] == peak), default=None),
            "peak_5m": max((highs[m] for m in highs if newest - m < 5), default=None),
            "peak_1h": max((highs[m] for m in highs if newest - m < 60), default=None),
            "first_minute": observed.get(started_at // MINUTE),
            "viewer_minutes": sum(audiences),
            "minutes_observed": len(observed),
            "minutes_carried": len(audiences) - len(observed),
            "minutes_live": live,
            "coverage": min(1, len(observed) / live),
            "average": sum(audiences) / len(audiences) if audiences else None,
            "joins": sum(cell[2] or 0 for cell in cells.values()),
            "views": max((cell[3] for cell in cells.values() if cell[3] is not None), default=None),
            "events": len(self.accepted),
            "late": self.late,
            "started_at": started_at,
            "ended_at": self.ended_at(),
            "newest": newest,
            "newest_at": max(at for _, at, _ in self.accepted),
        }

    def summary(self, platform, broadcast, status):
        """What broadcast-summaries holds of it: a dictionary, as read from JSON."""
        told = self.figures()
        return {
            "platform": platform,
            "broadcast": broadcast,
            "venue": self.first().venue or "unknown",
            "programme": self.first().programme,
            "title": self.title(),
            "status": status,
            "started_at": text(told["started_at"]),
            "ended_at": text(told["ended_at"]),
            "peak": told["peak"],
            "peak_at": minute_text(told["peak_minute"]),
            "first_minute": told["first_minute"],
            "viewer_minutes": told["viewer_minutes"],
            "minutes_observed": told["minutes_observed"],
            "minutes_live": told["minutes_live"],
            "coverage": told["coverage"],
            "average": told["average"],
            "joins": told["joins"],
            "views": told["views"],
            "events": told["events"],
            "late": told["late"],
        }


def scope(twins):
    """All figures of section 4 of the scope that these broadcasts make up, at least one."""
    newest = max(twin.newest() for twin in twins)
    audiences = {}
    for twin in twins:
        for minute, audience in twin.audiences().items():
            if minute <= newest:
                audiences[minute] = audiences.get(minute, 0) + audience
    peak = max(audiences.values(), default=None)
    figures = [twin.figures() for twin in twins]
    return {
        "minute": newest,
        "audience": audiences.get(newest),
        "peak": peak,
        "peak_minute": min((m for m in audiences if audiences[m] == peak), default=None),
        "peak_sum": sum(told["peak"] or 0 for told in figures),
        "viewer_minutes": sum(told["viewer_minutes"] for told in figures),
        "joins": sum(told["joins"] for told in figures),
        "views": sum(t["joins"] if t["views"] is None else t["views"] for t in figures),
        "broadcasts": len(twins),
        "live": sum(not twin.final and twin.ended_at() is None for twin in twins),
    }


def scope_summary(kind, name, twins):
    """What scope-summaries holds of it: a dictionary, as read from JSON."""
    told = scope(twins)
    return {
        "scope": kind,
        "name": name,
        "minute": minute_text(told["minute"]),
        "audience": told["audience"],
        "peak": told["peak"],
        "peak_at": minute_text(told["peak_minute"]),
        "peak_sum": told["peak_sum"],
        "viewer_minutes": told["viewer_minutes"],
        "joins": told["joins"],
        "views": told["views"],
        "broadcasts": told["broadcasts"],
        "live": told["live"],
    }
