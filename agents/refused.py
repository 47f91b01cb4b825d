"""Refused records: how they are handed on (contract, section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streams.topics import REJECTED_VALUE_BYTES

if TYPE_CHECKING:
    from streams.exact import Batch
    from streams.refusals import Reason

#: A header longer than this helps nobody, and must not make the record too large to send.
_LONGEST_DETAIL = 1_000


def refuse(batch: Batch[Any], topic: str, record: Any, reason: Reason, detail: str) -> None:
    """Send a record to the refused ones, as it came, with headers that say why.

    The value is the record's own; of one over 512 KiB the first 512 KiB, and the header
    `truncated` then gives its length in bytes.
    """
    value = record.value
    headers = [
        ("reason", reason.value.encode()),
        ("detail", detail[:_LONGEST_DETAIL].encode()),
        ("source", f"{batch.topic}/{batch.partition}/{record.offset}".encode()),
    ]
    if value is not None and len(value) > REJECTED_VALUE_BYTES:
        headers.append(("truncated", b"%d" % len(value)))
        value = value[:REJECTED_VALUE_BYTES]
    batch.send(topic, record.key, value, headers)
