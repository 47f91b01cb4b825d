"""Every rule keeps to one system: the only place where aggregations get their `by (...)`.

Rules are written as for a Prometheus with one system in it: `sum by (platform) (audience_viewers)`.
Here each selector is bound to the systems that the rules are for, and each `by` and `on` keeps the
labels that tell them apart. So no rule can forget it, and two systems never add up.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What an expression is made of, as far as it matters here. What comes first is tried first.
_TOKENS: Final = re.compile(
    r"""
      \b(?P<clause>by|on)\s*\((?P<labels>[^()]*)\)
    | \b(?P<dropping>without|ignoring)\s*\(
    | \bgroup_(?:left|right)\s*\([^()]*\)
    | \b(?:sum|min|max|avg|count|group|stddev|stdvar|quantile|topk|bottomk|count_values)\b
      \s*(?:(?P<aggregation>(?=\())|(?=by\b))
    | (?P<name>[a-zA-Z_:][\w:]*)?(?P<matchers>\{(?:"(?:[^"\\]|\\.)*"|[^"{}])*\})
    | "(?:[^"\\]|\\.)*"
    | \[[^\]]*\]
    | \d[\w.]*
    | (?P<function>[a-zA-Z_]\w*\s*(?=\())
    | (?P<keyword>\b(?:and|or|unless|bool|offset|by|on|atan2|inf|nan)\b)
    | (?P<metric>[a-zA-Z_:][\w:]*)
    """,
    re.VERBOSE | re.IGNORECASE,
)
#: In the place of this label the labels to keep are written.
_SYSTEM: Final = "job"
_GATEWAY: Final = "gateway_"


def scoped(expr: str, keep: Sequence[str], selector: str, gateway_selector: str) -> str:
    """Return an expression that looks at certain systems only, each by itself.

    Args:
        expr: The expression; `job` in a list of labels stands for what tells systems apart.
        keep: The labels that each `by` and each `on` keeps, e.g. `cluster, namespace, job`.
        selector: Matchers for all metrics but the gateway's, e.g. `job="live-audience"`; none if
            empty.
        gateway_selector: Matchers for the metrics of the gateway.

    Raises:
        ValueError: it aggregates without saying by what, or drops labels by `without` or
            `ignoring`: then systems would add up.
    """

    def replaced(found: re.Match[str]) -> str:
        text = found[0]
        if found["clause"]:
            return f"{found['clause']} ({_with_kept(found['labels'], keep)})"
        if found["dropping"] or found["aggregation"] is not None:
            raise ValueError(
                f"`{text.strip()}` keeps no label, so systems would add up; write `by (...)` or "
                f"`on (...)`, with `()` where nothing else is kept, in: {expr.strip()}"
            )
        name = found["metric"] or found["name"] or ""
        if not (found["metric"] or found["matchers"]):
            return text
        inside = (found["matchers"] or "{}")[1:-1].strip()
        matchers = gateway_selector if _GATEWAY in text else selector
        both = ", ".join(part for part in (inside, matchers) if part)
        return f"{name}{{{both}}}" if both else name

    return _TOKENS.sub(replaced, expr)


def _with_kept(labels: str, keep: Sequence[str]) -> str:
    own = [label.strip() for label in labels.split(",") if label.strip()]
    return ", ".join([*keep, *(each for each in own if each != _SYSTEM and each not in keep)])
