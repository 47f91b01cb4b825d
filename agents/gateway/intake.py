"""What becomes of a delivery: verified, read, and made into records. Pure but for its secrets."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from agents.gateway import observation
from agents.gateway.delivery import Delivery, Unreadable, Unverified
from agents.gateway.observation import Observation
from agents.gateway.secrets import Kept, check_path_secret, check_secret
from agents.gateway.sending import Output
from agents.gateway.sources import Answer, Verified
from streams import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agents.gateway.config import Endpoint
    from agents.gateway.topics import GatewayTopics

log = structlog.get_logger(__name__)

#: What is further ahead is taken as of now: the pipeline would refuse it as `future`.
_AHEAD: Final = 2 * rfc3339.MINUTE
_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Taken:
    """What a verified delivery comes to.

    Attributes:
        outputs: what is to be stored before it is answered.
        answer: what the sender is told then.
        unmapped: why it could not be mapped; empty if it could.
        warning: what an operator must be told.
        clamped: how many observations were ahead of the time.
    """

    outputs: Sequence[Output]
    answer: Answer
    unmapped: str = ""
    warning: str = ""
    clamped: int = 0


class Intake:
    """Takes the deliveries of one endpoint.

    Args:
        endpoint: as configured.
        topics: where to.

    Raises:
        SecretError: one of its secrets cannot be had.
    """

    def __init__(self, endpoint: Endpoint, topics: GatewayTopics) -> None:
        self.endpoint = endpoint
        self.source = endpoint.kind
        self._topics = topics
        self._secrets = Kept(endpoint.secrets, check_secret(endpoint))
        self._path_secrets = Kept(endpoint.path_secrets, check_path_secret)
        self._networks = [ipaddress.ip_network(each) for each in endpoint.networks]

    def is_addressed(self, secret: str) -> bool:
        """Whether an address has the secret that it needs."""
        wanted = self._path_secrets.current()
        if not wanted:
            return not secret
        given = secret.encode(errors="replace")
        # A list, so that each is compared.
        return any([hmac.compare_digest(each, given) for each in wanted])  # noqa: C419 - see above

    def is_allowed(self, address: str) -> bool:
        """Whether the sender's address is in one of the networks, if there are any."""
        if not self._networks:
            return True
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        return any((mapped or found) in network for network in self._networks)

    def verify(self, delivery: Delivery) -> Verified:
        """Check that a delivery is its sender's.

        Raises:
            Unverified: it is not proven.
        """
        now = delivery.received / rfc3339.SECOND
        try:
            return self.source.verify(delivery, self._secrets.current(), self.endpoint, now)
        except Unverified:
            raise
        except Exception as error:
            # Whatever a stranger sends, it is he who is wrong: nothing of it is believed.
            log.exception("a delivery could not be verified", endpoint=self.endpoint.name)
            raise Unverified("error", "verification failed") from error

    def take(self, delivery: Delivery, verified: Verified) -> Taken:
        """Say what is to be stored of a verified delivery."""
        try:
            reading = self.source.read(delivery, verified, self.endpoint)
        except Unreadable as error:
            kept = self.rejected(delivery, verified, str(error))
            return Taken([kept], self.source.go_on, unmapped=str(error))
        except Exception:  # our own error must not lose it: it is kept, and can be read again
            log.exception("a delivery could not be read", endpoint=self.endpoint.name)
            why = "an error of the gateway's own: see its log"
            kept = self.rejected(delivery, verified, why)
            return Taken([kept], self.source.go_on, unmapped=why)
        clamped = 0
        outputs = []
        for each in reading.observations:
            seen = each
            if each.at > delivery.received + _AHEAD:
                clamped += 1
                seen = _at(each, delivery.received)
            outputs.append(self.observed(seen, delivery.received))
        return Taken(outputs, reading.answer, warning=reading.warning, clamped=clamped)

    def observed(self, seen: Observation, received: int) -> Output:
        """The record of an observation."""
        value = observation.encode(seen)
        return Output(self._topics.observations.name, seen.key, value, received // _MS)

    def rejected(self, delivery: Delivery, verified: Verified, why: str) -> Output:
        """The record of a delivery that could not be mapped: all that `take` needs of it again.

        Headers are left out, for signatures and tokens are among them.
        """
        return Output(
            self._topics.rejected.name,
            self.endpoint.name.encode(),
            delivery.body,
            delivery.received // _MS,
            [
                ("endpoint", self.endpoint.name.encode()),
                ("reason", why[:1000].encode()),
                ("method", delivery.method.encode()),
                ("query", delivery.query.encode()),
                ("received", str(delivery.received).encode()),
                ("id", verified.id.encode()),
                ("at", b"" if verified.at is None else str(verified.at).encode()),
            ],
        )


def again(headers: Sequence[tuple[str, bytes]], body: bytes) -> tuple[Delivery, Verified]:
    """The delivery that a record of `gateway-rejected` holds.

    Raises:
        ValueError: it holds none.
    """
    found = {name: value.decode() for name, value in headers}
    try:
        delivery = Delivery(found["method"], (), found["query"], body, int(found["received"]))
        return delivery, Verified(found["id"], int(found["at"]) if found["at"] else None)
    except KeyError as error:
        raise ValueError(f"the header {error} is missing") from None


def _at(seen: Observation, at: int) -> Observation:
    started = None if seen.started is None else min(seen.started, at)
    if seen.broadcast is None and seen.started is not None:
        started = seen.started  # it is part of the broadcast's id
    return Observation(
        **{
            **{name: getattr(seen, name) for name in seen.__struct_fields__},
            "at": at,
            "started": started,
        }
    )
