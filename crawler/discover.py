"""A page's bytes -> the addresses on it: pages within the scope, pictures wherever they lie.

Read are `a href`, `img src`, `img srcset` and `source srcset` inside `picture`, with the alternative text as caption,
against the first `base href`. Scripts are not run and templates not opened. What a page says about itself (robots
tags) is read by checker.signals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from checker.model import FoundLink
from crawler.addresses import clean, host_of, join
from crawler.settings import CrawlSettings
from crawler.srcset import parse_srcset

_CAPTION_CHARACTERS_MAX = 500


@dataclass(frozen=True, slots=True)
class Scope:
    """Which pages belong to a crawl."""

    hosts: frozenset[str]
    """Scheme, host and port of every start address."""

    def takes_page(self, url: str) -> bool:
        """Is this page on a host of the crawl?"""
        return host_of(url) in self.hosts


def find_links(body: bytes, *, page_url: str, charset: str, scope: Scope, settings: CrawlSettings) -> list[FoundLink]:
    """Find every address once, in the order of the page, cleaned of credentials.

    Args:
        page_url: where the page came from in the end; relative addresses start there.
        charset: from the Content-Type; empty: the page's own `meta charset`, else UTF-8.
    """
    tree = LexborHTMLParser(decode_html(body, charset))
    base = _base(tree, page_url)
    found: dict[tuple[str, str], FoundLink] = {}
    for href, kind, found_as, caption in _candidates(tree):
        joined = join(href, base)
        url = clean(joined) if joined else ""
        if not url or len(url) > settings.url_characters_max or (kind == "page" and not scope.takes_page(url)):
            continue
        found.setdefault((kind, url), FoundLink(url=url, kind=kind, found_as=found_as, caption=caption))
        if len(found) >= settings.page_links_max:
            break
    return list(found.values())


def decode_html(body: bytes, charset: str) -> str:
    """Bytes to text: what the header says, else what the page says in its first 1,024 bytes, else UTF-8."""
    if not charset and (declared := _META_CHARSET.search(body[:1024])):
        charset = declared[1].decode("ascii", "replace")
    try:
        return body.decode(charset or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


def _candidates(tree: LexborHTMLParser) -> Iterator[tuple[str, str, str, str | None]]:
    for node in tree.css("a[href], area[href], img, picture > source"):
        attributes = node.attributes
        if node.tag in ("a", "area"):
            yield attributes.get("href") or "", "page", "a href", None
            continue
        caption = _caption(node)
        if node.tag == "img" and attributes.get("src"):
            yield attributes["src"] or "", "image", "img src", caption
        for href in parse_srcset(attributes.get("srcset") or ""):
            yield href, "image", "img srcset" if node.tag == "img" else "source srcset", caption


def _caption(node: LexborNode) -> str | None:
    """The alternative text; a `source` has the one of the `img` beside it."""
    if node.tag == "source" and node.parent:
        image = node.parent.css_first("img")
        return _caption(image) if image else None
    text = " ".join((node.attributes.get("alt") or "").split())[:_CAPTION_CHARACTERS_MAX]
    return text or None


def _base(tree: LexborHTMLParser, page_url: str) -> str:
    """HTML Standard 4.2.3: the first `base` with an href counts, resolved against the page."""
    node = tree.css_first("base[href]")
    return (node and join(node.attributes.get("href") or "", page_url)) or page_url


_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
