"""Where the fields of structs lie in memory, for the modules that are compiled.

    python -m streams.audience.layout        writes layout.pxd, which says it to Cython

A struct of msgspec's is a header and a pointer for each field, in the order of the alphabet: so
CPython lays out `__slots__`. Compiled code goes there directly, where Python looks up a name.
Nothing promises that it stays so: `mismatch` looks, and where it says something only the source may
be used.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streams.audience.minute import Cell
from streams.audience.row_fields import RowFields
from streams.audience.snapshot import RowSnapshot
from streams.audience.totals import Totals
from streams.viewer_event import ViewerEvent

if TYPE_CHECKING:
    import msgspec

STRUCTS: Final[tuple[type[msgspec.Struct], ...]] = (
    Cell,
    RowFields,
    RowSnapshot,
    Totals,
    ViewerEvent,
)
FILE: Final = Path(__file__).with_suffix(".pxd")

_HEADER: Final = object.__basicsize__
_POINTER: Final = ctypes.sizeof(ctypes.c_void_p)


def declarations() -> str:
    """What layout.pxd says."""
    lines = [
        "# Written by `python -m streams.audience.layout`: see there.",
        "cdef extern from *:",
        '    """',
    ]
    for struct in STRUCTS:
        lines += ["    typedef struct {", "        PyObject_HEAD"]
        lines += [f"        PyObject *{name};" for name in _in_memory(struct)]
        lines.append(f"    }} Memory{struct.__name__};")
    lines.append('    """')
    for struct in STRUCTS:
        name = struct.__name__
        lines.append(f"    ctypedef class {struct.__module__}.{name} [")
        lines.append(f"        object Memory{name}, check_size error")
        lines.append("    ]:")
        lines += [f"        cdef object {name}" for name in _in_memory(struct)]
    return "\n".join(lines) + "\n"


def mismatch() -> str | None:
    """Say where a field lies elsewhere than layout.pxd says; None if all is as it says."""
    for struct in STRUCTS:
        names = _in_memory(struct)
        size = _HEADER + _POINTER * len(names)
        if struct.__basicsize__ != size:
            return f"{struct.__name__} has {struct.__basicsize__} bytes, not {size}"
        # An object of its own for each field, to be found again.
        told = {name: object() for name in names}
        made = struct(**told)
        for place, name in enumerate(names):
            address = id(made) + _HEADER + _POINTER * place
            if ctypes.c_void_p.from_address(address).value != id(told[name]):
                return f"{struct.__name__}.{name} is not where it was to be"
    return None


def _in_memory(struct: type[msgspec.Struct]) -> list[str]:
    return sorted(struct.__struct_fields__)


if __name__ == "__main__":
    FILE.write_text(declarations(), encoding="utf-8")
    sys.stdout.write(f"{FILE}\n")
