"""`/healthz` and `/readyz`: how the worker is, for whoever restarts it or sends it traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol

import msgspec

from agents.serving.web.operations import Operation, ResponseSpec
from agents.serving.web.responses import Problem, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aiohttp import web


class Health(Protocol):
    """What knows how the worker is."""

    def unhealthy_reason(self) -> str | None:
        """What is broken beyond mending but by a restart; None if nothing is."""
        ...

    def not_ready_reason(self) -> str | None:
        """What is missing: membership of the group, state that is being restored; None if ready."""
        ...


class Status(msgspec.Struct, gc=False):
    """All is well."""

    status: Literal["ok"] = "ok"


_UNHEALTHY: Final = ResponseSpec("It is not: `detail` says why.", Problem)


class HealthApi:
    """The two answers.

    Args:
        health: Who knows.
    """

    def __init__(self, health: Health) -> None:
        self._health = health

    def operations(self) -> Iterable[Operation]:
        """The paths that this answers, and how."""
        return (
            Operation(
                "/healthz",
                self.healthz,
                "Whether the worker works, or had better be restarted.",
                {200: ResponseSpec("It works.", Status), 503: _UNHEALTHY},
            ),
            Operation(
                "/readyz",
                self.readyz,
                "Whether the worker is a member of the group with all its state restored.",
                {200: ResponseSpec("It is ready.", Status), 503: _UNHEALTHY},
            ),
        )

    async def healthz(self, request: web.Request) -> web.Response:
        """Answer `/healthz`."""
        del request
        return _response("Not healthy", self._health.unhealthy_reason)

    async def readyz(self, request: web.Request) -> web.Response:
        """Answer `/readyz`."""
        del request
        return _response("Not ready", self._health.not_ready_reason)


def _response(title: str, why_not: Callable[[], str | None]) -> web.Response:
    reason = why_not()
    if reason is None:
        return answer(Status())
    return answer(Problem(title=title, status=503, detail=reason))
