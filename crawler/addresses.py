"""Addresses as browsers read them (WHATWG URL), and what of them may be stored.

    join       what a page or a redirect names -> the address that is asked for
    storable   any address -> what may be kept of it

An address is stored, shown in answers and published with a match, so `storable` takes its user name, password and
fragment, and whatever in it signs or opens something (`crawler.secret_parts`): kept, we would hand out somebody's key.
"""

from __future__ import annotations

from functools import lru_cache

import ada_url

from crawler.secret_parts import without_secret_parts

_PARSED_MAX = 4096
"""Addresses under way are taken apart several times each."""


def join(href: str, base: str) -> str | None:
    """Resolve `href` against `base`, without user name, password and fragment.

    Returns:
        An http(s) address. None: it is none, or cannot be read.
    """
    try:
        url = ada_url.URL(href, base=base) if base else ada_url.URL(href)
    except ValueError:
        return None
    if url.protocol not in ("http:", "https:"):
        return None
    url.username = url.password = url.hash = ""
    return str(url.href)


def storable(url: str) -> str:
    """What may be kept of an address: no credentials, no fragment, nothing that signs or opens something.

    Takes also what cannot be read as an address, as lists of others hold it. What stays keeps its order and bytes.

    >>> storable("https://me:pw@img.example/a.jpg?w=200&access_token=abc&q=%2F#top")
    'https://img.example/a.jpg?w=200&q=%2F'
    """
    return without_secret_parts(url.partition("#")[0])


def has_secret_parts(url: str) -> bool:
    """Does this address hold what must not be stored? Its fragment does not count, since nobody is sent it."""
    bare = url.partition("#")[0]
    return without_secret_parts(bare) != bare


@lru_cache(maxsize=_PARSED_MAX)
def host_of(url: str) -> str:
    """Scheme, host and port ("https://img.example"): what robots.txt and politeness are counted by."""
    return str(ada_url.URL(url).origin)


@lru_cache(maxsize=_PARSED_MAX)
def name_and_port(url: str) -> tuple[str, int]:
    """The host's name, IPv6 in brackets, and the port in effect."""
    parts = ada_url.URL(url)
    return str(parts.hostname), int(parts.port or {"http:": 80, "https:": 443}[parts.protocol])


def target_of(url: str) -> str:
    """Path and query, as robots.txt sees them."""
    parts = ada_url.URL(url)
    return f"{parts.pathname}{parts.search}"
