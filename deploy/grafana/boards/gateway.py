"""Gateway: what senders send and what polls are answered, and whether it becomes viewer events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from boards.layout import add_row, new_dashboard
from boards.panels import (
    AMBER,
    BYTES,
    CORES,
    COUNT,
    GREEN,
    RATE,
    RED,
    SECONDS,
    SHARE,
    THIRD,
    PanelSeries,
    levels,
    stat_panel,
    timeseries_panel,
)
from boards.queries import max_by, metric, quantile, rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from grafana_foundation_sdk.builders import stat, timeseries
    from grafana_foundation_sdk.builders.dashboard import Dashboard

_QUANTILES: Final = {"median": 0.5, "90 %": 0.9, "99 %": 0.99}
_RECEIVED: Final = f"sum({rate('audience_gateway_deliveries_received_total')})"


def dashboard() -> Dashboard:
    """Return the dashboard."""
    board = new_dashboard(
        "live-audience-gateway",
        "Live audience: gateway",
        "Whether what platforms and media servers tell becomes viewer events: webhooks and polls.",
        since="now-1h",
        refresh="30s",
        known_by="audience_gateway_ready",
    )
    add_row(board, "Health", *_health())
    add_row(board, "Webhooks", *_webhooks())
    add_row(board, "Viewer events", *_events())
    add_row(board, "Polls", *_polls())
    add_row(board, "Subscriptions", *_subscriptions())
    add_row(board, "Processes", *_processes())
    return board


def _health() -> Iterator[stat.Panel]:
    yield stat_panel(
        "Gateways ready",
        "Gateways whose writes Kafka takes, and that have their partitions.",
        f"sum({metric('audience_gateway_ready')})",
        colors=levels((1, GREEN), base=RED),
    )
    yield stat_panel(
        "Gateways not ready",
        "Gateways that do not answer Prometheus, or that Kafka does not serve. Senders are "
        "answered all the same.",
        f"count({metric('up')}) - sum({metric('audience_gateway_ready')})",
        colors=levels((1, AMBER)),
    )
    yield stat_panel(
        "Open broadcasts",
        "Broadcasts that have begun and not ended.",
        f"sum({metric('audience_gateway_open_broadcasts')})",
    )
    yield stat_panel(
        "Refused",
        "Share of the webhooks that were refused, for whatever reason.",
        # Nothing has been refused where no such series is there yet: that is 0, not unknown.
        f"(sum({rate('audience_gateway_deliveries_refused_total')}) or 0 * {_RECEIVED})"
        f" / ({_RECEIVED} > 0)",
        unit=SHARE,
        colors=levels((0.01, AMBER), (0.5, RED)),
    )
    yield stat_panel(
        "Lost",
        "Webhooks and polls that Kafka has not stored and that nobody sends again, in the time "
        "shown.",
        f"sum(increase({metric('audience_gateway_deliveries_lost_total', window='$__range')}))"
        f" + (sum(increase({metric('audience_gateway_polls_lost_total', window='$__range')}))"
        " or vector(0))",
        colors=levels((1, RED)),
    )
    yield stat_panel(
        "Minutes sampled",
        "Share of the minutes of polled live broadcasts in which an answer told of them.",
        _sampled("audience_gateway_poll_minutes_total"),
        unit=SHARE,
        colors=levels((0.95, AMBER), (0.99, GREEN), base=RED),
    )


def _sampled(name: str) -> str:
    matcher = 'outcome="sampled"'
    sampled = f"sum(increase({metric(name, matcher, window='$__range')}))"
    return f"{sampled} / (sum(increase({metric(name, window='$__range')})) > 0)"


def _webhooks() -> Iterator[timeseries.Panel]:
    yield timeseries_panel(
        "Webhooks received",
        "A second, by endpoint, whatever became of them.",
        PanelSeries(
            f"sum by (endpoint) ({rate('audience_gateway_deliveries_received_total')})",
            "{{endpoint}}",
        ),
        unit=RATE,
        stacked=True,
    )
    yield timeseries_panel(
        "Webhooks refused, by reason",
        "A second: signature, time, missing, malformed and repeated are not proven to be the "
        "sender's; large, slow and busy are too much; address and network come from elsewhere.",
        PanelSeries(
            f"sum by (endpoint, reason) ({rate('audience_gateway_deliveries_refused_total')})",
            "{{endpoint}} {{reason}}",
        ),
        unit=RATE,
    )
    yield timeseries_panel(
        "Time until Kafka had them",
        "From a webhook's last byte to Kafka's acknowledgement: the sender waits for so long.",
        *(
            PanelSeries(quantile(share, "audience_gateway_acknowledged_seconds"), name)
            for name, share in _QUANTILES.items()
        ),
        unit=SECONDS,
        width=THIRD,
    )
    yield timeseries_panel(
        "Age of the newest webhook",
        "Since the newest verified one, by endpoint; nothing before the first.",
        PanelSeries(
            f"time() - ({max_by('endpoint', 'audience_gateway_newest_delivery_timestamp_seconds')}"
            " > 0)",
            "{{endpoint}}",
        ),
        unit=SECONDS,
        width=THIRD,
    )
    yield timeseries_panel(
        "Not stored",
        "A second: senders that send again were told to; those that never do have lost it.",
        PanelSeries(
            f"sum by (endpoint) ({rate('audience_gateway_deliveries_unacknowledged_total')})",
            "{{endpoint}} not acknowledged",
        ),
        PanelSeries(
            f"sum by (endpoint) ({rate('audience_gateway_deliveries_lost_total')})",
            "{{endpoint}} lost",
        ),
        unit=RATE,
        width=THIRD,
    )


def _events() -> Iterator[timeseries.Panel]:
    yield timeseries_panel(
        "Viewer events written",
        "A second, by endpoint or poll.",
        PanelSeries(f"sum by (endpoint) ({rate('audience_gateway_events_total')})", "{{endpoint}}"),
        unit=RATE,
        stacked=True,
    )
    yield timeseries_panel(
        "What was odd",
        "A second: verified but not mapped (kept in gateway-rejected), seen before, from the "
        "future, warnings of senders such as a revoked subscription, and records of "
        "gateway-observations that no gateway wrote.",
        *(
            PanelSeries(f"sum by (endpoint) ({rate(name)})", f"{{{{endpoint}}}} {what}")
            for name, what in (
                ("audience_gateway_deliveries_unmapped_total", "not mapped"),
                ("audience_gateway_deliveries_repeated_total", "repeated"),
                ("audience_gateway_observations_clamped_total", "from the future"),
                ("audience_gateway_warnings_total", "warnings"),
            )
        ),
        PanelSeries(f"sum({rate('audience_gateway_observations_unreadable_total')})", "unreadable"),
        unit=RATE,
    )
    yield timeseries_panel(
        "Webhooks verified",
        "A second, by endpoint: proven to be their sender's.",
        PanelSeries(
            f"sum by (endpoint) ({rate('audience_gateway_deliveries_verified_total')})",
            "{{endpoint}}",
        ),
        unit=RATE,
    )
    yield timeseries_panel(
        "Open broadcasts over time",
        "Over all gateways.",
        PanelSeries(f"sum({metric('audience_gateway_open_broadcasts')})", "open"),
        unit=COUNT,
    )


def _polls() -> Iterator[timeseries.Panel]:
    yield timeseries_panel(
        "Calls, by what became of them",
        "A second: answered, limited (429, units used up), refused (the key), failed, timeout, "
        "unreadable.",
        PanelSeries(
            f"sum by (poll, outcome) ({rate('audience_gateway_polls_total')})",
            "{{poll}} {{outcome}}",
        ),
        unit=RATE,
    )
    yield timeseries_panel(
        "Minutes of live broadcasts",
        "A second, by whether an answer told of the broadcast in them.",
        PanelSeries(
            f"sum by (poll, outcome) ({rate('audience_gateway_poll_minutes_total')})",
            "{{poll}} {{outcome}}",
        ),
        unit=RATE,
        stacked=True,
    )
    yield timeseries_panel(
        "Age of the newest answer",
        "Since the newest that told of a live broadcast, by poll; nothing before the first.",
        PanelSeries(
            f"time() - ({max_by('poll', 'audience_gateway_newest_poll_timestamp_seconds')} > 0)",
            "{{poll}}",
        ),
        unit=SECONDS,
        width=THIRD,
    )
    yield timeseries_panel(
        "Budget left",
        "Units of the platform's budget that may be spent now, over all gateways.",
        PanelSeries(
            f"sum by (poll) ({metric('audience_gateway_poll_budget_left_units')})", "{{poll}}"
        ),
        width=THIRD,
    )
    yield timeseries_panel(
        "Budget lasts",
        "For so long all that is followed can be asked for in time; no curve where it lasts to the "
        "end of the budget's day.",
        PanelSeries(
            f"min by (poll) ({metric('audience_gateway_poll_budget_lasts_seconds')}) < +Inf",
            "{{poll}}",
        ),
        unit=SECONDS,
        width=THIRD,
    )
    yield timeseries_panel(
        "Minutes between two samples",
        "Of a broadcast, as the budget allows; 1 if it suffices.",
        PanelSeries(max_by("poll", "audience_gateway_poll_interval_minutes"), "{{poll}}"),
        width=THIRD,
    )
    yield timeseries_panel(
        "Channels polled",
        "Over all gateways, by whether they are live.",
        PanelSeries(
            f"sum by (poll, state) ({metric('audience_gateway_polled_channels')})",
            "{{poll}} {{state}}",
        ),
        stacked=True,
        width=THIRD,
    )
    yield timeseries_panel(
        "Answers not stored",
        "Observations of polls that Kafka did not take in time, a second.",
        PanelSeries(f"sum by (poll) ({rate('audience_gateway_polls_lost_total')})", "{{poll}}"),
        unit=RATE,
        width=THIRD,
    )


def _subscriptions() -> Iterator[timeseries.Panel]:
    yield timeseries_panel(
        "Subscriptions, by how they stand",
        "Those that the gateway makes by itself, over all gateways: pending is not confirmed yet, "
        "expiring was not renewed in time.",
        PanelSeries(
            f"sum by (endpoint, state) ({metric('audience_gateway_subscriptions')})",
            "{{endpoint}} {{state}}",
        ),
        stacked=True,
        width=THIRD,
    )
    yield timeseries_panel(
        "Time until the first one lapses",
        "By endpoint; no curve where none lapses. They are renewed at half their time.",
        PanelSeries(
            "(min by (endpoint) ("
            f"{metric('audience_gateway_subscription_ends_timestamp_seconds')}) < +Inf) - time()",
            "{{endpoint}}",
        ),
        unit=SECONDS,
        width=THIRD,
    )
    yield timeseries_panel(
        "Calls for subscriptions",
        "A second, by what became of them.",
        PanelSeries(
            f"sum by (endpoint, outcome) ({rate('audience_gateway_subscription_calls_total')})",
            "{{endpoint}} {{outcome}}",
        ),
        unit=RATE,
        width=THIRD,
    )


def _processes() -> Iterator[timeseries.Panel]:
    yield timeseries_panel(
        "CPU of the busiest gateway",
        "In cores; a gateway is one thread, so it never has more than one.",
        PanelSeries(f"max({rate('process_cpu_seconds_total')})", "cores"),
        unit=CORES,
        most=1,
    )
    yield timeseries_panel(
        "Memory of the largest gateway",
        "What it occupies.",
        PanelSeries(f"max({metric('process_resident_memory_bytes')})", "memory"),
        unit=BYTES,
    )
