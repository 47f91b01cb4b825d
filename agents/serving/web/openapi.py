"""The OpenAPI document, made from what the paths say of themselves and from their structs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from agents.serving.web.responses import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agents.serving.web.operations import Operation, ResponseSpec

VERSION: Final = "3.1.0"
_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "basic": {"type": "http", "scheme": "basic"},
}
_REFERENCE: Final = "#/components/schemas/{name}"


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The document for these operations."""
    operations = list(operations)
    structs = {
        body
        for operation in operations
        for answer in operation.answers.values()
        for body in answer.bodies
    }
    _, schemas = msgspec.json.schema_components(
        sorted({*structs, Problem}, key=lambda struct: struct.__name__), ref_template=_REFERENCE
    )
    return {
        "openapi": VERSION,
        "info": {
            "title": "live-audience",
            "version": "1",
            "summary": "How many people are watching the live broadcasts.",
            "description": "Each worker answers for the whole system: it asks the others for the "
            "partitions that they own, and says of which it had no answer. With `local=true` it "
            "answers for its own partitions. Everything is read-only. Times are RFC 3339 in UTC. "
            "Errors are problems (RFC 9457).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {operation.path: {"get": _operation(operation)} for operation in operations},
        "components": {"schemas": schemas, "securitySchemes": _SCHEMES},
        # (What is asked for is for the settings to say; a proxy's header is between it and us.)
        "security": [{}, *({name: []} for name in _SCHEMES)],
    }


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.path.strip("/").replace("/", "-").translate(_BARE) or "root",
        "responses": {
            **{str(status): _answer(status, spec) for status, spec in operation.answers.items()},
            "default": {
                "description": "Something else went wrong.",
                "content": {"application/problem+json": {"schema": _reference(Problem)}},
            },
        },
    }
    if operation.parameters:
        described["parameters"] = [
            {
                "name": parameter.name,
                "in": parameter.within,
                "required": parameter.within == "path",
                "description": parameter.description,
                "schema": dict(parameter.schema),
            }
            for parameter in operation.parameters
        ]
    return described


def _answer(status: int, spec: ResponseSpec) -> dict[str, Any]:
    content: dict[str, Any] = {media: {} for media in spec.media}
    if spec.bodies:
        media = "application/json" if status < 400 else "application/problem+json"  # noqa: PLR2004  # HTTP's errors begin there
        references = [_reference(body) for body in spec.bodies]
        content[media] = {"schema": references[0] if not references[1:] else {"anyOf": references}}
    return {"description": spec.description, "content": content}


def _reference(struct: type[msgspec.Struct]) -> Mapping[str, str]:
    return {"$ref": _REFERENCE.format(name=struct.__name__)}


_BARE: Final = str.maketrans("", "", "{}.")
