"""Which of the two forms of the arithmetic runs: its modules compiled, or the source beside them.

Whoever installs from source where there is a C compiler has, beside the `.py` of some modules, the
same compiled, and a record that says of what it was compiled (`deploy/compiled` writes both).
Python takes the compiled one by itself. Here is decided when it must not: AUDIENCE_COMPILED=no, or
a source that has changed since. It is all of them or none, for compiled modules may call each other
in ways that source cannot.

Both forms compute the same, to the byte. A module that there is only compiled, with a slower way
beside it, is imported where `status().compiled` says so, and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

SETTING: Final = "AUDIENCE_COMPILED"
SUFFIX: Final = EXTENSION_SUFFIXES[0] if EXTENSION_SUFFIXES else ".none"
"""How the names of compiled modules end that are for this Python and this machine."""
RECORD: Final = Path(__file__).with_name(f"compiled{SUFFIX}.json")
"""What was compiled for this Python: `modules`, by name the SHA-256 sum of what each was compiled
of, and where there are none `reason`."""
_ROOT: Final = Path(__file__).parents[1]

_wanted: bool | None = None


class Status(NamedTuple):
    """Which form is in force.

    Attributes:
        compiled: Whether it is the compiled one.
        text: The same for people, with the reason why it is not.
    """

    compiled: bool
    text: str

    @property
    def build(self) -> str:
        """`compiled` or `pure`, as `audience_build_info` tells it."""
        return "compiled" if self.compiled else "pure"


def choose(*, compiled: bool) -> None:
    """Say which form is wanted, instead of the environment.

    It holds from before the first of the modules is imported; later it changes nothing, for a
    process has one form of them. `live-audience worker` and `config` are in time.
    """
    global _wanted  # noqa: PLW0603 - one choice holds for the process, as imports do
    if not _modules().keys() & sys.modules.keys():
        _wanted = compiled
        status.cache_clear()


@cache
def status() -> Status:
    """Which form is in force, for all of the modules, whether they are imported yet or not."""
    wanted = _wanted
    if wanted is None:
        wanted = os.environ.get(SETTING, "").lower() != "no"
    if not wanted:
        return Status(compiled=False, text=f"pure: {SETTING}=no")
    modules = _modules()
    if not modules:
        return Status(compiled=False, text=f"pure: {_record().get('reason', 'not compiled')}")
    for name, compiled_of in modules.items():
        if not compiled_file(_ROOT, name).is_file():
            return Status(compiled=False, text=f"pure: the compiled {name} is not there")
        if digest(_ROOT, name, modules) != compiled_of:
            return Status(
                compiled=False,
                text=f"pure: the source of {name} has changed since it was compiled",
            )
    from streams import struct_layout  # noqa: PLC0415  # needs what a build has not installed yet

    if (found := struct_layout.mismatch()) is not None:
        return Status(compiled=False, text=f"pure: {found} in memory, with this Python and msgspec")
    return Status(compiled=True, text=f"compiled: {len(modules)} modules")


def digest(root: Path, name: str, modules: Iterable[str]) -> str:
    """The SHA-256 sum of all that a module is compiled of.

    Args:
        root: The folder with the packages.
        name: The module.
        modules: All that are compiled: one may use the declarations (`.pxd`) beside them.
    """
    folders = {source(root, each).parent for each in modules}
    declared = sorted(path for folder in folders for path in folder.glob("*.pxd"))
    found = hashlib.sha256()
    for path in (source(root, name), *declared):
        # However a checkout ends its lines.
        found.update(path.read_bytes().replace(b"\r\n", b"\n"))
        found.update(b"\0")
    return found.hexdigest()


def source(root: Path, name: str) -> Path:
    """The source of a module: `.py`, or `.pyx` where there is no form but the compiled one."""
    path = root.joinpath(*name.split("."))
    only_compiled = path.with_suffix(".pyx")
    return only_compiled if only_compiled.is_file() else path.with_suffix(".py")


def compiled_file(root: Path, name: str) -> Path:
    """Where the compiled form of a module lies."""
    path = source(root, name)
    return path.with_name(path.stem + SUFFIX)


def _record() -> dict[str, object]:
    try:
        found = json.loads(RECORD.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@cache
def _modules() -> dict[str, str]:
    """By name, what each compiled module was compiled of."""
    modules = _record().get("modules")
    return dict(modules) if isinstance(modules, dict) else {}


class _Finder:
    """Finds the source of a compiled module where the compiled form is not in force."""

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder` says; None leaves it to the finders after this one."""
        del path, target
        if name not in _modules() or status().compiled:
            return None
        if (found := source(_ROOT, name)).suffix != ".py":
            raise ModuleNotFoundError(f"{name} is not in force ({status().text})", name=name)
        return spec_from_file_location(name, found)


def install() -> None:
    """See to it, once, that imports follow `status`: whoever imports `streams` or `agents` does."""
    if not any(isinstance(each, _Finder) for each in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
