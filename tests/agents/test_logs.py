import io
import json
import logging
import warnings

import pytest
import structlog

from agents import logs
from streams.errors import TopicsError
from streams.exact import Unrecoverable
from streams.settings import Settings


class Terminal(io.StringIO):
    def isatty(self):
        return True


def configured(stream=None, **settings):
    stream = stream or io.StringIO()
    logs.configure(Settings(**settings), stream)
    return stream


def test_json_where_there_is_no_terminal():
    stream = configured()
    structlog.get_logger("agents.x").info("restored", partition=3, key=b"fliggy:1")
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "restored",
        "logger": "agents.x",
        "partition": 3,
        "key": "fliggy:1",
    }


def test_libraries_are_written_in_the_same_way():
    stream = configured()
    logging.getLogger("aiokafka.client").warning("cannot connect to %s", "a:1", extra={"node": 1})
    line = json.loads(stream.getvalue())
    assert (line["event"], line["logger"], line["node"]) == (
        "cannot connect to a:1",
        "aiokafka.client",
        1,
    )


def test_what_a_kafka_client_repeats_is_written_seldom(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: clock[0])
    stream = configured()
    client = logging.getLogger("aiokafka")
    for clock[0] in (100.0, 100.1, 129.9):
        client.error("Unable connect to node with id %s", 1)
        logging.getLogger("streams.exact").error("Unable connect to node with id %s", 1)
    client.error("Unable connect to node with id %s", 2)
    clock[0] = 130.0
    client.error("Unable connect to node with id %s", 1)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"][-1] for line in lines if line["logger"] == "streams.exact"] == ["1"] * 3
    assert [
        (line["event"][-1], line.get("left_out")) for line in lines if line["logger"] == "aiokafka"
    ] == [("1", None), ("2", None), ("1", 2)]


def test_lines_that_are_all_different_are_forgotten(monkeypatch):
    monkeypatch.setattr(logs, "_LINES", 10)
    stream = configured()
    for number in range(100):
        logging.getLogger("aiokafka").error("odd %s", number)
    assert len(stream.getvalue().splitlines()) == 100
    (handler,) = logging.getLogger().handlers
    assert len(handler.filters[0]._left_out) <= 10


def test_pretty_on_a_terminal():
    stream = configured(Terminal())
    structlog.get_logger("agents.x").info("restored", partition=3)
    assert "\x1b[" in stream.getvalue()
    assert "restored" in stream.getvalue()


def test_format_can_be_set():
    assert "{" in _line(configured(Terminal(), log_format="json"))
    pretty = _line(configured(log_format="pretty"))
    assert "{" not in pretty
    assert "\x1b[" not in pretty


def _line(stream):
    structlog.get_logger("agents.x").info("hello")
    return stream.getvalue()


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_root_is_never_at_debug(level):
    stream = configured(log_level=level)
    logging.getLogger("aiokafka").debug("every message")
    assert stream.getvalue() == ""
    assert logging.getLogger().level >= logging.INFO
    structlog.get_logger("agents.x").debug("ours")
    assert ("ours" in stream.getvalue()) == (level == "debug")


def test_what_is_under_the_level_is_not_written():
    stream = configured(log_level="warning")
    structlog.get_logger("streams.x").info("no")
    logging.getLogger("faust").info("no")
    structlog.get_logger("streams.x").warning("yes")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["yes"]


def test_stack_trace_is_in_the_one_line():
    stream = configured()
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        structlog.get_logger("agents.x").exception("failed")
    (line,) = stream.getvalue().splitlines()
    assert "ZeroDivisionError" in json.loads(line)["exception"]


@pytest.mark.parametrize(
    "error", [Unrecoverable("the topic is gone: make it"), TopicsError("as well")]
)
def test_an_expected_error_has_no_stack_trace(error):
    stream = configured()
    logging.getLogger("mode.services").error("[x]: Crashed reason=%r", error, exc_info=error)
    line = json.loads(stream.getvalue())
    assert str(error) in line["event"]
    assert "exception" not in line


def test_what_json_cannot_hold_is_written_all_the_same():
    stream = configured()
    structlog.get_logger("agents.x").info("odd", value={1: object()}, big=2**70)
    assert "odd" in stream.getvalue()


def test_twice_is_as_good_as_once():
    configured()
    stream = configured()
    logging.getLogger("x").info("hello")
    assert len(stream.getvalue().splitlines()) == 1


def test_warnings_of_python_are_logged():
    stream = configured()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert "old" in json.loads(stream.getvalue())["event"]
