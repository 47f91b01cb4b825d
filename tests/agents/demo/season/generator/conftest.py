"""Small seasons, made once."""

import pytest

from agents.demo.season.generator import Season


@pytest.fixture(scope="session")
def small():
    """300 broadcasts with 25,000,000 views."""
    return Season(seed=7, broadcasts=300, views=25_000_000)


@pytest.fixture(scope="session")
def sent(small):
    """All of its records."""
    return list(small.records())
