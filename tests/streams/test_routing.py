import zlib

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import given
from hypothesis import strategies as st

from streams.murmur2 import murmur2
from streams.rejections import Reason, Rejected
from streams.routing import MAX_KEY_BYTES, PartitionChecker, check_length, partition_for
from streams.viewer_event import MAX_BROADCAST, MAX_PLATFORM

KEY = b"fliggy:louvre-1"


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        # From Apache Kafka's own tests (UtilsTest.testMurmur2).
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_as_in_java(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed % 2**32


@given(st.binary(max_size=300))
def test_murmur2_as_in_aiokafka(key: bytes) -> None:
    assert murmur2(key) == aiokafka_murmur2(key)


@given(st.text(min_size=1).map(str.encode), st.integers(1, 1000))
def test_partitions_as_in_aiokafka(key: bytes, partitions: int) -> None:
    every = list(range(partitions))
    assert partition_for(key, partitions) == DefaultPartitioner()(key, every, every)


def test_partitions_as_in_librdkafka() -> None:
    assert zlib.crc32(b"123456789") == 0xCBF43926  # the check value of the CRC-32 that it uses
    assert partition_for(b"123456789", 7, "crc32") == 0xCBF43926 % 7


@pytest.mark.parametrize("partitioner", ["any", "md5"])
def test_no_partition_follows_from_other_partitioners(partitioner: str) -> None:
    with pytest.raises(ValueError, match=partitioner):
        partition_for(KEY, 8, partitioner)


def test_a_router_wants_a_partitioner_that_there_is() -> None:
    with pytest.raises(ValueError, match="no such partitioner: 'md5'"):
        PartitionChecker("md5", 8)


@pytest.mark.parametrize("partitioner", ["murmur2", "crc32"])
def test_only_the_partition_of_the_partitioner_is_right(partitioner: str) -> None:
    router = PartitionChecker(partitioner, 8)
    right = partition_for(KEY, 8, partitioner)
    for partition in range(8):
        if partition == right:
            router.check(KEY, partition, "fliggy", "louvre-1")
            assert router.misrouted(partition, [KEY]) == set()
            continue
        with pytest.raises(Rejected) as caught:
            router.check(KEY, partition, "fliggy", "louvre-1")
        assert caught.value.reason is Reason.MISROUTED
        assert caught.value.detail == (
            f"the key 'fliggy:louvre-1' must lie in partition {right} of 8, "
            f"where AUDIENCE_PARTITIONER={partitioner} puts it, got {partition}"
        )
        assert router.misrouted(partition, [KEY]) == {KEY}


def test_any_leaves_the_partition_to_the_producers() -> None:
    router = PartitionChecker("any", 8)
    for partition in range(8):
        router.check(KEY, partition, "fliggy", "louvre-1")
        assert router.misrouted(partition, [KEY, b"any"]) == set()


@given(
    st.sets(st.binary(max_size=9), max_size=60),
    st.sampled_from(["murmur2", "crc32"]),
    st.booleans(),
)
def test_many_keys_are_placed_as_one_is(keys: set[bytes], partitioner: str, is_retry: bool) -> None:
    router = PartitionChecker(partitioner, 3)
    for partition in range(3):
        assert router.misrouted(partition, keys, is_retry=is_retry) == {
            key for key in keys if partition_for(key, 3, partitioner) != partition
        }


@pytest.mark.parametrize("partitioner", ["murmur2", "any"])
@pytest.mark.parametrize(
    ("key", "shown"),
    [
        (None, "none"),
        (b"", "''"),
        (b"fliggy", "'fliggy'"),
        (b"fliggy:louvre-2", "'fliggy:louvre-2'"),
        (b"fliggy:louvre-1 ", "'fliggy:louvre-1 '"),
        (b"\xff\n", "'\\\\xff\\n'"),
        (b"k" * 300, "'" + "k" * 200 + "'... (300 bytes)"),
    ],
)
def test_a_wrong_key_is_refused_also_after_the_right_one(
    key: bytes | None, shown: str, partitioner: str
) -> None:
    router = PartitionChecker(partitioner, 1)
    for _ in range(2):
        with pytest.raises(Rejected) as caught:
            router.check(key, 0, "fliggy", "louvre-1")
        assert caught.value.reason is Reason.MISROUTED
        assert caught.value.detail == (
            f"the key must be 'fliggy:louvre-1' (platform:broadcast), got {shown}"
        )
        router.check(KEY, 0, "fliggy", "louvre-1")


def test_a_known_key_is_refused_for_another_broadcast() -> None:
    router = PartitionChecker("any", 1)
    router.check(KEY, 0, "fliggy", "louvre-1")
    with pytest.raises(Rejected, match="'fliggy:louvre-2'"):
        router.check(KEY, 0, "fliggy", "louvre-2")


def test_keys_are_utf_8_and_broadcasts_may_hold_colons() -> None:
    router = PartitionChecker("any", 1)
    router.check("kuaishou:直播:1".encode(), 0, "kuaishou", "直播:1")


@pytest.mark.parametrize("partitioner", ["murmur2", "crc32", "any"])
def test_keys_that_are_too_long_belong_nowhere_and_are_not_hashed(
    partitioner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_most(keys: list[bytes]) -> dict[bytes, int]:
        assert all(len(key) <= MAX_KEY_BYTES for key in keys)
        return {key: murmur2(key) for key in keys}.items()

    monkeypatch.setattr("streams.routing.murmur2_many", at_most)
    router = PartitionChecker(partitioner, 1)
    long = [b"k" * (MAX_KEY_BYTES + 1), b"k" * 5_000_000]
    for is_retry in (True, False):  # by the first, nothing compiled is used
        keys = [KEY, *long, b"k" * MAX_KEY_BYTES]
        assert router.misrouted(0, keys, is_retry=is_retry) == set(long)
        assert router.misrouted(0, iter([]), is_retry=is_retry) == set()


def test_the_longest_key_that_can_be_right_is_not_too_long() -> None:
    longest = f"{'p' * MAX_PLATFORM}:{chr(0x1F600) * MAX_BROADCAST}".encode()
    assert len(longest) == 545
    check_length(longest)
    check_length(b"k" * MAX_KEY_BYTES)
    check_length(None)
    with pytest.raises(
        Rejected, match=r"1025 bytes, over the 1024.*\.\.\. \(1025 bytes\)"
    ) as refused:
        check_length(b"k" * 1_025)
    assert refused.value.reason is Reason.MISROUTED
    assert len(refused.value.detail) < 400
