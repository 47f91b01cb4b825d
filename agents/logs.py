"""Logging: one line an event, pretty on a terminal, JSON elsewhere, the libraries' lines included.

Whoever starts a Faust worker passes `override_logging=False` to it: Faust would otherwise put
handlers of its own on the root logger and, at some levels, set it to DEBUG.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO

import orjson
import structlog

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
