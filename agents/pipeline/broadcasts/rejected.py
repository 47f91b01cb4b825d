"""Refused records: how they are handed on (contract, section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from streams.exact import Unreadable
from streams.topics import REJECTED_VALUE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.exact import Batch
    from streams.rejections import Reason

#: A header longer than this helps nobody, and must not make the record too large to send.
_MAX_DETAIL: Final = 1_000

#: No key that is right is longer, in bytes.
REJECTED_KEY_BYTES: Final = 1024

#: So much is kept of a record's own headers: names and values in all, in bytes.
REJECTED_HEADER_BYTES: Final = 16 * 1024

#: Our own headers; a record's own of these names are left out.
_OURS: Final = frozenset(
    {"reason", "detail", "source", "truncated", "key-bytes", "headers-left-out", "records"}
    | {"timestamp"}
)

# A record keeps its timestamp if that is no further from now, in ms: one from long ago would be
# deleted soon, and one from the future would not be taken by the broker.
_PAST: Final = 7 * 24 * 3600 * 1000
_FUTURE: Final = 5 * 60 * 1000

_Headers = list[tuple[str, bytes | None]]


def reject(batch: Batch[Any], topic: str, record: Any, reason: Reason, detail: str) -> None:
    """Send a record to the refused ones, as it came, with headers that say why.

    Key, value, headers and timestamp are the record's own, within bounds:

    - of a value over 512 KiB the first 512 KiB; the header `truncated` gives its length in bytes;
    - of a key over 1 KiB the first 1 KiB; the header `key-bytes` gives its length;
    - of its headers as many as have 16 KiB in all, but none named like ours; the header
      `headers-left-out` counts the others;
    - a timestamp over 7 days ago or over 5 minutes ahead stands in the header `timestamp`, in ms.

    What stands for several records has the header `records`.

    Args:
        batch: With what it is sent.
        topic: Where to.
        record: It, or an `Unreadable`.
        reason: Why it is refused.
        detail: The same for people.
    """
    key, value, timestamp = record.key, record.value, record.timestamp
    key_bytes = 0 if key is None else len(key)
    value_bytes = 0 if value is None else len(value)
    records = 1
    if isinstance(record, Unreadable):
        key_bytes, value_bytes, records = record.key_bytes, record.value_bytes, record.records
    headers = _kept(record.headers) if record.headers else []
    headers += [
        ("reason", reason.value.encode()),
        ("detail", detail[:_MAX_DETAIL].encode(errors="backslashreplace")),
        ("source", f"{batch.topic}/{batch.partition}/{record.offset}".encode()),
    ]
    if value_bytes > REJECTED_VALUE_BYTES or (value is None and value_bytes > 0):
        headers.append(("truncated", b"%d" % value_bytes))
        value = value[:REJECTED_VALUE_BYTES] if value is not None else None
    if key_bytes > REJECTED_KEY_BYTES or (key is None and key_bytes > 0):
        headers.append(("key-bytes", b"%d" % key_bytes))
        key = key[:REJECTED_KEY_BYTES] if key is not None else None
    if records > 1:
        headers.append(("records", b"%d" % records))
    if timestamp is None or timestamp < 0:
        timestamp = None
    elif not -_PAST <= timestamp - batch.read_at * 1000 <= _FUTURE:
        headers.append(("timestamp", b"%d" % timestamp))
        timestamp = None
    batch.send(topic, key, value, headers, timestamp=timestamp)


def _kept(own: Sequence[tuple[str, bytes | None]]) -> _Headers:
    """A record's own headers, as they came, as far as there is room."""
    kept: _Headers = []
    left = REJECTED_HEADER_BYTES
    for name, value in own:
        size = len(name.encode(errors="backslashreplace")) + len(value or b"") + 4
        if name not in _OURS and size <= left:
            left -= size
            kept.append((name, value))
    if len(kept) < len(own):
        kept.append(("headers-left-out", b"%d" % (len(own) - len(kept))))
    return kept
