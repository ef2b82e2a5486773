"""The one thing checker needs from a network: bytes of a server of ours, by path.

Only the Protocol stands here. `crawler.remote` implements it and is found through the entry-point group
`hibs.remote`, so that checker opens no socket and imports nothing to its right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

from checker.errors import RemoteError


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    body: bytes
    media_type: str
    """Without parameters, lower case; empty: the server named none."""
    etag: str = ""
    """As the server wrote it, quotes included; empty: it named none."""
    retry_after_s: int | None = None
    """Seconds of Retry-After (RFC 9110 10.2.3); None: none were named."""


class Remote(Protocol):
    """Speaks to one server. Follows no redirect, sends no cookie; raises RemoteError when nothing was answered."""

    def get(
        self, path: str, *, bytes_max: int, authorization: str | None = None, if_none_match: str | None = None
    ) -> Reply:
        """Fetch `path` (absolute, with query). More than `bytes_max` bytes is a RemoteError.

        With `if_none_match`, an ETag, the answer may be 304 without a body: what carries it is still good.
        """
        ...

    def get_many(self, paths: Sequence[str], *, bytes_max: int) -> Iterator[Reply]:
        """As `get` for each of these paths, several at once; the replies come in the order of the paths."""
        ...

    def post(
        self, path: str, body: bytes, media_type: str, *, bytes_max: int, authorization: str | None = None
    ) -> Reply:
        """Send `body`; otherwise as `get`."""
        ...

    def delete(self, path: str, *, bytes_max: int, authorization: str | None = None) -> Reply:
        """As `get`, with the method DELETE."""
        ...


def connect(server: str) -> Remote:
    """Find the installed implementation and point it at `server` ("http://127.0.0.1:8000")."""
    for found in entry_points(group="hibs.remote", name="http"):
        remote: Remote = found.load()(server)
        return remote
    raise RemoteError("no way to reach a server is installed; install the whole of haveibeenscraped")
