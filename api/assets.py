"""The few files under /static: style and scripts, from the package, by exact name."""

from __future__ import annotations

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.problems import ProblemError, ProblemKind

MEDIA_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
    "receipts.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""All there is. No path of a request ever reaches the file system."""
KEEP = "public, max-age=31536000, immutable"
"""Pages link these files with a digest of their contents (`?v=`)."""
KEEP_BRIEFLY = "public, max-age=60"


class StaticAssets:
    """An ASGI app."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope)
        name = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/")
        if name not in MEDIA_TYPES:
            raise ProblemError(ProblemKind.NOT_FOUND)
        if request.method != "GET":
            raise ProblemError(ProblemKind.METHOD_NOT_ALLOWED, headers={"Allow": "GET, HEAD"})
        body = (files("api") / "static" / name).read_bytes()
        caching = KEEP if "v" in request.query_params else KEEP_BRIEFLY
        answer = Response(body, media_type=MEDIA_TYPES[name], headers={"Cache-Control": caching})
        await answer(scope, receive, send)
