"""Where the fields of structs lie in memory, for the modules that are compiled.

    python -m streams.audience.layout    writes layout.pxd, which says it to Cython

`streams/struct_layout.py` says how, and looks whether it is so.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streams.audience.minute import Cell
from streams.audience.row_fields import RowFields
from streams.audience.snapshot import RowSnapshot
from streams.audience.totals import Totals
from streams.struct_layout import in_memory
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


def declarations() -> str:
    """What layout.pxd says."""
    lines = [
        "# Written by `python -m streams.audience.layout`: see there.",
        "cdef extern from *:",
        '    """',
    ]
    for struct in STRUCTS:
        lines += ["    typedef struct {", "        PyObject_HEAD"]
        lines += [f"        PyObject *{name};" for name in in_memory(struct)]
        lines.append(f"    }} Memory{struct.__name__};")
    lines.append('    """')
    for struct in STRUCTS:
        name = struct.__name__
        lines.append(f"    ctypedef class {struct.__module__}.{name} [")
        lines.append(f"        object Memory{name}, check_size error")
        lines.append("    ]:")
        lines += [f"        cdef object {name}" for name in in_memory(struct)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(declarations(), encoding="utf-8")
    sys.stdout.write(f"{FILE}\n")
