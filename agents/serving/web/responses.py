"""Answers: JSON of structs, and problems as RFC 9457 has them."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import orjson
import structlog
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

log = structlog.get_logger(__name__)

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Problem(msgspec.Struct, kw_only=True, gc=False):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: Annotated[int, Meta(ge=400, le=599)]
    detail: Annotated[str, Meta(description="For people.")]
    partitions: (
        Annotated[list[int], Meta(description="The partitions that this worker owns.")] | UnsetType
    ) = UNSET
    partition: (
        Annotated[int, Meta(description="The partition in which what was asked for would lie.")]
        | UnsetType
    ) = UNSET


class ProblemError(Exception):
    """Ends a request with a problem.

    Args:
        problem: What is wrong.
        headers: Of the answer.
    """

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        self.problem = problem
        self.headers = headers or {}
        super().__init__(problem.detail)


def not_found(detail: str, partitions: list[int], partition: int | None) -> ProblemError:
    """What is asked for is not at this worker.

    Args:
        detail: Why, and where it may be.
        partitions: Those that this worker owns.
        partition: The one in which it would lie, if that can be told.
    """
    return ProblemError(
        Problem(
            title="Not found",
            status=404,
            detail=detail,
            partitions=partitions,
            partition=UNSET if partition is None else partition,
        )
    )


def not_known(detail: str, partition: int | None) -> ProblemError:
    """What is asked for is at no worker."""
    return ProblemError(
        Problem(
            title="Not found",
            status=404,
            detail=detail,
            partition=UNSET if partition is None else partition,
        )
    )


def unavailable(detail: str, partition: int | None = None) -> ProblemError:
    """It cannot be answered now; `detail` says why."""
    return ProblemError(
        Problem(
            title="Service Unavailable",
            status=503,
            detail=detail,
            partition=UNSET if partition is None else partition,
        )
    )


def bad_request(detail: str) -> ProblemError:
    """The request asks for what there cannot be; `detail` names the parameter."""
    return ProblemError(Problem(title="Bad request", status=400, detail=detail))


def answer(body: msgspec.Struct) -> web.Response:
    """A struct as JSON; a `Problem` gives the status too."""
    status, content_type = 200, "application/json"
    if isinstance(body, Problem):
        status, content_type = body.status, "application/problem+json"
    return web.Response(
        body=orjson.dumps(msgspec.to_builtins(body)), status=status, content_type=content_type
    )


def secure(response: web.StreamResponse) -> None:
    """Say to browsers that they may do nothing with an answer but show it."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "live-audience"


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn whatever goes wrong into a problem."""
    try:
        return await handler(request)
    except ProblemError as error:
        response = answer(error.problem)
        response.headers.update(error.headers)
        return response
    except web.HTTPException as error:
        response = answer(
            Problem(
                title=HTTPStatus(error.status).phrase,
                status=error.status,
                detail=f"{request.method} {request.path}: {_DETAILS.get(error.status, error.text)}",
            )
        )
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except ConnectionError:  # the client has gone; nobody gets this
        return web.Response(status=499, reason="Client Closed Request")
    except Exception:  # our own defect: told in full in the log, and as a 500 to who asked
        log.exception("internal error in a request", path=request.path)
        return answer(
            Problem(
                title="Internal server error",
                status=500,
                detail="Our own code failed on it; the worker's log says where.",
            )
        )


_DETAILS = {
    404: "there is no such path; / says which there are",
    405: "everything here is read-only",
}
