"""How the tests of discovery ask: one document on a made-up site, and what is found in it."""

from __future__ import annotations

from checker.visits import FoundLink
from crawler.discover import Scope, find_links, read_links
from crawler.settings import CrawlSettings

SCOPE = Scope(frozenset({"https://a.example"}))
PAGE = "https://a.example/dir/page"


def links(html: str | bytes, *, page_url: str = PAGE, charset: str = "", follow: bool = True) -> list[FoundLink]:
    """All links of a page."""
    body = html.encode() if isinstance(html, str) else html
    return find_links(body, page_url=page_url, charset=charset, scope=SCOPE, settings=CrawlSettings(), follow=follow)


def read(
    body: str | bytes, content_type: str = "text/xml", *, page_url: str = PAGE, indexes: int = 0, follow: bool = True
) -> list[FoundLink]:
    """All links of any document."""
    return read_links(
        body.encode() if isinstance(body, str) else body,
        page_url=page_url,
        content_type=content_type,
        scope=SCOPE,
        settings=CrawlSettings(),
        follow=follow,
        indexes=indexes,
    )


def named(found: list[FoundLink]) -> list[tuple[str, str]]:
    """The last part of each address, and how it was found."""
    return [(link.url.rpartition("/")[2], link.found_as) for link in found]


def only(found: list[FoundLink]) -> FoundLink:
    """The one link."""
    (link,) = found
    return link
