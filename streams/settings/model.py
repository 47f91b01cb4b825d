"""The settings in force: every field, checked against the others."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from streams.settings.checks import CrossCheckError, conflicts
from streams.settings.fields import Fields
from streams.settings.secret_values import PREFIX

__all__ = ["PREFIX", "Settings"]


class Settings(Fields):
    """The settings in force; each field `x` is `AUDIENCE_X` outside.

    Made directly it takes keywords first, then the environment; `load` is what reads `.env` and
    `--set` too and reports all that is wrong at once.
    """

    @model_validator(mode="after")
    def _agree(self) -> Self:
        problems = conflicts(self)
        if problems:
            raise CrossCheckError(problems)
        return self
