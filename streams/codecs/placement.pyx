# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Which keys lie in the wrong partition, by Kafka's murmur2: `streams.murmur2`, key by key in C."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    SEED = 0x1747B28C  # and the uppermost bit
    M = 0x5BD1E995


cdef uint32_t _murmur2(const uint8_t *key, Py_ssize_t length) noexcept nogil:
    cdef uint32_t h = (<uint32_t>SEED | <uint32_t>1 << 31) ^ <uint32_t>length
    cdef uint32_t k
    cdef Py_ssize_t place = 0
    while length - place >= 4:
        k = (
            key[place]
            | <uint32_t>key[place + 1] << 8
            | <uint32_t>key[place + 2] << 16
            | <uint32_t>key[place + 3] << 24
        )
        k *= <uint32_t>M
        h = h * <uint32_t>M ^ (k ^ k >> 24) * <uint32_t>M
        place += 4
    if length - place == 3:
        h ^= <uint32_t>key[place + 2] << 16
    if length - place >= 2:
        h ^= <uint32_t>key[place + 1] << 8
    if length - place >= 1:
        h = (h ^ key[place]) * <uint32_t>M
    h = (h ^ h >> 13) * <uint32_t>M
    return h ^ h >> 15


def murmur2(bytes key not None):
    """The hash of a key, as an unsigned number of 32 bits."""
    return _murmur2(<const uint8_t *>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key))


def misplaced(list keys not None, Py_ssize_t partition, Py_ssize_t partitions, Py_ssize_t longest):
    """Those of some keys that do not lie where murmur2 puts them, and those that are too long.

    Args:
        keys: The keys, all of them bytes.
        partition: Where they lie.
        partitions: How many there are, at least one.
        longest: How many bytes a key may have; a longer one is not hashed.
    """
    cdef bytes key
    cdef Py_ssize_t length
    cdef uint32_t hashed
    cdef set found = set()
    if partitions < 1:
        raise ValueError(f"there must be a partition, got {partitions}")
    for key in keys:
        if key is None:
            raise TypeError("a key must be bytes, not None")
        length = PyBytes_GET_SIZE(key)
        if length <= longest:
            hashed = _murmur2(<const uint8_t *>PyBytes_AS_STRING(key), length)
            if <Py_ssize_t>(hashed & 0x7FFFFFFF) % partitions == partition:
                continue
        found.add(key)
    return found
