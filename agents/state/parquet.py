"""State as Parquet: columns section, partition, key, value; header and trailer in its metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

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
from streams.errors import InputError, MisuseError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

#: A row group holds so many entries, or so many bytes of them, at most (but for the last entry).
GROUP_ENTRIES: Final = 20_000
GROUP_BYTES: Final = 16 * 1024 * 1024

_HEADER: Final = "live-audience.header"
_TRAILER: Final = "live-audience.trailer"


def _arrow() -> Any:
    """The library, which is an extra.

    Raises:
        MisuseError: It is not there.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, and slow to load
        import pyarrow.parquet as _  # noqa: F401, PLC0415 - as above; `pa` has it from then on
    except ImportError as error:
        raise MisuseError(
            "Parquet needs the package pyarrow: install live-audience[parquet], or use .jsonl"
        ) from error
    return pa


class ParquetSink:
    """Writes such a file, a row group at a time.

    Args:
        path: Where to.
        header: What the state is of.
    """

    def __init__(self, path: Path, header: Header) -> None:
        pa = self._pa = _arrow()
        self._schema = pa.schema(
            [
                ("section", pa.string()),
                ("partition", pa.int32()),
                ("key", pa.binary()),
                ("value", pa.binary()),
            ],
            metadata={_HEADER: msgspec.json.encode(header)},
        )
        self._writer = pa.parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._digest = Digest(header)
        self._entries: list[Entry] = []
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._flush()
            trailer = msgspec.json.encode(self._digest.trailer()).decode()
            self._writer.add_key_value_metadata({_TRAILER: trailer})
        self._writer.close()

    def write(self, entry: Entry) -> None:
        """Add an entry."""
        self._digest.add(entry)
        self._entries.append(entry)
        self._bytes += len(entry.key) + len(entry.value)
        if len(self._entries) >= GROUP_ENTRIES or self._bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self._entries:
            return
        columns = [list(column) for column in zip(*self._entries, strict=True)]
        arrays = [
            self._pa.array(column, field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(self._pa.Table.from_arrays(arrays, schema=self._schema))
        self._entries.clear()
        self._bytes = 0


class ParquetArchive:
    """Reads such a file, a row group at a time.

    Args:
        path: Where it is.

    Raises:
        InputError: It cannot be read, or is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._pa = _arrow()
        self._path = path
        self.trailer: Trailer | None = None
        with self._open() as file:
            metadata = file.schema_arrow.metadata or {}
            try:
                header = msgspec.json.decode(metadata.get(_HEADER.encode(), b""), type=Header)
            except msgspec.DecodeError as error:
                raise InputError(f"{path} is no state of live-audience: {error}") from error
        self.header = checked_header(header, path)

    def entries(self) -> Iterator[Entry]:
        """All entries in their order.

        Raises:
            InputError: The file is cut or changed.
        """
        digest = Digest(self.header)
        with self._open() as file:
            raw = (file.metadata.metadata or {}).get(_TRAILER.encode())
            trailer = None if raw is None else msgspec.json.decode(raw, type=Trailer)
            try:
                for number in range(file.num_row_groups):
                    columns = [c.to_pylist() for c in file.read_row_group(number).columns]
                    for entry in map(Entry._make, zip(*columns, strict=True)):
                        if entry.section not in SECTIONS or None in entry:
                            raise InputError(f"{self._path} has an entry that is none: {entry[:3]}")
                        digest.add(entry)
                        yield entry
            except (OSError, self._pa.ArrowException) as error:
                raise InputError(f"{self._path} is damaged: {error}; export it again") from error
        self.trailer = check_trailer(digest, trailer, self._path)

    def _open(self) -> Any:
        try:
            return self._pa.parquet.ParquetFile(self._path)
        except (OSError, self._pa.ArrowException) as error:
            raise InputError(
                f"{self._path} cannot be read as Parquet (it may be cut): {error}"
            ) from error
