"""Where one run of a broadcast ends and the next begins, and what is left of a run that went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from streams import rfc3339
from streams.audience.minute import MINUTE
from streams.audience.row import Row

if TYPE_CHECKING:
    from streams.audience.rules import Rules
    from streams.events import ViewerEvent


class Tombstone(msgspec.Struct, array_like=True, tag="t2", forbid_unknown_fields=True, gc=False):
    """What is left of a run whose row went: a row of its own, no null value of Kafka's.

    Attributes:
        last_minute: The last minute of the run's span. It counts as an end that stands.
        expires: From when on it may be forgotten, in wall-clock milliseconds since 1970 UTC.
    """

    last_minute: int
    expires: int


def begins_run(state: Row | Tombstone | None, event: ViewerEvent, at: int, rules: Rules) -> bool:
    """Whether an event begins a run; to be asked before anything else of it.

    Args:
        state: What there is of its key. A tombstone that has expired is none.
        event: The event.
        at: Its `at`, in microseconds since 1970 UTC.
        rules: Those in force for its platform; a row has its own.
    """
    if state is None:
        return True
    if event.revision != 0 or not (event.kind == "started" or event.viewers):
        return False
    minute = at // MINUTE
    if isinstance(state, Row):
        return minute > state.sealed and minute > state.gap_end
    return minute > gap_end(state, rules)


def gap_end(state: Row | Tombstone | None, rules: Rules) -> int:
    """The last minute that is closed to the next run of a key: its `sealed_until`; -1 without."""
    if state is None:
        return -1
    if isinstance(state, Row):
        return state.gap_end
    return state.last_minute + rules.restart_gap


def summary_key(platform: str, broadcast: str, run: int | None) -> str:
    """The key of a run's summaries.

    Args:
        platform: Where it is shown.
        broadcast: The platform's id of it.
        run: The minute of the event that began it; None for a first run.
    """
    if run is None:
        return f"{platform}:{broadcast}"
    stamp = rfc3339.text(run * rfc3339.MINUTE)[:16].replace("-", "").replace(":", "")
    return f"{platform}/{stamp}:{broadcast}"
