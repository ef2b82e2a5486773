"""A page's bytes -> the addresses on it: pages within the scope, pictures wherever they lie.

Read are `a href`, `img src`, `img srcset` and `source srcset` inside `picture`, with the alternative text as caption,
against the first `base href`. Scripts are not run and templates not opened. What a page says about itself (robots
tags) is read by checker.signals.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from checker.model import FoundLink
from checker.signals.html import bounded
from crawler.addresses import clean, host_of, join
from crawler.settings import CrawlSettings
from crawler.srcset import parse_srcset

_CAPTION_CHARACTERS_MAX = 500

_WEB_ENCODINGS = frozenset(
    codecs.lookup(name).name
    for name in (
        "utf-8", "utf-8-sig", "utf-16", "utf-16le", "utf-16be", "ascii", "iso8859-1", "iso8859-2", "iso8859-3",
        "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8", "iso8859-9", "iso8859-10", "iso8859-13",
        "iso8859-14", "iso8859-15", "iso8859-16", "cp866", "cp874", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254",
        "cp1255", "cp1256", "cp1257", "cp1258", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "tis-620",
        "gb2312", "gbk", "gb18030", "big5", "big5hkscs", "euc-jp", "iso2022_jp", "shift_jis", "cp932", "euc-kr",
        "cp949",
    )
)  # fmt: skip
"""Encoding Standard, 4.2, https://encoding.spec.whatwg.org/#names-and-labels, by the names that Python has for them."""


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
    tree = LexborHTMLParser(bounded(decode_html(body, charset).encode("utf-8", "replace")))
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
    """Bytes to text: what the header says, else what the page says in its first 1,024 bytes, else UTF-8.

    Encodings that are none of the web's count as not named: Python knows some that raise, that take quadratic time,
    or that make text of escapes.
    """
    if not charset and (declared := _META_CHARSET.search(body[:1024])):
        charset = declared[1].decode("ascii", "replace")
    try:
        name = codecs.lookup(charset or "utf-8").name
    except (LookupError, ValueError):
        name = "utf-8"
    return body.decode(name if name in _WEB_ENCODINGS else "utf-8", "replace")


def _candidates(tree: LexborHTMLParser) -> Iterator[tuple[str, str, str, str | None]]:
    captions: dict[int, str | None] = {}
    for node in tree.css("a[href], area[href], img, picture > source"):
        attributes = node.attributes
        if node.tag in ("a", "area"):
            yield attributes.get("href") or "", "page", "a href", None
        elif node.tag == "img":
            if attributes.get("src"):
                yield attributes["src"] or "", "image", "img src", _caption(node)
            for href in parse_srcset(attributes.get("srcset") or ""):
                yield href, "image", "img srcset", _caption(node)
        elif picture := node.parent:
            # Looked for once: a picture with thousands of sources would be searched once for each.
            if picture.mem_id not in captions:
                image = next((child for child in picture.iter() if child.tag == "img"), None)
                captions[picture.mem_id] = _caption(image) if image else None
            for href in parse_srcset(attributes.get("srcset") or ""):
                yield href, "image", "source srcset", captions[picture.mem_id]


def _caption(image: LexborNode) -> str | None:
    """The alternative text."""
    text = " ".join((image.attributes.get("alt") or "").split())[:_CAPTION_CHARACTERS_MAX]
    return text or None


def _base(tree: LexborHTMLParser, page_url: str) -> str:
    """HTML Standard 4.2.3: the first `base` with an href counts, resolved against the page."""
    node = tree.css_first("base[href]")
    return (node and join(node.attributes.get("href") or "", page_url)) or page_url


_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
