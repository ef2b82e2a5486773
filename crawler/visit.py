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

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from checker.fingerprint import Depth
from checker.model import Finding, Stance, Unreadable, Verdict
from checker.records.crawl_interfaces import KnownPicture, Lease
from checker.records.interfaces import verdict_forbids_index
from checker.settings import Settings
from checker.signals.read import Evidence, RobotsFetch, crawl_stance, licences_of, read_signals
from checker.signals.robots import parse_robots
from checker.signals.verdict import combine, with_doubt
from checker.visits import FetchedFile, FoundLink, Outcome, Visit
from crawler.addresses import host_of, join, storable
from crawler.discover import Scope, may_hold_links
from crawler.discover.links import FoundAs
from crawler.endings import Endings, index_reason, seen
from crawler.endless import Endless
from crawler.evidence import evidence_of, fetched_files
from crawler.fetch import Ask, Fetched, Head, NotFetchedReason
from crawler.jobs import PageJob, PictureJob, Reader, ReaderFailedError
from crawler.media import is_picture
from crawler.recorder import Errand
from crawler.refusals import Refusals
from crawler.settings import AGENT_TOKEN, CrawlSettings
from crawler.sites import HostFile, HostFiles, Reached, Sites
from crawler.tally import ENDLESS
from crawler.turns import Clock, PutOff, Turns, is_complaint

READER_FAILED = "reader-failed"
_SITEMAPS_MAX = 100
"""Taken from one robots.txt; an index of sitemaps is for more."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The two sets of limits that a visit keeps to."""

    crawl: CrawlSettings
    pictures: Settings


