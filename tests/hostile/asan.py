"""Runs what fuzzes compiled codecs with these built for AddressSanitizer (gcc or clang, Linux).

    python tests/hostile/asan.py                        10 million values
    python tests/hostile/asan.py 20000 --seed 7         so many, the same each time

It ends with 1 when the sanitizers find an access out of bounds, or what C leaves undefined. What it
builds lies in a folder of its own and is used here alone. Objects are allocated one by one
(PYTHONMALLOC=malloc), so that nothing lies behind a value that may be read by mistake.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODECS = ROOT / "streams" / "codecs"
FLAGS = (
    "-g1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined", "-fwrapv", "-fPIC", "-shared",
)  # fmt: skip


class MissingError(Exception):
    """What is needed is not there; the message says what, and what to do."""


def compiler():
    """The C compiler, and its AddressSanitizer's library, which must be loaded first."""
    command = shlex.split(os.environ.get("CC", "cc"))
    if shutil.which(command[0]) is None:
        raise MissingError(f"there is no C compiler {command[0]!r}: apt install gcc, or set CC")
    found = subprocess.run(
        [*command, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    )
    library = Path(found.stdout.strip())
    if not library.is_absolute():
        raise MissingError(f"{command[0]} has no AddressSanitizer (libasan.so): CC=gcc may have")
    return command, library


def build(folder, level="-O1"):
    """Build all codecs into a folder, so far optimised; return the sanitizer's library."""
    command, library = compiler()
    include = sysconfig.get_path("include")
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    for source in sorted(CODECS.glob("*.pyx")):
        name = f"streams.codecs.{source.stem}"
        written = folder / f"{source.stem}.c"
        subprocess.run(
            [
                *(sys.executable, "-m", "cython", "-3", "--module-name", name),
                *(str(source), "-o", str(written)),
            ],
            check=True,
            cwd=ROOT,
        )
        subprocess.run(
            [
                *(*command, *FLAGS, level, f"-I{include}", str(written)),
                *("-o", f"{folder / source.stem}{suffix}"),
            ],
            check=True,
        )
    return library


def run(folder, library, count, seed="1"):
    """Run the fuzzing over what was built; return its exit code."""
    program = (
        "import sys, runpy, streams.codecs as ours; ours.__path__.insert(0, sys.argv.pop(1)); "
        "from streams.codecs import scanner; "
        "assert scanner.__file__.startswith(ours.__path__[0]); "
        "del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    script = ROOT / "tests" / "hostile" / "scanning.py"
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        # Python itself keeps what it allocates; who allocated is not worth a walk of the stack.
        "ASAN_OPTIONS": "detect_leaks=0:malloc_context_size=0:quarantine_size_mb=8",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", program, str(folder), str(script), str(count), "--seed", seed]
    return subprocess.run(command, env=environment, check=False).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        try:
            library = build(Path(folder))
        except MissingError as error:
            raise SystemExit(f"error: {error}") from None
        raise SystemExit(run(folder, library, given.count, str(given.seed)))


if __name__ == "__main__":
    main()
