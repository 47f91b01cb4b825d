"""Alerts about the gateway."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from agents.alerts.model import Group, make_alert
from agents.alerts.timing import duration, number

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.alerts.timing import Timing

_FAULTS: Final = 3
_REFUSED, _REFUSED_COUNT = 0.5, 10
#: Why a delivery is not its sender's; the other reasons are about load and addresses.
_UNPROVEN: Final = "signature|time|missing|malformed|repeated"


def group(timing: Timing, runbook: Callable[[str], str]) -> Group:
    """The group of these alerts."""
    alert = partial(make_alert, timing, runbook)
    rate, counted = duration(timing.rate), duration(timing.counted)
    rules = [
        alert(
            "PollSilent",
            f"""
            time() - max by (job, poll) (audience_gateway_newest_poll_timestamp_seconds)
            > {number(timing.poll_silence)}
            and on (job, poll)
            sum by (job, poll) (audience_gateway_polled_channels{{state="live"}}) > 0
            """,
            "critical",
            "The poll {{ $labels.poll }} tells of no broadcast",
            "Broadcasts of it are live, and for {{ $value | humanizeDuration }} no answer has told "
            "of any. Their minutes have no viewers meanwhile.",
            why="Hidden counts do not set it off: an answer that tells of a broadcast is enough.",
        ),
        alert(
            "PollRefused",
            f"""
            sum by (job, poll) (
              increase(audience_gateway_polls_total{{outcome=~"refused|limited"}}[{counted}])
            ) >= {_FAULTS}
            """,
            "critical",
            "The platform of the poll {{ $labels.poll }} refuses calls",
            '{{ printf "%.0f" $value }} in 15 minutes: the key or the app is not accepted, or more '
            "is asked than it allows. The gateway leaves it alone for longer and longer.",
        ),
        alert(
            "PollBudgetShort",
            "min by (job, poll) (audience_gateway_poll_budget_lasts_seconds) < +Inf",
            "warning",
            "The budget of the poll {{ $labels.poll }} does not last",
            "What it has saved is used up in {{ $value | humanizeDuration }}; from then on "
            "broadcasts are sampled in turn, not in each minute.",
        ),
        alert(
            "SubscriptionMissing",
            """
            sum by (job, endpoint, state) (audience_gateway_subscriptions{state!="active"}) > 0
            """,
            "critical",
            "Subscriptions of {{ $labels.endpoint }} do not hold: {{ $labels.state }}",
            '{{ printf "%.0f" $value }} of them. pending: nobody confirms them, so the address may '
            "not be reachable from outside; refused: the platform says no; expiring: they are not "
            "renewed, and lapse. What is not subscribed to sends nothing.",
        ),
        alert(
            "SubscriptionRevoked",
            f"sum by (job, endpoint) (increase(audience_gateway_warnings_total[{counted}])) > 0",
            "critical",
            "The sender of {{ $labels.endpoint }} has revoked a subscription",
            '{{ printf "%.0f" $value }} warnings in 15 minutes; the log says of what. What is '
            "revoked sends nothing, until it is subscribed to anew.",
        ),
        alert(
            "WebhooksRefused",
            f"""
            (
              sum by (job, endpoint) (
                rate(audience_gateway_deliveries_refused_total{{reason=~"{_UNPROVEN}"}}[{rate}])
              )
              / on (job, endpoint)
              sum by (job, endpoint) (rate(audience_gateway_deliveries_received_total[{rate}]))
            ) > {_REFUSED}
            and on (job, endpoint)
            sum by (job, endpoint) (
              increase(audience_gateway_deliveries_refused_total{{reason=~"{_UNPROVEN}"}}[{rate}])
            ) >= {_REFUSED_COUNT}
            """,
            "warning",
            "Webhooks at {{ $labels.endpoint }} are refused",
            "{{ $value | humanizePercentage }} of what came in the last 5 minutes is not proven to "
            "be its sender's: a secret that was changed on one side, a clock, or a stranger.",
        ),
        alert(
            "GatewayUnacknowledged",
            f"""
            sum by (job) (
              increase(
                {{__name__=~"audience_(gateway_deliveries_unacknowledged|gateway_polls_lost)_total"}}[{rate}]
              )
            ) >= {_FAULTS}
            """,
            "critical",
            "Kafka does not acknowledge what the gateway writes",
            '{{ printf "%.0f" $value }} webhooks and observations in 5 minutes. Senders that send '
            "again are told to; what others sent is lost.",
        ),
    ]
    return Group("live-audience-gateway", rules, timing.scrape)
