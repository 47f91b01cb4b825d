"""Record batches written byte by byte, so that they can be wrong in every way; how to send them.

Whether the broker takes one is for the broker to say; what it takes, a worker must account for.
"""

import struct

from aiokafka import TopicPartition
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.errors import for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c as crc32c

_HEADER = struct.Struct(">qiiBIhiqqqhii")
_AFTER_CRC = 21
_COUNT = 57
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


def varint(number):
    """A number of up to 64 bits as a zigzag varint."""
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number & ~0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _sized(data):
    return varint(-1) if data is None else varint(len(data)) + data


def encoded(offset, timestamp, key, value, headers):
    """One record, its offset and timestamp as they differ from the first one's."""
    body = b"\x00" + varint(timestamp) + varint(offset) + _sized(key) + _sized(value)
    body += varint(len(headers))
    for name, content in headers:
        body += _sized(name if isinstance(name, bytes) else name.encode()) + _sized(content)
    return varint(len(body)) + body


def compressed(codec, data):
    """What a codec makes of data, as Kafka's clients write it."""
    encode = {
        "none": bytes,
        "gzip": gzip_encode,
        "snappy": snappy_encode,
        "lz4": lz4_encode,
        "zstd": zstd_encode,
    }[codec]
    return bytes(encode(data))


def sealed(body, count, first, last, *, attributes=0, base=0, magic=2, producer=-1, crc=None):
    """A batch around its records' bytes.

    Args:
        body: The records, compressed or not.
        count: How many it says they are.
        first: The first one's timestamp.
        last: The greatest.
        attributes: The codec and more.
        base: Its base offset.
        magic: The message format's version.
        producer: An idempotent producer's id; -1 for none.
        crc: The checksum; the right one if not given.
    """
    packed = bytearray(
        _HEADER.pack(
            base, _HEADER.size - 12 + len(body), -1, magic, 0, attributes, count - 1, first, last,
            producer, -1, -1, count,
        )
    )  # fmt: skip
    packed += body
    checksum = crc32c(bytes(packed[_AFTER_CRC:])) if crc is None else crc
    packed[17:_AFTER_CRC] = struct.pack(">I", checksum)
    return bytes(packed)


def batch(records, now_ms, codec="none"):
    """A good batch of `Sent`s."""
    times = [now_ms if record.timestamp is None else record.timestamp for record in records]
    body = b"".join(
        encoded(number, at - times[0], record.key, record.value, record.headers)
        for number, (record, at) in enumerate(zip(records, times, strict=True))
    )
    return sealed(
        compressed(codec, body), len(records), times[0], max(times), attributes=CODECS[codec]
    )


def broken(rng, good):
    """A good batch with something wrong that no broker can take."""
    how = rng.randrange(6)
    if how == 0:  # a checksum
        return good[:17] + bytes([good[17] ^ 1 + rng.randrange(255)]) + good[18:]
    if how == 1:  # cut
        return good[: rng.randrange(len(good))]
    if how == 2:  # other bytes under the old checksum
        at = rng.randrange(_AFTER_CRC, len(good))
        return good[:at] + bytes([good[at] ^ 1 + rng.randrange(255)]) + good[at + 1 :]
    if how == 3:  # another length
        wrong = len(good) - 12 + rng.choice((-50, -1, 1, 1_000, -len(good), 2**31 - 1 - len(good)))
        return good[:8] + struct.pack(">i", wrong) + good[12:]
    if how == 4:  # another version of the message format
        return good[:16] + bytes([rng.choice((0, 1, 3, 255))]) + good[17:]
    return rng.randbytes(len(good))


def odd(rng, good):
    """A good batch with bytes changed under a new checksum: the broker may take it.

    What is inside snappy stays as it is, the number of records below 65,536: a broker makes room
    for as much as these say that there is, and ends where its heap is small (seen, Apache Kafka
    4.3.1).
    """
    changed = bytearray(good)
    is_snappy = good[_AFTER_CRC + 1] & 7 == CODECS["snappy"]
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(_AFTER_CRC, _HEADER.size if is_snappy else len(changed))
        changed[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    changed[_COUNT : _COUNT + 2] = good[_COUNT : _COUNT + 2]
    if changed[_AFTER_CRC + 1] & 7 == CODECS["snappy"]:
        changed[_AFTER_CRC + 1] = good[_AFTER_CRC + 1]  # nor is anything else called snappy
    changed[17:_AFTER_CRC] = struct.pack(">I", crc32c(bytes(changed[_AFTER_CRC:])))
    return bytes(changed)


async def produce(client, topic, partition, data):
    """Send bytes as a batch to the partition's leader.

    Returns:
        The broker's error, None if it took the batch; the offset of its first record.
    """
    leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
    request = ProduceRequest(
        transactional_id=None,
        required_acks=-1,
        timeout=10_000,
        topics=[(topic, [(partition, data)])],
    )
    response = await client.send(leader, request)
    [(_, [answer])] = response.topics
    return (None, answer[2]) if answer[1] == 0 else (for_code(answer[1]), None)
