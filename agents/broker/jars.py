"""The jars of Apache Kafka: which they are, where they come from, and that they are the right ones.

`kafka.lock` names every jar with its SHA-256 sum. What the local Maven repository lacks is fetched
by jgo, which also takes its settings for mirrors from the user's configuration. A jar is checked
before it is moved into the repository, so a broken download never stays, and several processes may
fetch at once. Every jar is checked again at each start: 46 of them, 44 MB, take 0.1 s.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import stamina

from agents.broker.errors import JarError, RuntimeMissingError

#: Told of long work: what is being done, how much of it is done, and how much there is in all.
Progress = Callable[[str, int, int], None]

LOCK: Final = Path(__file__).with_name("kafka.lock")
_DOWNLOADS: Final = 4  # at once: more are no faster and less polite
_TIMEOUT: Final = 60  # seconds without an answer


@dataclass(frozen=True, slots=True)
class Jar:
    """One jar by its Maven coordinate, and the SHA-256 sum of its bytes in hexadecimal."""

    group: str
    name: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """`group:name:version`, as Maven writes it."""
        return f"{self.group}:{self.name}:{self.version}"

    @property
    def path(self) -> Path:
        """Where it lies inside a Maven repository."""
        folder = Path(*self.group.split("."), self.name, self.version)
        return folder / f"{self.name}-{self.version}.jar"


def no_progress(what: str, done: int, of: int) -> None:
    """Tell nobody."""


def sha256(path: Path) -> str:
    """Sum the bytes of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_lock(path: Path = LOCK) -> list[Jar]:
    """Read a lock file: a line for each jar, its sum and its coordinate; `#` begins a comment."""
    jars = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            digest, coordinate = line.split()
            group, name, version = coordinate.split(":")
            jars.append(Jar(group, name, version, digest))
    return jars


def kafka_version() -> str:
    """The version of Apache Kafka that is locked."""
    return next(jar.version for jar in read_lock() if jar.group == "org.apache.kafka")


def repository() -> tuple[Path, dict[str, str]]:
    """The local Maven repository, and the remote ones by name, as the user has configured jgo.

    Raises:
        RuntimeMissingError: jgo is not installed.
    """
    try:
        from jgo.config import GlobalSettings  # noqa: PLC0415 - belongs to an optional extra
        from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415 - the same
    except ImportError as error:
        raise RuntimeMissingError("the package jgo, which fetches its jars, is missing") from error
    settings = GlobalSettings.load()
    return Path(settings.repo_cache), {"central": MAVEN_CENTRAL_URL, **settings.repositories}


def class_path(progress: Progress = no_progress, *, lock: Path = LOCK) -> list[Path]:
    """Every jar of the lock file on this machine, fetched where it is missing, and checked.

    Raises:
        JarError: one could not be fetched, or is not the locked one; the message names it.
        RuntimeMissingError: jgo is not installed.
    """
    local, remotes = repository()
    jars = read_lock(lock)
    missing = [jar for jar in jars if not (local / jar.path).exists()]
    if missing:
        _fetch(missing, local, remotes, progress, len(jars))
    for jar in jars:
        _check(jar, local / jar.path)
    return [local / jar.path for jar in jars]


def _fetch(
    missing: list[Jar], local: Path, remotes: dict[str, str], progress: Progress, total: int
) -> None:
    done = total - len(missing)
    what = "fetching the jars of Apache Kafka"
    progress(what, done, total)
    local.mkdir(parents=True, exist_ok=True)
    with (
        # Inside the repository, so that moving a jar there is one step that cannot be half done.
        tempfile.TemporaryDirectory(prefix=".live-audience-", dir=local) as folder,
        ThreadPoolExecutor(_DOWNLOADS) as pool,
    ):
        downloads = [pool.submit(_download, jar, Path(folder), local, remotes) for jar in missing]
        try:
            for download in as_completed(downloads):
                download.result()
                done += 1
                progress(what, done, total)
        finally:
            pool.shutdown(cancel_futures=True)


def _download(jar: Jar, folder: Path, local: Path, remotes: dict[str, str]) -> None:
    from jgo.maven import MavenContext  # noqa: PLC0415 - belongs to an optional extra

    context = MavenContext(repo_cache=folder, remote_repos=remotes, timeout=_TIMEOUT)
    artifact = context.project(jar.group, jar.name).at_version(jar.version).artifact()
    try:
        fetched = _resolve(artifact)
    except (OSError, RuntimeError) as error:
        raise JarError(f"The jar {jar.coordinate} could not be fetched: {error}") from error
    _check(jar, fetched)
    target = local / jar.path
    target.parent.mkdir(parents=True, exist_ok=True)
    fetched.replace(target)


# jgo says RuntimeError for every answer but 200, a repository that is busy for a moment included.
@stamina.retry(on=(OSError, RuntimeError), attempts=3)
def _resolve(artifact: Any) -> Path:
    # What an earlier attempt left is a part of the jar, which jgo would take for the whole.
    artifact.cached_path.unlink(missing_ok=True)
    return Path(artifact.resolve())


def _check(jar: Jar, path: Path) -> None:
    found = sha256(path)
    if found != jar.sha256:
        raise JarError(
            f"The jar {jar.coordinate} is not the one that {LOCK.name} names: {path} has the "
            f"SHA-256 sum {found}, expected was {jar.sha256}. If it is left from a broken "
            "download, delete it, and it is fetched again."
        )
