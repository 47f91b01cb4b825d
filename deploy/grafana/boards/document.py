"""From a dashboard as code to the text of its JSON file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from grafana_foundation_sdk.cog.encoder import JSONEncoder

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard


def document(dashboard: Dashboard) -> str:
    """Return the dashboard as JSON, with its panels numbered in their order from 1.

    Links and alerts name a panel by its number, so each must have one that stays.
    """
    board = json.loads(json.dumps(dashboard.build(), cls=JSONEncoder))
    for number, panel in enumerate(board["panels"], 1):
        panel["id"] = number
    return json.dumps(board, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
