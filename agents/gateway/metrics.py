"""What is seen of the gateway from outside."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from agents.gateway.polling.platform import OUTCOMES
from agents.gateway.subscribing.lease import STATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.gateway.config import Config
    from agents.gateway.processor import Notes

_BY_ENDPOINT = ("endpoint",)
_ACK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5)


class GatewayMetrics:
    """All of its metrics, by the endpoints of the configuration: what senders write is no label.

    Args:
        config: the configuration in force.
        open_broadcasts: how many broadcasts are open in the partitions that this gateway has.
        not_ready_reason: what `/readyz` says; None if it is ready.
    """

    def __init__(
        self,
        config: Config,
        open_broadcasts: Callable[[], int],
        not_ready_reason: Callable[[], str | None],
    ) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.received = Counter(
            "audience_gateway_deliveries_received",
            "Webhooks that came in, whatever became of them.",
            _BY_ENDPOINT,
            registry=registry,
        )
        self.verified = Counter(
            "audience_gateway_deliveries_verified",
            "Webhooks proven to be their sender's.",
            _BY_ENDPOINT,
            registry=registry,
        )
        self.refused = Counter(
            "audience_gateway_deliveries_refused",
            "Webhooks that were refused, by reason.",
            ("endpoint", "reason"),
            registry=registry,
        )
        self.unmapped = Counter(
            "audience_gateway_deliveries_unmapped",
            "Verified webhooks that could not be mapped; they are in gateway-rejected.",
            _BY_ENDPOINT,
            registry=registry,
        )
        self.unacknowledged = Counter(
            "audience_gateway_deliveries_unacknowledged",
            "Webhooks that Kafka did not acknowledge in time; the sender was told to send again, "
            "or let go on where it never does.",
            _BY_ENDPOINT,
            registry=registry,
        )
        self.lost = Counter(
            "audience_gateway_deliveries_lost",
            "Webhooks of senders that never send again that Kafka has not stored.",
            _BY_ENDPOINT,
            registry=registry,
        )
        self.clamped = Counter(
            "audience_gateway_observations_clamped",
            "Observations from over 2 minutes ahead, taken as of the time at which they came.",
            _BY_ENDPOINT,
            registry=registry,
        )
        self.warnings = Counter(
            "audience_gateway_warnings",
            "What senders told that an operator must know, such as a revoked subscription.",
            _BY_ENDPOINT,
            registry=registry,
        )
        self.acknowledged = Histogram(
            "audience_gateway_acknowledged_seconds",
            "Time from a webhook's last byte to Kafka's acknowledgement, in seconds.",
            _BY_ENDPOINT,
            registry=registry,
            buckets=_ACK_BUCKETS,
        )
        self.newest = Gauge(
            "audience_gateway_newest_delivery_timestamp_seconds",
            "When the newest verified webhook came, in seconds since 1970 UTC; 0 before the first.",
            _BY_ENDPOINT,
            registry=registry,
        )
        self.events = Counter(
            "audience_gateway_events",
            "Viewer events that were written.",
            _BY_ENDPOINT,
            registry=registry,
        )
        self.repeated = Counter(
            "audience_gateway_deliveries_repeated",
            "Observations of messages that were seen before.",
            _BY_ENDPOINT,
            registry=registry,
        )
        self.odd = Counter(
            "audience_gateway_observations_unreadable",
            "Records of gateway-observations that no gateway wrote.",
            registry=registry,
        )
        self._add_polls(config, registry)
        self._add_subscriptions(config, registry)
        Gauge(
            "audience_gateway_open_broadcasts",
            "Open broadcasts of the partitions that this gateway has.",
            registry=registry,
        ).set_function(open_broadcasts)
        Gauge(
            "audience_gateway_ready",
            "Whether the gateway is ready: 1 or 0.",
            registry=registry,
        ).set_function(lambda: float(not_ready_reason() is None))
        # Each is there from the start on: a rate needs a first sample.
        for metric in (
            self.received,
            self.verified,
            self.unmapped,
            self.unacknowledged,
            self.lost,
            self.acknowledged,
            self.newest,
            self.events,
            self.repeated,
            self.warnings,
        ):
            for endpoint in config.endpoint:
                metric.labels(endpoint.name)
        for name in config.told:
            self.events.labels(name)

    def _add_polls(self, config: Config, registry: CollectorRegistry) -> None:
        by_poll = ("poll",)
        self.polls = Counter(
            "audience_gateway_polls",
            "Calls of platforms' APIs, by what became of them.",
            ("poll", "outcome"),
            registry=registry,
        )
        self.polls_lost = Counter(
            "audience_gateway_polls_lost",
            "Observations of polls that Kafka did not acknowledge in time.",
            by_poll,
            registry=registry,
        )
        self.polls_newest = Gauge(
            "audience_gateway_newest_poll_timestamp_seconds",
            "When the newest poll that told of a live broadcast was answered, in seconds since "
            "1970 UTC; 0 before the first.",
            by_poll,
            registry=registry,
        )
        self.poll_minutes = Counter(
            "audience_gateway_poll_minutes",
            "Minutes of live broadcasts, by whether an answer told of the broadcast in them.",
            ("poll", "outcome"),
            registry=registry,
        )
        self.poll_budget = Gauge(
            "audience_gateway_poll_budget_left_units",
            "Units of the platform's budget that this gateway may spend now.",
            by_poll,
            registry=registry,
        )
        self.poll_budget_lasts = Gauge(
            "audience_gateway_poll_budget_lasts_seconds",
            "For how long all that is followed can be asked for in time, in seconds; +Inf if to "
            "the end of the budget's day.",
            by_poll,
            registry=registry,
        )
        self.poll_interval = Gauge(
            "audience_gateway_poll_interval_minutes",
            "Minutes between two samples of a broadcast, as far as the budget decides; 1 if it "
            "suffices.",
            by_poll,
            registry=registry,
        )
        self.polled = Gauge(
            "audience_gateway_polled_channels",
            "Channels that this gateway polls, by whether they are live.",
            ("poll", "state"),
            registry=registry,
        )
        for poll in config.poll:
            for outcome in OUTCOMES:
                self.polls.labels(poll.name, outcome)
            for state in ("live", "waiting"):
                self.polled.labels(poll.name, state)
            for became in ("sampled", "missed"):
                self.poll_minutes.labels(poll.name, became)
            for metric in (
                self.polls_lost,
                self.polls_newest,
                self.poll_budget,
                self.poll_budget_lasts,
                self.poll_interval,
            ):
                metric.labels(poll.name)

    def _add_subscriptions(self, config: Config, registry: CollectorRegistry) -> None:
        self.subscriptions = Gauge(
            "audience_gateway_subscriptions",
            "Subscriptions that this gateway looks after, by how they stand: pending is not "
            "confirmed yet, expiring was not renewed in time.",
            ("endpoint", "state"),
            registry=registry,
        )
        self.subscription_ends = Gauge(
            "audience_gateway_subscription_ends_timestamp_seconds",
            "When the first of them lapses, in seconds since 1970 UTC; +Inf if none does.",
            _BY_ENDPOINT,
            registry=registry,
        )
        self.subscription_calls = Counter(
            "audience_gateway_subscription_calls",
            "Calls by which was subscribed, by what became of them.",
            ("endpoint", "outcome"),
            registry=registry,
        )
        for endpoint in config.endpoint:
            if endpoint.subscribe is None:
                continue
            for state in STATES:
                self.subscriptions.labels(endpoint.name, state)
            self.subscription_ends.labels(endpoint.name).set(math.inf)
            for outcome in OUTCOMES:
                self.subscription_calls.labels(endpoint.name, outcome)

    def processed(self, counters: Notes) -> None:
        """Count what a durable batch did."""
        for endpoint, count in counters.events.items():
            self.events.labels(endpoint).inc(count)
        for endpoint, count in counters.repeated.items():
            self.repeated.labels(endpoint).inc(count)
        if counters.odd:
            self.odd.inc(counters.odd)
