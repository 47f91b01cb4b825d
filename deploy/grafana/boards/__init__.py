"""The dashboards, written as code; `make.py` beside this package writes them as JSON.

Each dashboard is one module with a function `dashboard()`; the pipeline's takes its panels from
`flow.py`, `faults.py` and `workers.py`. `panels.py` holds what all panels share, `layout.py` what
is around them, `queries.py` how metrics are queried, `stages.py` what differs by stage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from boards import broadcast, gateway, live, pipeline
from boards.document import document

if TYPE_CHECKING:
    from collections.abc import Callable

    from grafana_foundation_sdk.builders.dashboard import Dashboard

BOARDS: Final[dict[str, Callable[[], Dashboard]]] = {
    "live": live.dashboard,
    "broadcast": broadcast.dashboard,
    "pipeline": pipeline.dashboard,
    "gateway": gateway.dashboard,
}

#: Metrics of the catalogue that are on no board, and why.
NOT_SHOWN: Final[dict[str, str]] = {}


def documents() -> dict[str, str]:
    """Return every dashboard as the JSON that Grafana reads, by its name."""
    return {name: document(dashboard()) for name, dashboard in BOARDS.items()}
