"""What each path does, said once: the routes and the OpenAPI document are made from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    import msgspec
    from aiohttp import web


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """One answer of an operation.

    Attributes:
        description: When it is given, for people.
        body: The struct that its JSON is made from, or each that it may be; None: no JSON.
        media: Content types of other bodies.
    """

    description: str
    body: type[msgspec.Struct] | tuple[type[msgspec.Struct], ...] | None = None
    media: Sequence[str] = ()

    @property
    def bodies(self) -> tuple[type[msgspec.Struct], ...]:
        """All structs that its JSON may be made from."""
        if self.body is None:
            return ()
        return self.body if isinstance(self.body, tuple) else (self.body,)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the path or the query.

    Attributes:
        name: As it stands in the path or the query.
        description: For people.
        schema: JSON Schema of its text.
        within: `path` or `query`.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    within: str = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """A path that can be read.

    Attributes:
        path: As OpenAPI writes it.
        handler: Answers it.
        summary: What it gives, for people.
        answers: By status.
        parameters: Of its path and query.
        route: As aiohttp writes the path, where that differs.
    """

    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    summary: str
    answers: Mapping[int, ResponseSpec]
    parameters: Sequence[Parameter] = field(default=())
    route: str | None = None
