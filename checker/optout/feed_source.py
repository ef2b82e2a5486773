"""Where a feed comes from: a server over HTTP (C2SP tlog-tiles under /v1/feed), or the log of a data folder here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from checker.client import Client
from checker.errors import InputError, RemoteError, RemoteProblemError
from checker.optout.entry import OPENING_BYTES_MAX, parse_opening
from checker.optout.log import Log
from checker.optout.request import OptOuts
from checker.optout.tree import ENTRIES, TILE_WIDTH, Tile
from checker.optout.trust import FeedSource
from checker.settings import Settings

KEY_BYTES_MAX = 1024
KEY_PREFIX = "hibs_"


class RemoteFeed:
    """A feed served over HTTP. The key goes along with openings only, since nothing else needs it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.name = client.name

    def key(self) -> str:
        """See `FeedSource.key`."""
        return self._client.feed_key()

    def checkpoint(self) -> bytes:
        """See `FeedSource.checkpoint`."""
        return self._client.feed_checkpoint()

    def tile(self, tile: Tile) -> bytes:
        """See `FeedSource.tile`."""
        found = self._client.feed_tile(tile.path)
        if found is None and tile.width < TILE_WIDTH:
            # "Logs MAY delete any partial tile once the corresponding full tile is available" (C2SP tlog-tiles).
            found = self._client.feed_tile(Tile(tile.level, tile.index, TILE_WIDTH).path)
        if found is None:
            raise RemoteError(f"{self.name} has no {tile.path}; check the URL, or try again later")
        return found

    def tiles(self, wanted: Sequence[Tile]) -> Iterator[bytes]:
        """See `FeedSource.tiles`. Several requests are under way at once."""
        for tile, found in zip(wanted, self._client.feed_tiles([tile.path for tile in wanted]), strict=True):
            yield self.tile(tile) if found is None else found

    def openings(self, start: int) -> Iterator[bytes]:
        """See `FeedSource.openings`. Asks page after page until one is empty; the next comes while one is proved."""
        with ThreadPoolExecutor(max_workers=1) as ahead:
            lines = self._page(start)
            while lines:
                following = parse_opening(lines[-1][:OPENING_BYTES_MAX]).index + 1
                if following <= start:
                    raise RemoteError(f"{self.name} repeats its openings from {start} on; try again later")
                start = following
                coming = ahead.submit(self._page, start)
                yield from lines
                lines = coming.result()

    def _page(self, start: int) -> list[bytes]:
        try:
            return self._client.feed_openings(start)
        except RemoteProblemError as error:
            if error.status in (401, 403) and not self._client.has_key:
                raise RemoteError(
                    f"{self.name} gives its openings to holders of a feed key only; ask its operator for one and name "
                    "the file that holds it with --key-file"
                ) from error
            raise


class LocalFeed:
    """The log of a data folder on this machine. Needs no key: who can read the folder has the openings."""

    def __init__(self, log: Log, name: str) -> None:
        self._log = log
        self.name = name

    def key(self) -> str:
        """See `FeedSource.key`."""
        return self._log.vkey

    def checkpoint(self) -> bytes:
        """See `FeedSource.checkpoint`."""
        return self._log.checkpoint()

    def tile(self, tile: Tile) -> bytes:
        """See `FeedSource.tile`."""
        if tile.level == ENTRIES:
            return self._log.entries(tile.index, tile.width)
        return self._log.tile(tile.level, tile.index, tile.width)

    def tiles(self, wanted: Sequence[Tile]) -> Iterator[bytes]:
        """See `FeedSource.tiles`."""
        return map(self.tile, wanted)

    def openings(self, start: int) -> Iterator[bytes]:
        """See `FeedSource.openings`."""
        return self._log.openings(start, self._log.size - start)


@contextmanager
def open_source(
    place: str | Path, *, settings: Settings, now: datetime, key_file: Path | None = None
) -> Iterator[FeedSource]:
    """Open what a feed comes from: a Path is a data folder, a text the address of a server.

    Raises:
        InputError: the address is none, or the key file cannot be used.
        DataError: the data folder holds no log.
        RemoteError: nothing installed reaches servers.
    """
    if isinstance(place, Path):
        if key_file is not None:
            raise InputError("--key-file is for a server; a data folder needs none")
        # Opening signs the log anew when its checkpoint is old: to follow it from here needs no running server.
        with OptOuts.open(place, settings, now=now, create=False) as opt_outs:
            yield LocalFeed(opt_outs.log, str(place))
        return
    if not place.startswith(("https://", "http://")):
        raise InputError(f"{place} is no address of a server; it begins with https:// (or use --data DATA)")
    key = read_key_file(key_file) if key_file is not None else None
    yield RemoteFeed(Client(place, key=key))


def read_key_file(path: Path) -> str:
    """The API key in a file, as `hibs keys create` prints it.

    Raises:
        InputError: the file cannot be read or holds no such key. The message does not repeat what it holds.
    """
    try:
        with path.open("rb") as file:
            text = file.read(KEY_BYTES_MAX).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read a key from {path}; check the path and the file") from error
    if not text.startswith(KEY_PREFIX) or not text.isprintable() or " " in text:
        raise InputError(f"{path} holds no API key; it is one line that begins with {KEY_PREFIX}")
    return text
