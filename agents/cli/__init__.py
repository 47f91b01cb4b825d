"""The command `live-audience`: one module a subcommand."""

from __future__ import annotations

from agents.cli.root import main

__all__ = ["main"]
