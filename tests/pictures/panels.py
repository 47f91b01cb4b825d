"""Draws one panel of a dashboard, as near to Grafana as a plain picture needs to be."""

import math
import re
from datetime import UTC, datetime

from matplotlib.ticker import FuncFormatter, MaxNLocator
from pictures.formats import axis, text

INK, FAINT, GRID, PAPER, EDGE = "#24292e", "#6e7681", "#e8eaed", "#ffffff", "#dfe2e6"
#: Grafana's classic palette, in its order.
PALETTE = [
    *("#7EB26D", "#EAB839", "#6ED0E0", "#EF843C", "#E24D42", "#1F78C1", "#BA43A9", "#705DA0"),
    *("#508642", "#CCA300", "#447EBC", "#C15C17", "#890F02", "#0A437C", "#6D1F62", "#584477"),
]
COLORS = {"green": "#56A64B", "orange": "#FF780A", "red": "#E02F44", "blue": "#3274D9", "text": INK}
#: Points of text.
_TITLE, _SMALL, _TICK = 9, 7.5, 7


def frame(figure, box, panel, scale):
    """The paper of a panel with its title; returns the box that is left, in pixels."""
    left, bottom, width, height = box
    area = figure.add_axes(
        (left / scale[0], bottom / scale[1], width / scale[0], height / scale[1])
    )
    area.set(xticks=[], yticks=[], facecolor=PAPER)
    for spine in area.spines.values():
        spine.set_color(EDGE)
    area.text(
        8 / width, 1 - 8 / height, panel["title"], transform=area.transAxes, va="top",
        fontsize=_TITLE, fontweight="bold", color=INK,
    )  # fmt: skip
    return left, bottom, width, height - 26


def stat(figure, box, panel, results, scale):
    """One figure, large, in the colour of its level."""
    left, bottom, width, height = frame(figure, box, panel, scale)
    defaults = panel["fieldConfig"]["defaults"]
    series = results[0]
    if not series:
        shown, color = defaults.get("noValue", "-"), FAINT
    elif panel["options"]["textMode"] == "name":
        shown, color = named(panel["targets"][0]["legendFormat"], series[0]["metric"]), INK
    else:
        value = float(series[0]["value"][1])
        shown, color = text(value, defaults["unit"]), _level(defaults, value)
    size = min(24, 1.1 * width / max(4, len(shown)))
    figure.text(
        (left + width / 2) / scale[0], (bottom + height / 2) / scale[1], shown,
        ha="center", va="center", fontsize=size, fontweight="bold", color=color,
    )  # fmt: skip


def _level(defaults, value):
    if defaults.get("color", {}).get("mode") == "fixed":
        return INK
    color = "text"
    for step in defaults["thresholds"]["steps"]:
        if step.get("value") is None or value >= step["value"]:
            color = step["color"]
    return COLORS.get(color, INK)


def timeseries(figure, box, panel, results, scale, span, marks):
    """Curves over time, with their legend, lines and marks.

    Args:
        figure: Where to draw.
        box: Left, bottom, width and height in pixels.
        panel: The panel's JSON.
        results: The series of each target.
        scale: Width and height of the figure in pixels.
        span: Begin and end of the time shown, in seconds, and the step.
        marks: Annotations: colour, begin and end.
    """
    left, bottom, width, height = frame(figure, box, panel, scale)
    curves = [
        (named(target["legendFormat"], series["metric"]), series["values"])
        for target, found in zip(panel["targets"], results, strict=True)
        for series in found
    ]
    options, defaults = panel["options"]["legend"], panel["fieldConfig"]["defaults"]
    unit = defaults["unit"]
    beside = options["placement"] == "right"
    legend = min(options.get("width", 0), 0.42 * width) if beside else 0
    rows = _rows_below(curves, width - 40)
    below = 0 if beside else 6 + 14 * rows
    inner = (
        (left + 62) / scale[0],
        (bottom + 26 + below) / scale[1],
        (width - 76 - legend) / scale[0],
        (height - 32 - below) / scale[1],
    )
    area = figure.add_axes(inner)
    area.set_facecolor(PAPER)
    _axes(area, defaults, unit, span)
    # As the legend sorts them, so are colours given: by the order of the series.
    colors = [PALETTE[number % len(PALETTE)] for number in range(len(curves))]
    top = _curves(area, curves, colors, defaults, span)
    _limits(area, defaults, top)
    for step in defaults.get("thresholds", {}).get("steps", []):
        dashed = defaults["custom"].get("thresholdsStyle", {}).get("mode") == "dashed"
        if dashed and step.get("value") is not None:
            area.axhline(
                step["value"], color=COLORS[step["color"]], dashes=(5, 4), linewidth=1, zorder=3
            )
    for color, begin, end in marks:
        _mark(area, color, begin, end)
    if not curves:
        area.text(0.5, 0.5, "No data", transform=area.transAxes, ha="center", color=FAINT)
    entries = list(zip(curves, colors, strict=True))
    if beside:
        _legend_beside(
            figure, (left + width - legend, bottom, legend, height), entries, options, unit, scale
        )
    else:
        _legend_below(area, entries, rows)


