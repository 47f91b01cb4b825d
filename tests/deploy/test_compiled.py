"""What a build makes: a wheel with compiled modules, or without, and what either says of itself."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MODULES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["modules"]
#: A folder without programs, so that no compiler is found and no installer.
NOTHING = {"PATH": "/nonexistent", "CC": "/nonexistent/cc", "UV": "/nonexistent/uv"}


def python(code, *arguments, **environment):
    """Run Python as a build does, in the project's folder."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "LIVE_AUDIENCE_BUILD": "", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )


def built(folder, **environment):
    """The wheel of a build, and what the build said."""
    done = python(
        "import sys, hatchling.build as b; b.build_wheel(sys.argv[1])", folder, **environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel, done.stderr


def installed(wheel, folder):
    """A new environment with the wheel; what it depends on is that of this one."""
    venv.create(folder, symlinks=True)
    packages = Path(
        sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)})
    )
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    return folder / "bin" / "python"


def says(interpreter, tmp_path, *arguments, **environment):
    """What `live-audience config` says of AUDIENCE_COMPILED, and where a module is from."""
    code = (
        "import sys; from agents.cli import main; main.main(['config', *sys.argv[1:]], "
        "standalone_mode=False); import streams.rfc3339; print(streams.rfc3339.__file__)"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AUDIENCE_", "PYTHON"))}
    done = subprocess.run(
        [interpreter, "-c", code, *arguments],
        cwd=tmp_path,
        env={**env, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    *lines, file = done.stdout.splitlines()
    (line,) = [line for line in lines if line.startswith("AUDIENCE_COMPILED=")]
    return line, Path(file)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A wheel with compiled modules: those of this environment, where none has changed since."""
    return built(tmp_path_factory.mktemp("compiled"), LIVE_AUDIENCE_BUILD="compiled")[0]


def test_the_wheel_holds_the_modules_and_their_source(compiled):
    names = set(zipfile.ZipFile(compiled).namelist())
    for module in MODULES:
        path = module.replace(".", "/")
        assert path + EXTENSION_SUFFIXES[0] in names
        assert names & {f"{path}.py", f"{path}.pyx"}
    # Nothing of another Python that was compiled in place.
    assert len([name for name in names if name.endswith((".so", ".pyd"))]) == len(MODULES)
    assert "none-any" not in compiled.name


def test_an_environment_with_the_wheel_is_compiled(compiled, tmp_path):
    interpreter = installed(compiled, tmp_path / "venv")
    line, file = says(interpreter, tmp_path)
    assert line == f"AUDIENCE_COMPILED=yes (default; compiled: {len(MODULES)} modules)"
    assert file.is_relative_to(tmp_path)
    assert file.name.endswith(EXTENSION_SUFFIXES[0])
    # As asked for: by the environment, by a file, by --set.
    no = "; pure: AUDIENCE_COMPILED=no)"
    line, file = says(interpreter, tmp_path, AUDIENCE_COMPILED="no")
    assert (line, file.name) == (f"AUDIENCE_COMPILED=no (environment{no}", "rfc3339.py")
    line, file = says(interpreter, tmp_path, "--set", "compiled=no")
    assert (line, file.name) == (f"AUDIENCE_COMPILED=no (--set{no}", "rfc3339.py")
    (tmp_path / ".env").write_text("AUDIENCE_COMPILED=no\n")
    line, file = says(interpreter, tmp_path)
    assert (line, file.name) == (f"AUDIENCE_COMPILED=no (.env{no}", "rfc3339.py")


def test_a_changed_source_is_what_runs(compiled, tmp_path):
    interpreter = installed(compiled, tmp_path / "venv")
    (there,) = (tmp_path / "venv").rglob("streams/audience/fold.py")
    there.write_text(there.read_text() + "\n# changed\n")
    line, file = says(interpreter, tmp_path)
    assert line.endswith(
        "pure: the source of streams.audience.fold has changed since it was compiled)"
    )
    assert file.name == "rfc3339.py"


@pytest.mark.skipif(os.name != "posix", reason="how a compiler is found elsewhere is setuptools'")
def test_without_a_compiler_it_installs_pure_and_says_so(tmp_path):
    # In a copy, for what is compiled here already would do.
    project = tmp_path / "project"
    project.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "streams", "agents", "deploy/compiled"):
        to = project / name
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, to, ignore=shutil.ignore_patterns("*.so", "compiled.*.json")
            )
        else:
            shutil.copy(ROOT / name, to)
    code = "import os, sys; os.chdir(sys.argv.pop(1)); import hatchling.build as b; "
    done = python(code + "b.build_wheel(sys.argv[1])", project, tmp_path, **NOTHING)
    assert done.returncode == 0, done.stderr
    why = "there is neither a C compiler nor the package ziglang"
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("live-audience:")]
    assert line == f"live-audience: without compiled modules, which does the same, slower: {why}"
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    line, file = says(installed(wheel, tmp_path / "venv"), tmp_path)
    assert line == f"AUDIENCE_COMPILED=yes (default; pure: {why})"
    assert file.name == "rfc3339.py"
    # Who must have compiled modules is told, and gets no wheel.
    asked = {**NOTHING, "LIVE_AUDIENCE_BUILD": "compiled"}
    done = python(code + "b.build_wheel(sys.argv[1])", project, tmp_path / "no", **asked)
    assert done.returncode != 0
    assert why in done.stderr
    assert not list(tmp_path.glob("no/*.whl"))


@pytest.mark.skipif(os.name != "posix", reason="how a compiler is found elsewhere is setuptools'")
def test_a_compiler_is_asked_for_where_there_is_none_and_one_is_to_be_had(tmp_path):
    code = "import hatchling.build as b; print(*b.get_requires_for_build_wheel())"
    assert python(code).stdout.split() == []
    # The real installer, which is told to look into a folder.
    uv = {**NOTHING, "UV": shutil.which("uv", path=Path(sys.executable).parent)}
    look = {**uv, "UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "cache")}
    look |= {"UV_FIND_LINKS": str(tmp_path), "UV_NO_CONFIG": "1"}
    assert python(code, **look).stdout.split() == []
    with zipfile.ZipFile(tmp_path / "ziglang-1-py3-none-any.whl", "w") as wheel:
        about = "Metadata-Version: 2.1\nName: ziglang\nVersion: 1\n"
        wheel.writestr("ziglang-1.dist-info/METADATA", about)
        wheel.writestr("ziglang-1.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("ziglang-1.dist-info/RECORD", "")
    assert python(code, **look).stdout.split() == ["ziglang"]
    assert python(code, **look, LIVE_AUDIENCE_BUILD="pure").stdout.split() == []


def test_a_wrong_choice_is_refused(tmp_path):
    done = python(
        "import sys, hatchling.build as b; b.build_wheel(sys.argv[1])",
        tmp_path,
        LIVE_AUDIENCE_BUILD="maybe",
    )
    assert done.returncode != 0
    assert "error: LIVE_AUDIENCE_BUILD=maybe: must be auto, compiled or pure" in done.stderr


def test_the_lock_has_what_builds():
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text()
        for requirement in PROJECT["build-system"]["requires"]:
            name = requirement.split(">")[0]
            assert f"\n{name}==" in text, f"{lock} lacks {name}"


def test_this_environment_is_as_its_record_says():
    record = json.loads((ROOT / "streams" / f"compiled{EXTENSION_SUFFIXES[0]}.json").read_text())
    assert set(record["modules"]) in (set(MODULES), set())
