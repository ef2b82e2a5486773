"""An HTML page -> the addresses on it.

    head        meta (Open Graph, Twitter, tiles), and whether robots may follow
    elements    what the attributes of each name (`elements`)

`nofollow` of the page (`nofollow`) keeps all its links out, in `rel` one link. Pictures that the page shows are no
links. X-Robots-Tag is told by the caller. noscript is read as what stands in it, since scripts are not run.

Source: HTML Standard 4.2.3 (base) and 13.2 (parsing, by selectolax); ogp.me; developer.x.com, cards markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from selectolax.lexbor import LexborHTMLParser

from checker.signals.markup import tamed
from checker.visits import FoundLink
from crawler.addresses import join
from crawler.discover.elements import Attributes, Page, of_element
from crawler.discover.links import FIRST, LESSER, Candidate, FoundAs, Scope, clipped, collect
from crawler.discover.nofollow import meta_says_nofollow
from crawler.discover.text import decode_text
from crawler.settings import CrawlSettings

_METAS: Mapping[str, tuple[FoundAs, int]] = {
    "og:image": (FoundAs.META_OG, FIRST),
    "og:image:url": (FoundAs.META_OG, FIRST),
    "og:image:secure_url": (FoundAs.META_OG, FIRST),
    "twitter:image": (FoundAs.META_TWITTER, FIRST),
    "twitter:image:src": (FoundAs.META_TWITTER, FIRST),
    "image": (FoundAs.ITEMPROP, FIRST),
    "thumbnailurl": (FoundAs.ITEMPROP, LESSER),
    "msapplication-tileimage": (FoundAs.META_TILE, LESSER),
}
_META_ALTS = frozenset({"og:image:alt", "twitter:image:alt"})


def find_links(
    body: bytes, *, page_url: str, charset: str, scope: Scope, settings: CrawlSettings, follow: bool = True
) -> list[FoundLink]:
    """Find every address once, in the order of the page.

    Args:
        page_url: where the page came from in the end; relative addresses start there.
        charset: from the Content-Type; empty: the page's own `meta charset`, else UTF-8.
        follow: False: X-Robots-Tag says nofollow, so the links of the page are not taken.
    """
    text = decode_text(body[: settings.page_bytes_max], charset)
    html = tamed(text.encode("utf-8", "replace"))
    tree = LexborHTMLParser(html)
    base = _base(tree, page_url, settings)
    return collect(
        candidates(tree, follow=follow), base, scope=scope, settings=settings, links_max=settings.page_links_max
    )


def candidates(tree: LexborHTMLParser, *, follow: bool = True) -> Iterator[Candidate]:
    """All addresses as they are written, in the order of the page; those of meta elements first."""
    metas = [node.attributes for node in tree.css("meta[content]")]
    yield from _of_metas(metas)
    follow = follow and not any(meta_says_nofollow(meta) for meta in metas)
    page = Page()
    for node in tree.css("*"):
        for candidate in of_element(node, page):
            if follow or not _is_link(candidate):
                yield candidate


def _is_link(candidate: Candidate) -> bool:
    return candidate.kind == "page" or candidate.found_as is FoundAs.A_HREF


def _base(tree: LexborHTMLParser, page_url: str, settings: CrawlSettings) -> str:
    """HTML Standard 4.2.3: the first `base` with an href counts, resolved against the page."""
    node = tree.css_first("base[href]")
    href = (node and node.attributes.get("href")) or ""
    # Every link is resolved against it, so a long one would cost its length each time.
    return (len(href) <= settings.url_characters_max and join(href, page_url)) or page_url


def _of_metas(metas: Sequence[Attributes]) -> Iterator[Candidate]:
    """An `og:image:alt` belongs to the image before it (ogp.me, structured properties)."""
    waiting: list[Candidate] = []
    for attributes in metas:
        content = attributes.get("content") or ""
        names = [
            name for key in ("property", "name", "itemprop") for name in (attributes.get(key) or "").lower().split()
        ]
        for name in dict.fromkeys(names):
            if name in _METAS:
                found_as, priority = _METAS[name]
                if waiting and waiting[-1].found_as is not found_as:
                    yield from waiting
                    waiting = []
                waiting.append(Candidate(content, found_as, priority=priority))
            elif name in _META_ALTS and waiting:
                yield from waiting[:-1]
                last = waiting[-1]
                yield Candidate(last.href, last.found_as, caption=clipped(content), priority=last.priority)
                waiting = []
    yield from waiting
