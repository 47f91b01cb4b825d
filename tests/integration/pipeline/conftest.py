"""Lets the tests here use the arithmetic's brute-force twin, and one hard log for all of them."""

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "streams" / "audience"))

from integration.pipeline.hard_log import hard_log  # found by the line above
from integration.pipeline.oracle import Oracle

PARTITIONS = 4
#: `HARD_EVENTS=200000 tests/run tests/integration/pipeline` takes some minutes more.
RECORDS = int(os.environ.get("HARD_EVENTS", "60000"))


@pytest.fixture(scope="session")
def log():
    """Hard events, as they are sent."""
    return hard_log(20200925, RECORDS, PARTITIONS)


@pytest.fixture(scope="session")
def oracle(log):
    """What they must come to."""
    return Oracle().take(log)
