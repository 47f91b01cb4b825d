"""Keys placed in C, beside aiokafka's murmur2."""

import pytest
from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from streams import compiled

if not compiled.status().compiled:
    pytest.skip(f"it is only compiled ({compiled.status().text})", allow_module_level=True)

from streams.codecs.placement import misplaced, murmur2


@given(st.binary(max_size=100))
def test_a_key_is_hashed_as_kafkas_clients_do(key):
    assert murmur2(key) == reference(key) & 0xFFFFFFFF


@given(st.lists(st.binary(max_size=40)), st.integers(1, 2**31), st.integers(0, 5))
def test_what_lies_where_it_does_not_belong(keys, partitions, partition):
    wanted = {key for key in keys if (reference(key) & 0x7FFFFFFF) % partitions != partition}
    assert misplaced(keys, partition, partitions, 40) == wanted


def test_what_is_too_long_belongs_nowhere():
    assert misplaced([b"", b"abc", b"abcd"], 0, 1, 3) == {b"abcd"}


@pytest.mark.parametrize("keys", [[None], ["text"], [1], None, (b"a",)])
def test_what_is_no_key(keys):
    with pytest.raises(TypeError):
        misplaced(keys, 0, 1, 3)


def test_there_is_a_partition():
    with pytest.raises(ValueError, match="there must be a partition, got 0"):
        misplaced([b"a"], 0, 0, 3)
