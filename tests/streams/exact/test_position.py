import pytest

from streams.exact import NewerFormat, Unrecoverable
from streams.exact.position import POSITION_KEY, Position, decode_position, encode_position


def test_round_trip():
    position = Position(offset=5, topic_id="id", partitions=8)
    assert decode_position(encode_position(position)) == position


def test_format_one_stays_readable():
    golden = b'{"offset":5,"topic_id":"id","partitions":8,"format":1}'
    assert decode_position(golden) == Position(5, "id", 8)


def test_a_newer_format_is_refused_with_what_to_do():
    with pytest.raises(NewerFormat, match="newer one"):
        decode_position(b'{"offset":5,"topic_id":"id","partitions":8,"format":2}')


def test_the_key_is_none_that_rows_may_have():
    assert POSITION_KEY.startswith(b"\x00")


@pytest.mark.parametrize("value", [None, b"", b"x", b"{}", b"[]", b'{"offset":"5"}', b"\xff", b"1"])
def test_what_is_no_position_is_refused_with_what_to_do(value):
    with pytest.raises(Unrecoverable, match=r"cannot be read.*another group"):
        decode_position(value)
