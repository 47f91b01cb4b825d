"""Reads the settings from where they come from, and tells all that is wrong with them at once."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError

from streams.errors import SettingsError
from streams.settings.allowed import allowed
from streams.settings.checks import CrossCheckError, find_warnings
from streams.settings.model import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.settings.conflict import Conflict

DEFAULT: Final = "default"
_NEAR: Final = 0.6


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and what there is to say of them.

    Attributes:
        settings: the settings in force.
        origins: for each field, where its value is from: `default`, `environment`, `--set`, or the
            name of the file.
        warnings: one line each: names that mean nothing, values that are seldom meant.
    """

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[str, ...]


def load(assignments: Iterable[str] = (), env_file: Path | None = Path(".env")) -> Loaded:
    """Read and check the settings.

    Args:
        assignments: `NAME=VALUE` each, as given to `--set`: they win over the environment, and the
            environment over the file. The prefix may be left out; an empty value asks for the
            default. Elsewhere an empty value is the same as none.
        env_file: read if it is there.

    Raises:
        SettingsError: with every wrong setting.
    """
    problems: list[str] = []
    warnings: list[str] = []
    given, origins = _assigned(assignments, problems)
    for source, values in (("environment", os.environ), (str(env_file), _in_file(env_file))):
        for name, text in values.items():
            field = _field(name)
            if field is None:
                if name.upper().startswith(PREFIX):
                    warnings.append(f"{name} ({source}) is no setting{_nearest(name)}")
            elif text and field not in given:
                given[field] = text
                origins[field] = source
    settings, found = _made(given)
    problems.extend(found)
    if settings is None or problems:
        raise SettingsError(problems)
    warnings.extend(warning.text for warning in find_warnings(settings))
    fields = Settings.model_fields
    return Loaded(
        settings, {name: origins.get(name, DEFAULT) for name in fields}, tuple(sorted(warnings))
    )


def _in_file(env_file: Path | None) -> Mapping[str, str | None]:
    if env_file is None or not env_file.is_file():
        return {}
    try:
        return dotenv_values(env_file, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{env_file}: {error}"]) from error


def _assigned(
    assignments: Iterable[str], problems: list[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    given: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        field = _field(name.strip()) or _field(PREFIX + name.strip())
        if not equals:
            # (Of what stands behind the name nobody knows whether it is secret.)
            shown = re.match(r"\w*", assignment)
            problems.append(f"--set {shown and shown[0]}: must be NAME=VALUE")
        elif field is None:
            problems.append(f"--set {name}: is no setting{_nearest(name)}")
        else:
            given[field] = text or _default(field)
    return given, dict.fromkeys(given, "--set")


def _default(field: str) -> Any:
    return Settings.model_fields[field].get_default(call_default_factory=True)


def _field(name: str) -> str | None:
    """The field that an outside name stands for, whatever its case."""
    if not name.upper().startswith(PREFIX):
        return None
    field = name[len(PREFIX) :].lower()
    return field if field in Settings.model_fields else None


def _nearest(name: str) -> str:
    bare = name.upper().removeprefix(PREFIX)
    known = [field.upper() for field in Settings.model_fields]
    near = difflib.get_close_matches(bare, known, n=1, cutoff=_NEAR)
    return f"; did you mean {PREFIX}{near[0]}?" if near else ""


def _made(given: Mapping[str, Any]) -> tuple[Settings | None, list[str]]:
    """The settings, or what is wrong with the single ones and with what is left of them."""
    try:
        return Settings(**given), []
    except ValidationError as error:
        conflicts = _conflicts(error)
        if conflicts:
            return None, [conflict.text for conflict in conflicts]
        wrong = {str(details["loc"][0]): details for details in error.errors()}
        problems = [_problem(field, given[field], details) for field, details in wrong.items()]
    # What does not fit together among the others is told in the same breath: the wrong ones stand
    # aside at their defaults, and nothing is said of those.
    try:
        Settings(**{**given, **{field: _default(field) for field in wrong}})
    except ValidationError as error:
        problems.extend(
            conflict.text for conflict in _conflicts(error) if not set(conflict.names) & set(wrong)
        )
    return None, problems


def _conflicts(error: ValidationError) -> tuple[Conflict, ...]:
    for details in error.errors():
        cause = details.get("ctx", {}).get("error")
        if isinstance(cause, CrossCheckError):
            return cause.conflicts
    return ()


def _problem(field: str, value: Any, details: Any) -> str:
    reason = str(details.get("ctx", {}).get("error", ""))
    # "not a duration" says no more than what is allowed; a reason that points at a part does.
    detail = f" ({reason})" if reason and not reason.startswith("not ") else ""
    shown = "***" if is_secret(field) else value
    return f"{PREFIX}{field.upper()}={shown}: must be {allowed(field)}{detail}"


def is_secret(field: str) -> bool:
    """Whether the field's value is never to be shown."""
    return Settings.model_fields[field].annotation is SecretStr