class Visitor:
    """Visits addresses for one run."""

    def __init__(
        self, sites: Sites, turns: Turns, limits: Limits, clock: Clock, scope: Scope, reader: Reader, depth: Depth
    ) -> None:
        """`depth`: how much of each picture is coded."""
        self._sites = sites
        self._turns = turns
        self._limits = limits
        self._clock = clock
        self._scope = scope
        self._reader = reader
        self._depth = depth
        self._refusals = Refusals()
        self._end = Endings(sites, turns, limits.crawl, clock)
        self.endless = Endless()

    async def visit(self, errand: Errand, asked: Callable[[], None]) -> tuple[Visit, ...]:
        """Visit one address.

        Args:
            asked: called when no further request is made for it, so that the host can rest while the answer is read.
        Returns:
            What to record, in this order: pictures that the page forbids, then the visit itself.

        Raises:
            StoppedError: the run is to end; nothing is to be recorded.
        """
        lease, said = errand.lease, errand.said
        picture = lease.kind == "image"
        if (unasked := self._not_asked_for(lease, said)) is not None:
            return (unasked,)
        judged: list[tuple[Evidence, Verdict]] = []
        reached, licences = await self._reach(errand, judged)
        if reached.answer is None:
            verdict = self._read(evidence_of(reached.url, reached.robots, None))
            return (replace(self._end.closed(lease, reached, verdict), evidence=self._evidence(reached)),)
        if not isinstance(reached.answer, Fetched) or is_complaint(reached.answer):
            complaint = self._end.complaint(lease, reached.url, reached.answer)
            return (replace(complaint, evidence=self._evidence(reached)),)
        files = await self._sites.files(reached.url)
        asked()
        if picture or (is_picture(reached.answer.head) and 200 <= reached.answer.head.status < 300):
            head = reached.answer.head
            if head.status == 304 and errand.known:
                head = _updated(head, errand.known)
            evidence = evidence_of(reached.url, reached.robots, head, files=files, licences=licences)
            answer = replace(reached.answer, head=head)
            # The head was judged before the body came: mostly on the same evidence.
            known = next((verdict for one, verdict in judged if one == evidence), None)
            visits: tuple[Visit, ...] = (await self._picture(errand, answer, known or self._read(evidence)),)
        else:
            visits = await self._page(lease, reached, reached.answer, files, licences)
        kept = self._evidence(reached, files=files, licences=licences)
        page = kept[-1:]
        return (*(replace(barred, evidence=page) for barred in visits[:-1]), replace(visits[-1], evidence=kept))

    def keeps_up(self) -> bool:
        """Is what is fetched also read in time?"""
        return self._reader.keeps_up()

    def _not_asked_for(self, lease: Lease, said: tuple[Finding, ...]) -> Visit | None:
        """The end of a visit that takes no request."""
        if self._turns.given_up(lease.host):
            return self._end.ended(lease, Outcome.FAILED, NotFetchedReason.HOST_FAILS.value)
        if lease.kind == "page":
            endless = lease.depth > 0 and self.endless.is_barren(lease.url)
            return self._end.ended(lease, Outcome.DONE, ENDLESS) if endless else None
        if verdict_forbids_index(by_pages := with_doubt(combine(said))):
            return self._end.ended(lease, Outcome.DISALLOWED, index_reason(by_pages), verdict=by_pages)
        if (standing := self._refusals.standing(lease.host)) is not None:
            return self._end.ended(lease, Outcome.DISALLOWED, index_reason(standing), verdict=standing)
        return None

    def _evidence(
        self,
        reached: Reached,
        *,
        files: HostFiles | None = None,
        licences: Mapping[str, HostFile | None] | None = None,
    ) -> tuple[FetchedFile, ...]:
        return fetched_files(
            storable(reached.url),
            reached.robots,
            None if isinstance(reached.answer, PutOff) else reached.answer,
            now=self._clock.now(),
            robots_at=self._sites.robots_at(reached.url),
            files=files,
            licences=licences,
        )

    async def _reach(
        self, errand: Errand, judged: list[tuple[Evidence, Verdict]]
    ) -> tuple[Reached, Mapping[str, HostFile | None]]:
        """Fetch the address, and the licences that decide whether a picture there is wanted.

        What robots.txt points at is fetched first. A licence that only the response names costs the picture a second
        request: its body is not read before its terms are.
        """
        lease, said = errand.lease, errand.said
        picture = lease.kind == "image"
        bytes_max = self._bytes_max(lease)
        licences: dict[str, HostFile | None] = {}
        wanted: set[str] = set()
        files: HostFiles | None = None

        def ask(url: str, robots: RobotsFetch) -> Ask:
            def wants_body(head: Head) -> bool:
                if not picture and not is_picture(head):
                    return may_hold_links(head.get("Content-Type"), url)
                of_host = files if host_of(url) == host_of(lease.ask_url) else None
                evidence = evidence_of(url, robots, head, files=of_host, licences=licences)
                wanted.update(_addresses(evidence))
                verdict = self._read(evidence)
                judged.append((evidence, verdict))
                refused = verdict_forbids_index(verdict)
                if picture and 200 <= head.status < 300:
                    self._refusals.note(lease.host, verdict if refused and not _addresses(evidence) else None)
                return not (refused or verdict_forbids_index(_together(verdict, said)))

            # What was seen there last is known of the address itself, not of one that it leads to.
            validators = _validators(errand.known) if errand.known and url == lease.ask_url else ()
            return Ask(url, bytes_max=bytes_max, wants_body=wants_body, headers=validators)

        robots = await self._sites.robots(lease.ask_url)
        stance = crawl_stance(robots, lease.ask_url, agent=AGENT_TOKEN)
        if stance.crawl is Stance.DENY:
            return Reached(url=lease.ask_url, robots=robots, stance=stance, answer=None), licences
        # Before the address itself: a run that ends here repeats nothing.
        files = await self._sites.files(lease.ask_url)
        await self._reader.ready()
        if picture:
            wanted.update(_addresses(evidence_of(lease.ask_url, robots, None)))
        for _ in range(2):
            for address in sorted(wanted - set(licences)):
                licences[address] = await self._sites.small_file(address)
            reached = await self._sites.reach(lease.ask_url, ask)
            if wanted <= set(licences):
                break
        return reached, licences

    def _bytes_max(self, lease: Lease) -> int:
        if lease.kind == "image":
            return self._limits.pictures.picture_bytes_max
        is_list = lease.url.partition("?")[0].endswith((".xml", ".gz"))
        return self._limits.crawl.sitemap_bytes_max if is_list else self._limits.crawl.page_bytes_max

    # --- what came back ----------------------------------------------------------------------------------------

    async def _picture(self, errand: Errand, answer: Fetched, verdict: Verdict) -> Visit:
        """`verdict` is what was said of the picture itself, what the pages that show it said is in the errand."""
        lease, head, body = errand.lease, answer.head, answer.body
        unchanged = head.status == 304 and errand.known is not None
        if unchanged and errand.known:
            verdict = with_doubt(combine((*verdict.findings, *errand.known.findings)))
        together = _together(verdict, errand.said)
        answered = unchanged or 200 <= head.status < 300
        if head.status == 402 or (answered and verdict_forbids_index(together)):
            reason = "http-402" if head.status == 402 else index_reason(together)
            return self._end.ended(lease, Outcome.DISALLOWED, reason, status=head.status, verdict=together)
        if unchanged:
            visit = self._end.ended(lease, Outcome.DONE, None, status=head.status, verdict=verdict)
            return replace(visit, unchanged=True)
        if body is None:
            return self._end.ended(lease, Outcome.FAILED, f"http-{head.status}", status=head.status, verdict=verdict)
        read = await self._reader.picture(PictureJob(body, self._depth))
        verdict = with_doubt(combine((*verdict.findings, *read.findings)))
        together = _together(verdict, errand.said)
        if verdict_forbids_index(together):
            reason = index_reason(together)
            return self._end.ended(lease, Outcome.DISALLOWED, reason, status=head.status, verdict=together)
        if isinstance(read.picture, Unreadable):
            reason = read.picture.reason.value
            return self._end.ended(lease, Outcome.FAILED, reason, status=head.status, verdict=verdict)
        assert read.picture, "only what the file itself forbids is not coded"
        visit = self._end.ended(lease, Outcome.DONE, None, status=head.status, verdict=verdict)
        return replace(visit, seen=seen(read.picture, head))

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
            return (self._end.ended(lease, outcome, "redirect-out-of-scope", status=head.status),)
        evidence = evidence_of(reached.url, reached.robots, head, files=files, licences=licences, html=answer.body)
        if not 200 <= head.status < 300:
            outcome = Outcome.DISALLOWED if head.status == 402 else Outcome.FAILED
            reason, verdict = f"http-{head.status}", self._read(evidence)
            return (self._end.ended(lease, outcome, reason, status=head.status, verdict=verdict),)
        if answer.body is None:
            outcome = Outcome.FAILED if lease.depth == 0 else Outcome.DONE
            return (self._end.ended(lease, outcome, "not-a-page", status=head.status),)
        try:
            read = await self._reader.page(PageJob(evidence, head.get("Content-Type"), self._clock.now(), lease.depth))
        except ReaderFailedError:
            return (self._end.ended(lease, Outcome.FAILED, READER_FAILED, status=head.status),)
        verdict, says = with_doubt(combine(read.findings)), with_doubt(combine(read.says))
        page = self._end.ended(lease, Outcome.DONE, None, status=head.status, verdict=verdict)
        sitemaps = self._sitemaps(reached) if lease.depth == 0 else ()
        links = self._followed((*sitemaps, *read.links), lease.depth)
        barred = [link for link in links if link.kind == "image"] if verdict_forbids_index(says) else []
        return (*(self._end.barred(link, says, lease) for link in barred), replace(page, links=links))

    def _sitemaps(self, reached: Reached) -> tuple[FoundLink, ...]:
        """What the robots.txt of a start address names as sitemaps, as far as they lie within the crawl."""
        found = (join(address, "") for address in parse_robots(reached.robots.body).sitemaps[:_SITEMAPS_MAX])
        return tuple(
            FoundLink(url, "page", FoundAs.ROBOTS_SITEMAP.value) for url in found if url and self._scope.takes_page(url)
        )

    def _followed(self, links: tuple[FoundLink, ...], depth: int) -> tuple[FoundLink, ...]:
        """The links that are queued. What is written down of an address has no secret parts."""
        deeper = depth < self._limits.crawl.depth_max
        wanted = (link for link in links if link.kind == "image" or (deeper and not self.endless.leads_in(link.url)))
        return tuple(_storable(link) for link in wanted)

    def _read(self, evidence: Evidence) -> Verdict:
        """All that was said about one address itself."""
        return read_signals(evidence, agent=AGENT_TOKEN, now=self._clock.now())


