"""`live-audience password`: the hash of a password, for the settings."""

from __future__ import annotations

import sys

import click

from agents.cli.help import Command
from agents.serving.web.passwords import hash_password

#: Shorter ones are guessed.
_SHORTEST = 12


@click.command(
    "password",
    cls=Command,
    examples=["live-audience password", "pwgen 20 1 | tee secret | live-audience password"],
)
def command() -> None:
    """Print AUDIENCE_HTTP_PASSWORD_HASH for a password that is typed, or read from the input.

    With it and AUDIENCE_HTTP_USER, people log in to look at the figures. The password itself is
    kept nowhere.
    """
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < _SHORTEST:
        raise click.UsageError(f"the password must have at least {_SHORTEST} characters")
    click.echo(f"AUDIENCE_HTTP_PASSWORD_HASH={hash_password(password)}")
