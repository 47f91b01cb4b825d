"""The types of the settings: how each is read from text, and how its allowed values are told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Final, Literal

import annotated_types
from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from streams.settings.durations import EXAMPLES, format_duration, parse_duration

SLUG: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
# What Kafka takes in topics and group ids. A topic's name has at most 249 characters: a prefix, a
# group and what we put around them (at most 30) always fit. A group has no dot, for that is what
# ends it in our names (see `streams.names`).
_PREFIX: Final = re.compile(r"[a-zA-Z0-9._-]{0,100}", re.ASCII)
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,100}", re.ASCII)
_INSTANCE: Final = re.compile(r"[a-zA-Z0-9._-]{0,200}", re.ASCII)
_HOST: Final = re.compile(r"[^\s:/,\[\]]+|\[[0-9a-fA-F:.%]+\]")
_URL: Final = re.compile(
    r"(https?://([^\s:/?#@\[\]]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?(/[^\s?#]*[^\s?#/])?)?", re.ASCII
)
#: Cost between 2^10 and 2^17: more would let a login stop the worker.
_HASH: Final = re.compile(r"(scrypt:1[0-7]:8:[1-4]:[\w-]{16,64}:[\w-]{43})?", re.ASCII)
_MINUTE: Final = timedelta(minutes=1)
_DEFAULT_PORT: Final = 9092
_LAST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True)
class Allowed:
    """Says which values a setting may have, for people."""

    text: str


def _duration(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


def _whole_minutes(value: timedelta) -> timedelta:
    if value % _MINUTE:
        raise ValueError("not a whole number of minutes")
    return value


def _brokers(value: Any) -> Any:
    """`a:9092,b` as ("a:9092", "b:9092")."""
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list | tuple):
        raise TypeError("not a list")
    return tuple(_broker(str(part).strip()) for part in parts)


def _broker(text: str) -> str:
    bracketed = text.startswith("[")
    host, colon, port = text.rpartition(":")
    if not colon or (bracketed and text.endswith("]")):
        host, port = text, str(_DEFAULT_PORT)
    if not _HOST.fullmatch(host):
        raise ValueError(f"`{text}` names no host")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _LAST_PORT):
        raise ValueError(f"`{text}` has no port from 1 to {_LAST_PORT}")
    return f"{host}:{int(port)}"


def _by_platform(least: timedelta, most: timedelta | None = None) -> BeforeValidator:
    """`ivs=2h,kick=5m` as {"ivs": 2 h, "kick": 5 min}; whole minutes within bounds."""
    bounds = f">= {format_duration(least)}" + (
        "" if most is None else f" and <= {format_duration(most)}"
    )

    def parse(value: Any) -> Any:
        if isinstance(value, str):
            value = _pairs(value)
        if not isinstance(value, Mapping):
            raise TypeError("not pairs of a platform and a duration")
        found: dict[str, timedelta] = {}
        for platform, text in value.items():
            if not SLUG.fullmatch(platform):
                raise ValueError(f"`{platform}` is not a platform ({SLUG.pattern})")
            try:
                duration = parse_duration(text) if isinstance(text, str) else text
            except ValueError as error:
                raise ValueError(f"`{platform}` has `{text}`: {error}") from error
            if duration < least or duration % _MINUTE or (most is not None and duration > most):
                raise ValueError(
                    f"`{platform}` has {format_duration(duration)}: not whole minutes {bounds}"
                )
            found[platform] = duration
        return found

    return BeforeValidator(parse)


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        platform, equals, duration = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise ValueError(f"`{part}` is not platform=duration")
        if platform in found:
            raise ValueError(f"`{platform}` is there twice")
        found[platform] = duration
    return found


def _matching(pattern: re.Pattern[str]) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError("not of that form")
        return value

    return AfterValidator(check)


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _none_if_empty(value: Any) -> Any:
    return None if value == "" else value


def _networks(value: Any) -> Any:
    """`10.0.0.7,fd00::/8` as networks."""
    if not isinstance(value, str):
        return value
    return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())


def _hash(value: SecretStr) -> SecretStr:
    if not _HASH.fullmatch(value.get_secret_value()):
        raise ValueError("not of that form")
    return value


_KAFKA_CHARACTERS: Final = "letters, digits, `.`, `_` and `-`"

Duration = Annotated[timedelta, BeforeValidator(_duration), Allowed(EXAMPLES)]
Minutes = Annotated[
    timedelta,
    AfterValidator(_whole_minutes),
    BeforeValidator(_duration),
    Allowed("a duration in whole minutes such as 5m or 2h"),
]
OptionalDuration = Annotated[
    timedelta | None,
    BeforeValidator(_duration),
    BeforeValidator(_none_if_empty),
    Allowed(f"{EXAMPLES}, or empty"),
]
Brokers = Annotated[
    tuple[str, ...],
    annotated_types.MinLen(1),
    NoDecode,
    BeforeValidator(_brokers),
    Allowed("host:port, several of them separated by commas"),
]
_FOR_EXAMPLE: Final = "comma-separated, such as ivs=2h,kick=5m"
ByPlatform = Annotated[
    Mapping[str, timedelta],
    NoDecode,
    _by_platform(_MINUTE),
    Allowed(f"platform=duration in whole minutes >= 1, {_FOR_EXAMPLE}"),
]
CarryByPlatform = Annotated[
    Mapping[str, timedelta],
    NoDecode,
    _by_platform(0 * _MINUTE, 60 * _MINUTE),
    Allowed(f"platform=duration in whole minutes from 0 to 60, {_FOR_EXAMPLE}"),
]
ToleranceByPlatform = Annotated[
    Mapping[str, timedelta],
    NoDecode,
    _by_platform(0 * _MINUTE, 120 * _MINUTE),
    Allowed(f"platform=duration in whole minutes from 0 to 120, {_FOR_EXAMPLE}"),
]
TopicPrefix = Annotated[
    str,
    _matching(_PREFIX),
    Allowed(f"empty or at most 100 {_KAFKA_CHARACTERS}"),
]
Group = Annotated[
    str,
    _matching(_NAME),
    Allowed("1 to 100 letters, digits, `_` and `-`"),
]
Instance = Annotated[
    str,
    _matching(_INSTANCE),
    Allowed(f"empty or at most 200 {_KAFKA_CHARACTERS}"),
]
HttpUrl = Annotated[
    str,
    _matching(_URL),
    Allowed("empty or http://HOST:PORT or https://HOST:PORT, without a slash at the end"),
]
HeaderName = Annotated[
    str,
    _matching(re.compile(r"([A-Za-z][A-Za-z0-9-]{0,63})?", re.ASCII)),
    Allowed("empty or a header's name such as X-Forwarded-User"),
]
Networks = Annotated[
    tuple[IPv4Network | IPv6Network, ...],
    NoDecode,
    BeforeValidator(_networks),
    Allowed("addresses or networks separated by commas, such as 10.0.0.7,fd00::/8"),
]
PasswordHash = Annotated[
    SecretStr,
    AfterValidator(_hash),
    Allowed("what `live-audience password` prints"),
]
Anonymous = Annotated[Literal["none", "metrics", "all"], BeforeValidator(_lower)]
Security = Annotated[
    Literal["PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT"],
    BeforeValidator(_upper),
]
Mechanism = Annotated[
    Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "AWS_MSK_IAM"],
    BeforeValidator(_upper),
]
Switch = Annotated[Literal["off", "on"], BeforeValidator(_lower)]
YesNo = Annotated[Literal["yes", "no"], BeforeValidator(_lower)]
Partitioner = Annotated[Literal["murmur2", "crc32", "any"], BeforeValidator(_lower)]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    BeforeValidator(_lower),
]
LogFormat = Annotated[Literal["auto", "pretty", "json"], BeforeValidator(_lower)]
