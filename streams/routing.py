"""Which partition a key belongs to, and whether a record lies where it should.

All records of a broadcast must lie in one partition; the producers' partitioner decides which.
"""

import zlib
from collections.abc import Iterable
from typing import Final, Literal, get_args

from streams import codecs
from streams.murmur2 import murmur2, murmur2_many
from streams.rejections import Reason, Rejected

Partitioner = Literal["murmur2", "crc32", "any"]
"""`murmur2`: Java clients, aiokafka, kafka-python, franz-go, KafkaJS. `crc32`: librdkafka's default
(`consistent_random`), so confluent-kafka's and kcat's. `any`: the producers promise by themselves
that a key stays in one partition."""

SETTING: Final = "AUDIENCE_PARTITIONER"

MAX_KEY_BYTES: Final = 1_024
"""Bytes that a key may have: the longest that can be right, `platform:broadcast`, has 545."""


def partition_for(key: bytes, partitions: int, partitioner: Partitioner = "murmur2") -> int:
    """The partition in which a partitioner puts a key.

    Args:
        key: not empty (librdkafka puts those anywhere).
        partitions: how many the topic has.
        partitioner: `murmur2` or `crc32`.

    Raises:
        ValueError: the partitioner is `any` or unknown, so nobody can tell.
    """
    if partitioner == "murmur2":
        return (murmur2(key) & 0x7FFFFFFF) % partitions
    if partitioner == "crc32":
        return zlib.crc32(key) % partitions
    raise ValueError(f"no partition follows from the partitioner {partitioner!r}")


class PartitionChecker:
    """Checks that records of one topic have the right key and lie in the right partition.

    Args:
        partitioner: the setting `AUDIENCE_PARTITIONER`.
        partitions: how many partitions the topic has; when that changes, a new router is due.

    Raises:
        ValueError: there is no such partitioner.
    """

    def __init__(self, partitioner: Partitioner, partitions: int) -> None:
        if partitioner not in get_args(Partitioner):
            raise ValueError(f"no such partitioner: {partitioner!r}")
        self.partitioner: Final = partitioner
        self.partitions: Final = partitions
        self._misplaced = codecs.misplaced()

    def misrouted(
        self, partition: int, keys: Iterable[bytes], *, is_retry: bool = False
    ) -> set[bytes]:
        """Those of many keys that do not belong in a partition: all hashed at once.

        Keys that are too long to be right belong in none, and are not hashed.

        Args:
            partition: where their records lie.
            keys: the keys.
            is_retry: whether it is asked again after a defect: then nothing compiled is used.
        """
        partitions = self.partitions
        keys = list(keys)
        if self.partitioner == "murmur2" and self._misplaced is not None and not is_retry:
            return self._misplaced(keys, partition, partitions, MAX_KEY_BYTES)
        if max(map(len, keys), default=0) > MAX_KEY_BYTES:
            too_long = {key for key in keys if len(key) > MAX_KEY_BYTES}
            short = [key for key in keys if key not in too_long]
            return too_long | self.misrouted(partition, short, is_retry=is_retry)
        if self.partitioner == "murmur2":
            return {
                key
                for key, hashed in murmur2_many(keys)
                if (hashed & 0x7FFFFFFF) % partitions != partition
            }
        if self.partitioner == "crc32":
            return {key for key in keys if zlib.crc32(key) % partitions != partition}
        return set()

    def check(self, key: bytes | None, partition: int, platform: str, broadcast: str) -> None:
        """Does nothing for a record that is where it belongs.

        Args:
            key: the record's key as Kafka gave it.
            partition: where the record lies.
            platform: its event's platform.
            broadcast: its event's broadcast.

        Raises:
            Rejected: it is misrouted; the detail says what was expected and names the setting.
        """
        wanted = f"{platform}:{broadcast}".encode()
        if key != wanted:
            raise Rejected(
                Reason.MISROUTED,
                f"the key must be {_shown(wanted)} (platform:broadcast), got {_shown(key)}",
            )
        if self.partitioner == "any":
            return
        expected = partition_for(key, self.partitions, self.partitioner)
        if partition != expected:
            raise Rejected(
                Reason.MISROUTED,
                f"the key {_shown(key)} must lie in partition {expected} of {self.partitions}, "
                f"where {SETTING}={self.partitioner} puts it, got {partition}",
            )


def check_length(key: bytes | None) -> None:
    """Does nothing for a key that is not too long to be right.

    It is looked at before anything else: whoever hashes, compares or sends on a key of some
    megabytes pays for each of them.

    Raises:
        Rejected: it is misrouted; the detail says how long it is.
    """
    if key is not None and len(key) > MAX_KEY_BYTES:
        raise Rejected(
            Reason.MISROUTED,
            f"the key has {len(key)} bytes, over the {MAX_KEY_BYTES} allowed: it must be "
            f"platform:broadcast, got {_shown(key)}",
        )


_MAX_SHOWN: Final = 200


def _shown(key: bytes | None) -> str:
    """A key for a detail: one line of printable ASCII, however it looks."""
    if key is None:
        return "none"
    cut = key[:_MAX_SHOWN]
    shown = ascii(cut.decode(errors="backslashreplace"))
    return shown if cut == key else f"{shown}... ({len(key)} bytes)"
