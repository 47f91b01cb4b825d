"""Fixtures of all tests: a real Apache Kafka, and no error that goes unseen."""

import gc
import inspect
import logging
import re
import sys
import uuid
from pathlib import Path

import pytest
import structlog
from xdist.scheduler import LoadGroupScheduling

from agents.broker import Broker

# Test folders are no packages; this lets every test say `from kafka_tools import ...`. At the
# end of the path, so that tests/agents never stands before the package agents.
sys.path.append(str(Path(__file__).parent))

from kafka_tools import admin_client  # found by the line above

#: Tests that share what takes long to start: one process runs all of such a part.
TOGETHER = ("tests/integration/security/", "tests/deploy/test_image.py")


class _Together(LoadGroupScheduling):
    """Groups tests by where they are: xdist 3.8 writes its marks where pytest 9.2 reads no more."""

    def _split_scope(self, nodeid):
        return next((part for part in TOGETHER if nodeid.startswith(part)), nodeid)


def pytest_xdist_make_scheduler(config, log):
    """Choose how tests are given to processes, under `--dist loadgroup`."""
    return _Together(config, log) if config.getvalue("dist") == "loadgroup" else None


def pytest_collection_finish():
    """Leave what was collected out of each later look for garbage.

    `asyncio_errors` looks after each test that is a coroutine. What all tests' modules hold, some
    220,000 objects, is no garbage, and looking at it took 0.25 s each time.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """One Apache Kafka for the whole session, started when a test first asks for it.

    For tests that leave it running. One that kills or restarts it starts a `Broker` of its own.
    """
    with Broker(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture
def brokers(broker):
    """The address of the session's Apache Kafka, as AUDIENCE_BROKERS takes it."""
    if not broker.running:
        pytest.fail("Apache Kafka ended during the tests:\n" + "\n".join(broker.last_lines()))
    return broker.bootstrap


@pytest.fixture
def topic_prefix(request):
    """A prefix for the topics and groups of this test alone, ending in a dot."""
    name = re.sub(r"[^a-zA-Z0-9]+", "-", request.node.name).strip("-")[:60]
    return f"{name}-{uuid.uuid4().hex[:8]}."


class _Errors(logging.Handler):
    """Keeps the messages that asyncio logs about errors nobody has looked at."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.messages = []

    def emit(self, record):
        self.messages.append(self.format(record))


@pytest.fixture(autouse=True)
def asyncio_errors(request):
    """Fail a test whose tasks failed unseen, or that left a client of Kafka open.

    asyncio only logs these: "Task exception was never retrieved", "Unclosed AIOKafkaConsumer". A
    test that provokes them takes this fixture's list and clears it.
    """
    errors = _Errors()
    logger = logging.getLogger("asyncio")
    logger.addHandler(errors)
    yield errors.messages
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        gc.collect()  # they are logged when the task or the client is collected
    logger.removeHandler(errors)
    if errors.messages:
        pytest.fail("errors that nobody looked at:\n" + "\n".join(errors.messages))


@pytest.fixture(autouse=True)
def logging_as_before():
    """Put back what a test, or an app that it made, configured of logging for the whole process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    names = ("streams", "agents", "aiokafka", "aiokafka.producer.sender")
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def logged():
    """What was logged through structlog: a list of dictionaries, however logging is configured.

    Exceptions are in it as the log would show them, in `exception`.
    """
    with structlog.testing.capture_logs([structlog.processors.format_exc_info]) as entries:
        yield entries


@pytest.fixture
async def admin(brokers):
    """A started AIOKafkaAdminClient."""
    async with admin_client(brokers) as client:
        yield client
