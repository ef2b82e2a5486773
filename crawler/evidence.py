"""What was fetched about one address, in the form in which checker.signals reads it and the records keep it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from checker.signals.read import Evidence, RobotsFetch
from checker.signals.textfiles import TextFile
from checker.visits import FetchedFile
from crawler.addresses import host_of
from crawler.fetch import Fetched, Head, NotFetched
from crawler.sites import HostFile, HostFiles

_NO_FILES = HostFiles(tdmrep=None, ai_txt=None, trust_txt=None, well_known_trust_txt=None)


def evidence_of(
    url: str,
    robots: RobotsFetch,
    head: Head | None,
    *,
    files: HostFiles | None = None,
    licences: Mapping[str, HostFile | None] | None = None,
    html: bytes | None = None,
    image: bytes | None = None,
) -> Evidence:
    """Everything about the address itself; of a page, the page is what is asked about."""
    files = files or _NO_FILES
    fetched = ((address, as_fetch(file)) for address, file in (licences or {}).items())
    return Evidence(
        url=url,
        robots=robots,
        tdmrep=as_fetch(files.tdmrep),
        ai_txt=as_text(files.ai_txt),
        trust_txt=as_text(files.trust_txt),
        well_known_trust_txt=as_text(files.well_known_trust_txt),
        status=head.status if head else None,
        headers=head.headers if head else (),
        html=html,
        html_is_target=True,
        page_url=url if html is not None else "",
        licences=tuple((address, found) for address, found in fetched if found is not None),
        image=image,
    )


def fetched_files(
    url: str,
    robots: RobotsFetch,
    answer: Fetched | NotFetched | None,
    *,
    now: datetime,
    robots_at: datetime,
    files: HostFiles | None = None,
    licences: Mapping[str, HostFile | None] | None = None,
) -> tuple[FetchedFile, ...]:
    """The same for the records, which keep what was said with its date; of a picture never its bytes.

    Args:
        answer: of the address itself, now; None: it was not asked.
        robots_at: when robots.txt was fetched.
    """
    found = [*(files or ()), *(file for file in (licences or {}).values() if file)]
    of_host = FetchedFile(f"{host_of(url)}/robots.txt", robots.status, robots.error, robots.body, (), robots_at)
    return (of_host, *(_kept(one) for one in found), *((own_file(url, answer, now),) if answer else ()))


def own_file(url: str, answer: Fetched | NotFetched, now: datetime) -> FetchedFile:
    """What the address itself answered."""
    if isinstance(answer, NotFetched):
        return FetchedFile(url, None, answer.reason.value, None, (), now)
    return FetchedFile(url, answer.head.status, None, answer.body, answer.head.headers, now)


def _kept(file: HostFile) -> FetchedFile:
    headers = (("Content-Type", file.content_type),) if file.content_type else ()
    return FetchedFile(file.url, file.status, file.error, file.body, headers, file.fetched_at)


def as_fetch(file: HostFile | None) -> RobotsFetch | None:
    """As readers of JSON and XML take it."""
    return RobotsFetch(status=file.status, body=file.body, error=file.error) if file else None


def as_text(file: HostFile | None) -> TextFile | None:
    """As readers of plain text take it, which a start page in its place must not be."""
    return TextFile(file.status, file.body, file.content_type, file.error) if file else None
