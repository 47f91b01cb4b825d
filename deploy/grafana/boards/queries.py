"""How metrics are asked for: always of the chosen system, and added up without counting twice.

Prometheus' recording rules drop `job` and `instance`, by which a viewer chooses what to look at, so
the dashboards ask for the metrics themselves.
"""

from __future__ import annotations

from typing import Final

#: One job is one system: its workers share the partitions, and what they report may be added up.
CHOSEN: Final = 'job="$job", instance=~"$instance"'

#: What names one broadcast, and one scope.
BROADCAST: Final = "platform, broadcast, venue"
SCOPE: Final = "scope, name"


def metric(name: str, *matchers: str, window: str = "") -> str:
    """Return a selector of the chosen workers.

    Args:
        name: The metric.
        matchers: More matchers, e.g. `reason="late"`.
        window: The length of a range, without brackets; empty for an instant vector.
    """
    selector = f"{name}{{{', '.join((CHOSEN, *matchers))}}}"
    return f"{selector}[{window}]" if window else selector


def rate(name: str, *matchers: str) -> str:
    """Return how fast a counter of each worker grows, per second."""
    return f"rate({metric(name, *matchers, window='$__rate_interval')})"


def max_by(by: str, name: str, *matchers: str) -> str:
    """Return a gauge of each of `by`, once.

    When a partition changes hands, the old worker's last scrape stands beside the new one's for a
    moment. The greater counts, and nothing is added twice.
    """
    return f"max by ({by}) ({metric(name, *matchers)})"


def broadcasts(name: str, *matchers: str) -> str:
    """Return a gauge of each broadcast, once."""
    return max_by(BROADCAST, name, *matchers)


def scopes(name: str, *matchers: str) -> str:
    """Return a gauge of each scope, once."""
    return max_by(SCOPE, name, *matchers)


def quantile(share: float, name: str) -> str:
    """Return a quantile of a histogram over all chosen workers, by stage."""
    return f"histogram_quantile({share}, sum by (stage, le) ({rate(f'{name}_bucket')}))"
