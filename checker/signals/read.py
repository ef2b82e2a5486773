"""Wire the readers: everything that was fetched about one address -> findings -> verdict.

    crawl_stance    what a crawler asks before each request, from the outcome of fetching robots.txt
    licences_of     the licences (RSL) that are pointed at; what they name can be fetched, and read_findings be told
    read_findings   every reader over what was looked at
    read_signals    the verdict

Nothing is fetched here. What was not looked at (None) gives no finding; what was looked at and could not be had gives
one that is marked unreachable. Permissions count from the response that carries the resource only: those on an error
page speak about the error page, while its refusals are kept.

Source: RFC 9309 2.3.1 for the outcomes of fetching robots.txt; RFC 9110 6.4 and 15 for what a response carries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from checker.model import Finding, Stance, Verdict
from checker.signals import headers as response
from checker.signals import html as pages
from checker.signals import rsl, tdmrep
from checker.signals.embedded import read_picture
from checker.signals.preferences import read_robots_preferences
from checker.signals.robots import RobotsFile, parse_robots, read_access
from checker.signals.statements import clipped, without_permissions
from checker.signals.textfiles import TextFile, read_ai_txt, read_trust_txt
from checker.signals.verdict import combine, with_doubt

ROBOTS_REDIRECTS_MAX = 5
"""RFC 9309 2.3.1.2 asks for at least five; behind more of them nothing is read."""

_REFUSING_STATUSES = frozenset({401, 403, 429})
"""The RFC permits crawling on every 4xx. A server that refuses robots.txt itself is not taken to permit the rest (our
choice); 429 is a server error to Google as well."""


@dataclass(frozen=True, slots=True)
class RobotsFetch:
    """The outcome of fetching one small file of a host: robots.txt or /.well-known/tdmrep.json."""

    status: int | None
    """Of the last response; None: there was none, and `error` says why."""
    body: bytes = b""
    redirects: int = 0
    """How many were followed."""
    error: str | None = None
    """A short name: "timeout", "connection", ..."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was fetched about one address. None or empty: not looked at, which differs from looked at and absent."""

    url: str
    """Of the picture, or of the page, that is asked about, as it is requested."""
    robots: RobotsFetch | None = None
    tdmrep: RobotsFetch | None = None
    status: int | None = None
    """Of the final response of `url`; None: it was not fetched, or its headers are taken as they are given."""
    headers: tuple[tuple[str, str], ...] = ()
    """Every header line of that response in order, unfolded."""
    html: bytes | None = None
    """Of the page that embeds the picture, or the page itself."""
    html_is_target: bool = False
    """True: `url` is that page. False: the page embeds the picture at `url`."""
    page_headers: tuple[tuple[str, str], ...] = ()
    """Headers of the embedding page; its X-Robots-Tag reaches its pictures like its robots tags."""
    page_url: str = ""
    """Of that page; empty: not known, and relative addresses in it lead nowhere."""
    ai_txt: TextFile | None = None
    """/ai.txt of the host that serves the picture."""
    trust_txt: TextFile | None = None
    well_known_trust_txt: TextFile | None = None
    image: bytes | None = None
    """The file of the picture at `url`, or a sidecar of it: what it says itself (XMP, IIM, Exif, C2PA)."""
    licences: tuple[tuple[str, rsl.Fetched], ...] = ()
    """What was fetched of `licences_of`, by address. A licence that is not here makes every use conditional."""
    registries: tuple[Finding, ...] = ()
    """What registries said of `url`, read already; `checker.signals.registries` reads their answers."""


def crawl_stance(robots: RobotsFetch, url: str, *, agent: str) -> Finding:
    """May `agent` fetch `url`, by what became of the robots.txt of its authority?

    Returns:
        A finding whose `crawl` is allow or deny. It is unreachable where the file could not be had: then crawling is
        denied and what the file says about uses is not known.
    Source: RFC 9309 2.3.1.
    """
    if robots.error is not None or robots.status is None:
        return _not_had(robots.error or "no response")
    if robots.redirects > ROBOTS_REDIRECTS_MAX:
        return _not_had(f"{robots.redirects} redirects")
    if 200 <= robots.status < 300:
        return read_access(_parsed(robots.body), url, agent=agent)
    if 400 <= robots.status < 500 and robots.status not in _REFUSING_STATUSES:
        return Finding(
            signal="robots.txt",
            place="robots.txt",
            raw=f"HTTP {robots.status}: no such file",
            crawl=Stance.ALLOW,
            version="RFC 9309",
        )
    return _not_had(f"HTTP {robots.status}")


def licences_of(evidence: Evidence, *, agent: str) -> tuple[rsl.Pointer, ...]:
    """Find the licences (RSL) that apply to the address. Those with a `url` can be fetched, like every other address.

    A robots.txt that does not allow to fetch the address speaks of no licence; an error page can refuse only.
    """
    robots = None
    if evidence.robots is not None and 200 <= (evidence.robots.status or 0) < 300:
        access = crawl_stance(evidence.robots, evidence.url, agent=agent)
        robots = _parsed(evidence.robots.body) if access.crawl is Stance.ALLOW else None
    found = rsl.pointers(
        robots,
        evidence.headers,
        evidence.html,
        agent=agent,
        url=evidence.url,
        page_url=evidence.page_url,
        page_is_target=evidence.html_is_target,
    )
    if _carries_resource(evidence):
        return found
    return tuple(one if one.place.startswith("robots.txt") else replace(one, grants=False) for one in found)


