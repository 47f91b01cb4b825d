"""Record batches as a broker stores them, and as none should."""

from aiokafka import TopicPartition, codec
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c, encode_varint

from streams.exact.fetch import KeptRecords

SOURCE = TopicPartition("events", 0)
COMMIT, ABORT = b"\0\0\0\1", b"\0\0\0\0"
ENCODERS = {
    0: bytes,
    1: codec.gzip_encode,
    2: codec.snappy_encode,
    3: codec.lz4_encode,
    4: codec.zstd_encode,
}


def batch(offset, count, *, producer=-1, marker=None, codec=0, value=b"v"):
    """A record batch as a broker stores it; with a marker that of a transaction's end."""
    transactional = int(producer >= 0)
    builder = DefaultRecordBatchBuilder(2, codec, transactional, producer, 0, 0, 1 << 30)
    for number in range(count):
        builder.append(number, 1_000 + number, b"%d" % (offset + number), value, [("h", b"1")])
    if marker is not None:
        builder.append(0, 1_000, marker, b"\0\0\0\0\0\0", [])
    built = bytearray(builder.build())
    built[0:8] = offset.to_bytes(8, "big")
    if marker is not None:  # the bit of a control batch, and the checksum anew
        built[22] |= 0x20
    return sealed(built)


def sealed(built):
    """A batch with the checksum that it must have."""
    built = bytearray(built)
    built[8:12] = (len(built) - 12).to_bytes(4, "big")
    built[17:21] = calc_crc32c(bytes(built[21:])).to_bytes(4, "big")
    return bytes(built)


def varint(number):
    out = bytearray()
    encode_varint(number, out.append)
    return bytes(out)


def record(number, key=b"k", value=b"v", headers=(), *, length=None, place=None):
    """The bytes of a record; `length` and `place` are lies to be told."""
    body = b"\0" + varint(number) + varint(number if place is None else place)
    for part in (key, value):
        body += varint(-1) if part is None else varint(len(part)) + part
    body += varint(len(headers))
    for name, content in headers:
        body += varint(len(name)) + name
        body += varint(-1) if content is None else varint(len(content)) + content
    return varint(len(body) if length is None else length) + body


def raw_batch(offset, records, *, codec=0, count=None, content=None):
    """A batch of these records' bytes, whatever they are, or with this in their place."""
    head = bytearray(batch(offset, 0))
    count = len(records) if count is None else count
    head[22] |= codec
    head[23:27] = (count - 1).to_bytes(4, "big", signed=True)
    head[27:35] = head[35:43] = (1_000).to_bytes(8, "big")
    head[57:61] = count.to_bytes(4, "big", signed=True)
    content = ENCODERS[codec](b"".join(records)) if content is None else content
    return sealed(bytes(head) + content)


def response(content, aborted=None, begin=0):
    return PartitionRecords(SOURCE, KeptRecords(content), aborted, begin, None, None, True, 1)


def told(records):
    return [(r.offset, r.timestamp, r.key, r.value, list(r.headers)) for r in records]


def all_of(fetched, most, most_bytes=1 << 22, *, is_sound=True):
    """Take all there is; what was read, and what could not be."""
    records, unreadable, steps = [], [], 0
    while not fetched.is_over:
        part = fetched.take(most, most_bytes)
        assert len(part.records) <= most
        records += part.records
        unreadable += part.unreadable
        steps += 1
        assert steps < 100_000
        last = max([r.offset for r in (*part.records, *part.unreadable)], default=-1)
        if is_sound and last >= 0 and not fetched.is_over:
            assert fetched.end >= last + 1
    return records, unreadable
