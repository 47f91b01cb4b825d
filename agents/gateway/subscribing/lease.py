"""When a subscription that lapses is to be asked for again, and how it stands. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from streams import rfc3339

if TYPE_CHECKING:
    from agents.gateway.rows import Subscription

#: How a subscription stands. `expiring`: it was not renewed in time; `refused`: somebody said no.
State = Literal["active", "pending", "expiring", "refused"]
STATES: Final[tuple[State, ...]] = ("active", "pending", "expiring", "refused")

#: What was not answered is asked for again after so long, what was refused after so long.
_UNANSWERED: Final = 600 * rfc3339.SECOND
_REFUSED: Final = 3600 * rfc3339.SECOND
#: A confirmation may be told by a gateway whose clock is so much behind that of who asked.
_SKEW: Final = 60 * rfc3339.SECOND


def _is_answered(known: Subscription) -> bool:
    lease = known.ends - known.begins
    return known.asked - known.begins <= min(_SKEW, lease // 4)


def is_due(known: Subscription | None, digest: str, lease: int, now: int) -> bool:
    """Whether it is to be asked for now.

    Args:
        known: what is known of it.
        digest: of the address and the secret that are in force.
        lease: for how long it is asked for, in microseconds: one that is short is asked for more
            often.
        now: microseconds since 1970 UTC.
    """
    if known is None or known.digest != digest:
        return True
    if not _is_answered(known):
        pause = _REFUSED if known.denied >= known.asked else _UNANSWERED
        return now - known.asked >= min(pause, lease // 8)
    return now >= known.begins + (known.ends - known.begins) // 2


def state_of(known: Subscription | None, now: int) -> State:
    """How it stands."""
    if known is None:
        return "pending"
    if known.denied >= max(known.asked, known.begins, 1):
        return "refused"
    if known.ends <= now:
        return "pending"
    return "active" if known.ends - now >= (known.ends - known.begins) // 4 else "expiring"
