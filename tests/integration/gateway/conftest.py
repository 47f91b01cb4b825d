"""Gateways on the session's Kafka."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from running import Gateways  # found by the line above


@pytest.fixture
async def gateways(brokers, topic_prefix, tmp_path):
    """The topics of this test, made, and what starts its gateways."""
    async with Gateways(brokers, topic_prefix, tmp_path) as found:
        await found.make_topics()
        yield found
