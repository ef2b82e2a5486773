"""A feed server in memory, and the few steps that tests of the feed share.

`FeedServer` answers as the API does (docs/feed.md, C2SP tlog-tiles), from a real log, through the `Remote` Protocol;
and it can lie in the ways that a follower must notice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from checker.client import Client
from checker.errors import InputError, RemoteError
from checker.model import PHASH256, Fingerprint, Use
from checker.optout.entry import EntryType, Evidence, Reference
from checker.optout.feed_source import LocalFeed, RemoteFeed
from checker.optout.follow import Synced, sync
from checker.optout.request import OptOuts, Recorded
from checker.optout.tree import ENTRIES, parse_tile_path
from checker.remote import Reply
from checker.settings import Settings

FEED_KEY = "hibs_test_key"
ALL = frozenset({Use.ALL})


def code(seed: int) -> Fingerprint:
    """A code that a real picture could have: 128 of 256 bits, chosen by `seed`."""
    chosen = random.Random(seed).sample(range(256), 128)
    return Fingerprint(PHASH256, sum(1 << bit for bit in chosen).to_bytes(32))


def flipped(near: Fingerprint, bits: int) -> Fingerprint:
    """The code that differs from `near` in its last `bits` bits."""
    return Fingerprint(PHASH256, (int.from_bytes(near.bits) ^ ((1 << bits) - 1)).to_bytes(32))


def opened(data: Path, now: datetime) -> OptOuts:
    """The opt-outs of a data folder, made when they are missing."""
    return OptOuts.open(data, Settings(), now=now)


def record(
    opt_outs: OptOuts, codes: Sequence[Fingerprint], now: datetime, evidence: Evidence = Evidence.PICTURE
) -> list[Recorded]:
    """One opt-out a code."""
    return [opt_outs.record([[one]], uses=ALL, evidence=evidence, now=now) for one in codes]


def say(opt_outs: OptOuts, kind: EntryType, index: int, now: datetime) -> None:
    """Append an entry about an earlier one, which no command makes yet."""
    with opt_outs.registry.writing() as writer:
        opt_outs.log.append(writer, Reference(kind, index))
    opt_outs.log.sign(now)


def make_log(data: Path, now: datetime, size: int) -> None:
    """A log of `size` opt-outs, the codes 0, 1, 2, ..."""
    with opened(data, now) as opt_outs:
        record(opt_outs, [code(seed) for seed in range(size)], now)


def follow(data: Path, feed: Path, now: datetime, pin: str | None = None) -> Synced:
    """Sync a feed folder from a data folder."""
    with opened(data, now) as opt_outs:
        return sync(feed, LocalFeed(opt_outs.log, str(data)), now=now, pin=pin)


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but the lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def openings_asked(server: FeedServer) -> list[str]:
    """The pages of openings that were asked for."""
    return [path.partition("?")[2] for path in server.asked if "openings" in path]


class FeedServer:
    """The feed of one log, as a server gives it. Implements `checker.remote.Remote`."""

    def __init__(self, opt_outs: OptOuts, *, page_lines: int = 10_000) -> None:
        self._log = opt_outs.log
        self._page_lines = page_lines
        self.asked: list[str] = []
        """Paths in the order in which they were asked for."""
        self.authorized: list[str] = []
        """Those that came with a key."""
        self.checkpoints: list[bytes] = []
        """Given out one after the other before the newest is."""
        self.gone: set[str] = set()
        """Paths below /v1/feed/ that are not served any more."""
        self.changed: dict[str, bytes] = {}
        """What is served instead, by path and query below /v1/feed/."""
        self.unplugged_after: int | None = None
        """Answers that are given before the line goes dead."""

    def source(self, key: str | None = FEED_KEY) -> RemoteFeed:
        """A follower's view of this server."""
        return RemoteFeed(Client(self, name="http://feed.test", key=key))

    def get(self, path: str, *, bytes_max: int, authorization: str | None = None) -> Reply:
        """See `Remote.get`."""
        if self.unplugged_after is not None and len(self.asked) >= self.unplugged_after:
            raise RemoteError("http://feed.test does not answer")
        self.asked.append(path)
        if authorization is not None:
            self.authorized.append(path)
        reply = self._answer(path, authorization)
        assert len(reply.body) <= bytes_max
        return reply

    def get_many(self, paths: Sequence[str], *, bytes_max: int) -> Iterator[Reply]:
        """See `Remote.get_many`."""
        return (self.get(path, bytes_max=bytes_max) for path in paths)

    def post(
        self, path: str, body: bytes, media_type: str, *, bytes_max: int, authorization: str | None = None
    ) -> Reply:
        """Nothing is sent to a feed."""
        raise NotImplementedError

    def delete(self, path: str, *, bytes_max: int, authorization: str | None = None) -> Reply:
        """Nothing of a feed is deleted."""
        raise NotImplementedError

    def _answer(self, path: str, authorization: str | None) -> Reply:
        asked = path.removeprefix("/v1/feed/")
        if asked in self.gone:
            return Reply(404, b"", "application/problem+json")
        if asked in self.changed:
            return Reply(200, self.changed[asked], "")
        name = urlsplit(asked).path
        if name == "key":
            return Reply(200, f"{self._log.vkey}\n".encode(), "text/plain")
        if name == "checkpoint":
            return Reply(200, self.checkpoints.pop(0) if self.checkpoints else self._log.checkpoint(), "text/plain")
        if name == "openings":
            if authorization != f"Bearer {FEED_KEY}":
                return Reply(401, b"", "application/problem+json")
            start = int(parse_qs(urlsplit(asked).query)["from"][0])
            return Reply(200, b"".join(self._log.openings(start, self._page_lines)), "application/x-ndjson")
        tile = parse_tile_path(name)
        assert tile is not None
        try:
            if tile.level == ENTRIES:
                return Reply(200, self._log.entries(tile.index, tile.width), "application/octet-stream")
            return Reply(200, self._log.tile(tile.level, tile.index, tile.width), "application/octet-stream")
        except InputError:
            return Reply(404, b"", "application/problem+json")
