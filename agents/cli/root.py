"""The command itself: finds the subcommands, and shows what went wrong in one line."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any, Final

import click

from agents.cli.help import Group
from agents.cli.settings import set_option
from streams.errors import LiveAudienceError

# Imported when called, so that `--version` and a wrong name answer at once.
_COMMANDS: Final = {
    "acls": "agents.cli.acls",
    "broker": "agents.cli.broker",
    "config": "agents.cli.config",
    "correct": "agents.cli.correct",
    "demo": "agents.cli.demo",
    "gateway": "agents.cli.gateway",
    "password": "agents.cli.password",
    "rejected": "agents.cli.rejected",
    "replay": "agents.cli.replay",
    "state": "agents.cli.state",
    "summaries": "agents.cli.summaries",
    "top": "agents.cli.top",
    "topics": "agents.cli.topics",
    "worker": "agents.cli.worker",
}


class _ShownError(click.ClickException):
    """An expected error, shown as its message alone."""

    def __init__(self, error: LiveAudienceError) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code


class Root(Group):
    """The group of all subcommands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order in which help lists them."""
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of a name, None if there is none."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(_COMMANDS[cmd_name]).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; defects keep their stack trace, expected errors have none."""
        try:
            return super().invoke(ctx)
        except LiveAudienceError as error:
            raise _ShownError(error) from error


def _version() -> str:
    try:
        return importlib.metadata.version("live-audience")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


@click.group(
    cls=Root,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    examples=[
        "live-audience broker",
        "live-audience topics create",
        "live-audience worker",
        "live-audience replay events.jsonl --now",
    ],
)
@set_option
@click.version_option(_version(), prog_name="live-audience")
def main() -> None:
    """How many people are watching live broadcasts, right now and in all.

    Settings come from the environment (AUDIENCE_...), a file .env in the current folder, or --set,
    here or after the subcommand; `live-audience config` shows them all.

    Exit codes: 0 done, 1 failed, 2 misuse (a wrong option or setting).
    """
