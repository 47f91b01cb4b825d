"""Says why a connection failed, in terms of the settings: pure."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from streams.connection import causes

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.settings import Settings

# OpenSSL's numbers of what can be wrong with a certificate (X509_V_ERR_…).
_EXPIRED: Final = 10
_NOT_YET: Final = 9
_UNKNOWN_ISSUER: Final = (2, 18, 19, 20, 21)
_OTHER_HOST: Final = (62, 64)


class NoTokenError(KafkaConnectionError):
    """There is no token to log in with."""

    def __str__(self) -> str:
        """Return the message alone, without aiokafka's name for such errors."""
        return str(self.args[0])


def said(settings: Settings, error: BaseException) -> str | None:
    """Why a connection failed and what to do, or None where the settings have no part in it."""
    chain = causes(error)
    for cause in chain:
        for kind, words in _WORDS:
            if isinstance(cause, kind):
                return words(settings, cause)
    hung_up = any(isinstance(cause, KafkaConnectionError | ConnectionResetError) for cause in chain)
    return _closed(settings) if hung_up else None


def _no_token(_: Settings, error: NoTokenError) -> str:
    return str(error)


def _mechanism(settings: Settings, _: UnsupportedSaslMechanismError) -> str:
    return (
        f"the broker does not offer {settings.security_mechanism}: set "
        "AUDIENCE_SECURITY_MECHANISM to one of its sasl.enabled.mechanisms"
    )


def _no_login(settings: Settings, _: IllegalSaslStateError) -> str:
    return (
        "the broker asks for no login on this port: set AUDIENCE_SECURITY to "
        f"{'SSL' if settings.security.endswith('SSL') else 'PLAINTEXT'}, or AUDIENCE_BROKERS to "
        "another port"
    )


def _brokers_certificate(settings: Settings, error: ssl.SSLCertVerificationError) -> str:
    trusted = (
        "of this machine (AUDIENCE_SECURITY_CA is not set)"
        if settings.security_ca is None
        else f"in AUDIENCE_SECURITY_CA={settings.security_ca}"
    )
    if error.verify_code == _EXPIRED:
        return (
            "the broker's certificate, or the CA's that signed it, has expired: renew it at the "
            f"broker; if it was the CA's, also {trusted}"
        )
    if error.verify_code == _NOT_YET:
        return "the broker's certificate is not valid yet: compare this machine's clock"
    if error.verify_code in _UNKNOWN_ISSUER:
        return (
            f"the broker's certificate is signed by none of the CAs {trusted}: set "
            "AUDIENCE_SECURITY_CA to a file with the certificate of the CA that signed it"
        )
    if error.verify_code in _OTHER_HOST:
        return (
            f"the broker's certificate is made out to another name ({error.verify_message}): "
            "name the broker in AUDIENCE_BROKERS, and in its advertised.listeners, as its "
            "certificate does"
        )
    return f"the broker's certificate is not trusted: {error.verify_message}"


def _tls(settings: Settings, error: ssl.SSLError) -> str:
    reason = (error.reason or "").upper()
    ours = settings.security_certificate
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        without = "SASL_PLAINTEXT" if settings.security.startswith("SASL") else "PLAINTEXT"
        return (
            f"the broker speaks no TLS on this port: set AUDIENCE_SECURITY to {without}, or "
            "AUDIENCE_BROKERS to another port"
        )
    if "ALERT" in reason and ours is None:
        return (
            "the broker asks for a certificate of ours "
            f"({_plain(reason)}): set AUDIENCE_SECURITY_CERTIFICATE and AUDIENCE_SECURITY_KEY"
        )
    if "ALERT" in reason:
        return (
            f"the broker does not take our certificate ({_plain(reason)}): see that "
            f"AUDIENCE_SECURITY_CERTIFICATE={ours} has not expired and is signed by a CA that the "
            "broker trusts (its ssl.truststore.location)"
        )
    return f"TLS failed: {error.reason or error}"


def _plain(reason: str) -> str:
    """`TLSV13_ALERT_CERTIFICATE_REQUIRED` as `certificate required`."""
    return reason.partition("ALERT_")[2].replace("_", " ").lower()


def _login(settings: Settings, error: SaslAuthenticationFailed) -> str:
    mechanism = settings.security_mechanism
    detail = str(error.args[0]) if error.args and error.args[0] else "no reason given"
    if mechanism == "AWS_MSK_IAM":
        return (
            f"the broker does not let us in with AWS_MSK_IAM ({detail}): see that the IAM policy "
            "of these AWS credentials allows kafka-cluster:Connect, and AUDIENCE_SECURITY_REGION="
            f"{settings.security_region}"
        )
    if mechanism == "OAUTHBEARER":
        where = (
            f"AUDIENCE_SECURITY_TOKEN_FILE={settings.security_token_file}"
            if settings.security_token_file is not None
            else f"AUDIENCE_SECURITY_TOKEN_COMMAND={settings.security_token_command}"
        )
        return (
            f"the broker does not take the token ({detail}): see that {where} gives one that has "
            "not expired, of the issuer and for the audience that the broker expects"
        )
    where = (
        "AUDIENCE_SECURITY_PASSWORD"
        if settings.security_password_file is None
        else f"AUDIENCE_SECURITY_PASSWORD_FILE={settings.security_password_file}"
    )
    return (
        f"the broker does not let in AUDIENCE_SECURITY_USER={settings.security_user} ({detail}): "
        f"put right the user, or the password in {where}, or AUDIENCE_SECURITY_MECHANISM="
        f"{mechanism}"
    )


def _closed(settings: Settings) -> str:
    """What it may be where the broker hung up without a word."""
    if not settings.security.endswith("SSL"):
        return (
            "the broker closed the connection at once: on this port it may speak TLS, or ask for "
            f"a login; see AUDIENCE_SECURITY={settings.security}"
        )
    if settings.security_certificate is None:
        return (
            "the broker closed the connection at once: on this port it may speak no TLS (see "
            f"AUDIENCE_SECURITY={settings.security}), or ask for a certificate of ours "
            "(AUDIENCE_SECURITY_CERTIFICATE, AUDIENCE_SECURITY_KEY)"
        )
    return (
        "the broker closed the connection at once: it may not take our certificate; see that "
        f"AUDIENCE_SECURITY_CERTIFICATE={settings.security_certificate} has not expired and is "
        "signed by a CA that the broker trusts"
    )


#: The first that fits speaks.
_WORDS: Final[tuple[tuple[type[BaseException], Callable[[Settings, Any], str]], ...]] = (
    (NoTokenError, _no_token),
    (ssl.SSLCertVerificationError, _brokers_certificate),
    (ssl.SSLError, _tls),
    (SaslAuthenticationFailed, _login),
    (UnsupportedSaslMechanismError, _mechanism),
    (IllegalSaslStateError, _no_login),
)
