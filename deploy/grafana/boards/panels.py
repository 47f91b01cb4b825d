"""What all panels share: their data source, sizes, legends and ways to show a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from grafana_foundation_sdk.builders import common as options
from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Where every query goes: the one that is chosen at the top of the dashboard.
SOURCE: Final = common.DataSourceRef(type_val="prometheus", uid="${datasource}")

#: Units, by Grafana's names for them.
VIEWERS = COUNT = "locale"
SHARE: Final = "percentunit"
SECONDS: Final = "s"
BYTES: Final = "bytes"
RATE: Final = "cps"
CORES: Final = "none"
MOMENT: Final = "dateTimeAsIso"
TEXT: Final = "string"

#: The grid is 24 wide.
WHOLE, HALF, THIRD, SIXTH, EIGHTH = 24, 12, 8, 4, 3
_TALL, _LOW = 8, 4

#: A legend beside the curves has so many pixels, by the panel's width; the rest is theirs.
_LEGEND_PIXELS: Final = {WHOLE: 320, HALF: 300, THIRD: 150}

GREEN, AMBER, RED = "green", "orange", "red"


@dataclass(frozen=True, slots=True)
class PanelSeries:
    """One query of a graph: PromQL, and how its series are called (`{{label}}` stands for one)."""

    query: str
    name: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        query: PromQL.
        title: How it is called; empty for a query of which only the labels are shown.
        unit: Its unit.
    """

    query: str
    title: str
    unit: str = COUNT


@dataclass(frozen=True, slots=True)
class Line:
    """A line across a graph: what is aimed at, or from where on somebody is told.

    Attributes:
        value: Where it lies, in the unit of the panel.
        says: What it is, with its value, e.g. `2 min: FiguresStale fires`.
        color: Its colour.
        seen: Whether it is always to be seen, also where all curves are far below.
    """

    value: float
    says: str
    color: str = RED
    seen: bool = False


def levels(*steps: tuple[float, str], base: str = GREEN) -> ThresholdsConfig:
    """Return colours: the base, and from each value on the one beside it."""
    return (
        ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(color=base), *(Threshold(value, color) for value, color in steps)])
    )


def stat_panel(
    title: str,
    description: str,
    query: str,
    *,
    unit: str = COUNT,
    name: str = "",
    colors: ThresholdsConfig | None = None,
    width: int = SIXTH,
) -> stat.Panel:
    """Return a panel with one figure, as it is now.

    Args:
        title: What it is.
        description: What it means, for who asks.
        query: PromQL, of one series.
        unit: Its unit.
        name: Shown beside it, `{{label}}` stands for a label; then the figure itself is not shown.
        colors: Values from which it is to be looked at; none, where no value is good or bad.
        width: Of 24.
    """
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .span(width)
        .height(_LOW)
        .reduce_options(options.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False))
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .text_mode(common.BigValueTextMode.NAME if name else common.BigValueTextMode.VALUE)
        .no_value("-")
        .with_target(_query(query, "A").instant().legend_format(name))
    )
    if colors is None:
        return panel.color_scheme(FieldColor().mode(FieldColorModeId.FIXED).fixed_color("text"))
    return panel.thresholds(colors)


