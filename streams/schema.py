"""JSON Schema (2020-12) of what goes in and out, made from the types that the code uses.

`python -m streams.schema [FOLDER]` writes the documents, to docs/schema by default. They are
committed for whoever writes a producer or a reader; a test holds them to the code.
"""

import inspect
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from streams.events import MAX_VALUE_BYTES, ViewerEvent
from streams.summaries import BroadcastMinute, BroadcastSummary, ScopeSummary

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

UNSAID: Final = (
    "What a schema cannot say, and the system is strict about: "
    f"the text has at most {MAX_VALUE_BYTES} bytes of UTF-8, without byte order mark or NaN; "
    "1.0 and 1e3 are not integers; `at` is a day of the calendar, in UTC from 1970 to 9999. Of a "
    "repeated field the last counts. Unknown fields are ignored. A title over 200 code points is "
    "cut to them, and a lone surrogate escaped in JSON is read as U+FFFD."
)


def viewer_event() -> dict[str, Any]:
    """Schema of the values of viewer-events."""
    schema = _schema(ViewerEvent)
    properties = schema["properties"]
    for name, field in properties.items():
        default = field.pop("default", None)
        if default is not None:  # to the reader null is the same as absent
            properties[name] = {"anyOf": [field, {"type": "null"}], "default": default}
    for either in properties["title"].get("anyOf", ()):
        either.pop("maxLength", None)  # what is longer is cut, never refused
    return {**schema, "$comment": UNSAID}


def broadcast_summary() -> dict[str, Any]:
    """Schema of the values of broadcast-summaries."""
    return _schema(BroadcastSummary)


def broadcast_minute() -> dict[str, Any]:
    """Schema of the values of broadcast-minutes."""
    return _schema(BroadcastMinute)


def scope_summary() -> dict[str, Any]:
    """Schema of the values of scope-summaries."""
    return _schema(ScopeSummary)


def documents() -> dict[str, str]:
    """The text of each schema by the name of its file."""
    schemas = {
        "viewer-event.json": viewer_event(),
        "broadcast-summary.json": broadcast_summary(),
        "broadcast-minute.json": broadcast_minute(),
        "scope-summary.json": scope_summary(),
    }
    return {name: json.dumps(schema, indent=2) + "\n" for name, schema in schemas.items()}


def _schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    (_, components) = msgspec.json.schema_components([kind])
    schema = _tidied(components[kind.__name__])
    return {"$schema": DIALECT, **schema, "description": inspect.getdoc(kind)}


def _tidied(schema: Any) -> Any:
    """The same schema, a number that may be whole written simply as a number."""
    if isinstance(schema, Mapping):
        tidied = {name: _tidied(part) for name, part in schema.items()}
        if tidied.get("anyOf") == [{"type": "integer"}, {"type": "number"}]:
            del tidied["anyOf"]
            tidied["type"] = "number"
        return tidied
    if isinstance(schema, list):
        return [_tidied(part) for part in schema]
    return schema


def main(folder: Path) -> None:
    """Writes the documents into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{folder / name}\n")


if __name__ == "__main__":
    main(Path(*sys.argv[1:2] or ["docs", "schema"]))
