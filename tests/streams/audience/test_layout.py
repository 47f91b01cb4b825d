"""What compiled modules are told of where fields lie is so, and is what the structs say now."""

import pytest

from streams.audience import layout


def test_the_declarations_are_those_of_the_structs():
    assert layout.FILE.read_text("utf-8") == layout.declarations(), (
        "write them anew: python -m streams.audience.layout"
    )


def test_fields_lie_where_they_were_declared():
    assert layout.mismatch() is None


@pytest.mark.parametrize("struct", layout.STRUCTS)
def test_the_collector_does_not_know_them(struct):
    assert not struct.__struct_config__.gc, "else a header more lies before each"


def test_a_field_elsewhere_is_found(monkeypatch):
    monkeypatch.setattr(layout, "_in_memory", lambda struct: list(struct.__struct_fields__))
    assert layout.mismatch() == "Cell.revision is not where it was to be"
    monkeypatch.setattr(layout, "_in_memory", lambda struct: [*struct.__struct_fields__, "new"])
    assert "bytes, not" in layout.mismatch()
