"""Looks at the topics while the worker runs: somebody may change them under it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import mode
import structlog

from agents.topics.admin import find_topic_problems
from streams.errors import LiveAudienceError
from streams.topics import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streams.settings import Settings

log = structlog.get_logger(__name__)

_INTERVAL: Final = timedelta(minutes=10)


class TopicWatch(mode.Service):
    """Compares the topics with the settings, at the start and every 10 minutes.

    Args:
        settings: The settings in force.
        on_findings: Gets the number of findings of each topic; not called where Kafka did not
            answer.
        interval: Between two looks.
    """

    def __init__(
        self,
        settings: Settings,
        on_findings: Callable[[Mapping[str, int]], None],
        *,
        interval: timedelta = _INTERVAL,
        **options: Any,
    ) -> None:
        self._settings = settings
        self._on_findings = on_findings
        self._interval = interval.total_seconds()
        self._known: set[tuple[str, str]] = set()
        super().__init__(**options)

    @mode.Service.task
    async def _watch(self) -> None:
        while not self.should_stop:
            await self.check_once()
            await self.sleep(self._interval)

    async def check_once(self) -> None:
        """Look once; log what was not found the last time."""
        try:
            findings = await find_topic_problems(self._settings)
        except LiveAudienceError as error:
            # The worker has trouble of its own then, and tells it.
            log.warning("topic check failed", error=str(error))
            return
        for finding in findings:
            if (finding.topic, finding.what) not in self._known:
                log.warning(finding.what, topic=finding.topic, remedy=finding.remedy)
        self._known = {(finding.topic, finding.what) for finding in findings}
        counts = Counter(finding.topic for finding in findings)
        self._on_findings({topic.name: counts[topic.name] for topic in Topics.of(self._settings)})
