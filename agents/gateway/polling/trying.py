"""Looks at a poll before it is at work: is its key taken, and does its budget suffice?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agents.gateway.asking import Unanswered
from agents.gateway.delivery import Unreadable
from agents.gateway.polling.platform import Verdict

if TYPE_CHECKING:
    from agents.gateway.poll_config import Poll
    from agents.gateway.polling.edge import Edge


async def tried(poll: Poll, edge: Edge) -> Verdict:
    """Make one call, which costs what a call costs: is the key taken?

    Args:
        poll: as configured.
        edge: its own, not started.
    """
    await edge.start()
    try:
        answer = await edge.ask(poll.channels[:1] or [poll.kind.an_id])
        verdict = poll.kind.evaluate(answer, time.time())
        if verdict.outcome == "answered":
            poll.kind.read(answer.body)
    except Unanswered as error:
        return Verdict(error.outcome, why=str(error))
    except Unreadable as error:
        return Verdict("unreadable", why=str(error))
    finally:
        await edge.stop()
    return verdict


def described(poll: Poll) -> tuple[str, bool]:
    """What the budget of a poll means for its channels, in words, and whether it suffices."""
    per_minute = poll.units * (1 - poll.reserve)
    if poll.kind.per == "day":
        per_minute /= 24 * 60
    calls = -(-len(poll.channels) // poll.kind.batch)
    most = int(per_minute) * poll.kind.batch * poll.every_minutes
    said = (
        f"{poll.units:,} units a {poll.kind.per} suffice for {most:,} live channels at a sample "
        f"each {'minute' if poll.every_minutes == 1 else f'{poll.every_minutes} minutes'}, all "
        "the time"
    )
    return said, calls <= per_minute * poll.every_minutes
