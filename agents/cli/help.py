"""Commands whose help ends with examples, line by line as they are typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Examples(click.Command):
    """Shows examples at the end of the help.

    Args:
        arguments: click's own.
        examples: one command line each.
        options: click's own.
    """

    def __init__(self, *arguments: Any, examples: Sequence[str] = (), **options: Any) -> None:
        self._examples = examples
        super().__init__(*arguments, **options)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each on its line however long it is."""
        super().format_epilog(ctx, formatter)
        if self._examples:
            with formatter.section("Examples"):
                for line in self._examples:
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")


class Command(_Examples):
    """A subcommand."""


class Group(_Examples, click.Group):
    """A command of subcommands."""
