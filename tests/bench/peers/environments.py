"""What contestants run in: an environment each, pinned by lock files, outside of the project.

They lie in `~/.cache/live-audience/peers` (or `$XDG_CACHE_HOME`), by the sum of what they are made
of, so that a changed lock file or program makes a new one.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
LOCKS = HERE / "locks"
JAVA_PROJECT = PROGRAMS / "kafka_streams"
JAVA_LOCK = LOCKS / "kafka_streams.lock"
PYTHON = ("faust", "quix", "bytewax")

_PATIENCE = 900


class Unavailable(Exception):
    """A contestant cannot run on this machine; the message says why, and what would help."""


def cache() -> Path:
    """Give the folder of all environments."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "live-audience" / "peers"


def python(name: str) -> Path:
    """Make the environment of a Python contestant if it is not there; give its Python.

    Raises:
        Unavailable: its packages could not be installed.
    """
    lock = LOCKS / f"{name}.lock"
    version = ".".join(map(str, sys.version_info[:2]))
    folder = cache() / f"{name}-{_sum([lock], version)}"
    program = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = str(Path(sys.executable).with_name("uv"))
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], name)
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(program)]
        _run([*install, "--require-hashes", "-r", str(lock)], name)
        ready.touch()
    return program


def kafka_streams() -> Path:
    """Build the Kafka Streams program if that is not done; give the folder of its jars.

    Raises:
        Unavailable: there is no JDK or no Maven, or Maven could not build it.
        RuntimeError: what Maven fetched is not what the lock file names.
    """
    sources = sorted(path for path in JAVA_PROJECT.rglob("*") if path.is_file())
    folder = cache() / f"kafka-streams-{_sum([*sources, JAVA_LOCK])}"
    target = folder / "target"
    ready = folder / "ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        build(folder)
        found, wanted = jars(target), JAVA_LOCK.read_text()
        if found != wanted:
            raise RuntimeError(
                f"Maven fetched other jars than {JAVA_LOCK} names:\n{found}\n"
                "If that is meant, make it anew: python tests/bench/peers/compare.py lock"
            )
        ready.touch()
    return target


def build(folder: Path) -> None:
    """Build the Kafka Streams program in a folder of its own."""
    maven, compiler = shutil.which("mvn"), shutil.which("javac")
    missing = [name for name, path in (("Maven (mvn)", maven), ("a JDK", compiler)) if not path]
    if maven is None or missing:
        raise Unavailable(
            f"there is no {' and no '.join(missing)} to build it with; it needs a JDK of 17 or "
            "newer and Maven (Debian and Ubuntu: apt install maven)"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(JAVA_PROJECT, folder)
    _run([maven, "--quiet", "--batch-mode", "--file", str(folder / "pom.xml"), "package"], "Maven")


def jars(target: Path) -> str:
    """The lines of the lock file, from what was built."""
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted((target / "lib").glob("*.jar"))
    )


def lock() -> None:
    """Make all lock files anew, as their pins say."""
    uv = str(Path(sys.executable).with_name("uv"))
    for name in PYTHON:
        # (Names without a folder: the lock file tells them.)
        resolve = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
        resolve += ["--generate-hashes", "--no-header", f"{name}.in"]
        _run([*resolve, "--output-file", f"{name}.lock"], name, cwd=LOCKS)
    folder = cache() / "lock"
    shutil.rmtree(folder, ignore_errors=True)
    build(folder)
    JAVA_LOCK.write_text(jars(folder / "target"))
    shutil.rmtree(folder)


def _run(command: list[str], what: str, cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{what}: {error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-12:]
        raise Unavailable(f"{what} failed ({done.returncode}):\n" + "\n".join(said))


def _sum(paths: Iterable[Path], more: str = "") -> str:
    found = hashlib.sha256(more.encode())
    for path in paths:
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]
