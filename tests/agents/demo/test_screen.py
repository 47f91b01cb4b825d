"""What the demo prints, on a terminal and elsewhere."""

import io
import re

import pytest
from rich.console import Console

from agents.demo.console import DemoConsole


def plain(encoding="utf-8"):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    return DemoConsole(Console(file=file, width=80, highlight=False)), raw


def timed(line):
    """What a line says before its seconds, which are few, on however busy a machine."""
    text, seconds = re.fullmatch(r"(.*) (\d+\.\d) s", line, re.DOTALL).groups()
    assert float(seconds) < 10
    return text


def test_a_step_is_told_with_its_time():
    screen, raw = plain()
    with screen.step("making [tea]") as on_progress:
        on_progress(1, 4)
    first, last = raw.getvalue().decode().splitlines()
    assert first == "  making [tea] ..."
    assert timed(last) == "✓ making [tea]:"


def test_a_step_that_fails_is_told_as_such():
    screen, raw = plain()
    with pytest.raises(KeyError), screen.step("making tea"):
        raise KeyError
    last = raw.getvalue().decode().splitlines()[-1]
    assert timed(last) == "✗ making tea: broken off after"


def test_an_output_that_has_no_marks_gets_words():
    screen, raw = plain("ascii")
    with screen.step("making tea"):
        pass
    assert timed(raw.getvalue().decode("ascii").splitlines()[-1]) == "ok making tea:"


def test_a_long_step_tells_its_quarters_once(monkeypatch):
    monkeypatch.setattr("agents.demo.console._SOON", -1)
    screen, raw = plain()
    with screen.step("counting") as on_progress:
        for done in range(1001):
            on_progress(done, 1000)
    lines = raw.getvalue().decode().splitlines()[1:-1]
    assert [line.split()[0] for line in lines] == ["250", "500", "750"]


def test_on_a_terminal_only_the_result_stays():
    file = io.StringIO()
    screen = DemoConsole(Console(file=file, force_terminal=True, width=80, highlight=False))
    with screen.step("making tea") as on_progress:
        on_progress(2, 4)
    assert timed(file.getvalue().splitlines()[-1]).endswith("making tea:")


def test_lines_are_never_folded_narrower_than_the_tables_where_there_is_no_terminal():
    screen, raw = plain()
    screen.print("x" * 99)
    assert raw.getvalue().decode() == "x" * 99 + "\n"


def test_details_are_told_at_times(monkeypatch):
    monkeypatch.setattr("agents.demo.console._EVERY", -1)
    screen, raw = plain()
    with screen.step("replaying") as on_progress:
        on_progress(1, 36_000, "2020-02-01, 7/s")
        monkeypatch.setattr("agents.demo.console._EVERY", 1_000)
        on_progress(2, 36_000, "2020-02-02, 8/s")
    lines = raw.getvalue().decode().splitlines()[1:-1]
    assert lines == ["    1 of 36,000; 2020-02-01, 7/s"]


def test_a_bar_with_details_fits_a_narrow_terminal():
    file = io.StringIO()
    screen = DemoConsole(Console(file=file, force_terminal=True, width=80, highlight=False))
    with screen.step("replaying 36,000 broadcasts") as on_progress:
        on_progress(12_345, 36_000, "2020-05-14, 22,467/s, 260,531 behind")
    assert "12345/36000" in file.getvalue()
    assert "2020-05-14, 22,467/s, 260,531 behind" in file.getvalue()
