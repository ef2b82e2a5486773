"""Visits that carry evidence, for the tests of what is kept of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from checker.model import PHASH256, Finding, Fingerprint, Picture, Sha256, Stance, Use, Verdict
from checker.records.evidence import StoredFile
from checker.records.folder import DataFolder
from checker.visits import FetchedFile, FoundLink, Outcome, PictureSeen, Visit

DAY = timedelta(days=1)
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOST = "http://gallery.localhost:8001"
PAGE, OTHER_PAGE, IMAGE = f"{HOST}/index.html", f"{HOST}/more.html", f"{HOST}/cat.jpg"
ROBOTS = f"{HOST}/robots.txt"
OPEN = b"User-agent: *\nAllow: /\n"
CLOSED = b"User-agent: *\nContent-Usage: train-ai=n\nAllow: /\n"

NO_TRAINING = Finding("content-usage", "robots.txt line 2", "train-ai=n", {Use.TRAIN_AI: Stance.DENY})
NO_AI_TAG = Finding("html-robots", "meta robots", "noai", {Use.TRAIN_AI: Stance.DENY})
NO_INDEX = Finding("x-robots-tag", "header X-Robots-Tag", "noindex", {Use.INDEX: Stance.DENY})
NOT_HAD = Finding("robots.txt", "robots.txt", "HTTP 503", crawl=Stance.DENY, unreachable=True)


def verdict(*findings: Finding) -> Verdict:
    uses = dict.fromkeys(Use, Stance.UNSPECIFIED)
    for finding in findings:
        uses |= finding.uses
    return Verdict(Stance.ALLOW, uses, findings)


def fetched(
    url: str = ROBOTS, body: bytes | None = OPEN, *headers: tuple[str, str], at: datetime = NOON, status: int = 200
) -> FetchedFile:
    return FetchedFile(url=url, status=status, error=None, body=body, headers=headers, fetched_at=at)


def page_visit(
    *findings: Finding, at: datetime = NOON, url: str = PAGE, evidence: tuple[FetchedFile, ...] = ()
) -> Visit:
    links = (FoundLink(url=IMAGE, kind="image", found_as="img src", caption="A cat"),)
    return Visit(url, "page", Outcome.DONE, at, status=200, verdict=verdict(*findings), links=links, evidence=evidence)


def image_visit(*findings: Finding, at: datetime = NOON, url: str = IMAGE, fill: int = 1, **more: object) -> Visit:
    codes = (Fingerprint(PHASH256, bytes([fill]) * 32),)
    seen = PictureSeen(Picture(Sha256(f"{fill:064x}"), 9, 8, 8, "JPEG", codes, plain=False), servable=True)
    visit = Visit(url, "image", Outcome.DONE, at, status=200, verdict=verdict(*findings), seen=seen)
    return replace(visit, **more)  # type: ignore[arg-type]


def told(folder: DataFolder, *visits: Visit) -> list[int | None]:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    return [folder.store.record(visit, source=source).image_id for visit in visits]


def rows(folder: DataFolder, query: str) -> list[tuple[object, ...]]:
    return list(folder.store._db.execute(query).fetchall())


def everything(folder: DataFolder) -> dict[str, list[tuple[object, ...]]]:
    return {table: rows(folder, f"SELECT * FROM {table}") for table in ("evidence", "evidence_body", "said")}


def file_on(folder: DataFolder, at: datetime, *, url: str = ROBOTS, of: str = IMAGE) -> StoredFile | None:
    return next((file for file in folder.store.said_on(of, at).files if file.url == url), None)


def robots_on(folder: DataFolder, at: datetime) -> bytes | None:
    file = file_on(folder, at)
    return folder.store.evidence_body(file.digest) if file and file.digest else None
