"""Events of one broadcast for tests that work figures out by hand."""

from streams.audience.minute import MINUTE
from streams.viewer_event import ViewerEvent

START = 26_500_000
"""The minute from which tests count: 20 May 2020, 18:40 UTC."""


def told(minute, kind="sample", *, second=30, **fields):
    """An event with its `at` and its Kafka timestamp, as rows take it."""
    at = (START + minute) * MINUTE + round(second * 1_000_000)
    event = ViewerEvent(platform="fliggy", broadcast="b1", at="", kind=kind, **fields)
    return event, at, at // 1000
