"""What settings must have in common: each may be right by itself and wrong beside another."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Final

from streams.settings.conflict import Conflict
from streams.settings.durations import format_duration
from streams.settings.http_checks import http_conflicts, http_doubts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from streams.settings.fields import Fields


class CrossCheckError(ValueError):
    """Carries the conflicts through pydantic, which wants a ValueError."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        self.conflicts = tuple(conflicts)
        super().__init__("; ".join(conflict.text for conflict in conflicts))


def conflicts(settings: Fields) -> list[Conflict]:
    """What cannot work."""
    return [
        *_time_conflicts(settings),
        *_security_conflicts(settings),
        *http_conflicts(settings),
    ]


def find_warnings(settings: Fields) -> list[Conflict]:
    """What works, but seldom as it was meant."""
    return [*_time_doubts(settings), *_security_doubts(settings), *http_doubts(settings)]


def _time_conflicts(settings: Fields) -> Iterator[Conflict]:
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
    yield from _gap_conflicts(settings)
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


def _gap_conflicts(settings: Fields) -> Iterator[Conflict]:
    """A tolerance longer than the restart gap, or that longer than the run gap."""
    for platform in settings.platforms():
        values = {
            name: getattr(settings, f"{name}_by_platform").get(platform, getattr(settings, name))
            for name in ("end_tolerance", "restart_gap", "run_gap")
        }
        of = f" of {platform}" if platform else ""
        for shorter, longer in (("end_tolerance", "restart_gap"), ("restart_gap", "run_gap")):
            if values[shorter] > values[longer]:
                yield Conflict(
                    (shorter, longer, f"{shorter}_by_platform", f"{longer}_by_platform"),
                    f"AUDIENCE_{shorter.upper()}={format_duration(values[shorter])}{of}: must not "
                    f"be longer than AUDIENCE_{longer.upper()} "
                    f"({format_duration(values[longer])})",
                )


def _security_conflicts(settings: Fields) -> Iterator[Conflict]:
    if settings.security.startswith("SASL"):
        yield from _LOGIN_CONFLICTS.get(settings.security_mechanism, _password_conflicts)(settings)
    for name in ("security_password", "security_key_password"):
        if getattr(settings, name).get_secret_value() and getattr(settings, f"{name}_file"):
            yield Conflict(
                (f"{name}_file", name),
                f"AUDIENCE_{name.upper()}_FILE and AUDIENCE_{name.upper()}: give one of them",
            )
    if settings.security_key and not settings.security_certificate:
        yield Conflict(
            ("security_certificate", "security_key"),
            "AUDIENCE_SECURITY_CERTIFICATE is empty: AUDIENCE_SECURITY_KEY is the key of which?",
        )
    for name in (
        "security_password_file",
        "security_token_file",
        "security_ca",
        "security_certificate",
        "security_key",
        "security_key_password_file",
    ):
        path: Path | None = getattr(settings, name)
        if path is not None and not (path.is_file() and os.access(path, os.R_OK)):
            yield Conflict(
                (name,), f"AUDIENCE_{name.upper()}={path}: must be a file that can be read"
            )


def _password_conflicts(settings: Fields) -> Iterator[Conflict]:
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


def _token_conflicts(settings: Fields) -> Iterator[Conflict]:
    names = ("security_token_file", "security_token_command", "security_mechanism")
    if settings.security_token_file is None and not settings.security_token_command:
        yield Conflict(
            names,
            "AUDIENCE_SECURITY_TOKEN_FILE is empty: AUDIENCE_SECURITY_MECHANISM=OAUTHBEARER needs "
            "it or AUDIENCE_SECURITY_TOKEN_COMMAND",
        )
    if settings.security_token_file is not None and settings.security_token_command:
        yield Conflict(
            names,
            "AUDIENCE_SECURITY_TOKEN_FILE and AUDIENCE_SECURITY_TOKEN_COMMAND: give one of them",
        )
    try:
        words = shlex.split(settings.security_token_command)
    except ValueError as error:
        yield Conflict(names[1:], f"AUDIENCE_SECURITY_TOKEN_COMMAND: cannot be read: {error}")
    else:
        if settings.security_token_command and not words:
            yield Conflict(names[1:], "AUDIENCE_SECURITY_TOKEN_COMMAND: names no command")


def _msk_conflicts(settings: Fields) -> Iterator[Conflict]:
    if settings.security != "SASL_SSL":
        yield Conflict(
            ("security", "security_mechanism"),
            f"AUDIENCE_SECURITY={settings.security}: AUDIENCE_SECURITY_MECHANISM=AWS_MSK_IAM needs "
            "SASL_SSL",
        )
    if not settings.security_region:
        yield Conflict(
            ("security_region", "security_mechanism"),
            "AUDIENCE_SECURITY_REGION is empty: AUDIENCE_SECURITY_MECHANISM=AWS_MSK_IAM needs the "
            "region of the brokers, such as eu-west-1",
        )


_LOGIN_CONFLICTS: Final[Mapping[str, Callable[[Fields], Iterator[Conflict]]]] = {
    "OAUTHBEARER": _token_conflicts,
    "AWS_MSK_IAM": _msk_conflicts,
}


def _time_doubts(settings: Fields) -> Iterator[Conflict]:
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


def _security_doubts(settings: Fields) -> Iterator[Conflict]:
    encrypted = settings.security.endswith("SSL")
    clear = {"PLAIN": "password", "OAUTHBEARER": "token"}.get(settings.security_mechanism)
    if settings.security == "SASL_PLAINTEXT" and clear:
        yield Conflict(
            ("security_mechanism", "security"),
            "AUDIENCE_SECURITY=SASL_PLAINTEXT with AUDIENCE_SECURITY_MECHANISM="
            f"{settings.security_mechanism} sends the {clear} in the clear",
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
    mechanism = settings.security_mechanism if settings.security.startswith("SASL") else None
    for name, used_by in (
        ("security_token_file", "OAUTHBEARER"),
        ("security_token_command", "OAUTHBEARER"),
        ("security_region", "AWS_MSK_IAM"),
    ):
        if getattr(settings, name) and mechanism != used_by:
            yield Conflict(
                (name, "security_mechanism"),
                f"AUDIENCE_{name.upper()} is set but only AUDIENCE_SECURITY_MECHANISM={used_by} "
                "reads it",
            )
