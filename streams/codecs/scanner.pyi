from typing import Any

from streams.audience.accept import TimedEvent
from streams.viewer_event import ViewerEvent

class EventScanner:
    def event(self, key: bytes | None, value: bytes | None) -> tuple[ViewerEvent, int] | None: ...
    def events(
        self, key: bytes | None, records: list[Any], clock: int
    ) -> tuple[list[TimedEvent], int] | None: ...
