"""Workers whose HTTP is tried, and the errors that they must not log."""

import logging

import pytest
from web_clients import SHORT
from web_worker import Worker


@pytest.fixture
async def hasty():
    async with Worker(limits=SHORT) as running:
        yield running


@pytest.fixture
async def patient():
    """A worker with the limits that it has outside of tests."""
    async with Worker() as running:
        yield running


@pytest.fixture
async def worker():
    async with Worker() as running:
        yield running


@pytest.fixture
def our_own_code_never_failed(logged, caplog):
    yield
    assert [entry for entry in logged if entry["log_level"] in ("error", "critical")] == []
    assert [told for told in caplog.records if told.levelno >= logging.ERROR] == []
