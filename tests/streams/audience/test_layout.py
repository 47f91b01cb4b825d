"""What compiled modules are told of where fields lie is so, and is what the structs say now."""

import msgspec
import pytest

from streams import struct_layout
from streams.audience import layout


def test_the_declarations_are_those_of_the_structs():
    assert layout.FILE.read_text("utf-8") == layout.declarations(), (
        "write them anew: python -m streams.audience.layout"
    )


@pytest.mark.parametrize("struct", layout.STRUCTS)
def test_fields_lie_where_they_were_declared(struct):
    assert struct_layout.mismatch(struct) is None
    assert not struct.__struct_config__.gc, "else it would miss what compiled code stores"


def test_a_field_elsewhere_is_found(monkeypatch):
    assert struct_layout.mismatch() is None
    known = msgspec.defstruct("Known", ["first"], weakref=True)
    assert struct_layout.mismatch(known) == "Known has 32 bytes, not 24"
    monkeypatch.setattr(struct_layout, "in_memory", lambda struct: list(struct.__struct_fields__))
    assert struct_layout.mismatch() == "_Probe.last is not where it was to be"
