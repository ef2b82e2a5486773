"""What a site said on a day, from the evidence that a crawl kept: `hibs signals --url URL --data DIR --on DATE`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checker.console import answer, answer_json, one_line
from checker.errors import InputError

if TYPE_CHECKING:
    from datetime import datetime

    from checker.model import Finding
    from checker.records.evidence import Said, SaidOf, StoredFile
    from checker.records.store import CorpusStore


def moment_of(text: str | None, now: datetime) -> datetime:
    """The end of a day (2026-11-22), or a moment (2026-11-22T14:03:00Z); None: now.

    Raises:
        InputError: it is neither.
    """
    from datetime import UTC, datetime, timedelta

    from checker.model import parse_utc

    if text is None:
        return now
    try:
        if len(text) == len("2026-11-22"):
            return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1, seconds=-1)
        return parse_utc(text)
    except ValueError as error:
        raise InputError(f"--on {text} is no date; write it as 2026-11-22 or 2026-11-22T14:03:00Z, in UTC") from error


def show(
    url: str, data: Path, at: datetime, told: Callable[[Finding], dict[str, Any]], *, agent: str, as_json: bool
) -> None:
    """Print what was known of an address at a moment; `told` writes a finding as `hibs signals --json` does."""
    from checker.records.folder import DataFolder

    with DataFolder.open(data, create=False) as folder:
        said = folder.store.said_on(url, at)
        by_host = None if said.address else _said_by_robots(url, said, folder.store, agent=agent, at=at)
    if as_json:
        answer_json(_document(url, at, said, by_host, told))
        return
    for line in _lines(url, said, by_host):
        answer(one_line(line))


def _said_by_robots(url: str, said: Said, store: CorpusStore, *, agent: str, at: datetime) -> SaidOf | None:
    """What the robots.txt of its host said of an address that was not visited. None: there is none of that time."""
    from checker.records.evidence import SaidOf
    from checker.records.rows import host_of
    from checker.signals.read import Evidence, RobotsFetch, read_signals

    file = next((file for file in said.files if file.url == f"{host_of(url)}/robots.txt"), None)
    if file is None:
        return None
    body = store.evidence_body(file.digest) if file.digest else b""
    error = file.error or ("not-kept" if body is None else None)  # what it says is not known then
    robots = RobotsFetch(status=file.status, body=body or b"", error=error)
    verdict = read_signals(Evidence(url=url, robots=robots), agent=agent, now=at)
    return SaidOf(verdict.to_dict(), verdict.findings, file.first_at, file.last_at)


def _document(
    url: str, at: datetime, said: Said, by_host: SaidOf | None, told: Callable[[Finding], dict[str, Any]]
) -> dict[str, Any]:
    from checker.model import utc_text

    def one(of: SaidOf) -> dict[str, Any]:
        return {
            "page_url": of.page_url,
            "source": of.source,
            "verdict": dict(of.verdict),
            "findings": [told(finding) for finding in of.findings],
            "first_at": utc_text(of.first_at),
            "last_at": utc_text(of.last_at),
        }

    return {
        "url": url,
        "at": utc_text(at),
        "said": one(said.address) if said.address else None,
        "said_by_robots": one(by_host) if by_host else None,
        "sightings": [one(of) for of in said.sightings],
        "files": [_file(file) for file in said.files],
        "complete": said.complete,
    }


def _file(file: StoredFile) -> dict[str, Any]:
    from checker.model import utc_text

    return {
        "url": file.url,
        "status": file.status,
        "error": file.error,
        "headers": [list(line) for line in file.headers],
        "sha256": file.digest,
        "size": file.size,
        "stored": file.stored,
        "first_at": utc_text(file.first_at),
        "last_at": utc_text(file.last_at),
    }


def _lines(url: str, said: Said, by_host: SaidOf | None) -> Iterator[str]:
    if said.address is None and not said.sightings and not said.files:
        yield f"nothing is known of {url} at that time; it had not been visited"
        return
    for of in filter(None, (said.address, by_host, *said.sightings)):
        where = f"as shown on {of.page_url}" if of.page_url else "of itself"
        where = "by the robots.txt of its host alone" if of is by_host else where
        yield f"{where}, known from {of.first_at:%Y-%m-%d %H:%M} to {of.last_at:%Y-%m-%d %H:%M} UTC"
        yield "  " + ", ".join(f"{use} {stance}" for use, stance in of.verdict.items())
        for finding in of.findings[:1]:
            yield f"  decided by {finding.place}: {finding.raw[:80]}"
    for file in said.files:
        what = f"HTTP {file.status}" if file.status else file.error or "no answer"
        size = f", {file.size} bytes, SHA-256 {file.digest}" if file.digest else ""
        yield f"{file.url}  {what}{size}, from {file.first_at:%Y-%m-%d %H:%M} to {file.last_at:%Y-%m-%d %H:%M} UTC"
    if not said.complete:
        yield "there is more than is shown here"
