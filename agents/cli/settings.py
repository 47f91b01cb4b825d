"""How subcommands come by their settings."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import click

from agents import logs
from streams import compiled
from streams.settings import Loaded, Settings, load

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_F = TypeVar("_F", bound="Callable[..., None]")


def _remember(ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> None:
    # One list for the whole command: what is given after the subcommand comes later, and wins.
    ctx.ensure_object(list).extend(values)


def set_option(function: _F) -> _F:
    """Add `--set NAME=VALUE`, which stands at the command and at each subcommand."""
    return click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="NAME=VALUE",
        expose_value=False,
        callback=_remember,
        help="A setting, e.g. AUDIENCE_LATENESS=5m; may be given again for others.",
    )(function)


def loaded(ctx: click.Context) -> Loaded:
    """The settings of this call; tells of what is doubtful about them on standard error.

    Raises:
        SettingsError: one or more are wrong.
    """
    found = load(ctx.ensure_object(list))
    compiled.choose(compiled=found.settings.compiled == "yes")
    for warning in found.warnings:
        click.secho(f"Warning: {warning}", err=True, fg="yellow")
    return found


def with_settings(function: Callable[Concatenate[Settings, _P], None]) -> Callable[_P, None]:
    """Make a subcommand's function of one that takes the settings first.

    For commands that come to an end: their libraries log only what is wrong, unless
    AUDIENCE_LOG_LEVEL was set. Services configure their logging themselves.
    """

    @set_option
    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> None:
        found = loaded(click.get_current_context())
        unset = found.origins["log_level"] == "default"
        logs.configure(
            found.settings.model_copy(update={"log_level": "warning"}) if unset else found.settings
        )
        function(found.settings, *args, **kwargs)

    return call
