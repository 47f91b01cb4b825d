"""What a record batch holds compressed, read in pieces of bounded size.

A few kB may hold gigabytes, and a size that is declared may be a lie. So nothing is decompressed as
a whole: each reader gives at most as many bytes as it is asked for, and holds little more itself:
gzip 32 KiB, lz4 4 MiB, snappy a block of `_SNAPPY_STEP_BYTES`, zstd its window (2 MiB at Kafka's
usual level, 128 MiB at most, of which memory is taken as it is filled).
"""

from __future__ import annotations

import importlib.util
import struct
import sys
import zlib
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Kafka's numbers of them, in the attributes of a batch.
CODECS: Final = {1: "gzip", 2: "snappy", 3: "lz4", 4: "zstd"}

#: Blocks of snappy up to this size are decompressed at once by its library, others in Python.
_SNAPPY_STEP_BYTES: Final = 1 << 20

#: How far back snappy's compressors look.
_SNAPPY_WINDOW: Final = 1 << 16

#: Windows of zstd larger than 2 to the power of this are refused: level 22 has this one.
_ZSTD_WINDOW_LOG: Final = 27

_XERIAL: Final = b"\x82SNAPPY\x00"

_Bytes = bytes | bytearray | memoryview


class CompressionError(ValueError):
    """What is compressed cannot be read, or not to its end."""


class Reader(Protocol):
    """Gives what was compressed, in order."""

    def read(self, most: int) -> bytes:
        """Give the next bytes, from 1 to `most`; none at the end.

        Raises:
            CompressionError: What follows cannot be read.
        """


def missing_packages() -> dict[str, str]:
    """Tell what cannot be read for want of a package: codecs with the package to install."""
    zstd = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    needed = {
        "snappy": ("cramjam", "cramjam"),
        "lz4": ("lz4.frame", "lz4"),
        "zstd": (zstd, "backports.zstd"),
        # Theirs is what aiokafka's own producers and readers use.
        "lz4 and zstd, by aiokafka": ("cramjam", "cramjam"),
    }
    return {codec: package for codec, (module, package) in needed.items() if not _is_there(module)}


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # its parent
        return False


def open_reader(codec: int, data: memoryview) -> Reader:
    """Begin to read what a batch holds.

    Args:
        codec: Kafka's number of the codec, 0 for none.
        data: What lies behind the batch's header.

    Raises:
        CompressionError: Nothing can be read of it.
    """
    if codec == 0:
        return _Plain(data)
    if codec not in CODECS:
        raise CompressionError(f"is compressed in a way that Kafka does not know (codec {codec})")
    try:
        if codec == 1:
            return _Framed("gzip", _Gzip, data)
        if codec == 2:  # noqa: PLR2004  # as Kafka numbers them
            return _Snappy(data)
        return _Framed(CODECS[codec], _lz4() if codec == 3 else _zstd(), data)  # noqa: PLR2004  # as above
    except ImportError as error:
        raise CompressionError(
            f"is compressed with {CODECS[codec]}, and the package {error.name} is not installed"
        ) from error


class _Plain:
    """What is not compressed."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def read(self, most: int) -> bytes:
        begin = self._at
        self._at = begin + most
        return bytes(self._data[begin : begin + most])


class _Gzip:
    """zlib's object with the manners of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    def decompress(self, data: _Bytes, max_length: int) -> bytes:
        # What it did not take, the others keep themselves.
        return self._inner.decompress(self._inner.unconsumed_tail or data, max_length)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


def _lz4() -> Callable[[], Any]:
    from lz4.frame import LZ4FrameDecompressor  # noqa: PLC0415  # its want is told elsewhere

    return LZ4FrameDecompressor  # type: ignore[no-any-return]  # it has no types


