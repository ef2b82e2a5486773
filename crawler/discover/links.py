"""Candidates, as the readers of documents find them, made into links: resolved, within the scope, each once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from checker.visits import FoundLink
from crawler.addresses import host_of, join
from crawler.settings import CrawlSettings

CAPTION_CHARACTERS_MAX = 500

FIRST, LESSER = 0, 1
"""Of `FoundLink.priority`."""


class FoundAs(StrEnum):
    """How an address was found. Closed; docs/discovery.md has the meaning of each."""

    A_HREF = "a href"
    FRAME = "frame src"
    LINK_FEED = "link feed"
    IMG_SRC = "img src"
    IMG_SRCSET = "img srcset"
    SOURCE_SRCSET = "source srcset"
    DATA_SRC = "data-src"
    LINK_IMAGE_SRC = "link image_src"
    LINK_ICON = "link icon"
    LINK_PRELOAD = "link preload"
    META_OG = "meta og:image"
    META_TWITTER = "meta twitter:image"
    META_TILE = "meta tile image"
    ITEMPROP = "itemprop image"
    JSON_LD = "json-ld"
    VIDEO_POSTER = "video poster"
    INPUT_IMAGE = "input image"
    SVG_IMAGE = "svg image"
    OBJECT = "object data"
    BACKGROUND = "background"
    CSS_URL = "css url"
    ROBOTS_SITEMAP = "robots.txt sitemap"
    SITEMAP = "sitemap"
    SITEMAP_INDEX = "sitemap index"
    SITEMAP_IMAGE = "sitemap image"
    FEED_LINK = "feed link"
    FEED_ENCLOSURE = "feed enclosure"
    FEED_MEDIA = "feed media"
    FEED_IMAGE = "feed image"
    FEED_CONTENT = "feed content"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which pages belong to a crawl."""

    hosts: frozenset[str]
    """Scheme, host and port of every start address."""

    def takes_page(self, url: str) -> bool:
        """Is this page on a host of the crawl?"""
        return host_of(url) in self.hosts


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address as it is written in a document."""

    href: str
    found_as: FoundAs
    kind: str = "image"
    caption: str | None = None
    priority: int = FIRST
    base: str | None = None
    """What it is relative to; None: the document's base."""
    shown_on: str | None = None
    """The page that shows the picture, absolute; None: this document."""


def collect(
    candidates: Iterable[Candidate], base: str, *, scope: Scope, settings: CrawlSettings, links_max: int
) -> list[FoundLink]:
    """Resolve the candidates; give every address once, in the order of the document.

    Of an address that was found more than once, the best priority counts, with how it was found there, and the first
    caption. What is no http(s) address (`data:`, `blob:`), too long, or a page out of scope is left out.
    """
    found: dict[tuple[str, str], FoundLink] = {}
    for candidate in candidates:
        url = resolve(candidate.href, candidate.base or base, settings)
        if url is None or (candidate.kind == "page" and not scope.takes_page(url)):
            continue
        link = FoundLink(
            url=url,
            kind=candidate.kind,
            found_as=candidate.found_as.value,
            caption=candidate.caption,
            priority=candidate.priority,
            shown_on=candidate.shown_on,
        )
        key = (link.kind, url)
        found[key] = _better(found[key], link) if key in found else link
        if len(found) >= links_max:
            break
    return list(found.values())


def resolve(href: str, base: str, settings: CrawlSettings) -> str | None:
    """The absolute address of `href`. None: it is none of http(s), or longer than what is kept.

    A text far longer than an address is not parsed at all: it would cost its length once for every link of a page.
    """
    longest = 4 * settings.url_characters_max
    if not href or len(href) > longest or len(base) > longest:
        return None
    url = join(href, base)
    return url if url and len(url) <= settings.url_characters_max else None


def clipped(text: str | None) -> str | None:
    """A caption: blanks drawn together, cut to 500 characters. None: no words."""
    return " ".join((text or "")[: 20 * CAPTION_CHARACTERS_MAX].split())[:CAPTION_CHARACTERS_MAX] or None


def ends_like_picture(href: str) -> bool:
    """Does the path of an address end like a picture's file?

    Not so `File:Cat.jpg` and its like: on wikis that is the page about the picture.

    >>> ends_like_picture("/a.JPG?w=200"), ends_like_picture("/wiki/File:Cat.jpg"), ends_like_picture("/show?f=a.jpg")
    (True, False, False)
    """
    path = _QUERY.split(href[:_PATH_CHARACTERS_MAX], maxsplit=1)[0]
    named = ":" not in path.rpartition("/")[2] and not _NO_ADDRESS.search(path)
    return named and _PICTURE_END.search(path) is not None


def _better(one: FoundLink, other: FoundLink) -> FoundLink:
    best = one if one.priority <= other.priority else other
    return replace(best, caption=one.caption or other.caption, shown_on=one.shown_on or other.shown_on)


_PATH_CHARACTERS_MAX = 10_000
_QUERY = re.compile(r"[?#]")
_NO_ADDRESS = re.compile(r"[<>{}\"\n]")
"""Markup and data that stand where an address is looked for."""
_PICTURE_END = re.compile(
    r"\.(jpe?g|jpe|jfif|pjpeg|png|apng|gif|webp|avif|heic|heif|bmp|tiff?|svg|ico|jxl)\s*\Z", re.IGNORECASE
)
"""Also formats that are not coded: asked for as pages they would be the same request, with a less clear end."""
