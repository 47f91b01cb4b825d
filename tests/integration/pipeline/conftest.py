"""One hard log for all tests here, and what it must come to."""

import os

import pytest
from integration.pipeline.hard_log import hard_log
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
