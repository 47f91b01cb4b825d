"""Looks at subscriptions before they are at work: what does the platform's list say?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.gateway.asking import Unanswered
from agents.gateway.delivery import Unreadable
from agents.gateway.subscribing.listed import ListSubscriber, Refusal

if TYPE_CHECKING:
    from agents.gateway.subscribing.subscriber import Subscriber


async def tried(subscriber: Subscriber) -> tuple[str, bool] | None:
    """Ask for the platform's list; nothing is subscribed to.

    Returns:
        What is to be said of it, and whether the platform takes our key; None where there is no
        list, as at a hub.
    """
    if not isinstance(subscriber, ListSubscriber):
        return None
    await subscriber.client.start()
    try:
        found = await subscriber.listed()
    except Refusal as error:
        return f"{error.verdict.outcome}, {error.verdict.why}", False
    except (Unanswered, Unreadable) as error:
        return str(error), False
    finally:
        await subscriber.client.stop()
    wanted = len(subscriber.endpoint.subscribed) * len(subscriber.types)
    active = sum(
        each.state == "active" and each.wanted.channel in subscriber.endpoint.subscribed
        for each in found
    )
    return f"{active} of {wanted} subscriptions are active", True
