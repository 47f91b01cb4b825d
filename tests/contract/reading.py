"""Records as the contract has them read: what is mended, and what is refused at once.

Reading itself is the code's (`streams.events.read`), but for titles that are too
long and lone surrogates: these are mended in the document before it is read.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from streams import events
from streams.rejections import Reason, Rejected
from streams.routing import PartitionChecker
from streams.viewer_event import MAX_TITLE, ViewerEvent

CLOCK_MARGIN_MS = 10 * 60_000
"""What a producer's time may be ahead of the worker's clock, over `AUDIENCE_FUTURE`."""

_LONE = re.compile("[\ud800-\udfff]")  # Python's json has joined the pairs by then
_MAX_DIGITS = 30


@dataclass(frozen=True, slots=True)
class Record:
    """One record of viewer-events. Times are in milliseconds since 1970.

    `timestamp` is Kafka's; `log_append` says that it is the broker's, else it is the producer's.
    `read_at` is the worker's clock when it reads the record.
    """

    value: bytes | None
    key: bytes | None
    timestamp: int
    read_at: int
    log_append: bool = True
    partition: int = 0

    @property
    def has_timestamp(self) -> bool:
        return self.timestamp not in (0, -1)

    @property
    def effective_timestamp(self) -> int:
        """Kafka's timestamp, or the clock at reading where that is none."""
        return self.timestamp if self.has_timestamp else self.read_at


def record(event: dict[str, Any] | bytes, timestamp: int, read_at: int | None = None, **more):
    """A record of an event as a dictionary, or of a JSON line, under its own key."""
    value = event if isinstance(event, bytes) else json.dumps(event).encode()
    fields = json.loads(value)
    key = f"{fields['platform']}:{fields['broadcast']}".encode(errors="replace")
    return Record(value, key, timestamp, timestamp if read_at is None else read_at, **more)


def read(value: bytes | None) -> tuple[ViewerEvent, int, set[str]]:
    """The event, its `at` in microseconds since 1970, and what was mended (`title`, `surrogate`).

    Raises Rejected: malformed or invalid.
    """
    mended, what = _mended(value)
    if not what:
        mended = value  # the code's own mending has nothing to do
    return *events.read(mended), what


def _mended(value: bytes | None) -> tuple[bytes, set[str]]:
    """The fields of a document that may be read once it is mended, and what there was to mend."""
    what: set[str] = set()
    if value is None or len(value) > events.MAX_VALUE_BYTES:
        return b"", what

    def text(found: str) -> str:
        if not _LONE.search(found):
            return found
        what.add("surrogate")
        return _LONE.sub("\ufffd", found)

    def visit(found: Any) -> Any:
        if isinstance(found, str):
            return text(found)
        if isinstance(found, list):
            return [visit(one) for one in found]
        if isinstance(found, dict):
            return {text(name): visit(one) for name, one in found.items()}
        return found

    def never(found: str) -> Any:
        raise ValueError(found)

    try:
        document = json.loads(
            value.decode(),
            parse_constant=never,
            parse_float=lambda _: 0.5,  # wrong in every field that is looked at
            parse_int=lambda digits: int(digits) if len(digits) < _MAX_DIGITS else 10**30,
        )
        document = visit(document)
    except (ValueError, RecursionError):
        return b"", set()
    if not isinstance(document, dict):
        return b"", set()
    title = document.get("title")
    if isinstance(title, str) and len(title) > MAX_TITLE:
        document["title"] = title[:MAX_TITLE]
        what.add("title")
    known = {name: document[name] for name in ViewerEvent.__struct_fields__ if name in document}
    return json.dumps(known, separators=(",", ":")).encode(), what


def check(
    given: Record, event: ViewerEvent, at: int, future_ms: int, router: PartitionChecker | None
):
    """Refuse what is misrouted or in the future (section 1); `at` is in microseconds."""
    if router is not None:
        router.check(given.key, given.partition, event.platform, event.broadcast)
    elif given.key != f"{event.platform}:{event.broadcast}".encode():
        raise Rejected(Reason.MISROUTED, "the key is another", event.platform)
    latest = [] if given.log_append else [given.read_at + future_ms + CLOCK_MARGIN_MS]
    if given.has_timestamp:
        latest.append(given.timestamp + future_ms)
    if at > min(latest, default=given.read_at + future_ms + CLOCK_MARGIN_MS) * 1000:
        raise Rejected(Reason.FUTURE, "at: after what AUDIENCE_FUTURE allows", event.platform)