def _zstd() -> Callable[[], Any]:
    if sys.version_info >= (3, 14):
        from compression.zstd import (  # noqa: PLC0415  # as above
            DecompressionParameter,
            ZstdDecompressor,
        )
    else:
        from backports.zstd import (  # noqa: PLC0415  # as above
            DecompressionParameter,
            ZstdDecompressor,
        )

    return lambda: ZstdDecompressor(
        options={DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
    )


class _Framed:
    """Frames of one of the codecs whose libraries read bit by bit, one behind the other."""

    def __init__(self, name: str, begin: Callable[[], Any], data: memoryview) -> None:
        self._name = name
        self._begin = begin
        self._rest: _Bytes = data
        self._inner: Any = None

    def read(self, most: int) -> bytes:
        while True:
            if self._inner is None:
                if not self._rest:
                    return b""
                self._inner = self._begin()
            rest, self._rest = self._rest, b""
            try:
                found = self._inner.decompress(rest, max_length=most)
            except Exception as error:  # each library has errors of its own
                raise CompressionError(f"holds {self._name} that is damaged: {error}") from error
            if self._inner.eof:
                self._rest = self._inner.unused_data or b""
                self._inner = None
            elif not found and not rest:
                raise CompressionError(f"holds {self._name} that ends before its end")
            if found:
                return bytes(found)


class _Snappy:
    """Snappy, in one block or in the many of Java's library."""

    def __init__(self, data: memoryview) -> None:
        self._pieces = _blocks(data) if bytes(data[:8]) == _XERIAL else _block(data)
        self._rest = b""

    def read(self, most: int) -> bytes:
        try:
            while not self._rest:
                self._rest = next(self._pieces)
        except StopIteration:
            return b""
        found, self._rest = self._rest[:most], self._rest[most:]
        return found


def _blocks(data: memoryview) -> Iterator[bytes]:
    at = 16  # behind the magic bytes and two version numbers
    while at < len(data):
        if at + 4 > len(data):
            raise CompressionError("holds snappy that ends before its end")
        (size,) = struct.unpack_from(">i", data, at)
        at += 4
        if not 0 <= size <= len(data) - at:
            raise CompressionError("holds snappy that ends before its end")
        yield from _block(data[at : at + size])
        at += size


def _block(data: memoryview) -> Iterator[bytes]:
    size, at = _length(data)
    if size > _SNAPPY_STEP_BYTES:
        yield from _elements(data, at, size)
        return
    import cramjam  # noqa: PLC0415  # its want is told elsewhere

    found = bytearray(size)
    try:
        written = cramjam.snappy.decompress_raw_into(data, found)
    except Exception as error:
        raise CompressionError(f"holds snappy that is damaged: {error}") from error
    if written != size:
        raise CompressionError(f"holds snappy of {written} bytes that says it has {size}")
    yield bytes(found)


def _length(data: memoryview) -> tuple[int, int]:
    size = 0
    for at, byte in enumerate(data[:5]):
        size |= (byte & 0x7F) << (7 * at)
        if byte < 0x80:  # noqa: PLR2004  # the mark that another byte follows
            return size, at + 1
    raise CompressionError("holds snappy that is damaged: it has no size")


def _elements(data: memoryview, at: int, size: int) -> Iterator[bytes]:  # noqa: C901  # a loop that calls nothing
    """Read a long block bit by bit, as the library cannot."""
    found, given = bytearray(), 0
    while at < len(data):
        tag = data[at]
        kind, short = tag & 3, tag >> 2
        if kind == 0:
            extra = max(0, short - 59)
            declared = int.from_bytes(data[at + 1 : at + 1 + extra], "little")
            length = 1 + (declared if extra else short)
            at += 1 + extra
            if at + length > len(data):
                raise CompressionError("holds snappy that ends before its end")
            for begin in range(at, at + length, _SNAPPY_STEP_BYTES):
                found += data[begin : min(begin + _SNAPPY_STEP_BYTES, at + length)]
                if len(found) > 2 * _SNAPPY_STEP_BYTES:
                    yield (piece := bytes(found[:-_SNAPPY_WINDOW]))
                    given += len(piece)
                    del found[:-_SNAPPY_WINDOW]
            at += length
        else:
            extra = (0, 1, 2, 4)[kind]
            length = 4 + (short & 7) if kind == 1 else 1 + short
            back = int.from_bytes(data[at + 1 : at + 1 + extra], "little")
            if kind == 1:
                back |= (tag >> 5) << 8
            at += 1 + extra
            if at > len(data) or not 0 < back <= min(len(found), _SNAPPY_WINDOW):
                raise CompressionError("holds snappy that is damaged: it looks back too far")
            begin = len(found) - back
            copied = found[begin : begin + length]
            found += (copied * (length // back + 1))[:length] if back < length else copied
        if given + len(found) > size:
            break
        if len(found) > 2 * _SNAPPY_STEP_BYTES:
            yield (piece := bytes(found[:-_SNAPPY_WINDOW]))
            given += len(piece)
            del found[:-_SNAPPY_WINDOW]
    if given + len(found) != size:
        raise CompressionError(f"holds snappy that says it has {size} bytes, and has not")
    yield bytes(found)
