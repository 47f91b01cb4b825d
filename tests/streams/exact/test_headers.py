"""Records that are made of headers: few bytes on the wire, many objects and much time."""

import time

import pytest
from batches import raw_batch, record, response, varint

from streams.exact.fetch import FetchResponse, Taken
from streams.exact.parsing import MAX_HEADERS


def headed(name, size):
    """A record of so many bytes of headers with this name and no value."""
    one = varint(len(name)) + name + varint(-1)
    count = size // len(one)
    body = b"\0" + varint(0) + varint(0) + varint(1) + b"k" + varint(1) + b"v" + varint(count)
    body += one * count
    return varint(len(body)) + body


@pytest.mark.parametrize("name", [b"a", b"\xff"])
@pytest.mark.parametrize("codec", [0, 1, 4])
def test_a_record_of_a_million_headers_is_told_of_and_holds_up_nothing(name, codec):
    content = raw_batch(0, [headed(name, 3_900_000)], codec=codec) + raw_batch(1, [record(0)])
    fetched = next(FetchResponse(response(content)))
    taken, longest = Taken([], []), 0.0
    while not fetched.is_over:
        began = time.process_time()
        part = fetched.take(1_000)
        longest = max(longest, time.process_time() - began)
        taken.records.extend(part.records)
        taken.unreadable.extend(part.unreadable)
    assert [each.offset for each in taken.records] == [1]
    (found,) = taken.unreadable
    assert (found.offset, found.records, found.key, found.value) == (0, 1, b"k", b"v")
    assert f"headers, over {MAX_HEADERS}" in found.detail
    assert longest < 0.5, "seconds of the loop, on a slow machine"


async def test_a_batch_holds_as_many_headers_as_it_has_room_for():
    records = [headed(b"a", 20_000) for _ in range(500)]  # 10 MB of headers, 330 MB in memory
    fetched = next(FetchResponse(response(raw_batch(0, records, codec=1))))
    taken = await fetched.fill(20_000, 16 * 1024 * 1024)
    assert sum(len(each.headers) for each in taken.records) * 100 < 40 * 1024 * 1024


def test_what_python_must_read_comes_in_steps():
    records = [record(number, headers=[(b"\xff", b"")] * 300) for number in range(500)]
    fetched = next(FetchResponse(response(raw_batch(0, records, codec=1))))
    steps = found = 0
    while not fetched.is_over:
        found += len(fetched.take(20_000).records)
        steps += 1
    assert found == 500
    assert steps > 5