def _axes(area, defaults, unit, span):
    begin, end, _ = span
    area.set_xlim(begin, end)
    # Ticks on whole minutes, five of them or so.
    apart = next(
        (each for each in (60, 120, 300, 600, 900, 1800, 3600) if (end - begin) / each <= 7), 7200
    )
    first = math.ceil(begin / apart) * apart
    area.set_xticks([first + n * apart for n in range(int((end - first) // apart) + 1)])
    area.xaxis.set_major_formatter(
        FuncFormatter(lambda at, _: datetime.fromtimestamp(at, UTC).strftime("%H:%M"))
    )
    area.yaxis.set_major_locator(MaxNLocator(5, integer=unit == "locale"))
    area.yaxis.set_major_formatter(FuncFormatter(lambda value, _: axis(value, unit)))
    area.tick_params(labelsize=_TICK, length=0, colors=FAINT)
    area.grid(color=GRID, linewidth=0.8)
    area.set_axisbelow(True)
    for spine in area.spines.values():
        spine.set_visible(False)


def _curves(area, curves, colors, defaults, span):
    begin, end, step = span
    stacked = defaults["custom"].get("stacking", {}).get("mode") == "normal"
    top = 0.0
    times = [begin + n * step for n in range(round((end - begin) / step) + 1)]
    floor = [0.0] * len(times)
    for (_, values), color in zip(curves, colors, strict=True):
        at = {round((float(when) - begin) / step): float(value) for when, value in values}
        line = [at.get(n, math.nan) for n in range(len(times))]
        if stacked:
            upper = [
                low + (0 if math.isnan(high) else high)
                for low, high in zip(floor, line, strict=True)
            ]
            area.fill_between(times, floor, upper, color=color, alpha=0.3, linewidth=0)
            shown = [
                math.nan if math.isnan(high) else value
                for high, value in zip(line, upper, strict=True)
            ]
            floor = upper
        else:
            shown = line
        marker = "." if sum(not math.isnan(each) for each in shown) == 1 else None
        area.plot(times, shown, color=color, linewidth=1.3, marker=marker)
        top = max([top, *(each for each in shown if not math.isnan(each))])
    return top


def _limits(area, defaults, top):
    soft = defaults["custom"].get("axisSoftMax", 0)
    upper = defaults.get("max") or max(1.08 * top, soft)
    area.set_ylim(defaults.get("min", 0), upper * 1.02 if upper else 1)


def _mark(area, color, begin, end):
    if end > begin:
        area.axvspan(begin, end, color=color, alpha=0.05, linewidth=0, zorder=0)
        area.axvspan(begin, end, ymax=0.02, color=color, alpha=0.5, linewidth=0, zorder=4)
    area.axvline(begin, color=color, linewidth=0.8, dashes=(2, 3), zorder=2)
    area.plot(
        [begin], [0], marker="^", color=color, markersize=5, clip_on=False, zorder=5,
        transform=area.get_xaxis_transform(),
    )  # fmt: skip


def _legend_below(area, entries, rows):
    handles = [area.plot([], [], color=color, linewidth=2.5)[0] for _, color in entries]
    if entries:
        area.legend(
            handles, [name for (name, _), _ in entries], loc="upper left",
            bbox_to_anchor=(-40 / area.bbox.width, -20 / area.bbox.height),
            ncols=math.ceil(len(entries) / rows), frameon=False, fontsize=_SMALL,
            handlelength=1.2, columnspacing=1.2, labelspacing=0.3, borderpad=0, labelcolor=INK,
        )  # fmt: skip


def _rows_below(curves, width):
    """How many lines a legend below the curves takes."""
    longest = max((len(name) for name, _ in curves), default=0)
    return math.ceil(len(curves) * (6 * longest + 34) / width) or 1


def _legend_beside(figure, box, entries, options, unit, scale):
    left, bottom, width, height = box

    def write(at, y, what, color, **style):
        figure.text(
            (left + at) / scale[0], (bottom + y) / scale[1], what, color=color, va="center", **style
        )

    columns = {name: width - 12 - 64 * n for n, name in enumerate(reversed(options["calcs"]))}
    y = height - 6
    small = {"fontsize": _SMALL - 1, "ha": "right"}
    for name, at in columns.items():
        write(at, y, _CALCS[name][0], COLORS["blue"], **small)
    room = max(8, int((min(columns.values()) - 58) / 5.4))
    for (name, values), color in sorted(entries, key=lambda entry: -_CALCS["max"][1](entry[0][1])):
        y -= 16
        if y < 6:  # as in Grafana, what has no room is to be scrolled to
            break
        write(2, y, "\u25ac", color, fontsize=_SMALL)
        short = name if len(name) <= room else name[: room - 1] + "\u2026"
        write(16, y, short, INK, fontsize=_SMALL)
        for calc, at in columns.items():
            write(at, y, axis(_CALCS[calc][1](values), unit), FAINT, **small)


def _known(values):
    return [float(value) for _, value in values if not math.isnan(float(value))]


#: What stands in a legend beside its names, by Grafana's word for it.
_CALCS = {
    "lastNotNull": ("Last *", lambda values: _known(values)[-1]),
    "max": ("Max", lambda values: max(_known(values))),
}


def table(figure, box, panel, results, scale):
    """Rows of labels and values, joined and sorted as the panel says."""
    left, bottom, width, height = frame(figure, box, panel, scale)
    columns, rows = joined(panel, results)
    if not rows:
        figure.text(
            (left + width / 2) / scale[0], (bottom + height / 2) / scale[1], "No data",
            ha="center", color=FAINT, fontsize=_SMALL,
        )  # fmt: skip
        return
    wide = [max(len(name), *(len(cell(panel, name, row)) for row in rows)) + 3 for name in columns]
    at, starts = 10.0, []
    for each in wide:
        starts.append(at)
        at += each * (width - 20) / sum(wide)
    for line, row in enumerate([None, *rows]):
        y = bottom + height - 8 - 22 * line
        if y < bottom + 8:
            break
        for name, start in zip(columns, starts, strict=True):
            shown = name if row is None else cell(panel, name, row)
            figure.text(
                (left + start) / scale[0], y / scale[1], shown, va="center",
                fontsize=_SMALL + 0.5, color=COLORS["blue"] if row is None else INK,
            )  # fmt: skip


def joined(panel, results):
    """The columns of a table in their order, and its rows: Grafana's `merge`, then `organize`."""
    arrange = next(each["options"] for each in panel["transformations"] if each["id"] == "organize")
    rename, places = arrange["renameByName"], arrange["indexByName"]
    single = len(panel["targets"]) == 1
    shared = None
    frames = []
    for target, found in zip(panel["targets"], results, strict=True):
        column = "Value" if single else f"Value #{target['refId']}"
        rows = [({**s["metric"]}, {column: float(s["value"][1])}) for s in found]
        if rows:
            labels = set().union(*(row[0] for row in rows))
            shared = labels if shared is None else shared & labels
            frames.append(rows)
    merged = {}
    for rows in frames:
        for labels, values in rows:
            key = tuple(sorted((name, labels.get(name, "")) for name in shared))
            merged.setdefault(key, {}).update(labels | values)
    names = [
        name for name in sorted(places, key=places.get) if not arrange["excludeByName"].get(name)
    ]
    rows = [{rename.get(name, name): row.get(name) for name in names} for row in merged.values()]
    for order in panel["options"].get("sortBy", []):
        rows.sort(key=lambda row: row.get(order["displayName"]) or 0, reverse=order["desc"])
    return [rename.get(name, name) for name in names], rows


def cell(panel, column, row):
    """The text of one cell."""
    value = row.get(column)
    if not isinstance(value, float):
        return value or "-"
    unit = panel["fieldConfig"]["defaults"]["unit"]
    for override in panel["fieldConfig"].get("overrides", []):
        if override["matcher"] == {"id": "byName", "options": column}:
            unit = next((p["value"] for p in override["properties"] if p["id"] == "unit"), unit)
    return text(value, unit)


def named(pattern, labels):
    """A legend's name, with the series' labels in it."""
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda match: labels.get(match[1], ""), pattern)
