"""Where the fields of msgspec's structs lie in memory: what compiled code relies on.

A struct is a header and a pointer for each field, in the order of the alphabet: so CPython lays out
`__slots__`. Compiled code goes there directly, where Python looks up a name. Nothing promises that
it stays so, so it is looked at.
"""

from __future__ import annotations

import ctypes
from typing import Final

import msgspec

_HEADER: Final = object.__basicsize__
_POINTER: Final = ctypes.sizeof(ctypes.c_void_p)


class _Probe(msgspec.Struct, gc=False):
    """A struct whose fields are declared in another order than they lie."""

    last: object
    first: object
    middle: object


def in_memory(struct: type[msgspec.Struct]) -> list[str]:
    """The fields of a struct in the order in which they lie."""
    return sorted(struct.__struct_fields__)


def mismatch(struct: type[msgspec.Struct] = _Probe) -> str | None:
    """Say what of a struct lies elsewhere than that; None if nothing does."""
    names = in_memory(struct)
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
