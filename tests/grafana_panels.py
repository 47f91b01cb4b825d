"""The dashboards as Grafana reads them, and how it fills in a query's variables."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

GRAFANA = Path(__file__).parents[1] / "deploy" / "grafana"
BOARDS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((GRAFANA / "dashboards").glob("*.json"))
}
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{(\w+)[^}]*\})")


@dataclass(frozen=True)
class Panel:
    board: str
    json: dict

    @property
    def title(self):
        return self.json["title"]

    @property
    def queries(self):
        return [target["expr"] for target in self.json["targets"]]

    def __str__(self):
        return f"{self.board}: {self.title}"


PANELS = [
    Panel(name, panel)
    for name, board in BOARDS.items()
    for panel in board["panels"]
    if panel["type"] != "row"
]


def annotations(name):
    return BOARDS[name]["annotations"].get("list", [])


def variables(name):
    return {variable["name"]: variable for variable in BOARDS[name]["templating"]["list"]}


def used(text):
    """The variables that a text names."""
    return {first or second for first, second in _VARIABLE.findall(text)}


def filled(text, **values):
    """The text with each variable's value in its place, as Grafana sends it."""
    return _VARIABLE.sub(lambda match: values[match[1] or match[2]], text)


#: Values that stand in for any, where a query is only to be parsed.
SOME = {
    "cluster": "",
    "namespace": "",
    "consumergroup": ".*",
    "job": "live-audience",
    "instance": ".*",
    "platform": "fliggy",
    "platforms": ".*",
    "venues": ".*",
    "broadcast": "louvre-2020-09-25",
    "top": "10",
    "__range": "3h",
    "__rate_interval": "1m",
}
