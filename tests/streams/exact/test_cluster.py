import pytest

from streams.exact.cluster import operations_of


@pytest.mark.parametrize("bits", [-(2**31), 0, 1 << 3])
def test_operations_that_were_not_told_are_not_taken_for_forbidden(bits):
    assert operations_of(bits) is None


def test_operations_are_read_from_their_bits():
    assert operations_of(1 << 8) == {"Describe"}
    assert operations_of(1 << 8 | 1 << 3 | 1 << 10) == {"Describe", "Read", "DescribeConfigs"}
