"""One screen of `live-audience top`: pure, from what the API answered to what is printed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
from rich.table import Table
from rich.text import Text

from agents.cli import printing
from agents.serving.web.coverage import Coverage  # noqa: TC001 - msgspec looks it up
from agents.serving.web.figures import BroadcastFigures, ScopeFigures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderableType

#: A peak is marked where no two minutes in a row reached half of it, as on the board.
_HELD: Final = 2
_TINY: Final = 20
_LEAST_MINUTES: Final = 3
_SECONDS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


class _Scopes(msgspec.Struct):
    scopes: list[ScopeFigures]
    partitions: Coverage


class _Broadcasts(msgspec.Struct):
    broadcasts: list[BroadcastFigures]
    partitions: Coverage


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a worker answered at one time.

    Attributes:
        at: When, in seconds since 1970.
        world: None before the first event of all.
        platforms: The largest first.
        broadcasts: Those that are live, the largest first.
        missing: Why partitions of the system have not answered, by `stage partition`.
    """

    at: float
    world: ScopeFigures | None
    platforms: list[ScopeFigures]
    broadcasts: list[BroadcastFigures]
    missing: dict[str, str]

    @staticmethod
    def decode(world: bytes, platforms: bytes, broadcasts: bytes, at: float) -> Snapshot:
        """From the JSON of three answers; fields that are not known are passed over.

        Raises:
            msgspec.ValidationError: One is no such answer.
        """
        scopes = msgspec.json.decode(platforms, type=_Scopes)
        page = msgspec.json.decode(broadcasts, type=_Broadcasts)
        missing = {f"scopes {each.partition}": each.why for each in scopes.partitions.missing}
        missing |= {f"broadcasts {each.partition}": each.why for each in page.partitions.missing}
        return Snapshot(
            at,
            msgspec.json.decode(world, type=ScopeFigures | None),
            scopes.scopes,
            page.broadcasts,
            missing,
        )


@dataclass(frozen=True, slots=True)
class Screen:
    """What is printed: as many broadcasts as the height has room for.

    Attributes:
        snapshot: What was answered last.
        url: Who answered.
        now: Seconds since 1970.
        trouble: Why nothing newer was answered; empty if all is well.
    """

    snapshot: Snapshot
    url: str
    now: float
    trouble: str = ""

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """The lines, for rich."""
        del console
        head = list(self._head())
        platforms = self._platforms()
        yield from head
        yield ""
        yield platforms
        yield ""
        used = len(head) + platforms.row_count + 6
        yield self._broadcasts(max(1, options.max_height - used))

    def _head(self) -> Iterator[Text]:
        world = self.snapshot.world
        line = Text("Watching now  ")
        line.append(printing.count(world.viewers if world else None), "bold")
        if world is not None:
            line.append(f"   live {world.live:,}   peak {printing.count(world.peak)}")
            if world.peak_at is not None:
                line.append(f" {self._ago(world.peak_at)}")
        yield line
        if self.trouble:
            yield Text(
                f"These are the figures of {_span(self.now - self.snapshot.at)} ago: "
                f"{printing.printable(self.trouble)}",
                "bold red",
            )
        elif self.snapshot.missing:
            where, why = next(iter(self.snapshot.missing.items()))
            yield Text(
                f"Too low: {len(self.snapshot.missing)} partitions did not answer "
                f"({where}: {printing.printable(why)})",
                "bold yellow",
            )
        else:
            yield Text(f"{datetime.fromtimestamp(self.now, UTC):%H:%M:%S} UTC  {self.url}", "dim")

    def _platforms(self) -> Table:
        table = Table("platform", box=None, pad_edge=False, header_style="dim")
        for name in ("viewers", "live", "peak"):
            table.add_column(name, justify="right")
        for scope in self.snapshot.platforms:
            table.add_row(
                scope.name,
                printing.count(scope.viewers),
                printing.count(scope.live),
                printing.count(scope.peak),
            )
        return table

    def _broadcasts(self, most: int) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
        table.add_column("broadcast", no_wrap=True, ratio=2, overflow="ellipsis")
        table.add_column("title", no_wrap=True, ratio=3, overflow="ellipsis")
        table.add_column("venue", no_wrap=True, overflow="ellipsis")
        for name in ("viewers", "peak", "ago", "first min", "cover"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
        for each in self.snapshot.broadcasts[:most]:
            doubts = list(self._doubts(each))
            table.add_row(
                Text(printing.printable(f"{each.platform}:{each.broadcast}")),
                Text(printing.printable(each.title or "")),
                Text(each.venue),
                printing.count(each.viewers),
                printing.count(each.peak),
                "-" if each.peak_at is None else self._ago(each.peak_at, ""),
                printing.count(each.first_minute),
                f"{each.coverage:.0%}",
                Text(", ".join(doubts), "yellow"),
                style="dim" if not each.fresh else None,
            )
        return table

    def _doubts(self, figures: BroadcastFigures) -> Iterator[str]:
        """What is uncertain of a broadcast that is live."""
        if not figures.fresh:
            yield f"silent {self._ago(figures.newest_at, '')}"
        peak, held = figures.peak or 0, figures.peak_held or 0
        if peak > max(_TINY, _HELD * held) and figures.minutes_observed >= _LEAST_MINUTES:
            yield "peak not held"

    def _ago(self, text: str, after: str = " ago") -> str:
        return _span(self.now - datetime.fromisoformat(text).timestamp()) + after


def _span(seconds: float) -> str:
    """A time span in its largest unit: `3m`, `2h`."""
    for unit, size in _SECONDS:
        if seconds >= size:
            return f"{seconds // size:.0f}{unit}"
    return "0s"