def read_findings(
    evidence: Evidence, *, agent: str, now: datetime, infer_ai_tokens: bool = True
) -> tuple[Finding, ...]:
    """Read every signal in the evidence, in the order of the places it was found in."""
    findings: list[Finding] = []
    if evidence.robots is not None:
        access = crawl_stance(evidence.robots, evidence.url, agent=agent)
        findings.append(access)
        # A path that may not be crawled has no preferences, and a file that was not had states none.
        if access.crawl is Stance.ALLOW and 200 <= (evidence.robots.status or 0) < 300:
            findings += read_robots_preferences(
                _parsed(evidence.robots.body), evidence.url, agent=agent, infer_ai_tokens=infer_ai_tokens
            )
    if evidence.ai_txt is not None:
        findings += read_ai_txt(evidence.ai_txt, evidence.url, agent=agent)
    for place, file in (("trust.txt", evidence.trust_txt), (".well-known/trust.txt", evidence.well_known_trust_txt)):
        if file is not None:
            findings += read_trust_txt(file, place=place)
    page = pages.PageTags() if evidence.html is None else pages.read_page(evidence.html)
    carries_resource = _carries_resource(evidence)
    findings += response.read_status(evidence.status, evidence.headers)
    from_headers = response.read_headers(evidence.headers, agent=agent, now=now)
    findings += from_headers if carries_resource else without_permissions(from_headers)
    findings += response.read_robots_tag_headers(evidence.page_headers, agent=agent, now=now, of_page=True)
    findings += pages.read_page_tags(page, agent=agent, now=now)
    findings += _read_tdmrep(evidence, page, carries_resource=carries_resource)
    if evidence.image is not None:
        from_file = read_picture(evidence.image)
        findings += from_file if carries_resource else without_permissions(from_file)
    findings += rsl.read_licenses(licences_of(evidence, agent=agent), dict(evidence.licences), evidence.url)
    findings += evidence.registries
    return tuple(findings)


def read_signals(evidence: Evidence, *, agent: str, now: datetime, infer_ai_tokens: bool = True) -> Verdict:
    """Say what the publisher said about the picture or page at `evidence.url`.

    Args:
        agent: our product token, as it stands in robots.txt ("HaveIBeenScrapedBot").
        now: for dates in signals.
        infer_ai_tokens: whether a refusal to known training crawlers counts as a refusal of training.
    Returns:
        Every use has a value; `unknown` where something was there that could not be read or fetched. `crawl` is
        unspecified where no robots.txt was looked at.
    """
    return with_doubt(combine(read_findings(evidence, agent=agent, now=now, infer_ai_tokens=infer_ai_tokens)))


def is_of_file(finding: Finding) -> bool:
    """Does this finding stand in the file of the picture itself, so that it holds as long as the file is the same?"""
    return finding.signal in _OF_FILE or (finding.signal == "tdmrep" and "tdm:reservation" in finding.place)


_OF_FILE = frozenset({"plus-data-mining", "c2pa", "rights-field"})


@lru_cache(maxsize=16)
def _parsed(body: bytes) -> RobotsFile:
    # A crawler asks before each request, and a hostile file of half a megabyte takes a tenth of a second to read.
    return parse_robots(body)


def _carries_resource(evidence: Evidence) -> bool:
    return evidence.status is None or 200 <= evidence.status < 300 or evidence.status == 304


def _not_had(detail: str) -> Finding:
    return Finding(
        signal="robots.txt",
        place="robots.txt",
        raw=clipped(f"{detail}: the file could not be had"),
        crawl=Stance.DENY,
        version="RFC 9309",
        unreachable=True,
    )


def _read_tdmrep(evidence: Evidence, page: pages.PageTags, *, carries_resource: bool) -> Iterator[Finding]:
    file: list[tdmrep.Reservation] = []
    fetched = evidence.tdmrep
    if fetched is not None:
        status = fetched.status
        if fetched.error is not None or status is None or status >= 500 or status == 429:
            yield tdmrep.server_failed(fetched.error or f"HTTP {status}")
        elif 200 <= status < 300:
            file = tdmrep.read_file(fetched.body, evidence.url)
    from_headers = tdmrep.read_values(
        response.header_values(evidence.headers, "tdm-reservation"),
        response.header_values(evidence.headers, "tdm-policy"),
        place="header tdm-reservation",
    )
    from_page = tdmrep.read_values(
        page.contents("tdm-reservation"),
        page.contents("tdm-policy"),
        place="meta tdm-reservation",
        scope="" if evidence.html_is_target else "the page, not the pictures in it",
    )
    if not carries_resource:
        from_headers = [one for one in from_headers if one.reserved is not False]
        from_page = [one for one in from_page if one.reserved is not False]
    yield from tdmrep.read_tdmrep(file, from_headers, from_page if evidence.html_is_target else [])
    if not evidence.html_is_target:
        yield from (tdmrep.noted(one) for one in from_page)
