"""Logging: one line an event, pretty on a terminal, JSON elsewhere, the libraries' lines included.

Whoever starts a Faust worker passes `override_logging=False` to it: Faust would otherwise put
handlers of its own on the root logger and, at some levels, set it to DEBUG.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Any, Final, TextIO

import orjson
import structlog

from streams.errors import LiveAudienceError

if TYPE_CHECKING:
    from structlog.types import EventDict, Processor, WrappedLogger

    from streams.settings import Settings

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
# What is ours: only this is ever logged at DEBUG, for the libraries' own debugging lines are
# several a message.
_OURS: Final = ("streams", "agents")
# What a Kafka client repeats while a broker is away: each line once in so many seconds.
_SELDOM: Final = 30.0
# So many different lines are told apart.
_LINES: Final = 1_000


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Send everything that is logged, through structlog or the standard library, to one stream.

    Args:
        settings: `log_level` and `log_format` are read.
        stream: where to; standard error if not given.
    """
    stream = sys.stderr if stream is None else stream
    pretty = settings.log_format == "pretty" or (settings.log_format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # Off, so that a later `configure`, as of a test, holds for loggers already in use.
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_pretty(colors=stream.isatty()) if pretty else _json()),
            ],
        )
    )
    handler.addFilter(_Seldom())
    handler.addFilter(_without_needless_trace)
    level = _LEVELS[settings.log_level]
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.INFO))
    for name in _OURS:
        logging.getLogger(name).setLevel(level)
    # It tells of each step of each client, and warns of what it then tries again by itself.
    logging.getLogger("aiokafka").setLevel(max(level, logging.WARNING))
    logging.getLogger("aiokafka.producer.sender").setLevel(logging.ERROR)
    logging.captureWarnings(capture=True)


class _Seldom(logging.Filter):
    """Lets a line of aiokafka through once in a while, with how often it was left out since.

    Its clients try again every 0.1 s: with a broker away, a worker would write a hundred lines a
    second, and what is to be done would be lost among them.
    """

    def __init__(self) -> None:
        super().__init__()
        # Of each line: until when it is left out, and how often it was.
        self._left_out: dict[tuple[str, str], list[float]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether it is written."""
        if record.name.partition(".")[0] != "aiokafka":
            return True
        line = (record.name, record.getMessage())
        known = self._left_out.get(line)
        now = time.monotonic()
        if known is not None and now < known[0]:
            known[1] += 1
            return False
        if len(self._left_out) >= _LINES:
            self._left_out.clear()
        self._left_out[line] = [now + _SELDOM, 0]
        if known is not None and known[1]:
            record.left_out = int(known[1])
        return True


def _without_needless_trace(record: logging.LogRecord) -> bool:
    """Let a line through, without a stack trace where its error is expected and says all there is.

    Faust logs whatever ends one of its services as if that were a defect.
    """
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, LiveAudienceError) or getattr(error, "is_expected", False):
        record.exc_info = record.exc_text = None
    return True


def _pretty(*, colors: bool) -> list[Processor]:
    return [
        structlog.dev.ConsoleRenderer(
            colors=colors, exception_formatter=structlog.dev.plain_traceback
        )
    ]


def _json() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        structlog.processors.UnicodeDecoder(),
        _event_first,
        structlog.processors.JSONRenderer(serializer=_dumps),
    ]


def _event_first(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put what is the same in every line where the eye finds it."""
    first = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    return {**first, **event}


def _dumps(value: Any, **_: Any) -> str:
    # Whatever is logged is written: what JSON cannot hold goes out as its representation.
    try:
        return orjson.dumps(value, default=repr).decode()
    except TypeError:
        # Integers over 64 bits, keys that are no texts, lone surrogates: each value by itself.
        return orjson.dumps({str(key): ascii(each) for key, each in value.items()}).decode()
