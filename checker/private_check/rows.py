"""Where the rows of a private check come from: a saved list, a data folder, or a server; and what a server was shown.

A list that a server gave is kept in the user's cache folder (0700) until the server's next one: the second check of
a day sends nothing. Answers to sketches are never kept on a disk, because which were asked says what was asked about.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import numpy as np

from checker.client import Client
from checker.errors import DataError, EmptyCorpusError, InputError, RemoteError, RemoteProblemError
from checker.index.halves import HALF_BYTES, Halves
from checker.index.private import shown_half_codes
from checker.index.private_answer import About, read_answer
from checker.model import PHASH256, utc_text
from checker.private_check.asking import AskedHalves
from checker.records.folder import DataFolder, make_private_folder
from checker.remote import Reply
from checker.settings import Settings

ANSWER_BYTES_MAX = 64 * 2**20
"""Four million rows; a server that follows docs/private.md sends 3.3 MB at the most as a list."""
KEPT_FOR = timedelta(days=1)
"""A list is used without asking for this long at the most, whatever the server writes into it."""
_REMEMBERED_MAX = 64
"""Answers to sketches that are held in memory, for photos of one run that share a sketch."""
_KEPT_HEADER_MAX = 4096


@dataclass(slots=True)
class Traffic:
    """What went over the line, counted from what was sent and what came."""

    requests: int = 0
    sketches: int = 0
    """Sent, 16 bits each."""
    bytes_received: int = 0
    """Of answers, without the headers of HTTP."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What one photo is compared with."""

    about: About
    rows: Halves
    sketches: tuple[int, ...] = ()
    """That stand for this photo, sent now or before in this run; empty: the whole list is here."""


class RowSource(Protocol):
    """Gives the rows for one photo after the other."""

    @property
    def traffic(self) -> Traffic:
        """So far."""
        ...

    def rows_for(self, asked: AskedHalves) -> Rows:
        """The rows among which a copy of this photo would be."""
        ...


@dataclass(frozen=True, slots=True)
class WholeList:
    """Every row is here, so nothing is shown of any photo."""

    about: About
    rows: Halves
    traffic: Traffic = field(default_factory=Traffic)

    def rows_for(self, _: AskedHalves) -> Rows:
        """All of them."""
        return Rows(self.about, self.rows)


class BySketch:
    """Asks a server for the rows around up to four sketches of each photo."""

    def __init__(self, client: Client, traffic: Traffic) -> None:
        self._client = client
        self.traffic = traffic
        self._answers: dict[int, tuple[About, Halves]] = {}

    def rows_for(self, asked: AskedHalves) -> Rows:
        """Those of all cells near to the sketches.

        Raises:
            RemoteError: the server answered something else.
        """
        shown = asked.shown()
        if len(self._answers) > _REMEMBERED_MAX:
            self._answers.clear()
        self._fetch([sketch for sketch in shown if sketch not in self._answers])
        answers = [self._answers[sketch] for sketch in shown]
        rows = np.unique(np.concatenate([rows for _, rows in answers]), axis=0)
        return Rows(answers[0][0], rows, shown)

    def _fetch(self, sketches: Sequence[int]) -> None:
        self.traffic.sketches += len(sketches)
        try:
            for sketch, body in zip(sketches, self._client.private_sketches(sketches), strict=True):
                self._answers[sketch] = _read(body, self._client)
        finally:
            _count(self.traffic, self._client)


def rows_of_folder(data: Path, settings: Settings, *, now: datetime) -> WholeList:
    """Every row of a data folder as it is now; nothing goes over any line.

    Raises:
        DataError: it cannot be used.
        EmptyCorpusError: it holds no picture yet.
    """
    with DataFolder.open(data, create=False) as folder:
        facts = folder.store.coverage((PHASH256,))
        if not facts.images:
            raise EmptyCorpusError(f"{data} holds 0 pictures yet, so there is no answer; add some with `hibs crawl`")
        halves = shown_half_codes(folder, settings, now=now)
        rows = np.frombuffer(halves.whole_list(), dtype=np.uint8).reshape(-1, HALF_BYTES)
        return WholeList(About(halves.built_at, halves.built_at, facts.images, facts.sources, facts.newest), rows)


