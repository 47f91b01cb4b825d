"""Fetch responses as aiokafka holds them, taken over; compared with what aiokafka makes of them."""

import pytest
from aiokafka.errors import CorruptRecordException
from batches import ABORT, COMMIT, SOURCE, all_of, batch, response, told
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.exact.fetch import FetchResponse, _RawRecords


@st.composite
def logs(draw):
    """Batches of plain producers and of transactions, committed and aborted, in any order."""
    content, aborted, offset, first = b"", [], 0, 0
    for number in range(draw(st.integers(0, 6))):
        offset += draw(st.integers(0, 3))  # compaction takes some
        count, codec = draw(st.integers(1, 4)), draw(st.integers(0, 4))
        kind = draw(st.sampled_from(["plain", "committed", "aborted"]))
        producer = -1 if kind == "plain" else number
        if kind == "aborted":
            aborted.append((producer, offset))
        content += batch(offset, count, producer=producer, codec=codec)
        offset += count
        first = first or offset
        if kind != "plain":
            content += batch(
                offset, 0, producer=producer, marker=ABORT if kind == "aborted" else COMMIT
            )
            offset += 1
    # A broker's first batch is the one in which the offset lies that was asked for.
    return content, aborted, draw(st.integers(0, max(0, first - 1))), offset


@pytest.fixture(autouse=True)
def _only_the_c_decoder(monkeypatch):
    """What is sound is not read in Python: it would be right, and slow."""
    monkeypatch.setattr("streams.exact.decoding.parse_records", None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(logs(), st.integers(1, 7), st.sampled_from([1, 100, 1 << 22]))
def test_it_gives_what_aiokafka_gives(log, most, most_bytes):
    content, aborted, begin, end = log
    theirs = response(content, list(aborted), begin)
    expected = told(theirs)
    fetched = FetchResponse(response(content, list(aborted), begin))
    assert list(fetched) == [fetched], "it is handed over once"
    assert fetched.next_fetch_offset == theirs.next_fetch_offset
    records, unreadable = all_of(fetched, most, most_bytes)
    assert (told(records), unreadable) == (expected, [])
    assert fetched.end == theirs.next_fetch_offset
    if content:
        assert fetched.end == end


def test_what_has_a_wrong_checksum_is_fetched_once_more_and_then_told_of():
    damaged = bytearray(batch(3, 2, codec=1))
    damaged[-1] ^= 1
    content = batch(0, 3) + bytes(damaged) + batch(5, 1)
    suspects = {}
    first = next(FetchResponse(response(content), suspects=suspects))
    assert first.next_fetch_offset == 3, "fetched anew from there"
    records, unreadable = all_of(first, 10)
    assert [r.offset for r in records] == [0, 1, 2]
    assert not unreadable
    second = next(FetchResponse(response(content[len(batch(0, 3)) :], begin=3), suspects=suspects))
    records, (found,) = all_of(second, 10)
    assert [r.offset for r in records] == [5]
    assert (found.offset, found.records, found.value) == (3, 2, bytes(damaged))
    assert "checksum" in found.detail
    assert second.end == second.next_fetch_offset == 6
    mended = next(FetchResponse(response(batch(3, 2), begin=3), suspects={SOURCE: 3}))
    assert [r.offset for r in all_of(mended, 10)[0]] == [3, 4]


def test_no_position_lies_behind_the_last_record_whatever_a_damaged_batch_says():
    damaged = bytearray(batch(3, 2, codec=1))
    damaged[23:27] = (1_000_000).to_bytes(4, "big")  # its last offset delta
    fetched = next(
        FetchResponse(response(bytes(damaged), begin=3), suspects={SOURCE: 3}, highwater=5)
    )
    _, (found,) = all_of(fetched, 10)
    assert (found.offset, found.records) == (3, 2)
    assert fetched.end == fetched.next_fetch_offset == 5


def test_bytes_that_are_no_batch_are_an_error_that_names_the_place():
    content = bytearray(batch(0, 3))
    content[8:12] = (5).to_bytes(4, "big")
    with pytest.raises(CorruptRecordException, match="events/0 at offset 0"):
        next(FetchResponse(response(bytes(content))))
    whole = next(FetchResponse(response(batch(0, 2) + bytes(content))))
    assert len(all_of(whole, 10)[0]) == 2, "what comes before is given first"
    assert whole.next_fetch_offset == 2


def test_errors_that_aiokafka_keeps_for_later_stay_as_they_are():
    kept = _RawRecords({SOURCE: "an error"})
    assert kept == {SOURCE: "an error"}
