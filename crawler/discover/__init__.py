"""A document's bytes -> the addresses in it: pages within the scope, pictures wherever they lie.

    documents -> html | sitemaps | feeds -> links
                  |         '-- records --'
                  '-- elements -- css, jsonld, srcset

A document is read for what it is, not for what its header calls it. Scripts are not run, templates not opened, style
sheets and scripts not fetched. Every address comes with how it was found and the words that stand with it. What a page
says about its use is read by checker.signals; here only `nofollow` counts. docs/discovery.md lists what is read.
"""

from crawler.discover.documents import is_sitemap, may_hold_links, read_links
from crawler.discover.html import find_links
from crawler.discover.links import Scope
from crawler.discover.nofollow import headers_say_nofollow
from crawler.discover.text import ascii_readable

__all__ = [
    "Scope",
    "ascii_readable",
    "find_links",
    "headers_say_nofollow",
    "is_sitemap",
    "may_hold_links",
    "read_links",
]
