"""Any document that may hold links: told apart by what stands in it, and handed to its reader.

    gzip -> text -> the first element -> html | urlset | sitemapindex | rss, RDF, feed | nothing

The header says whether it is worth looking (`may_hold_links`), the content says what it is: sitemaps come as
`text/plain`, feeds as `text/html`. Of gzip files only sitemaps are read: what a page or feed says about its use would
not be seen in one. Never raises.

Source: MIME Sniffing 7.1 (tags that make a resource HTML; never what is called text/plain) and 7.3 (feeds by their
first element); RFC 9110 8.3; sitemaps.org/protocol.html (gzip, 50 MiB).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from checker.visits import FoundLink
from crawler.discover.feeds import read_feed
from crawler.discover.html import find_links
from crawler.discover.links import Candidate, Scope, collect
from crawler.discover.sitemaps import read_sitemap, read_sitemap_index
from crawler.discover.text import charset_of, decode_text, media_type_of
from crawler.settings import CrawlSettings

DOCUMENT_BYTES_MAX = 50 * 2**20
"""Of a sitemap or feed, unpacked (sitemaps.org: 50 MiB). What comes after is not read."""
LINKS_MAX = 100_000
"""Taken from one sitemap or feed: 50,000 pages, and as many pictures."""
_GZIP_MEMBERS_MAX = 100
"""Parts of one file (RFC 1952 2.2); behind each the rest is copied."""

_PAGE_TYPES = frozenset({"", "text/html", "application/xhtml+xml"})
_XML_TYPES = frozenset({"text/xml", "application/xml"})
_BY_NAME_TYPES = frozenset(
    {"text/plain", "application/gzip", "application/x-gzip", "application/octet-stream", "binary/octet-stream"}
)
"""Types under which servers also send texts, archives and programs: read only where the name speaks for it."""
_LINKING_NAME = re.compile(
    r"\.(xml|rss|atom|rdf)(\.gz)?\Z|(?<![a-z])(sitemap|feed|rss|atom)s?(?![a-z])[^/]*/?\Z", re.IGNORECASE
)

_PROLOGUE = re.compile(
    r"(?:\s++|<\?.*?\?>|<!--.*?-->|<!doctype[^>\[]*(?:\[[^\]]*\]\s*)?>)*+", re.DOTALL | re.IGNORECASE
)
_ELEMENT = re.compile(r"<(?:[\w.-]+:)?([A-Za-z][\w.-]*)")
_PROLOGUE_BYTES_MAX = 65_536
_XML_DECLARATION = re.compile(r"\s*<\?xml")
_FEEDS = frozenset({"rss", "rdf", "feed"})
_SITEMAPS = frozenset({"urlset", "sitemapindex"})
_SELF_CLOSED = re.compile(
    r"<(title|script|style|textarea|iframe|noscript|noembed|noframes|xmp|a)(\s[^<>]*)?/>", re.IGNORECASE
)
_XHTML_LEAVES = r"<\1\2></\1>"


def may_hold_links(content_type: str, url: str = "") -> bool:
    """Is it worth reading the body of an answer with this Content-Type, to find addresses in it?

    Args:
        content_type: the header field; empty: there was none.
        url: of the answer; what has a type for anything is read if it ends like a sitemap's or feed's.
    """
    kind = media_type_of(content_type)
    if kind in _BY_NAME_TYPES:
        return bool(_LINKING_NAME.search(re.split(r"[?#]", url, maxsplit=1)[0]))
    is_xml = kind in _XML_TYPES or (kind.endswith("+xml") and kind != "image/svg+xml")
    return kind in _PAGE_TYPES or is_xml


def read_links(
    body: bytes,
    *,
    page_url: str,
    content_type: str,
    scope: Scope,
    settings: CrawlSettings,
    follow: bool = True,
    indexes: int = 0,
) -> list[FoundLink]:
    """Find every address in a page, sitemap or feed once, in its order. Empty: it is none of these.

    Args:
        page_url: where the document came from in the end; relative addresses start there.
        content_type: the header field; its charset counts.
        follow: False: X-Robots-Tag says nofollow. Sitemaps are lists made to be followed, and are.
        indexes: how many indexes of sitemaps led here, one over the other.
    """
    kind, charset = media_type_of(content_type), charset_of(content_type)
    unpacked = _unpacked(body, DOCUMENT_BYTES_MAX)
    text = decode_text(unpacked, charset)
    root = _root(text)
    if unpacked[:2] != body[:2] and root not in _SITEMAPS:
        return []
    if root == "urlset":
        found: Iterator[Candidate] = read_sitemap(text, page_url=page_url, settings=settings)
    elif root == "sitemapindex":
        found = read_sitemap_index(text, page_url=page_url, indexes=indexes)
    elif root in _FEEDS:
        found = read_feed(text, page_url=page_url, settings=settings)
    elif kind in _PAGE_TYPES or (root == "html" and kind != "text/plain"):
        if kind == "application/xhtml+xml" or _XML_DECLARATION.match(text):
            text = _SELF_CLOSED.sub(_XHTML_LEAVES, text)
        return find_links(
            text.encode("utf-8", "replace"),
            page_url=page_url, charset="utf-8", scope=scope, settings=settings, follow=follow,
        )  # fmt: skip
    else:
        return []
    return collect(found, page_url, scope=scope, settings=settings, links_max=LINKS_MAX)


def is_sitemap(body: bytes, content_type: str) -> bool:
    """Is it a list of addresses, packed or not, that has no place to say something about its use?"""
    start = _unpacked(body, _PROLOGUE_BYTES_MAX)
    return _root(decode_text(start, charset_of(content_type))) in _SITEMAPS


def _root(text: str) -> str:
    """The name of the first element, without prefix, in lower case. Empty: it does not begin with one."""
    start = text[:_PROLOGUE_BYTES_MAX]
    prologue = _PROLOGUE.match(start)
    element = _ELEMENT.match(start, prologue.end() if prologue else 0)
    return element[1].lower() if element else ""


def _unpacked(body: bytes, bytes_max: int) -> bytes:
    """The content of a gzip file, up to the limit; what is broken or cut ends it. Other bodies as they are."""
    if not body.startswith(b"\x1f\x8b"):
        return body[:bytes_max]
    parts: list[bytes] = []
    left = bytes_max
    for _ in range(_GZIP_MEMBERS_MAX):
        inflate = zlib.decompressobj(wbits=31)
        try:
            parts.append(inflate.decompress(body, left))
        except zlib.error:
            break
        left -= len(parts[-1])
        body = inflate.unused_data
        if not inflate.eof or left <= 0 or not body:
            break
    return b"".join(parts)
