"""The gateway's board: all that a gateway tells of itself is on it."""

import re

from deploy.gateway_metrics import gateway_metrics
from grafana_panels import PANELS


def test_every_metric_of_the_gateway_is_on_its_board():
    names = gateway_metrics()
    assert len(names) > 20
    queries = " ".join(q for panel in PANELS if panel.board == "gateway" for q in panel.queries)
    shown = set(re.findall(r"audience_\w+", queries))
    assert shown <= names, "it asks for what no gateway tells"
    # (Of a histogram the buckets are enough.)
    needed = {name for name in names if not name.endswith(("_sum", "_count"))}
    assert needed - shown == set()
