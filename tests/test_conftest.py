"""The fixture that turns errors which asyncio only logs into failures, seen at work."""

import os
import re
import subprocess
import sys
from pathlib import Path

TESTS = """
import asyncio
from aiokafka import AIOKafkaConsumer


async def fail():
    raise LookupError("nobody asks")


async def test_forgotten_task():
    asyncio.create_task(fail())
    await asyncio.sleep(0.01)


async def test_unclosed_consumer():
    AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")


async def test_provoked(asyncio_errors):
    asyncio.create_task(fail())
    await asyncio.sleep(0.01)
    assert "nobody asks" in asyncio_errors[0]
    asyncio_errors.clear()


async def test_clean():
    await asyncio.create_task(asyncio.sleep(0))
"""


def test_errors_that_asyncio_only_logs_fail_their_test(tmp_path):
    file = tmp_path / "test_inner.py"
    file.write_text(TESTS)
    here = Path(__file__).parent
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(here), str(here.parent)])}
    # As a plugin, for the fixtures of a conftest hold only below its own folder. Warnings stay
    # warnings here, so that the fixture alone is what fails the tests.
    command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider"]
    options = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]
    ran = subprocess.run(
        [*command, *options, "--rootdir", tmp_path, "-c", os.devnull, "-v", "-rE", file],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    failed = set(re.findall(r"^ERROR .*::(test_\w+)", ran.stdout, re.MULTILINE))
    assert failed == {"test_forgotten_task", "test_unclosed_consumer"}, ran.stdout
    assert "nobody asks" in ran.stdout
    assert "Unclosed AIOKafkaConsumer" in ran.stdout
    assert re.search(r"4 passed.*2 errors", ran.stdout)
