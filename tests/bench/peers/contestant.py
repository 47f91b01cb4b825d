"""What a contestant is: how it is started, what it says, and where it keeps what it has counted."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rounds import Stage

from streams.topics import Topics

SESSION = 10
"""Seconds of a group's session, for all that have one: ours by default."""
STORE = "figures"

Kept = tuple[int, int, int | None, int | None, tuple[tuple[int, int], ...]]
"""What is compared: events, late, viewers, peak, open minutes."""


@dataclass(frozen=True)
class Place:
    """Where a contestant is to work.

    Attributes:
        stage: the broker, and how events lie in their topic.
        run: names the state, new for each run; also that of its consumer group.
        folder: for local state and logs; a worker's beside another's has one of its own.
    """

    stage: Stage
    run: str
    folder: Path

    @property
    def topic(self) -> str:
        """The topic of the events."""
        return Topics.of(self.stage.settings(self.run)).events.name

    @property
    def state(self) -> Path:
        """Folder of local state, which is not there at first."""
        return self.folder / "state"


class Contestant:
    """One of those that are measured.

    Attributes:
        name: of the command line and in the results.
        label: for people.
        less: what it does less than ours, or otherwise.
        share: the share of the events that it is given, for those that would take hours.
        durable: whether anything is kept at all.
    """

    name: str
    label: str
    less: str
    share = 1.0
    durable = True

    def prepare(self) -> None:
        """Make its environment, so that it can be started; raises `Unavailable`."""

    async def topics(self, place: Place) -> None:
        """Make the topics that it does not make by itself."""

    def command(self, place: Place) -> list[str]:
        """Give the command line."""
        raise NotImplementedError

    def environment(self, place: Place) -> Mapping[str, str]:
        """Give the environment variables: by default ours, without settings of ours."""
        del place
        return {k: v for k, v in os.environ.items() if not k.startswith("AUDIENCE_")}

    def heard(self, line: bytes) -> tuple[str, float, int] | None:
        """Read a line that it wrote: what happened, when, and a number; None for others."""
        word, _, rest = line.decode(errors="replace").strip().partition(" ")
        if word not in ("begun", "half", "done", "restored"):
            return None
        told = rest.split()
        return word, float(told[0]), int(told[1]) if len(told) > 1 else 0

    def group(self, place: Place) -> str | None:
        """Name the consumer group whose offsets tell what is durable; None without one."""
        return place.run

    def changelog(self, place: Place) -> str | None:
        """Name the topic that its rows are kept in; None without one."""
        del place
        return None

    def made_topics(self, place: Place) -> list[str]:
        """Name the topics that a run leaves behind."""
        found = self.changelog(place)
        return [] if found is None else [found]

    def row(self, key: bytes, value: bytes) -> tuple[bytes, Kept] | None:
        """Read a record of the changelog; None for what is no row."""
        raise NotImplementedError

    def local(self, place: Place) -> Iterable[tuple[bytes, Kept]]:
        """Read the rows of one without a changelog."""
        raise NotImplementedError


def kept(row: list) -> Kept:
    """Make what is compared of a row of `programs/figures.py`."""
    events, late, viewers, _, peak, minutes = row
    return events, late, viewers, peak, tuple((minute, high) for minute, high in minutes)
