"""The README of the data names every number of it, as published or as made up."""

import re
from importlib.resources import files

import pytest

from agents.demo import mistakes as mistakes_module
from agents.demo.mistakes import mistakes
from agents.demo.museums import museums

TEXT = files("agents.demo").joinpath("data", "README.md").read_text(encoding="utf-8")


def table(heading):
    """The rows of the table that begins with the heading: `{first cell: other cells}`."""
    lines = TEXT.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {heading} |"))
    found = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        first, *rest = (cell.strip() for cell in line.strip("|").split("|"))
        found[first.replace("`", "")] = rest
    return found


@pytest.mark.parametrize("column", range(len(museums())))
def test_every_made_up_number_is_named(column):
    museum = museums()[column]
    made, published, rows = museum.made, museum.published, table("made up")

    def cell(name):
        return next(cells for row, cells in rows.items() if row.startswith(name))[column]

    def says(name, value, *, told):
        text = "none" if value is None else str(value)
        assert cell(name) == text + (" (published)" if told else "")

    assert cell("start").startswith(made.start.isoformat().replace("+00:00", "Z"))
    assert ("published" in cell("start")) == (published.day is not None)
    says("minutes", made.minutes, told=published.minutes is not None)
    says("audience at minute 0", made.audience[0][1], told=published.first_minute is not None)
    later = ", ".join(f"{viewers} at {minute}" for minute, viewers in made.audience[1:])
    assert cell("audience at later minutes") == later
    says("views", made.views, told=published.views is not None)
    assert (cell("joins") != "none") == made.joins
    says("unknown", made.unknown, told=False)
    says("corrected", made.corrected, told=False)


def test_every_published_figure_is_in_the_table_and_no_other():
    assert [cells[0] for cells in table("published").values()] == [
        "25 September 2020",
        "two hours (120 minutes)",
        "380,000",
        "410,000",
        "July 2020",
        "3.8 million",
    ]


def test_the_generators_own_numbers_are_named():
    for said in ("1.5 %", "second 57", "8 seconds", "3 % come 1 to 5 minutes late", "2 % twice"):
        assert re.search(said, " ".join(TEXT.split())), said
    assert len(mistakes()) == 6
    assert "six wrong records" in TEXT
    assert mistakes_module.__name__.rpartition(".")[2] + ".py" in TEXT
