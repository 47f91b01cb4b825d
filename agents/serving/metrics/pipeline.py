"""What the process has counted: fed once a batch, by plain numbers."""

from __future__ import annotations

import platform as machine
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from prometheus_client import Gauge, Info, disable_created_metrics

from agents.serving.metrics import catalogue
from agents.serving.metrics.stages import StageFamilies, make_counter
from streams import compiled
from streams.rejections import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import CollectorRegistry

    from streams.clock import Clock

#: So many platforms have a label of their own; what comes after shares one.
MAX_PLATFORMS: Final = 100
OTHER: Final = "other"

_SKEW_WINDOW: Final = 60.0


class PipelineMetrics:
    """The pipeline's own counters, gauges and histograms.

    Args:
        registry: Where they are registered.
        clock: By it the clock skew of producers is forgotten.

    Attributes:
        stages: What each of the two stages counts.
    """

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        # A `_created` beside each counter would only double their number; a switch of the library.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own gap
        self.stages = StageFamilies(registry)
        self._events = make_counter(catalogue.EVENTS, registry)
        self._rejected = make_counter(catalogue.REJECTED, registry)
        self._relabelled = make_counter(catalogue.RELABELLED, registry)
        self._mended = make_counter(catalogue.MENDED, registry)
        for what in ("title", "surrogate"):
            self._mended.labels(what)
        self._cut = make_counter(catalogue.CUT, registry)
        self._finalised = make_counter(catalogue.FINALISED, registry)
        self._scope_closed = make_counter(catalogue.SCOPE_CLOSED, registry)
        self._scope_skipped = make_counter(catalogue.SCOPE_SKIPPED, registry)
        self._skew = WindowedMax(clock, _SKEW_WINDOW)
        skew = catalogue.CLOCK_SKEW
        Gauge(skew.name, skew.help, unit=skew.unit, registry=registry).set_function(self._skew.get)
        build = Info(catalogue.BUILD.family, catalogue.BUILD.help, registry=registry)
        build.info(
            {
                "version": _version("live-audience"),
                "python": machine.python_version(),
                "faust": _version("faust-streaming"),
                "build": compiled.status().build,
            }
        )
        # Rates need a first value: what can be named beforehand stands at 0 from the start.
        for reason in Reason:
            self._rejected.labels(reason.value)
        for why in catalogue.SKIPPED_BECAUSE:
            self._scope_skipped.labels(why)
        self._platforms: set[str] = set()

    def observe_batch(
        self,
        *,
        accepted: Mapping[str, int],
        late: Mapping[str, int],
        rejected: Mapping[str, int],
        reasons: Mapping[str, int],
        relabelled: int = 0,
        mended: Mapping[str, int] | None = None,
        cut: int = 0,
        finalised: int = 0,
        ahead: float = 0.0,
    ) -> None:
        """Count what a durable batch did.

        Args:
            accepted: Records accepted, by platform.
            late: Refused as late, by platform.
            rejected: Refused for another reason, by platform; empty where none that is valid is
                named.
            reasons: Refused, late ones too, by reason.
            relabelled: Records that name another venue or programme.
            mended: Records of which something for people was mended, by what.
            cut: New broadcasts whose beginning the topic may no longer hold.
            finalised: Broadcasts that became final.
            ahead: Greatest time by which an accepted event's `at` was ahead of its record's Kafka
                timestamp, in seconds.
        """
        # Accepted ones first: what is refused must not take a platform's place.
        for outcome, counts in (("accepted", accepted), ("late", late), ("rejected", rejected)):
            for platform, count in counts.items():
                if count:
                    self._events.labels(self._bounded(platform), outcome).inc(count)
        for reason, count in reasons.items():
            self._rejected.labels(Reason(reason).value).inc(count)
        for what, count in (mended or {}).items():
            self._mended.labels(what).inc(count)
        if relabelled:
            self._relabelled.inc(relabelled)
        if cut:
            self._cut.inc(cut)
        if finalised:
            self._finalised.inc(finalised)
        self._skew.observe(ahead)

    def scope_closed(self, minutes: int) -> None:
        """Count changes of minutes that were closed in their scope."""
        self._scope_closed.inc(minutes)

    def scope_skipped(self, reason: str, changes: int) -> None:
        """Count changes of scopes that were skipped.

        Args:
            reason: `malformed` or `error`.
            changes: How many.
        """
        self._scope_skipped.labels(reason).inc(changes)

    def _bounded(self, platform: str) -> str:
        """The label for a platform: itself, or `other` if too many are known."""
        if not platform or platform in self._platforms:
            return platform
        if len(self._platforms) >= MAX_PLATFORMS:
            return OTHER
        self._platforms.add(platform)
        return platform


class WindowedMax:
    """The greatest of what was noted lately.

    Args:
        clock: Tells what is late.
        window: In seconds: a value stands for at least so long, and at most twice.
    """

    def __init__(self, clock: Clock, window: float) -> None:
        self._clock = clock
        self._window = window
        self._since = clock.time()
        self._current = self._previous = 0.0

    def observe(self, value: float) -> None:
        """Take in a value, 0 or more."""
        self._rotate()
        self._current = max(self._current, value)

    def get(self) -> float:
        """The greatest value; 0 if none was greater."""
        self._rotate()
        return max(self._current, self._previous)

    def _rotate(self) -> None:
        now = self._clock.time()
        age = now - self._since
        if 0 <= age < self._window:
            return
        self._previous = self._current if 0 <= age < 2 * self._window else 0.0
        self._current = 0.0
        self._since = now


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"  # run from its sources, not installed
