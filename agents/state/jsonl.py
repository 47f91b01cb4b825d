"""State as JSON Lines: the header, an entry a line with its value in Base64, the trailer."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

import msgspec

from agents.state.archive import (
    SECTIONS,
    Digest,
    Entry,
    Header,
    Trailer,
    check_trailer,
    checked_header,
)
from streams.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

_SECTIONS: Final = frozenset(SECTIONS)


class _Line(msgspec.Struct, omit_defaults=True):
    """An entry, or the trailer.

    Attributes:
        key: As text, for all that we write is UTF-8.
        value: In Base64.
    """

    section: str
    partition: int = 0
    key: str = ""
    value: str = ""
    counts: dict[str, int] | None = None
    sha256: str = ""


_encoder: Final = msgspec.json.Encoder()
_lines: Final = msgspec.json.Decoder(_Line)
_headers: Final = msgspec.json.Decoder(Header)


class JsonlSink:
    """Writes such a file.

    Args:
        file: Open for writing bytes; stays open.
        header: What the state is of.
    """

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._file = file
        self._digest = Digest(header)
        self._write(header)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            trailer = self._digest.trailer()
            self._write(_Line("end", counts=trailer.counts, sha256=trailer.sha256))

    def write(self, entry: Entry) -> None:
        """Add an entry."""
        self._digest.add(entry)
        value = base64.b64encode(entry.value).decode()
        self._write(_Line(entry.section, entry.partition, entry.key.decode(), value))

    def _write(self, line: Any) -> None:
        self._file.write(_encoder.encode(line) + b"\n")


class JsonlArchive:
    """Reads such a file.

    Args:
        path: Where it is.

    Raises:
        InputError: It cannot be read, or is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.trailer: Trailer | None = None
        with _in_words(path), path.open("rb") as file:
            try:
                self.header = checked_header(_headers.decode(file.readline()), path)
            except msgspec.DecodeError as error:
                raise InputError(f"{path} is no state of live-audience: {error}") from error

    def entries(self) -> Iterator[Entry]:
        """All entries in their order.

        Raises:
            InputError: The file is cut or changed.
        """
        digest = Digest(self.header)
        trailer = None
        with _in_words(self._path), self._path.open("rb") as file:
            file.readline()
            for number, raw in enumerate(file, 2):
                if trailer is not None:
                    raise InputError(f"{self._path}, line {number}: nothing may follow the end")
                try:
                    line = _lines.decode(raw)
                    if line.section == "end":
                        trailer = Trailer(line.counts or {}, line.sha256)
                        continue
                    entry = _entry(line)
                except ValueError as error:
                    raise InputError(
                        f"{self._path}, line {number} cannot be read: {error}; the file is cut or "
                        "damaged, export it again"
                    ) from error
                digest.add(entry)
                yield entry
        self.trailer = check_trailer(digest, trailer, self._path)


def _entry(line: _Line) -> Entry:
    if line.section not in _SECTIONS:
        raise ValueError(f"no such section: {line.section!r}")
    value = base64.b64decode(line.value, validate=True)
    return Entry(line.section, line.partition, line.key.encode(), value)


@contextlib.contextmanager
def _in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
