"""One secured cluster for all tests here: it takes a quarter of a minute to start.

They are marked as one group, for one process to have them all when tests run side by side.
"""

import pytest
from integration.security.secured import Secured


@pytest.fixture(scope="session")
def secured(tmp_path_factory):
    """Three nodes with TLS, mutual TLS, logins and ACLs; tests leave all nodes running."""
    made = Secured(tmp_path_factory.mktemp("secured"))
    made.start()
    yield made
    made.stop()
