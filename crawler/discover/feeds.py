"""RSS 2.0, 1.0 and 0.9x, and Atom -> pages of the entries and their pictures.

Source: RSS 2.0, rssboard.org/rss-specification (enclosure, guid, image); RSS 1.0, web.resource.org/rss/1.0/spec, and
its content module; Media RSS 1.5.1, rssboard.org/media-rss (content, thumbnail, description, title); RFC 4287 4.1.3
(content), 4.2.5 and 4.2.8 (icon, logo), 4.2.7 (link).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from selectolax.lexbor import LexborHTMLParser

from checker.signals.markup import tamed
from crawler.discover.html import candidates
from crawler.discover.links import LESSER, Candidate, FoundAs, clipped, ends_like_picture, resolve
from crawler.discover.records import Field, Record, read_records
from crawler.settings import CrawlSettings

_ENTRIES = frozenset({"item", "entry", "image", "logo", "icon", "itunes:image"})
_HTML_FIELDS = frozenset({"description", "content:encoded", "content", "summary", "atom:content", "atom:summary"})
_HTML_CHARACTERS_MAX = 5 * 2**20
"""Of the entries of one feed in all; as much as of one page."""


def read_feed(text: str, *, page_url: str, settings: CrawlSettings) -> Iterator[Candidate]:
    """The page of each entry, its enclosures, its media and the pictures in its text."""
    html_left = _HTML_CHARACTERS_MAX
    for entry in read_records(text, _ENTRIES, base=page_url):
        if entry.name not in ("item", "entry"):
            yield from _of_channel(entry)
            continue
        link = _link(entry)
        if link is not None:
            yield link
        page = resolve(link.href, link.base or page_url, settings) if link else None
        for one in _media(entry):
            yield replace(one, shown_on=page)
        for field in entry.fields:
            if field.name in _HTML_FIELDS and html_left > 0:
                yield from _in_text(field, page)
                html_left -= len(field.text)


def _link(entry: Record) -> Candidate | None:
    """RSS: the text of `link`, else a guid that is a permalink. Atom: the first alternate one."""
    for field in (*entry.all("link"), *entry.all("atom:link")):
        href = field.attributes.get("href", "").strip() or field.text.strip()
        if href and field.attributes.get("rel", "alternate") == "alternate":
            return Candidate(href, FoundAs.FEED_LINK, kind="page", base=field.base)
    for field in entry.all("guid"):
        if field.attributes.get("isPermaLink", "true").lower() == "true":
            return Candidate(field.text.strip(), FoundAs.FEED_LINK, kind="page", base=field.base)
    return None


def _media(entry: Record) -> Iterator[Candidate]:
    words = clipped(entry.text("media:description", "media:title", "title"))
    for field in entry.fields:
        href = (field.attributes.get("url") or field.attributes.get("href") or "").strip()
        kind = field.attributes.get("type", "").lower()
        is_picture = kind.startswith("image/") or field.attributes.get("medium") == "image"
        if not is_picture and not kind:
            is_picture = ends_like_picture(href)
        atom_enclosure = field.name in ("link", "atom:link") and field.attributes.get("rel") == "enclosure"
        if (field.name == "enclosure" or atom_enclosure) and is_picture:
            yield Candidate(href, FoundAs.FEED_ENCLOSURE, caption=words, base=field.base)
        elif field.name == "media:content" and is_picture:
            yield Candidate(href, FoundAs.FEED_MEDIA, caption=words, base=field.base)
        elif field.name == "media:thumbnail":
            yield Candidate(href, FoundAs.FEED_MEDIA, caption=words, priority=LESSER, base=field.base)
        elif field.name == "xhtml:img":
            alt = clipped(field.attributes.get("alt"))
            yield Candidate(field.attributes.get("src", ""), FoundAs.FEED_CONTENT, caption=alt, base=field.base)
        elif field.name == "itunes:image":
            yield Candidate(href, FoundAs.FEED_IMAGE, caption=words, priority=LESSER, base=field.base)


def _in_text(field: Field, page: str | None) -> Iterator[Candidate]:
    """HTML that stands escaped in the text (RSS always, Atom where its type says so)."""
    if "<" not in field.text:
        return
    tree = LexborHTMLParser(tamed(field.text.encode("utf-8", "replace")))
    for one in candidates(tree):
        if one.kind == "image":
            yield Candidate(
                one.href,
                FoundAs.FEED_CONTENT,
                caption=one.caption,
                priority=one.priority,
                base=page if page and field.name != "atom:content" else field.base,
                shown_on=page,
            )


def _of_channel(entry: Record) -> Iterator[Candidate]:
    """The feed's own picture: `image/url` of RSS, `logo` and `icon` of Atom, `itunes:image`."""
    for field in entry.fields:
        href = field.attributes.get("href", "")
        if field.name == "url" or (field.name in ("logo", "icon", "atom:logo", "atom:icon")):
            href = field.text
        if href.strip():
            yield Candidate(href.strip(), FoundAs.FEED_IMAGE, priority=LESSER, base=field.base)
