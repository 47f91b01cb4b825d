"""What stands at the top of a dashboard: each variable with the value that Grafana gives it."""

import re

from grafana_panels import filled, variables


async def choose(server, board, wanted, builtin):
    """The values of a dashboard's variables, as Grafana chooses them when it is opened.

    Args:
        server: The Prometheus.
        board: The dashboard's name.
        wanted: What somebody has chosen, by the variable's name.
        builtin: The values of Grafana's own, such as `__range`.
    """
    values = dict(builtin)
    for name, variable in variables(board).items():
        if name in wanted:
            values[name] = wanted[name]
        elif variable["type"] == "datasource":
            values[name] = "prometheus"
        elif variable["type"] == "custom":
            values[name] = variable["current"]["value"]
        elif variable.get("includeAll"):
            values[name] = variable["allValue"]
        else:
            # The first, and an empty text where there is none: there is no such label.
            found = sorted(await server.choices(filled(variable["query"], **values)))
            values[name] = found[0] if found else ""
    return values


def shown(board, values):
    """The variables as they are seen: their labels, and what is chosen."""
    for name, variable in variables(board).items():
        if variable["type"] != "datasource":
            value = "All" if variable.get("includeAll") else values[name]
            yield variable.get("label") or name, re.sub(r"^$", "-", value)
