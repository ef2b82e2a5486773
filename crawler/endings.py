"""How one visit ended, in the form in which it is recorded."""

from __future__ import annotations

from dataclasses import replace

from checker.model import Picture, Use, Verdict
from checker.records.crawl_interfaces import Lease
from checker.signals.verdict import BLOCKING, deciding_finding
from checker.visits import FoundLink, Outcome, PictureSeen, Visit
from crawler.addresses import host_of
from crawler.fetch import Fetched, Head, NotFetched, NotFetchedReason
from crawler.settings import CrawlSettings
from crawler.sites import Reached, Sites, is_unreachable
from crawler.turns import Clock, PutOff, Turns, is_complaint

ROBOTS_UNREACHABLE = "robots-unreachable"
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


class Endings:
    """Makes the records of visits for one run."""

    def __init__(self, sites: Sites, turns: Turns, settings: CrawlSettings, clock: Clock) -> None:
        self._sites = sites
        self._turns = turns
        self._settings = settings
        self._clock = clock

    def ended(
        self,
        lease: Lease,
        outcome: Outcome,
        reason: str | None,
        *,
        status: int | None = None,
        verdict: Verdict | None = None,
    ) -> Visit:
        """It ended now."""
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

    def barred(self, link: FoundLink, says: Verdict, lease: Lease) -> Visit:
        """A picture that the page at `lease` keeps out of any index; it is not asked for."""
        return Visit(
            url=link.url,
            kind=link.kind,
            outcome=Outcome.DISALLOWED,
            seen_at=self._clock.now(),
            reason=index_reason(says),
            verdict=says,
            depth=lease.depth + 1,
        )

    def closed(self, lease: Lease, reached: Reached, verdict: Verdict) -> Visit:
        """No answer was had: a loop of redirects, a no in robots.txt, or no robots.txt to be had."""
        if reached.trouble:
            return self.ended(lease, Outcome.FAILED, reached.trouble)
        if not is_unreachable(reached.robots):
            return self.ended(lease, Outcome.DISALLOWED, "robots.txt", verdict=verdict)
        if reached.robots.error == NotFetchedReason.BLOCKED_ADDRESS:
            return self.ended(lease, Outcome.FAILED, NotFetchedReason.BLOCKED_ADDRESS.value)
        failed = self.ended(lease, Outcome.FAILED, ROBOTS_UNREACHABLE, verdict=verdict)
        if self._sites.robots_given_up(reached.url):
            return failed
        return self._again(failed, lease, host_of(reached.url), None)

    def complaint(self, lease: Lease, url: str, answer: Fetched | NotFetched | PutOff) -> Visit:
        """The host did not answer, or said "not now"."""
        if isinstance(answer, Fetched):
            reason, status = f"http-{answer.head.status}", answer.head.status
        else:
            reason, status = ("host-rests" if isinstance(answer, PutOff) else answer.reason.value), None
        failed = self.ended(lease, Outcome.FAILED, reason, status=status)
        return self._again(failed, lease, host_of(url), answer) if is_complaint(answer) else failed

    def _again(self, failed: Visit, lease: Lease, host: str, answer: Fetched | NotFetched | PutOff | None) -> Visit:
        """Worth another try once the host has rested, unless it had its tries."""
        if lease.attempt >= self._settings.attempts_max:
            return failed
        return replace(failed, retry_at=self._turns.retry_at(host, answer))


def seen(picture: Picture, head: Head) -> PictureSeen:
    """A picture with the header lines that matter later."""
    kept = tuple((name, value) for name, value in head.headers if name.lower() in _KEPT_HEADERS)
    return PictureSeen(picture=picture, servable=True, headers=kept)


def index_reason(verdict: Verdict) -> str | None:
    """The signal that keeps the picture out."""
    for use in (Use.INDEX, Use.ALL):
        if verdict.uses[use] in BLOCKING and (finding := deciding_finding(verdict, use)):
            return finding.signal
    return None
