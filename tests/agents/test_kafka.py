import asyncio
import logging

import pytest

from agents import kafka
from streams.errors import LiveAudienceError
from streams.settings import Settings


async def test_clients_that_connect_at_once_leave_aiokafka_its_log():
    """Each used to put back what it found: the second one to end muted it for good."""
    settings = Settings(brokers="127.0.0.1:1")

    async def connect():
        with pytest.raises(LiveAudienceError, match=r"AUDIENCE_BROKERS=127\.0\.0\.1:1"):
            async with kafka.reader(settings):
                pass

    await asyncio.gather(connect(), connect())
    assert logging.getLogger("aiokafka").propagate