def _addresses(evidence: Evidence) -> set[str]:
    """Of the licences that apply and can be fetched."""
    return {one.url for one in licences_of(evidence, agent=AGENT_TOKEN) if one.url}


def _together(verdict: Verdict, said: tuple[Finding, ...]) -> Verdict:
    return with_doubt(combine((*verdict.findings, *said)))


def _storable(link: FoundLink) -> FoundLink:
    url = storable(link.url)
    link = replace(link, shown_on=storable(link.shown_on) if link.shown_on else None)
    return link if url == link.url else replace(link, url=url, ask_url=link.url)


def _validators(known: KnownPicture) -> tuple[tuple[str, str], ...]:
    """What makes the request conditional (RFC 9110 13.1.2, 13.1.3)."""
    sent = {name.lower(): value for name, value in known.headers}
    pairs = (("If-None-Match", sent.get("etag")), ("If-Modified-Since", sent.get("last-modified")))
    return tuple((name, value) for name, value in pairs if value)


def _updated(head: Head, known: KnownPicture) -> Head:
    """The stored header lines, replaced by those that the 304 names (RFC 9111 4.3.4)."""
    new = {name.lower() for name, _ in head.headers}
    kept = tuple((name, value) for name, value in known.headers if name.lower() not in new)
    return replace(head, headers=(*head.headers, *kept))
