"""`/`: the board for people, and the files that it is made of.

The files lie in `agents/serving/board` as a browser reads them: nothing is built. They are read
once, when the worker starts.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from aiohttp import web

from agents.serving.web.operations import Operation, Parameter, ResponseSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.resources.abc import Traversable

#: The board may use its own files and ask its own server, and nothing else: no script or style
#: within the page, nothing from elsewhere, in nobody's frame.
CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MEDIA: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the board.

    Attributes:
        body: Its bytes.
        compressed: The same by gzip.
        media: Its content type.
        etag: Differs where its bytes do.
    """

    body: bytes
    compressed: bytes
    media: str
    etag: str


class Board:
    """The page and its files."""

    def __init__(self) -> None:
        self._assets = dict(_assets(files("agents.serving") / "board"))

    def operations(self) -> Iterable[Operation]:
        """The paths that this answers, and how."""
        return (
            Operation(
                "/",
                self.page,
                "The live board: a page for people.",
                {
                    200: ResponseSpec(
                        "The page; all it needs is under `/board/`.", media=("text/html",)
                    )
                },
            ),
            Operation(
                "/board/{file}",
                self.file,
                "What the board is made of.",
                {
                    200: ResponseSpec("A file.", media=tuple(sorted(set(_MEDIA.values())))),
                    304: ResponseSpec("It is still as `If-None-Match` says."),
                },
                (Parameter("file", "Its name.", {"type": "string"}, "path"),),
                route="/board/{file:.+}",
            ),
        )

    async def page(self, request: web.Request) -> web.Response:
        """Answer `/`."""
        return _answer(request, self._assets["index.html"])

    async def file(self, request: web.Request) -> web.Response:
        """Answer `/board/…`."""
        found = self._assets.get(request.match_info["file"])
        if found is None:
            raise web.HTTPNotFound
        return _answer(request, found)


def _assets(folder: Traversable, within: str = "") -> Iterator[tuple[str, Asset]]:
    """The files of a folder by their path in it; what no browser asks for is left out."""
    for entry in folder.iterdir():
        name = within + entry.name
        if entry.is_dir():
            yield from _assets(entry, f"{name}/")
            continue
        media = next((media for end, media in _MEDIA.items() if name.endswith(end)), None)
        if media is not None:
            body = entry.read_bytes()
            digest = hashlib.sha256(body).hexdigest()[:32]
            yield name, Asset(body, gzip.compress(body, mtime=0), media, f'"{digest}"')


def _answer(request: web.Request, asset: Asset) -> web.Response:
    """A file; only that it is unchanged where the browser has it."""
    headers = {
        # Asked for each time, for another version of the worker may answer by now.
        "Cache-Control": "no-cache",
        "Content-Security-Policy": CONTENT_POLICY,
        "ETag": asset.etag,
        "Vary": "Accept-Encoding",
    }
    if asset.etag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    body = asset.body
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        body = asset.compressed
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, content_type=asset.media, charset="utf-8", headers=headers)
