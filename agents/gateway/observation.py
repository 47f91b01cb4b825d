"""What a source has understood of a delivery, before it is known which broadcast it is about."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

Kind = Literal[
    "started",
    "ended",
    "sample",
    "joined",
    "left",
    "announced",
    "asked",
    "subscribed",
    "denied",
    "spent",
]


class Observation(msgspec.Struct, omit_defaults=True, frozen=True):
    """One thing that a source tells of one channel; the value of `gateway-observations`.

    Attributes:
        endpoint: the endpoint of the configuration through which it came.
        platform: the platform of the viewer events that come of it.
        channel: what the source has: a channel, a stream key, a room.
        kind: `joined` and `left` tell of one viewer, `announced` that the channel is to be looked
            at; `asked`, `subscribed` and `denied` tell of a subscription to it, `spent` of a poll's
            budget; the others tell of the broadcast.
        at: when it was so, in microseconds since 1970 UTC.
        id: the sender's id of the message; empty where it has none.
        broadcast: the platform's own id of the broadcast, if it tells one.
        started: the true start of the broadcast, if it is told, in microseconds since 1970 UTC.
        viewers: concurrent viewers; None is unknown.
        views: views so far; None is unknown.
        title: for people.
        viewer: the source's id of one viewer: for `joined` and `left`.
        present_for: a viewer counts for so many seconds after the last `joined` of it; 0 where the
            source does not tell of single viewers.
        resume: a start within so many seconds of an end goes on with the same broadcast, where
            the source has no ids.
        until: of `subscribed`: when that lapses, in microseconds since 1970 UTC.
        digest: of `asked`: of the address and the secret that were told.
        units: of `spent`: units of the day that began at `started`.
    """

    endpoint: str
    platform: str
    channel: str
    kind: Kind
    at: int
    id: str = ""
    broadcast: str | None = None
    started: int | None = None
    viewers: int | None = None
    views: int | None = None
    title: str | None = None
    viewer: str = ""
    present_for: int = 0
    resume: int = 0
    until: int | None = None
    digest: str = ""
    units: float = 0.0

    @property
    def key(self) -> bytes:
        """The key of its record and of its row: all that concerns one channel lies in one place.

        A digest, for some sources let strangers choose the name of a stream, of any length.
        """
        named = f"{self.endpoint}\0{self.platform}\0{self.channel}".encode()
        return hashlib.blake2b(named, digest_size=16).hexdigest().encode()


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Observation).decode


def encode(observation: Observation) -> bytes:
    """The value of its record."""
    return _encode(observation)


def decode(value: bytes) -> Observation:
    """What a record holds.

    Raises:
        msgspec.MsgspecError: it is no observation.
    """
    return _decode(value)
