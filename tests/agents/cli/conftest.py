import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import agents
from agents.cli import main
from streams.settings import Settings
from streams.settings.display import env_name

_MAIN = "from agents.cli import main; main(prog_name='live-audience')"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No setting comes from the environment or a file of this machine; logging stays as it is."""
    monkeypatch.chdir(tmp_path)
    for field in Settings.model_fields:
        monkeypatch.delenv(env_name(field), raising=False)
    monkeypatch.setattr("agents.logs.configure", lambda settings: None)


@pytest.fixture
def call():
    """Call the command within this process."""

    def invoke(*arguments):
        return CliRunner().invoke(main, arguments)

    return invoke


@pytest.fixture
def run(tmp_path):
    """Run the command as a process of its own."""
    root = str(Path(agents.__file__).parent.parent)

    def start(*arguments, **options):
        environment = {**os.environ, "PYTHONPATH": root, **options.pop("env", {})}
        return subprocess.run(
            [sys.executable, "-c", _MAIN, *arguments],
            check=False,
            capture_output=True,
            cwd=tmp_path,
            env=environment,
            timeout=60,
            **options,
        )

    return start
