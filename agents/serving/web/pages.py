"""`/api`: what all can be read here, for people, and `/openapi.json` for programs."""

from __future__ import annotations

import base64
import hashlib
import html
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web

from agents.serving.web.openapi import document
from agents.serving.web.operations import Operation, ResponseSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 1.05rem/1.55 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto;
  padding: 0 1rem; }
dt { margin-top: 1rem; }
dt code { font-weight: 600; }
dd { margin: 0; }
"""
_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

#: The page may use its own style and nothing else.
CONTENT_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>live-audience: API</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>live-audience</h1>
<p>How many people are watching live broadcasts, right now and in all. This is one worker: it
answers for the broadcasts and scopes in the partitions that it owns, the other workers for the
others.</p>
<h2>What is found here</h2>
<dl>
{entries}
</dl>
</main>
</body>
</html>
"""

#: The list itself, and what only the board asks for.
_UNLISTED: Final = ("/api", "/board/{file}")


class Pages:
    """The page and the document.

    Args:
        operations: Everything else that is answered here.
    """

    def __init__(self, operations: Sequence[Operation]) -> None:
        everything = [*operations, *self.operations()]
        self._document = orjson.dumps(document(everything), option=orjson.OPT_INDENT_2)
        entries = "\n".join(
            _entry(operation) for operation in everything if operation.path not in _UNLISTED
        )
        self._page = _PAGE.format(style=_STYLE, entries=entries)

    def operations(self) -> Iterable[Operation]:
        """The paths that this answers, and how."""
        return (
            Operation(
                "/api",
                self.paths,
                "A page that lists these paths.",
                {200: ResponseSpec("What this is and where all is found.", media=("text/html",))},
            ),
            Operation(
                "/openapi.json",
                self.openapi,
                "This API as an OpenAPI document.",
                {200: ResponseSpec("The document.", media=("application/json",))},
            ),
        )

    async def paths(self, request: web.Request) -> web.Response:
        """Answer `/api`."""
        del request
        response = web.Response(text=self._page, content_type="text/html")
        response.headers["Content-Security-Policy"] = CONTENT_POLICY
        return response

    async def openapi(self, request: web.Request) -> web.Response:
        """Answer `/openapi.json`."""
        del request
        return web.Response(body=self._document, content_type="application/json")


def _entry(operation: Operation) -> str:
    path, summary = html.escape(operation.path), html.escape(operation.summary)
    shown = f"<code>{path}</code>"
    if "{" not in operation.path:
        shown = f'<a href="{path}">{shown}</a>'
    return f"<dt>{shown}</dt>\n<dd>{summary}</dd>"
