"""What settings must have in common: each may be right by itself and wrong beside another."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streams.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from streams.settings.model import Settings


@dataclass(frozen=True, slots=True)
class Conflict:
    """Settings that do not go together.

    Attributes:
        names: the fields of `Settings` that it is about, the one to change first.
        text: what is wrong and what would be right, for people.
    """

    names: tuple[str, ...]
    text: str


class CrossCheckError(ValueError):
    """Carries the conflicts through pydantic, which wants a ValueError."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        self.conflicts = tuple(conflicts)
        super().__init__("; ".join(conflict.text for conflict in conflicts))


def conflicts(settings: Settings) -> list[Conflict]:
    """What cannot work."""
    return [*_time_conflicts(settings), *_security_conflicts(settings)]


def doubts(settings: Settings) -> list[Conflict]:
    """What works, but seldom as it was meant."""
    return [*_time_doubts(settings), *_security_doubts(settings)]


def _time_conflicts(settings: Settings) -> Iterator[Conflict]:
    if settings.rebalance_timeout <= settings.session_timeout:
        yield Conflict(
            ("rebalance_timeout", "session_timeout"),
            f"AUDIENCE_REBALANCE_TIMEOUT={format_duration(settings.rebalance_timeout)}: must be "
            f"longer than AUDIENCE_SESSION_TIMEOUT ({format_duration(settings.session_timeout)})",
        )
    if settings.tombstone <= settings.retention:
        yield Conflict(
            ("tombstone", "retention"),
            f"AUDIENCE_TOMBSTONE={format_duration(settings.tombstone)}: must be longer than "
            f"AUDIENCE_RETENTION ({format_duration(settings.retention)}), else an old event that "
            "is sent again starts its broadcast anew",
        )
    if settings.drain >= settings.rebalance_timeout:
        yield Conflict(
            ("drain", "rebalance_timeout"),
            f"AUDIENCE_DRAIN={format_duration(settings.drain)}: must be shorter than "
            f"AUDIENCE_REBALANCE_TIMEOUT ({format_duration(settings.rebalance_timeout)}), else the "
            "group goes on without a worker that is still draining",
        )
    if settings.deadline > settings.transaction_timeout:
        yield Conflict(
            ("deadline", "transaction_timeout"),
            f"AUDIENCE_DEADLINE={format_duration(settings.deadline)}: must be no longer than "
            f"AUDIENCE_TRANSACTION_TIMEOUT ({format_duration(settings.transaction_timeout)}), at "
            "which the broker aborts what is still being written",
        )


def _security_conflicts(settings: Settings) -> Iterator[Conflict]:
    if settings.security.startswith("SASL"):
        if not settings.security_user:
            yield Conflict(
                ("security_user", "security"),
                f"AUDIENCE_SECURITY_USER is empty: {settings.security} needs a user",
            )
        if not settings.security_password.get_secret_value() and (
            settings.security_password_file is None
        ):
            yield Conflict(
                ("security_password", "security_password_file", "security"),
                "AUDIENCE_SECURITY_PASSWORD is empty: "
                f"{settings.security} needs it or AUDIENCE_SECURITY_PASSWORD_FILE",
            )
    if settings.security_password.get_secret_value() and settings.security_password_file:
        yield Conflict(
            ("security_password_file", "security_password"),
            "AUDIENCE_SECURITY_PASSWORD_FILE and AUDIENCE_SECURITY_PASSWORD: give one of them",
        )
    if settings.security_key and not settings.security_certificate:
        yield Conflict(
            ("security_certificate", "security_key"),
            "AUDIENCE_SECURITY_CERTIFICATE is empty: AUDIENCE_SECURITY_KEY is the key of which?",
        )
    for name in (
        "security_password_file",
        "security_ca",
        "security_certificate",
        "security_key",
    ):
        path: Path | None = getattr(settings, name)
        if path is not None and not (path.is_file() and os.access(path, os.R_OK)):
            yield Conflict(
                (name,), f"AUDIENCE_{name.upper()}={path}: must be a file that can be read"
            )


def _time_doubts(settings: Settings) -> Iterator[Conflict]:
    if settings.scope_history <= settings.retention:
        yield Conflict(
            ("scope_history", "retention"),
            f"AUDIENCE_SCOPE_HISTORY={format_duration(settings.scope_history)} is not longer than "
            f"AUDIENCE_RETENTION ({format_duration(settings.retention)}): a rebuild from the topic "
            "may give other peaks of the scopes",
        )
    longest = max([settings.lateness, *settings.lateness_by_platform.values()])
    if settings.silence is not None and settings.silence < longest:
        yield Conflict(
            ("silence", "lateness", "lateness_by_platform"),
            f"AUDIENCE_SILENCE={format_duration(settings.silence)} is shorter than the lateness "
            f"({format_duration(longest)}): a broadcast may be final while its minutes are open",
        )
    if longest >= settings.scope_history:
        yield Conflict(
            ("scope_history", "lateness", "lateness_by_platform"),
            f"AUDIENCE_SCOPE_HISTORY={format_duration(settings.scope_history)} is not longer than "
            f"the lateness ({format_duration(longest)}): what is late by less than that may miss "
            "the peaks of the scopes",
        )


def _security_doubts(settings: Settings) -> Iterator[Conflict]:
    encrypted = settings.security.endswith("SSL")
    if settings.security == "SASL_PLAINTEXT" and settings.security_mechanism == "PLAIN":
        yield Conflict(
            ("security_mechanism", "security"),
            "AUDIENCE_SECURITY=SASL_PLAINTEXT with AUDIENCE_SECURITY_MECHANISM=PLAIN sends the "
            "password in the clear",
        )
    unused = [
        name
        for name in ("security_ca", "security_certificate", "security_key")
        if getattr(settings, name) is not None and not encrypted
    ]
    if settings.security_user and not settings.security.startswith("SASL"):
        unused.append("security_user")
    for name in unused:
        yield Conflict(
            (name, "security"),
            f"AUDIENCE_{name.upper()} is set but AUDIENCE_SECURITY={settings.security} ignores it",
        )
