"""What gateways must agree on besides broadcasts: subscriptions that lapse, and what polls spent.

It lies in the same rows, so it survives restarts and moves with the partitions. What is told twice,
or in another order, comes to the same.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from agents.gateway.rows import Channel, Spent, Subscription
from streams import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agents.gateway.observation import Observation


def note(row: Channel, seen: Observation) -> None:
    """Take what an observation tells of a subscription or of a budget into a row.

    Args:
        row: is changed.
        seen: of the kind `asked`, `subscribed`, `denied` or `spent`.
    """
    if seen.kind == "spent":
        begins = 0 if seen.started is None else seen.started // rfc3339.SECOND
        spent = row.spent
        if spent is None or begins > spent.begins:
            row.spent = Spent(begins, seen.units)
        elif begins == spent.begins:
            spent.units = max(spent.units, seen.units)
        return
    known = row.subscription
    if known is None:
        known = row.subscription = Subscription()
    if seen.kind == "asked" and seen.at >= known.asked:
        known.asked, known.digest = seen.at, seen.digest
    elif seen.kind == "subscribed" and seen.at >= known.begins:
        known.begins, known.ends = seen.at, seen.until or seen.at
    elif seen.kind == "denied" and seen.at >= known.denied:
        known.denied, known.why = seen.at, seen.title or ""


class Ledger:
    """What is known of the subscriptions and budgets in the partitions of this gateway."""

    def __init__(self) -> None:
        self._rows: dict[int, dict[bytes, Channel]] = {}

    def restored(self, partition: int) -> None:
        """Begin to follow a partition."""
        self._rows[partition] = {}

    def lost(self, partition: int) -> None:
        """Stop following a partition."""
        self._rows.pop(partition, None)

    def note(self, partition: int, key: bytes, row: Channel | None) -> None:
        """Take note of a row that is durable."""
        rows = self._rows.setdefault(partition, {})
        if row is None or (row.subscription is None and row.spent is None):
            rows.pop(key, None)
            return
        # A copy: the row itself goes on to be changed by batches that may fail.
        rows[key] = Channel(
            row.endpoint,
            row.platform,
            row.channel,
            subscription=None if row.subscription is None else copy.copy(row.subscription),
            spent=None if row.spent is None else copy.copy(row.spent),
        )

    def subscription(self, key: bytes) -> Subscription | None:
        """What is known of a subscription, if anything is."""
        row = self._find(key)
        return None if row is None else row.subscription

    def spent(self, key: bytes) -> Spent | None:
        """What a poll has spent, if anything is known of it."""
        row = self._find(key)
        return None if row is None else row.spent

    def _find(self, key: bytes) -> Channel | None:
        found: Mapping[bytes, Channel]
        for found in self._rows.values():
            if (row := found.get(key)) is not None:
                return row
        return None