def timeseries_panel(
    title: str,
    description: str,
    *curves: PanelSeries,
    unit: str = COUNT,
    width: int = HALF,
    stacked: bool = False,
    most: float | None = None,
    lines: Sequence[Line] = (),
    many: bool = False,
) -> timeseries.Panel:
    """Return a graph over time, from 0 on.

    Args:
        title: What it shows.
        description: What it means, for who asks.
        curves: Its queries.
        unit: Of all of them.
        width: Of 24.
        stacked: Whether they add up, and are to be seen so.
        most: The greatest value there can be, if there is one.
        lines: Lines across it, the lowest first; the description says what they are.
        many: Whether there may be many curves: then their legend stands beside them with the
            greatest value of each, and where there is room the last one; else in a line below.
    """
    if lines:
        description += f" Dashed: {'; '.join(line.says for line in lines)}."
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(unit)
        .min(0)
        .span(width)
        .height(_TALL)
        .line_width(1.5)
        .fill_opacity(30 if stacked else 0)
        .show_points(common.VisibilityMode.NEVER)
        .tooltip(
            options.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
        .legend(_legend(width if many else None))
    )
    if lines:
        panel = panel.thresholds(levels(*((line.value, line.color) for line in lines)))
        panel = panel.thresholds_style(
            options.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
        if seen := [line.value for line in lines if line.seen]:
            panel = panel.axis_soft_max(1.2 * max(seen))
    if stacked:
        panel = panel.stacking(options.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if most is not None:
        panel = panel.max(most)
    for number, curve in enumerate(curves):
        query = _query(curve.query, _letter(number))
        panel = panel.with_target(query.range().legend_format(curve.name))
    return panel


def _legend(width: int | None) -> options.VizLegendOptions:
    """A line below the curves, or a table beside those of a panel of this width."""
    legend = options.VizLegendOptions().show_legend(show_legend=True)
    if width is None:
        return legend.display_mode(common.LegendDisplayMode.LIST).placement(
            common.LegendPlacement.BOTTOM
        )
    return (
        legend.display_mode(common.LegendDisplayMode.TABLE)
        .placement(common.LegendPlacement.RIGHT)
        .calcs(["max"] if width <= THIRD else ["lastNotNull", "max"])
        .sort_by("Max")
        .sort_desc(sort_desc=True)
        .width(_LEGEND_PIXELS[width])
    )


def table_panel(
    title: str,
    description: str,
    columns: Sequence[Column],
    *,
    labels: dict[str, str],
    links: dict[str, str] | None = None,
    sort: str = "",
    height: int = 10,
) -> table.Panel:
    """Return a table of what is now: a row for each set of labels, a column for each query.

    Args:
        title: What it lists.
        description: What it means, for who asks.
        columns: Its queries.
        labels: The labels to show, in their order, and how their columns are called.
        links: Where the cells of a column lead to, by the column's title.
        sort: The title of the column to sort by, greatest first.
        height: In rows of the grid.
    """
    values = {_value(number): column.title for number, column in enumerate(columns)}
    names = labels | {value: name for value, name in values.items() if name}
    # (Of a query that is alone Grafana calls the values just so.)
    left_out = ["Time", "Value", *(value for value, name in values.items() if not name)]
    arrange: dict[str, Any] = {
        "excludeByName": dict.fromkeys(left_out, True),
        "renameByName": names,
        "indexByName": {name: place for place, name in enumerate(names)},
    }
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .unit(COUNT)
        .span(WHOLE)
        .height(height)
        .no_value("-")
        .transformations(
            [
                DataTransformerConfig(id_val="merge", options={}),
                DataTransformerConfig(id_val="organize", options=arrange),
            ]
        )
    )
    if sort:
        panel = panel.sort_by([options.TableSortByFieldState().display_name(sort).desc(desc=True)])
    for number, column in enumerate(columns):
        query = _query(column.query, _letter(number))
        panel = panel.with_target(query.instant().format(PromQueryFormat.TABLE))
        if column.title and column.unit != COUNT:
            panel = panel.override_by_name(column.title, [_property("unit", column.unit)])
    for name, url in (links or {}).items():
        panel = panel.override_by_name(name, [_property("links", [{"title": name, "url": url}])])
    return panel


def _query(query: str, letter: str) -> Dataquery:
    return Dataquery().expr(query).ref_id(letter).datasource(SOURCE)


def _property(name: str, value: Any) -> DynamicConfigValue:
    return DynamicConfigValue(id_val=name, value=value)


def _letter(number: int) -> str:
    return chr(ord("A") + number)


def _value(number: int) -> str:
    """The name that Grafana gives a query's column of values."""
    return f"Value #{_letter(number)}"
