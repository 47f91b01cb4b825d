"""What the demo says: spinners and bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Wide enough for the tables where no terminal says how wide it is.
_PLAIN_WIDTH: Final = 100
#: With the details of the season before it, a bar fits into 80 characters.
_BAR_WIDTH: Final = 20
#: Quarters in a whole; the last is not told, for then the step is done.
_ALL: Final = 4
#: Before that many seconds, plain lines say nothing of how far a step is.
_SOON: Final = 2.0
#: So many seconds are between plain lines that tell more than how far a step is.
_EVERY: Final = 5.0


class ProgressCallback(Protocol):
    """Tells how far a step is."""

    def __call__(self, done: int, total: int, detail: str = "") -> None:
        """Tell how much is done, of how much, and what else there is to be said just now."""


class DemoConsole:
    """Prints steps, each with the time that it took, and tables.

    Args:
        console: Where to; None is standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        if not self._console.is_terminal:
            self._console.width = max(self._console.width, _PLAIN_WIDTH)

    @property
    def width(self) -> int:
        """How many characters a line has."""
        return self._console.width

    @property
    def right(self) -> str:
        """The mark of what is right, as far as the output's encoding goes."""
        return "✓" if self._speaks("✓") else "ok"

    @property
    def wrong(self) -> str:
        """The mark of what is wrong."""
        return "✗" if self._speaks("✗") else "WRONG"

    def print(self, what: Any = "") -> None:
        """Print a line or a table."""
        self._console.print(what, markup=False)

    @contextmanager
    def step(self, what: str) -> Iterator[ProgressCallback]:
        """Say what is being done while it is, and then how long it took.

        What it yields takes how far the step is; a step need not say.
        """
        began = time.monotonic()
        terminal = self._console.is_terminal
        try:
            with self._bar(what) if terminal else self._lines(what) as on_progress:
                yield on_progress
        except BaseException:
            self.print(f"{self.wrong} {what}: broken off after {time.monotonic() - began:.1f} s")
            raise
        self.print(f"{self.right} {what}: {time.monotonic() - began:.1f} s")

    @contextmanager
    def _bar(self, what: str) -> Iterator[ProgressCallback]:
        with Progress(
            TextColumn("{task.description}{task.fields[detail]}", markup=False),
            BarColumn(_BAR_WIDTH),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        ) as bar:
            task = bar.add_task(what, total=None, detail="")

            def on_progress(done: int, total: int, detail: str = "") -> None:
                below = f"\n{detail}" if detail else ""
                bar.update(task, completed=done, total=total, detail=below)

            yield on_progress

    @contextmanager
    def _lines(self, what: str) -> Iterator[ProgressCallback]:
        self.print(f"  {what} ...")
        began = time.monotonic()
        last_quarter = 0
        printed_at = began

        def on_progress(done: int, total: int, detail: str = "") -> None:
            """Say each quarter once, if the step takes long enough for someone to wonder.

            Details change all the time, and are said at times.
            """
            nonlocal last_quarter, printed_at
            if detail:
                if time.monotonic() - printed_at > _EVERY:
                    printed_at = time.monotonic()
                    self.print(f"    {done:,} of {total:,}; {detail}")
                return
            quarter = _ALL * done // total if total else 0
            if last_quarter < quarter < _ALL and time.monotonic() - began > _SOON:
                last_quarter = quarter
                self.print(f"    {done:,} of {total:,}")

        yield on_progress

    def _speaks(self, text: str) -> bool:
        try:
            text.encode(self._console.encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True
