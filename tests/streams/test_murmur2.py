import tracemalloc

from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st

from streams.murmur2 import murmur2, murmur2_many

KEYS = st.lists(st.binary(max_size=300), max_size=30)


def unsigned(key):
    return reference(key) & 0xFFFFFFFF


@given(st.binary(max_size=400))
def test_one_key(key):
    assert murmur2(key) == unsigned(key)


def test_a_long_key_is_hashed_a_word_at_a_time():
    key = bytes(range(256)) * 100 + b"abc"
    wanted = unsigned(key)
    tracemalloc.start()
    assert murmur2(key) == wanted
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < len(key) // 2, "all of its words at once take eight times its length"


@given(KEYS)
def test_keys_of_all_lengths(keys):
    assert dict(murmur2_many(keys)) == {key: unsigned(key) for key in keys}


@given(st.integers(0, 33), st.data())
def test_many_keys_of_one_length_side_by_side(length, data):
    keys = data.draw(
        st.lists(st.binary(min_size=length, max_size=length), min_size=16, max_size=40)
    )
    assert dict(murmur2_many(keys)) == {key: unsigned(key) for key in keys}


def test_extremes_side_by_side():
    keys = [bytes([byte]) * 20 for byte in range(256)]
    assert dict(murmur2_many(keys)) == {key: unsigned(key) for key in keys}
