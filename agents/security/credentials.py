"""What aiokafka's clients are given to log in with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents.security.files import Password, Tls
from agents.security.tokens import CommandTokens, FileTokens, MskTokens, TokenProvider

if TYPE_CHECKING:
    from streams.settings import Settings


def security_options(settings: Settings) -> dict[str, Any]:
    """The keyword arguments of a client that have to do with security.

    Raises:
        SettingsError: a certificate, a key or the password cannot be read, or a package is missing.
    """
    options: dict[str, Any] = {
        "security_protocol": settings.security,
        # Even where nothing is encrypted: it also says what to do when a connection fails.
        "ssl_context": Tls(settings),
    }
    if not settings.security.startswith("SASL"):
        return options
    if settings.security_mechanism in ("OAUTHBEARER", "AWS_MSK_IAM"):
        options["sasl_mechanism"] = "OAUTHBEARER"
        options["sasl_oauth_token_provider"] = _tokens(settings)
    else:
        options["sasl_mechanism"] = settings.security_mechanism
        options["sasl_plain_username"] = settings.security_user
        options["sasl_plain_password"] = Password(settings)
    return options


def _tokens(settings: Settings) -> TokenProvider:
    if settings.security_mechanism == "AWS_MSK_IAM":
        return MskTokens(settings)
    if settings.security_token_file is not None:
        return FileTokens(settings)
    return CommandTokens(settings)
