# ruff: noqa: INP001 - programs of the build, no package
"""Hatchling's hook: compiled modules in the wheel, or beside the source of an editable install."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))

# Beside this file, wherever it is called from.
import compilers
import extensions


class CustomBuildHook(BuildHookInterface[Any]):
    """See the interface; hatchling looks for a class of this name or any other of its kind."""

    def dependencies(self) -> list[str]:
        """What is needed too: a compiler, where there is none and one is to be had."""
        if extensions.choice() == "pure" or compilers.system() is not None:
            return []
        return ["ziglang"] if compilers.zig_would_do() and compilers.zig_is_obtainable() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the files of the wheel are gathered."""
        if version == "editable":
            extensions.make(extensions.ROOT)
            return
        self._folder = tempfile.TemporaryDirectory()
        into = Path(self._folder.name)
        record = extensions.make(into)
        if record["modules"]:
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
        for path in into.rglob("*.*"):
            build_data["force_include"][str(path)] = path.relative_to(into).as_posix()

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Take away what was compiled, for the wheel has it."""
        del build_data, artifact_path
        if version != "editable":
            self._folder.cleanup()
