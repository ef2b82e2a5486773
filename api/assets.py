"""The few files under /static: style, scripts, the icon, from the package, by exact name.

Pages link them as `/static/1f0c.../start.js`. The digest is of all of them together and stands where a folder would, so
what a script imports beside itself has it too: a browser may keep every file for good and loads none twice.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.problems import ProblemError, ProblemKind

KEEP = "public, max-age=31536000, immutable"
KEEP_BRIEFLY = "public, max-age=60"
"""Asked for without a digest, or with that of another version, which a page that was open before still has."""
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_DIGEST = re.compile(r"[0-9a-f]{12}/")


class StaticAssets:
    """An ASGI app."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope)
        path = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/")
        name = _DIGEST.sub("", path, count=1) if _DIGEST.match(path) else path
        if name not in contents():
            raise ProblemError(ProblemKind.NOT_FOUND)
        if request.method != "GET":
            raise ProblemError(ProblemKind.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        caching = KEEP if f"/static/{path}" == asset_path(name) else KEEP_BRIEFLY
        media_type = _TYPES[PurePosixPath(name).suffix]
        answer = Response(contents()[name], media_type=media_type, headers={"Cache-Control": caching})
        await answer(scope, receive, send)


def asset_path(name: str) -> str:
    """Where a page links a file, as `/static/1f0c2a9b77de/style.css`.

    Raises:
        KeyError: there is none of that name.
    """
    contents()[name]
    return f"/static/{_digest()}/{name}"


def scripts(folder: str = "") -> tuple[str, ...]:
    """The names of all scripts below a folder, as `private/check.js`."""
    return tuple(name for name in contents() if name.startswith(folder) and name.endswith(".js"))


@functools.cache
def contents() -> Mapping[str, bytes]:
    """All there is, by its name. No path of a request ever reaches the file system."""
    return dict(sorted(_read(files("api") / "static")))


@functools.cache
def _digest() -> str:
    told = hashlib.sha256()
    for name, content in contents().items():
        told.update(f"{name} {len(content)}\n".encode() + content)
    return told.hexdigest()[:12]


def _read(folder: Traversable, before: str = "") -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read(entry, f"{before}{entry.name}/")
        elif PurePosixPath(entry.name).suffix in _TYPES:
            yield f"{before}{entry.name}", entry.read_bytes()
