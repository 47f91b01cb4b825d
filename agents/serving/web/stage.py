"""What a worker knows of one stage: its own partitions, and who owns the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agents.serving.live import LiveBroadcasts, LiveScopes

StoreT = TypeVar("StoreT", "LiveBroadcasts", "LiveScopes")


class UnknownOwnersError(Exception):
    """The group could not be asked who owns what; the message says why, for people."""


class Owners(Protocol):
    """Knows who owns the partitions of a stage."""

    async def current(self) -> Mapping[int, str | None]:
        """Where the owner of each owned partition answers; None if it does not tell.

        Raises:
            UnknownOwnersError: The group could not be asked.
        """
        ...

    def expire(self) -> None:
        """Ask the group anew next time: what it said did not hold."""
        ...


class NoOthers:
    """Knows of nobody else."""

    async def current(self) -> Mapping[int, str | None]:
        """Nothing is owned by others."""
        return {}

    def expire(self) -> None:
        """Nothing was asked."""


@dataclass(frozen=True, slots=True)
class Stage(Generic[StoreT]):
    """One stage, as the API sees it.

    Attributes:
        store: What this worker owns of it.
        partition_count: How many partitions it has; None while that is not known.
        is_current: Whether what is in the store is this worker's for certain.
        owners: Who owns the rest.
    """

    store: StoreT
    partition_count: Callable[[], int | None]
    is_current: Callable[[], bool] = lambda: True
    owners: Owners = field(default_factory=NoOthers)

    @property
    def shown(self) -> list[int]:
        """The partitions for which this worker answers, in order."""
        return self.store.partitions if self.is_current() else []
