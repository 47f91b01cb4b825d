"""How metrics are asked for: always of the chosen system, and added up without counting twice.

A dashboard looks at single workers too, of which Prometheus' recording rules know nothing, so it
asks for the metrics themselves.
"""

from __future__ import annotations

from typing import Final

#: One job is one system: its workers share the partitions, and what they report may be added up.
#: Two clusters or namespaces are never added up: one of each is chosen, or none where there is no
#: such label, for then the variable is empty, and so is the value of a label that is not there.
SYSTEM: Final = 'cluster="$cluster", namespace="$namespace", job="$job"'
CHOSEN: Final = f'{SYSTEM}, instance=~"$instance"'

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


def largest(by: str, name: str, *matchers: str) -> str:
    """Return a gauge of those of `by` that were the largest in the time shown, `$top` of them.

    They are chosen once, for the whole time: if each moment chose its own, curves would come and
    go. Also those are among them that are away by now.
    """
    return f"{max_by(by, name, *matchers)} and on ({by}) {_largest(by, name, *matchers)}"


def largest_rates(by: str, name: str, *matchers: str) -> str:
    """Return how fast a counter grows, of those of `by` that grew most in the time shown."""
    grown = f"increase({metric(name, *matchers, window='$__range')} @ end())"
    top = f"topk($top, sum by ({by}) ({grown}))"
    return f"sum by ({by}) ({rate(name, *matchers)}) and on ({by}) {top}"


def smallest(by: str, name: str, *matchers: str) -> str:
    """Return a gauge of those of `by` that were the smallest in the time shown, `$top` of them."""
    least = f"min_over_time({metric(name, *matchers, window='$__range')} @ end())"
    bottom = f"bottomk($top, max by ({by}) ({least}))"
    return f"max by ({by}) ({metric(name, *matchers)}) and on ({by}) {bottom}"


def with_short_topic(query: str) -> str:
    """Return the query with internal topics named without their prefix and group.

    A legend beside curves has little room, and on a board of one system they are the same in all.
    """
    return f'label_replace({query}, "topic", "$1", "topic", ".*audience\\\\.[^.]+\\\\.(.+)")'


def others(all_together: str, by: str, name: str, *matchers: str) -> str:
    """Return what is left of a sum beside the `$top` largest of `by`, where there are more.

    Args:
        all_together: The sum over all of them, as PromQL of one series.
        by: What names one of them.
        name: The gauge.
        matchers: Which of them.
    """
    shown = f"sum({largest(by, name, *matchers)})"
    more = f"count({max_by(by, name, *matchers)}) > $top"
    return f"clamp_min(sum({all_together}) - {shown}, 0) and on () ({more})"


def _largest(by: str, name: str, *matchers: str) -> str:
    most = f"max_over_time({metric(name, *matchers, window='$__range')} @ end())"
    return f"topk($top, max by ({by}) ({most}))"
