"""The work that takes processor time: bytes of one answer in, what stands in them out. Runs in the workers.

Nothing here asks the network or the records, and nothing decides what becomes of a picture; `visit` does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from checker.fingerprint import fingerprint_bytes
from checker.fingerprint.decode import Decoder
from checker.records.interfaces import verdict_forbids_index
from checker.settings import Settings
from checker.signals.embedded import read_picture
from checker.signals.read import Evidence, read_findings
from checker.signals.verdict import combine, with_doubt
from crawler.discover import Scope, ascii_readable, headers_say_nofollow, is_sitemap, read_links
from crawler.jobs import PageJob, PageRead, PictureJob, PictureRead
from crawler.settings import AGENT_TOKEN, CrawlSettings


@dataclass(frozen=True, slots=True)
class Reading:
    """What every job of a run shares."""

    pictures: Settings
    limits: CrawlSettings
    scope: Scope

    def page(self, job: PageJob) -> PageRead:
        """What was said of a page, what it says of its pictures, and the addresses on it."""
        evidence, body = job.evidence, job.evidence.html or b""
        evidence = replace(evidence, html=ascii_readable(body, job.content_type))
        says = Evidence(url=evidence.url, html=evidence.html, page_headers=evidence.headers)
        if is_sitemap(body, job.content_type):
            # It has no tags, and a noindex in its header keeps the list itself out of results, not its pictures.
            evidence, says = replace(evidence, html=None), Evidence(url=evidence.url)
        links = read_links(
            body,
            page_url=evidence.url,
            content_type=job.content_type,
            scope=self.scope,
            settings=self.limits,
            follow=not headers_say_nofollow(evidence.headers),
            indexes=max(0, job.depth - 1),  # robots.txt names sitemaps one link from the start
        )
        return PageRead(
            findings=read_findings(evidence, agent=AGENT_TOKEN, now=job.now),
            says=read_findings(says, agent=AGENT_TOKEN, now=job.now),
            links=tuple(links),
        )

    def picture(self, job: PictureJob, decoder: Decoder) -> PictureRead:
        """What the file says of itself and, unless that keeps it out of an index, its codes."""
        findings = read_picture(job.body)
        if verdict_forbids_index(with_doubt(combine(findings))):
            return PictureRead(picture=None, findings=findings)
        picture = fingerprint_bytes(job.body, self.pictures, decoder=decoder, depth=job.depth)
        return PictureRead(picture=picture, findings=findings)
