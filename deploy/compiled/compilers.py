# ruff: noqa: INP001 - programs of the build, no package
"""The C compilers that there may be: the machine's own, else that of the package `ziglang`.

python deploy/compiled/compilers.py    ends with 1 if `ziglang` is what is missing
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

_POSIX = os.name == "posix"
_GLIBC = "2.17"
"""What the compiled modules ask of Linux where `ziglang` makes them: that of manylinux2014."""
SHARED = ["-shared"] if sys.platform != "darwin" else ["-bundle", "-undefined", "dynamic_lookup"]
"""How a compiler is told to link a module of Python."""
_PROGRAM = "#include <Python.h>\nint main(void) { return PY_MAJOR_VERSION == 0; }\n"


def system() -> list[str] | None:
    """The machine's own C compiler as Python was told of it, if it compiles what includes Python.

    On Windows it is left to setuptools to find Microsoft's, and an empty list says so.
    """
    if not _POSIX:
        return []
    for each in (_pythons(), ["cc"]):
        if shutil.which(each[0]) and _compiles(each):
            return each
    return None


def is_pythons(command: list[str]) -> bool:
    """Whether a command of `system` is the one that setuptools takes by itself."""
    return command in ([], _pythons())


def _pythons() -> list[str]:
    return shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")


def has_headers() -> bool:
    """Whether Python's headers are there, without which nothing can be compiled for it."""
    return (Path(sysconfig.get_path("include")) / "Python.h").is_file()


def zig() -> list[str] | None:
    """The compiler of the package `ziglang`, where that is installed and can compile for here."""
    target = _target()
    if target is None or importlib.util.find_spec("ziglang") is None:
        return None
    # Else it compiles for the processor and the C library that it finds here.
    command = [sys.executable, "-m", "ziglang", "cc", "-target", target, "-mcpu=baseline"]
    return command if _compiles(command) else None


def zig_would_do() -> bool:
    """Whether `ziglang` is what is missing: there is one for here, and all else is here."""
    return _target() is not None and has_headers()


def zig_is_obtainable() -> bool:
    """Whether pip or uv, whichever builds, finds `ziglang` where it is set up to look.

    A requirement that is not to be had would fail the installation, which does well without.
    """
    if uv := os.environ.get("UV") or shutil.which("uv"):
        command, asked = [uv, "pip", "compile", "--quiet", "--no-deps", "-"], "ziglang\n"
    else:
        # Isolated from the build's own environment, which has no pip.
        command, asked = [sys.executable, "-I", "-m", "pip", "index", "versions", "ziglang"], ""
    try:
        done = subprocess.run(  # noqa: S603 - it asks the installer that is at work
            command, input=asked, capture_output=True, text=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _target() -> str | None:
    machine = platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    if machine not in {"x86_64", "aarch64"}:
        return None
    if sys.platform == "linux":
        is_musl = "musl" in str(sysconfig.get_config_var("SOABI"))
        return f"{machine}-linux-musl" if is_musl else f"{machine}-linux-gnu.{_GLIBC}"
    return f"{machine}-macos" if sys.platform == "darwin" else None


def _compiles(command: list[str]) -> bool:
    include = f"-I{sysconfig.get_path('include')}"
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "program.c"
        program.write_text(_PROGRAM)
        try:
            done = subprocess.run(  # noqa: S603 - the compiler that is asked about
                [*command, include, "-c", str(program), "-o", str(program.with_suffix(".o"))],
                capture_output=True,
                check=False,
                timeout=120,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(system() is None and zig() is None and zig_would_do())
