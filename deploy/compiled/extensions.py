# ruff: noqa: INP001 - programs of the build, no package
"""Compiles the modules that pyproject.toml names, from their Python source, by Cython.

    python deploy/compiled/extensions.py            beside their source, what has changed since
    python deploy/compiled/extensions.py --again    all of them

`streams/compiled.py` tells at run time whether they are used. README.md, beside this file, says how
a module is added.

LIVE_AUDIENCE_BUILD says what is made: `auto`, the default, is compiled where that is possible and
else pure; `compiled` fails where it is not; `pure` compiles nothing.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
sys.path.insert(0, str(HERE))

import compilers  # noqa: E402 - beside this file, wherever it is called from

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CHOICE: Final = "LIVE_AUDIENCE_BUILD"
DIRECTIVES: Final = {
    # Annotations are for people and mypy; what is a number of C is said in a .pxd beside.
    "annotation_typing": False,
    "language_level": 3,
}


class CannotCompileError(Exception):
    """There is no way to compile here; the message says in a few words what is missing."""


def _runtime() -> Any:
    """`streams.compiled`, without the package around it: nothing is installed yet."""
    path = ROOT / "streams" / "compiled.py"
    spec = importlib.util.spec_from_file_location("live_audience_compiled", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


runtime: Final = _runtime()


def modules() -> list[str]:
    """The names of the modules to compile."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    hooks = project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]
    return sorted(hooks["custom"]["modules"])


def choice() -> str:
    """What LIVE_AUDIENCE_BUILD asks for."""
    asked = os.environ.get(CHOICE, "").lower() or "auto"
    if asked not in {"auto", "compiled", "pure"}:
        raise SystemExit(f"error: {CHOICE}={asked}: must be auto, compiled or pure")
    return asked


def make(into: Path, *, again: bool = False) -> dict[str, Any]:
    """Compile into a folder, beside their packages, all that is not there yet.

    Args:
        into: The folder; each module lies in it as in the project's.
        again: Compile also what is there already.

    Returns:
        What `streams.compiled` reads: `modules`, and `reason` where there are none. It is written
        to `into`, too.
    """
    names = modules()
    record_at = into / runtime.RECORD.relative_to(ROOT)
    digests = {name: runtime.digest(ROOT, name, names) for name in names}
    record: dict[str, Any]
    try:
        if choice() == "pure":
            raise CannotCompileError(f"{CHOICE}=pure")  # noqa: TRY301 - one way out for all of them
        cython = _version("cython")
        _version("setuptools")
        # What lies beside the source is as good for a wheel of the same Python.
        had = set() if again else _there(digests, cython)
        if wanted := [name for name in names if name not in had]:
            compiler = _compiler()
            # Until all are there again, none of them is what the record says.
            record_at.unlink(missing_ok=True)
            _compile(wanted, into, compiler)
        if into != ROOT:
            for name in had:
                to = runtime.compiled_file(into, name)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(runtime.compiled_file(ROOT, name), to)
        record = {"modules": digests, "cython": cython}
    except CannotCompileError as error:
        if choice() == "compiled":
            raise
        record = {"modules": {}, "reason": str(error)}
        for name in names:  # or Python would take them, whatever the record says
            runtime.compiled_file(into, name).unlink(missing_ok=True)
        _say(f"without compiled modules, which does the same, slower: {error}")
    record_at.parent.mkdir(parents=True, exist_ok=True)
    record_at.write_text(json.dumps(record, indent=1) + "\n")
    return record


def _there(digests: Mapping[str, str], cython: str) -> set[str]:
    """The names of those that lie beside their source, compiled of just that by this Cython."""
    try:
        record = json.loads(runtime.RECORD.read_bytes())
    except (OSError, ValueError):
        return set()
    if record.get("cython") != cython:
        return set()
    return {
        name
        for name, compiled_of in digests.items()
        if record["modules"].get(name) == compiled_of
        and runtime.compiled_file(ROOT, name).is_file()
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise CannotCompileError(f"the package {package} is not installed") from None


def _compiler() -> list[str]:
    """The C compiler, empty where setuptools finds it by itself."""
    if (command := compilers.system()) is not None:
        return [] if compilers.is_pythons(command) else command
    if command := compilers.zig():
        return command
    if not compilers.has_headers():
        raise CannotCompileError("this Python is without its headers (Python.h)")
    raise CannotCompileError("there is neither a C compiler nor the package ziglang")


def _compile(names: Iterable[str], into: Path, compiler: list[str]) -> None:
    # What needs no compiling needs neither of them.
    from Cython.Build import cythonize  # noqa: PLC0415 - see above
    from Cython.Compiler.Errors import CompileError  # noqa: PLC0415 - see above
    from setuptools import Distribution, Extension  # noqa: PLC0415 - see above
    from setuptools.command.build_ext import build_ext  # noqa: PLC0415 - see above
    from setuptools.errors import BaseError, CCompilerError  # noqa: PLC0415 - see above

    class Build(build_ext):  # type: ignore[misc]  # it has no types
        def build_extensions(self) -> None:
            if compiler:
                self.compiler.set_executables(
                    compiler_so=[*compiler, "-O2", "-fPIC", "-fwrapv", "-DNDEBUG"],
                    linker_so=[*compiler, *compilers.SHARED],
                )
            super().build_extensions()

    # No debug information: it is four fifths of the size.
    flags = [] if sys.platform == "win32" else ["-O2", "-g0"]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(ROOT):
        sources = [
            Extension(
                name,
                [str(runtime.source(Path(), name))],
                extra_compile_args=flags,
            )
            for name in names
        ]
        try:
            extensions = cythonize(
                sources,
                build_dir=f"{folder}/c",
                compiler_directives=DIRECTIVES,
                include_path=["."],
                quiet=True,
            )
            command = Build(Distribution({"name": "live-audience", "ext_modules": extensions}))
            command.build_temp = f"{folder}/objects"
            command.build_lib = f"{folder}/made"
            command.parallel = os.cpu_count() or 1
            command.ensure_finalized()
            command.run()
        except (CompileError, CCompilerError, BaseError, OSError) as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise CannotCompileError(f"compiling failed ({lines[-1]})") from error
        for name in names:
            made = runtime.compiled_file(Path(folder) / "made", name)
            to = runtime.compiled_file(into, name)
            to.parent.mkdir(parents=True, exist_ok=True)
            # A process that has the old one loaded keeps it.
            to.unlink(missing_ok=True)
            shutil.move(made, to)


def _say(text: str) -> None:
    print(f"live-audience: {text}", file=sys.stderr)  # noqa: T201 - it is what a build says


def main() -> None:
    """Compile in place."""
    again = sys.argv[1:] == ["--again"]
    if sys.argv[1:] and not again:
        raise SystemExit(__doc__)
    try:
        make(ROOT, again=again)
    except CannotCompileError as error:
        raise SystemExit(f"error: {error}") from error


if __name__ == "__main__":
    main()
