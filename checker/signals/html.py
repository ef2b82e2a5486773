"""Read the tags of a page that speak about its use.

`<meta name="robots">` and `<meta name="OUR-TOKEN">` count wherever a parser finds them, outside of comments, scripts
and templates; attribute names, names and values are compared in any case. `tdm-reservation` and `tdm-policy` are
handed to `tdmrep`. Licences (RSL) are noted, and read by `rsl_pointers`.

Reach: robots tags of a page count against every picture that it embeds, for that pair of picture and page. TDMRep's
tags speak of the HTML document only.

Source: Google Search Central, robots meta tag; TDMRep 2026-06-18; HTML Living Standard, the parsing is selectolax's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from selectolax.lexbor import LexborHTMLParser

from checker.model import Finding
from checker.signals.markup import readable_end, tamed
from checker.signals.robots_tags import VERSION as ROBOTS_TAG_VERSION
from checker.signals.robots_tags import read_robots_tag
from checker.signals.statements import clipped, findings_of

HTML_BYTES_MAX = 5 * 2**20
"""Read from a page at most, in bytes. Google reads 2 MiB of a page, Common Crawl keeps 5."""

_RSL_TYPE = "application/rsl+xml"
LICENCE_PLACES = ("link to a licence in the page", "licence in the page")
"""How `rsl_pointers` names the places of a page."""


@dataclass(frozen=True, slots=True)
class PageTags:
    """The tags of a page that may speak about its use, in the order in which they stand."""

    metas: tuple[tuple[str, str], ...] = ()
    """Name in lower case and content, of every meta tag that has both."""
    licences: tuple[str, ...] = ()
    """Addresses of licence documents; "inline" for one that stands in the page."""
    cut: bool = False
    """The page was larger than the limits; tags behind them are not known."""

    def contents(self, name: str) -> list[str]:
        """The contents of all meta tags of this name (lower case)."""
        return [content for key, content in self.metas if key == name]


def read_page(html: bytes) -> PageTags:
    """Find the tags. Never raises.

    Args:
        html: as served. UTF-8 is assumed unless a byte order mark says UTF-16: all words that count are ASCII, which
            other encodings of the web share.
    """
    cut = len(html) > HTML_BYTES_MAX
    html = html[:HTML_BYTES_MAX]
    if html.startswith((b"\xff\xfe", b"\xfe\xff")):
        html = html.decode("utf-16", "replace").encode("utf-8", "replace")
    cut = cut or readable_end(html) < len(html)
    metas: list[tuple[str, str]] = []
    licences: list[str] = []
    for node in LexborHTMLParser(tamed(html)).css("meta, link, script"):
        attributes = node.attributes
        if node.tag == "meta":
            name, content = attributes.get("name"), attributes.get("content")
            if name is not None and content is not None:
                metas.append((name.strip().lower(), content))
        elif (attributes.get("type") or "").partition(";")[0].strip().lower() == _RSL_TYPE:
            licences.append(attributes.get("href") or attributes.get("src") or "inline")
    return PageTags(tuple(metas), tuple(licences), cut)


def reaches_pictures(finding: Finding) -> bool:
    """Does this finding of a page speak of the pictures on it as well, not of the page alone?"""
    return finding.signal in ("html-robots", "x-robots-tag") or finding.place.startswith(LICENCE_PLACES)


def read_page_tags(page: PageTags, *, agent: str, now: datetime) -> Iterator[Finding]:
    """Read the robots tags of a page; they reach the pictures in it.

    Args:
        agent: our product token; `<meta name="that token">` counts as well.
        now: decides whether an `unavailable_after` date has come.
    """
    for name in dict.fromkeys(("robots", agent.lower())):
        for content in page.contents(name):
            statement = read_robots_tag(content, agent=agent, now=now, in_header=False)
            if statement.uses or statement.malformed:
                yield from findings_of(
                    statement,
                    signal="html-robots",
                    place=f"meta {clipped(name)}",
                    raw=content,
                    version=ROBOTS_TAG_VERSION,
                )
    if page.cut:
        yield Finding(
            signal="html-robots",
            place="page",
            raw="the page is too large to be read whole",
            version=ROBOTS_TAG_VERSION,
            malformed=True,
        )
