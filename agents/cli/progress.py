"""Shows how long work goes on: a bar on a terminal, plain lines elsewhere, on standard error."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, Self

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from types import TracebackType

_LINE_SECONDS: Final = 10.0
_BAR_SECONDS: Final = 0.1


class Steps:
    """Work in one or more named steps, each of a known or unknown length."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._what = ""
        self._shown_at = 0.0
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TextColumn("{task.fields[detail]}", markup=False),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task("", total=None, visible=False, detail="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, what: str, done: int, of: int, detail: str = "") -> None:
        """Show how far a step is; cheap enough to be called often.

        Args:
            what: what is being done; another one begins a new step.
            done: how much of it is done.
            of: how much there is in all, 0 if that is not known.
            detail: more to be said of it, at the end of the line.
        """
        now = time.monotonic()
        new = what != self._what
        ended = 0 < of <= done
        wait = _LINE_SECONDS if self._bar is None else _BAR_SECONDS
        if not (new or ended) and now - self._shown_at < wait:
            return
        self._what, self._shown_at = what, now
        if self._bar is None:
            share = f" {done / of:.0%}" if of > 1 else ""
            click.echo(f"{what}{share}{f': {detail}' if detail else ''}", err=True)
            return
        if new:
            self._bar.reset(self._task)
        self._bar.update(
            self._task,
            description=what,
            completed=done,
            total=of or None,
            visible=not ended,
            detail=detail,
        )

    def print(self, line: str) -> None:
        """Print a result on standard output; the bar ends with it."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        click.echo(line)
