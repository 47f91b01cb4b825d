"""Draws a dashboard as one picture: asks for everything that Grafana would, and lays it out."""

import asyncio
import io
import time

from grafana_panels import BOARDS, annotations, filled
from matplotlib import font_manager, rc
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pictures import panels
from pictures.choosing import choose, shown
from PIL import Image

#: Pixels: of the picture's width, of one row of the grid with the gap behind it, of the head.
_WIDTH, _ROW, _GAP, _HEAD, _DPI = 1600, 36, 8, 74, 100
_BACKGROUND = "#f4f5f5"
#: Points over time that a curve has at most.
_POINTS = 360

# Titles of broadcasts are in any writing; a font is taken that is there.
_FONTS = ["DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Serif CJK SC", "Unifont"]
rc("font", family=[name for name in _FONTS if name in font_manager.get_font_names()])


async def draw(server, board, path, *, seconds, scrape, wanted=None, end=None):
    """Draw a dashboard with what a Prometheus has; returns the panels that show nothing.

    Args:
        server: The Prometheus.
        board: The dashboard's name.
        path: The PNG file.
        seconds: How far back the time range reaches.
        scrape: Seconds between two scrapes.
        wanted: What is chosen at the top, by the variable's name; the rest is as Grafana opens it.
        end: Where the time range ends; by default now.
    """
    end = end or time.time()
    step = max(scrape, seconds / _POINTS)
    end -= end % step
    builtin = {
        "__range": f"{seconds:.0f}s",
        "__rate_interval": f"{max(4 * scrape, step + scrape):.0f}s",
    }
    values = await choose(server, board, wanted or {}, builtin)
    span = (end - seconds, end, step)
    marks, named = await _marks(server, board, values, span)
    answers = {
        panel["id"]: [await _ask(server, target, values, span) for target in panel["targets"]]
        for panel in BOARDS[board]["panels"]
        if panel["type"] != "row"
    }
    # In a thread: what runs beside it, such as the sender of the events, is not held up.
    await asyncio.to_thread(_draw, board, path, values, span, marks, named, answers)
    return [p["title"] for p in BOARDS[board]["panels"] if not any(answers.get(p["id"], [1]))]


def _draw(board, path, values, span, marks, named, answers):
    places = BOARDS[board]["panels"]
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in places)
    size = (_WIDTH, _HEAD + bottom * _ROW + _GAP)
    figure = Figure(figsize=(size[0] / _DPI, size[1] / _DPI), dpi=_DPI, facecolor=_BACKGROUND)
    _head(figure, board, values, named, size, span)
    for panel in places:
        box = _box(panel["gridPos"], size)
        if panel["type"] == "row":
            _heading(figure, box, panel, size)
            continue
        results = answers[panel["id"]]
        if panel["type"] == "timeseries":
            panels.timeseries(figure, box, panel, results, size, span, marks)
        else:
            getattr(panels, panel["type"])(figure, box, panel, results, size)
    _save(figure, path)


async def _ask(server, target, values, span):
    query = filled(target["expr"], **values)
    begin, end, step = span
    if target["instant"]:
        return await server.instant(query, at=end)
    return await server.over_time(query, end - begin, end=end, step=step)


async def _marks(server, board, values, span):
    """The annotations: for each a colour, begin and end; and the colours by what they mark."""
    begin, end, step = span
    marks, named = [], {}
    for annotation in annotations(board):
        color = panels.COLORS[annotation["iconColor"]]
        titles = set()
        query = filled(annotation["expr"], **values)
        for series in await server.over_time(query, end - begin, end=end, step=step):
            titles.add(panels.named(annotation["titleFormat"], series["metric"]))
            if annotation.get("useValueForTime"):
                moments = {float(value) / 1000 for _, value in series["values"]}
                marks += [(color, at, at) for at in moments if begin <= at <= end]
            else:
                marks += [(color, *each) for each in _regions(series["values"], step)]
        titles -= {annotation["name"]}
        # Where Grafana says it under the mouse.
        named[f"{annotation['name']}: {', '.join(sorted(titles))}".removesuffix(": ")] = color
    return list(_merged(marks)), named


def _merged(marks):
    """What overlaps in one colour as one: three alerts at once are no darker than one."""
    last = None
    for color, begin, end in sorted(marks):
        if last is not None and last[0] == color and begin <= last[2] < end:
            last = (color, last[1], end)
        elif last is None or last[0] != color or begin > last[2]:
            if last is not None:
                yield last
            last = (color, begin, end)
    if last is not None:
        yield last


def _regions(values, step):
    """From when to when a series was there, gap by gap."""
    began = last = None
    for when, _ in values:
        if last is not None and when - last > 1.5 * step:
            yield began, last
            began = None
        began = when if began is None else began
        last = when
    if last is not None:
        yield began, last


def _box(place, size):
    column = (_WIDTH - _GAP) / 24
    top = _HEAD + place["y"] * _ROW
    height = place["h"] * _ROW - _GAP
    return (
        _GAP + place["x"] * column,
        size[1] - top - height,
        place["w"] * column - _GAP,
        height,
    )


def _head(figure, board, values, named, size, span):
    renderer = FigureCanvasAgg(figure).get_renderer()

    def write(x, y, what, **style):
        """Write it; returns where it ends."""
        text = figure.text(x / size[0], 1 - y / size[1], what, va="center", **style)
        return text.get_window_extent(renderer).x1

    write(_GAP + 2, 20, BOARDS[board]["title"], fontsize=14, fontweight="bold", color=panels.INK)
    minutes = (span[1] - span[0]) / 60
    write(
        size[0] - _GAP, 20, f"last {minutes:.0f} minutes, times in UTC", ha="right", fontsize=9,
        color=panels.FAINT,
    )  # fmt: skip
    x = _GAP + 2.0
    for label, value in shown(board, values):
        text = f"{label}: {value}"
        x = write(
            x + 6, 50, text, fontsize=9, color=panels.INK,
            bbox={"fc": panels.PAPER, "ec": panels.EDGE, "boxstyle": "square,pad=0.4"},
        )  # fmt: skip
        x += 18
    for name, color in named.items():
        write(x + 10, 50, "\u25b2", fontsize=8, color=color)
        x = write(x + 24, 50, name, fontsize=9, color=panels.INK) + 10


def _heading(figure, box, panel, size):
    left, bottom, _, height = box
    figure.text(
        (left + 2) / size[0], (bottom + height / 2) / size[1], f"\u2304  {panel['title']}",
        va="center", fontsize=11, fontweight="bold", color=panels.INK,
    )  # fmt: skip


def _save(figure, path):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, facecolor=_BACKGROUND)
    # A palette makes the file a third as large, and nobody sees it.
    picture = Image.open(buffer).convert("RGB").quantize(200, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)