def rows_of_file(path: Path) -> WholeList:
    """A list that somebody saved (`GET /v1/private/list`).

    Raises:
        InputError: it cannot be read, or is none.
    """
    try:
        with path.open("rb") as file:
            body = file.read(ANSWER_BYTES_MAX + 1)
        if len(body) > ANSWER_BYTES_MAX:
            raise InputError(f"{path} has more than the {ANSWER_BYTES_MAX:,} bytes that a private list may have")
        return WholeList(*read_answer(body))
    except OSError as error:
        raise InputError(f"the list {path} cannot be read: {error.strerror}; check the path") from error
    except ValueError as error:
        raise InputError(
            f"{path} is no private list ({error}); save one with curl -o FILE SERVER/v1/private/list"
        ) from error


def rows_of_server(client: Client, server: str, cache: Path | None, *, now: datetime) -> tuple[RowSource, str]:
    """The whole list of a server, from the cache where it is good still; of a large collection by sketch.

    Args:
        cache: folder to keep the list in; None: keep nothing.
    Returns:
        The rows, and a sentence for the person about what was done.
    Raises:
        RemoteError: the server has no answer, or is none of this kind.
    """
    traffic = Traffic()
    place = cache / f"{hashlib.sha256(server.encode()).hexdigest()[:32]}.list" if cache else None
    etag, kept = _read_kept(place, server) if place else ("", None)
    if kept and kept.about.built_at <= now < min(kept.about.next_at, kept.about.built_at + KEPT_FOR):
        day = f"{kept.about.built_at:%Y-%m-%d}"
        return kept, f"the list of {day} that was taken before is good until the next one, so nothing was sent"
    try:
        reply = client.private_list(etag=etag)
    except RemoteProblemError as error:
        if error.kind != "ask-otherwise":
            raise
        return BySketch(client, traffic), (
            "this collection is too large for one list, so up to 4 sketches of each photo are sent, 16 bits each; "
            "the photo and its code stay here"
        )
    finally:
        _count(traffic, client)
    if reply.status == 304 and kept:
        return WholeList(kept.about, kept.rows, traffic), "the list that was taken before has not changed"
    about, rows = _read(reply.body, client)
    said = "the whole list was taken, so nothing was sent of any photo"
    if place and reply.etag and _keep(place, server, reply):
        said += f"; it is kept in {place.parent}"
    return WholeList(about, rows, traffic), said


def cache_folder(environ: Mapping[str, str]) -> Path | None:
    """Where lists are kept (XDG Base Directory Specification: relative paths there are ignored). None: nowhere."""
    base, home = environ.get("XDG_CACHE_HOME", ""), environ.get("HOME", "")
    if base.startswith("/"):
        return Path(base) / "hibs" / "private"
    return Path(home) / ".cache" / "hibs" / "private" if home.startswith("/") else None


def _read(body: bytes, client: Client) -> tuple[About, Halves]:
    try:
        return read_answer(body)
    except ValueError as error:
        raise RemoteError(f"{client.name} sent no private list: {error}; is it a service of this kind?") from error


def _count(traffic: Traffic, client: Client) -> None:
    traffic.requests, traffic.bytes_received = client.requests, client.bytes_received


def _read_kept(place: Path, server: str) -> tuple[str, WholeList | None]:
    """The ETag and the list that were kept. What is damaged or another server's is as good as nothing."""
    try:
        with place.open("rb") as file:
            head = json.loads(file.readline(_KEPT_HEADER_MAX))
            body = file.read(ANSWER_BYTES_MAX + 1)
        if head["server"] != server or head["sha256"] != hashlib.sha256(body).hexdigest():
            return "", None
        return str(head["etag"]), WholeList(*read_answer(body))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "", None


def _keep(place: Path, server: str, reply: Reply) -> bool:
    """Write the list down for the next time. A cache that cannot be written is no reason to give no answer."""
    head = {"server": server, "etag": reply.etag, "sha256": hashlib.sha256(reply.body).hexdigest()}
    line = json.dumps(head).encode() + b"\n"
    if len(line) > _KEPT_HEADER_MAX:
        return False
    beside = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
    try:
        make_private_folder(place.parent)
        place.parent.chmod(0o700)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.writelines((line, reply.body))
        beside.replace(place)
    except (OSError, DataError):
        with suppress(OSError):
            beside.unlink()
        return False
    return True


def coverage_document(about: About) -> dict[str, object]:
    """The contract's `coverage`."""
    facts = about.coverage
    return {
        "images": facts.images,
        "sources": facts.sources,
        "newest": utc_text(facts.newest) if facts.newest else None,
        "checks": list(facts.checks),
    }
