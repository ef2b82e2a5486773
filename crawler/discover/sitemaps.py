"""A sitemap or an index of sitemaps -> pages, pictures on pages, further sitemaps.

Source: sitemaps.org/protocol.html (urlset, sitemapindex, 50,000 entries); Google Search Central, "Image sitemaps"
(image:loc; caption and title, which it dropped in 2022 and which files still carry) and "Video sitemaps".
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler.discover.links import LESSER, Candidate, FoundAs, clipped, resolve
from crawler.discover.records import Record, read_records
from crawler.settings import CrawlSettings

INDEXES_MAX = 2
"""Indexes over each other. The protocol has one; some hosts have one for each language, and one of those."""


def read_sitemap(text: str, *, page_url: str, settings: CrawlSettings) -> Iterator[Candidate]:
    """Pages and the pictures on them."""
    for entry in read_records(text, {"url"}, base=page_url):
        loc = entry.text("loc")
        yield Candidate(loc, FoundAs.SITEMAP, kind="page")
        yield from _pictures(entry, resolve(loc, page_url, settings))


def read_sitemap_index(text: str, *, page_url: str, indexes: int) -> Iterator[Candidate]:
    """Further sitemaps, unless `indexes` others led here already."""
    if indexes < INDEXES_MAX:
        for entry in read_records(text, {"sitemap"}, base=page_url):
            yield Candidate(entry.text("loc"), FoundAs.SITEMAP_INDEX, kind="page")


def _pictures(entry: Record, shown_on: str | None) -> Iterator[Candidate]:
    """The facts of a picture stand in one `image:image`, which ends behind them."""
    loc = caption = title = ""
    for field in entry.fields:
        text = field.text.strip()
        if field.name == "image:loc":
            loc = text
        elif field.name == "image:caption":
            caption = text
        elif field.name == "image:title":
            title = text
        elif field.name == "image:image":
            yield Candidate(loc, FoundAs.SITEMAP_IMAGE, caption=clipped(caption or title), shown_on=shown_on)
            loc = caption = title = ""
        elif field.name == "video:thumbnail_loc":
            yield Candidate(text, FoundAs.SITEMAP_IMAGE, priority=LESSER, shown_on=shown_on)
