"""One secured cluster for all tests here: it takes a quarter of a minute to start."""

import sys
from pathlib import Path

import pytest

# The pipeline's oracle needs the arithmetic's brute-force twin.
sys.path.append(str(Path(__file__).parents[2] / "streams" / "audience"))

from integration.security.secured import Secured  # found by the line above


def pytest_collection_modifyitems(items):
    """Let tests that run side by side leave all of these to one process: three nodes are enough."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.xdist_group("security"))


@pytest.fixture(scope="session")
def secured(tmp_path_factory):
    """Three nodes with TLS, mutual TLS, logins and ACLs; tests leave all nodes running."""
    made = Secured(tmp_path_factory.mktemp("secured"))
    made.start()
    yield made
    made.stop()
