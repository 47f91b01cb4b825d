"""What a scraper accepts: which of the two text formats, and whether compressed."""

from __future__ import annotations

from typing import Final, NamedTuple

OPENMETRICS: Final = "application/openmetrics-text"
PLAIN: Final = "text/plain"

#: OpenMetrics versions whose readers understand ours; an empty one is not asked for by version.
_VERSIONS: Final = ("", "0.0.1", "1.0.0")


class Format(NamedTuple):
    """A format of the exposition.

    Attributes:
        openmetrics: OpenMetrics 1.0.0, or else Prometheus' text format 0.0.4.
        content_type: What to call it in the answer.
    """

    openmetrics: bool
    content_type: str


TEXT_FORMAT: Final = Format(False, "text/plain; version=0.0.4; charset=utf-8")
OPENMETRICS_FORMAT: Final = Format(
    True, "application/openmetrics-text; version=1.0.0; charset=utf-8"
)


def negotiate(accept: str) -> Format:
    """Choose the format: OpenMetrics for those who ask for it and like nothing plain better.

    Args:
        accept: The request's header `Accept`, perhaps empty.
    """
    openmetrics = plain = 0.0
    for entry in accept.split(","):
        media, *parameters = (part.strip() for part in entry.split(";"))
        named = dict(part.split("=", 1) for part in parameters if "=" in part)
        if media == OPENMETRICS and named.get("version", "") in _VERSIONS:
            openmetrics = max(openmetrics, _quality(named))
        elif media == PLAIN:
            plain = max(plain, _quality(named))
    return OPENMETRICS_FORMAT if openmetrics and openmetrics >= plain else TEXT_FORMAT


def accepts_gzip(accept_encoding: str) -> bool:
    """Say whether gzip is welcome.

    Args:
        accept_encoding: The request's header `Accept-Encoding`, perhaps empty.
    """
    for entry in accept_encoding.split(","):
        coding, *parameters = (part.strip() for part in entry.split(";"))
        if coding.lower() == "gzip":
            return _quality(dict(part.split("=", 1) for part in parameters if "=" in part)) > 0
    return False


def _quality(parameters: dict[str, str]) -> float:
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 0.0
