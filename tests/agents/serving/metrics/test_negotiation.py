"""Which format a scraper gets."""

import pytest

from agents.serving.metrics.negotiation import (
    OPENMETRICS_FORMAT,
    TEXT_FORMAT,
    accepts_gzip,
    negotiate,
)

# What Prometheus 3 sends.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", TEXT_FORMAT),
        ("*/*", TEXT_FORMAT),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT_FORMAT),
        ("text/plain;version=0.0.4", TEXT_FORMAT),
        (PROMETHEUS, OPENMETRICS_FORMAT),
        ("application/openmetrics-text", OPENMETRICS_FORMAT),
        ("application/openmetrics-text; version=1.0.0 ; q=0.8", OPENMETRICS_FORMAT),
        ("application/openmetrics-text;version=2.0.0", TEXT_FORMAT),
        ("application/openmetrics-text;version=2.0.0,text/plain;q=0.1", TEXT_FORMAT),
        ("application/openmetrics-text;q=0.3,text/plain;q=0.5", TEXT_FORMAT),
        ("application/openmetrics-text;q=0", TEXT_FORMAT),
        ("application/openmetrics-text;q=much", TEXT_FORMAT),
        (";;,=;q", TEXT_FORMAT),
    ],
)
def test_openmetrics_goes_to_those_who_ask_for_it(accept, expected):
    assert negotiate(accept) == expected


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("br, identity", False),
        ("gzipped", False),
    ],
)
def test_gzip_goes_to_those_who_ask_for_it(accepted, expected):
    assert accepts_gzip(accepted) is expected
