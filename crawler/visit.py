"""One address, from the frontier to what is recorded of it.

    robots.txt -> request -> (redirect -> robots.txt -> request)* -> headers -> body -> signals -> links or codes

The order spares the publisher: a no in robots.txt costs them no request, a no in the headers no body. What a response
is, is found out by reading it: a picture by decoding, a page by its Content-Type and then as HTML. A link that leads
to a picture is taken as one.

A page's robots tags count against the pictures on it. Where they forbid indexing, those pictures are recorded as not
taken, with the page's words as evidence, before the page itself: a run that is killed in between repeats the page,
and never finds such a picture waiting as if nobody had said anything. When a picture's turn comes, maybe in another
run, what its pages said is read back from the records. What they said of other uses counts for the sighting on each
of them; a picture's own visit holds only what was said of the picture itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from email.message import Message

from checker.model import (
    FetchedFile,
    Finding,
    FoundLink,
    Outcome,
    Picture,
    PictureSeen,
    Stance,
    Unreadable,
    Use,
    Verdict,
    Visit,
)
from checker.records.interfaces import Lease, verdict_forbids_index
from checker.settings import Settings
from checker.signals.read import Evidence, RobotsFetch, crawl_stance, licences_of, read_signals
from checker.signals.verdict import BLOCKING, combine, deciding_finding, with_doubt
from crawler.addresses import host_of
from crawler.discover import Scope, find_links
from crawler.evidence import evidence_of, fetched_files
from crawler.fetch import Ask, Fetched, Head, NotFetched, NotFetchedReason
from crawler.settings import AGENT_TOKEN, CrawlSettings
from crawler.sites import HostFile, HostFiles, Reached, Sites, is_unreachable
from crawler.turns import Clock, PutOff, Turns, is_complaint

_KEPT_HEADERS = frozenset(
    {
        "content-type",
        "last-modified",
        "etag",
        "x-robots-tag",
        "tdm-reservation",
        "tdm-policy",
        "content-usage",
        "content-signal",
        "link",
    }
)
ROBOTS_UNREACHABLE = "robots-unreachable"
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True)
class Limits:
    """The two sets of limits that a visit keeps to."""

    crawl: CrawlSettings
    pictures: Settings


class Visitor:
    """Visits addresses for one run."""

    def __init__(
        self,
        sites: Sites,
        turns: Turns,
        limits: Limits,
        clock: Clock,
        scope: Scope,
        said_by_pages: Callable[[str], Awaitable[tuple[Finding, ...]]],
        code: Callable[[bytes], Picture | Unreadable],
    ) -> None:
        """`said_by_pages` gives the robots tags of the pages that show the picture at an address, `code` its codes."""
        self._said_by_pages = said_by_pages
        self._sites = sites
        self._turns = turns
        self._limits = limits
        self._clock = clock
        self._scope = scope
        self._code = code

    async def visit(self, lease: Lease) -> tuple[Visit, ...]:
        """Visit one address.

        Returns:
            What to record, in this order: pictures that the page forbids, then the visit itself.

        Raises:
            StoppedError: the run is to end; nothing is to be recorded.
        """
        if self._turns.given_up(lease.host):
            return (self._ended(lease, Outcome.FAILED, NotFetchedReason.HOST_FAILS.value),)
        picture = lease.kind == "image"
        said = await self._said_by_pages(lease.url)  # of a link as well: it may lead to a picture that stands on a page
        if picture and verdict_forbids_index(by_pages := with_doubt(combine(said))):
            return (self._ended(lease, Outcome.DISALLOWED, _index_reason(by_pages), verdict=by_pages),)
        reached, licences = await self._reach(lease, said)
        if reached.answer is None:
            return (replace(self._closed(lease, reached), evidence=self._evidence(reached)),)
        if not isinstance(reached.answer, Fetched) or is_complaint(reached.answer):
            complaint = self._complaint(lease, reached.url, reached.answer)
            return (replace(complaint, evidence=self._evidence(reached)),)
        files = await self._sites.files(reached.url)
        if picture or (is_picture(reached.answer.head) and 200 <= reached.answer.head.status < 300):
            head, body = reached.answer.head, reached.answer.body
            evidence = evidence_of(reached.url, reached.robots, head, files=files, licences=licences, image=body)
            verdict = await asyncio.to_thread(self._read, evidence)
            visits: tuple[Visit, ...] = (await self._picture(lease, reached.answer, verdict, said),)
        else:
            visits = await self._page(lease, reached, reached.answer, files, licences)
        kept = self._evidence(reached, files=files, licences=licences)
        page = kept[-1:]
        return (*(replace(barred, evidence=page) for barred in visits[:-1]), replace(visits[-1], evidence=kept))

    def _evidence(
        self,
        reached: Reached,
        *,
        files: HostFiles | None = None,
        licences: Mapping[str, HostFile | None] | None = None,
    ) -> tuple[FetchedFile, ...]:
        return fetched_files(
            reached.url,
            reached.robots,
            None if isinstance(reached.answer, PutOff) else reached.answer,
            now=self._clock.now(),
            robots_at=self._sites.robots_at(reached.url),
            files=files,
            licences=licences,
        )

    async def _reach(self, lease: Lease, said: tuple[Finding, ...]) -> tuple[Reached, Mapping[str, HostFile | None]]:
        """Fetch the address, and the licences that decide whether a picture there is wanted.

        What robots.txt points at is fetched first. A licence that only the response names costs the picture a second
        request: its body is not read before its terms are.
        """
        picture = lease.kind == "image"
        bytes_max = self._limits.pictures.picture_bytes_max if picture else self._limits.crawl.page_bytes_max
        licences: dict[str, HostFile | None] = {}
        wanted: set[str] = set()

        def ask(url: str, robots: RobotsFetch) -> Ask:
            def wants_body(head: Head) -> bool:
                if not picture and not is_picture(head):
                    return is_page(head)
                evidence = evidence_of(url, robots, head, licences=licences)
                wanted.update(_addresses(evidence))
                return not verdict_forbids_index(_together(self._read(evidence), said))

            return Ask(url, bytes_max=bytes_max, wants_body=wants_body)

        robots = await self._sites.robots(lease.url)
        stance = crawl_stance(robots, lease.url, agent=AGENT_TOKEN)
        if stance.crawl is Stance.DENY:
            return Reached(url=lease.url, robots=robots, stance=stance, answer=None), licences
        await self._sites.files(lease.url)  # before the address itself: a run that ends here repeats nothing
        if picture:
            wanted.update(_addresses(evidence_of(lease.url, robots, None)))
        for _ in range(2):
            for address in sorted(wanted - set(licences)):
                licences[address] = await self._sites.small_file(address)
            reached = await self._sites.reach(lease.url, ask)
            if wanted <= set(licences):
                break
        return reached, licences

    # --- what came back ----------------------------------------------------------------------------------------

    async def _picture(self, lease: Lease, answer: Fetched, verdict: Verdict, said: tuple[Finding, ...]) -> Visit:
        """`verdict` is what was said of the picture itself, `said` what the pages that show it said of it."""
        head, body = answer.head, answer.body
        together = _together(verdict, said)
        if head.status == 402 or (200 <= head.status < 300 and verdict_forbids_index(together)):
            reason = "http-402" if head.status == 402 else _index_reason(together)
            return self._ended(lease, Outcome.DISALLOWED, reason, status=head.status, verdict=together)
        if body is None:
            return self._ended(lease, Outcome.FAILED, f"http-{head.status}", status=head.status, verdict=verdict)
        picture = await asyncio.to_thread(self._code, body)
        if isinstance(picture, Unreadable):
            return self._ended(lease, Outcome.FAILED, picture.reason.value, status=head.status, verdict=verdict)
        visit = self._ended(lease, Outcome.DONE, None, status=head.status, verdict=verdict)
        return replace(visit, seen=_seen(picture, head))

    async def _page(
        self,
        lease: Lease,
        reached: Reached,
        answer: Fetched,
        files: HostFiles,
        licences: Mapping[str, HostFile | None],
    ) -> tuple[Visit, ...]:
        head = answer.head
        if not self._scope.takes_page(reached.url):
            # Where a start address leads elsewhere, nothing would be crawled and nobody would know why.
            outcome = Outcome.FAILED if lease.depth == 0 else Outcome.DONE
            return (self._ended(lease, outcome, "redirect-out-of-scope", status=head.status),)
        if not 200 <= head.status < 300:
            verdict = self._read(evidence_of(reached.url, reached.robots, head, files=files, licences=licences))
            outcome = Outcome.DISALLOWED if head.status == 402 else Outcome.FAILED
            return (self._ended(lease, outcome, f"http-{head.status}", status=head.status, verdict=verdict),)
        if answer.body is None:
            outcome = Outcome.FAILED if lease.depth == 0 else Outcome.DONE
            return (self._ended(lease, outcome, "not-a-page", status=head.status),)
        evidence = evidence_of(reached.url, reached.robots, head, files=files, licences=licences, html=answer.body)
        verdict, says, links = await asyncio.to_thread(self._read_page, evidence, head, answer.body, lease.depth)
        page = self._ended(lease, Outcome.DONE, None, status=head.status, verdict=verdict)
        barred = [link for link in links if link.kind == "image"] if verdict_forbids_index(says) else []
        return (*(self._barred(link, says, lease) for link in barred), replace(page, links=links))

    def _read_page(
        self, evidence: Evidence, head: Head, body: bytes, depth: int
    ) -> tuple[Verdict, Verdict, tuple[FoundLink, ...]]:
        """What was said about the page, what the page says about its pictures, and its links. Runs in a thread."""
        verdict = self._read(evidence)
        says = self._read(Evidence(url=evidence.url, html=body, page_headers=head.headers))
        found = find_links(
            body, page_url=evidence.url, charset=charset(head), scope=self._scope, settings=self._limits.crawl
        )
        deeper = depth < self._limits.crawl.depth_max
        return verdict, says, tuple(link for link in found if link.kind == "image" or deeper)

    # --- how it ended ------------------------------------------------------------------------------------------

    def _closed(self, lease: Lease, reached: Reached) -> Visit:
        """No answer was had: a loop of redirects, a no in robots.txt, or no robots.txt to be had."""
        if reached.trouble:
            return self._ended(lease, Outcome.FAILED, reached.trouble)
        verdict = self._read(evidence_of(reached.url, reached.robots, None))
        if not is_unreachable(reached.robots):
            return self._ended(lease, Outcome.DISALLOWED, "robots.txt", verdict=verdict)
        if reached.robots.error == NotFetchedReason.BLOCKED_ADDRESS:
            return self._ended(lease, Outcome.FAILED, NotFetchedReason.BLOCKED_ADDRESS.value)
        failed = self._ended(lease, Outcome.FAILED, ROBOTS_UNREACHABLE, verdict=verdict)
        if self._sites.robots_given_up(reached.url):
            return failed
        return self._again(failed, lease, host_of(reached.url), None)

    def _complaint(self, lease: Lease, url: str, answer: Fetched | NotFetched | PutOff) -> Visit:
        if isinstance(answer, Fetched):
            reason, status = f"http-{answer.head.status}", answer.head.status
        else:
            reason, status = ("host-rests" if isinstance(answer, PutOff) else answer.reason.value), None
        failed = self._ended(lease, Outcome.FAILED, reason, status=status)
        return self._again(failed, lease, host_of(url), answer) if is_complaint(answer) else failed

    def _again(self, failed: Visit, lease: Lease, host: str, answer: Fetched | NotFetched | PutOff | None) -> Visit:
        """Worth another try once the host has rested, unless it had its tries."""
        if lease.attempt >= self._limits.crawl.attempts_max:
            return failed
        return replace(failed, retry_at=self._turns.retry_at(host, answer))

    def _barred(self, link: FoundLink, says: Verdict, lease: Lease) -> Visit:
        return Visit(
            url=link.url,
            kind=link.kind,
            outcome=Outcome.DISALLOWED,
            seen_at=self._clock.now(),
            reason=_index_reason(says),
            verdict=says,
            depth=lease.depth + 1,
        )

    def _ended(
        self,
        lease: Lease,
        outcome: Outcome,
        reason: str | None,
        *,
        status: int | None = None,
        verdict: Verdict | None = None,
    ) -> Visit:
        return Visit(
            url=lease.url,
            kind=lease.kind,
            outcome=outcome,
            seen_at=self._clock.now(),
            reason=reason,
            status=status,
            verdict=verdict,
            depth=lease.depth,
        )

    def _read(self, evidence: Evidence) -> Verdict:
        """All that was said about one address itself."""
        return read_signals(evidence, agent=AGENT_TOKEN, now=self._clock.now())


def _addresses(evidence: Evidence) -> set[str]:
    """Of the licences that apply and can be fetched."""
    return {one.url for one in licences_of(evidence, agent=AGENT_TOKEN) if one.url}


def _together(verdict: Verdict, said: tuple[Finding, ...]) -> Verdict:
    return with_doubt(combine((*verdict.findings, *said)))


def media_type(head: Head) -> str:
    """The Content-Type without parameters, lower case."""
    return head.get("Content-Type").partition(";")[0].strip().lower()


def is_page(head: Head) -> bool:
    """Does the server call it HTML?"""
    return media_type(head) in _HTML_TYPES


def is_picture(head: Head) -> bool:
    """Does the server call it a picture? Only asked of what was linked as a page; what is embedded is tried anyway."""
    return media_type(head).startswith("image/")


def charset(head: Head) -> str:
    """The charset of the Content-Type; empty: none is named."""
    message = Message()
    message["Content-Type"] = head.get("Content-Type")
    value = message.get_param("charset")
    return value if isinstance(value, str) else ""


def _seen(picture: Picture, head: Head) -> PictureSeen:
    kept = tuple((name, value) for name, value in head.headers if name.lower() in _KEPT_HEADERS)
    return PictureSeen(picture=picture, servable=True, headers=kept)


def _index_reason(verdict: Verdict) -> str | None:
    """The signal that keeps the picture out."""
    for use in (Use.INDEX, Use.ALL):
        if verdict.uses[use] in BLOCKING and (finding := deciding_finding(verdict, use)):
            return finding.signal
    return None
