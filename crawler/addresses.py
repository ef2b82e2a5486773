"""Addresses as browsers read them (WHATWG URL), cleaned of what must not be stored.

An address is stored, shown in answers and published with a match, so it loses its user name, password and fragment,
and the parts of its query that sign or open something: kept, we would hand out somebody's key.
"""

from __future__ import annotations

from urllib.parse import unquote_plus

import ada_url

_SECRETS = frozenset(
    {"token", "access_token", "auth", "sig", "signature", "policy", "key-pair-id", "expires", "awsaccesskeyid"}
)
_SECRET_PREFIXES = ("x-amz-", "x-goog-")


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


def clean(url: str) -> str:
    """`url` without the signed parts of its query.

    >>> clean("https://img.example/a.jpg?w=200&X-Amz-Signature=abc")
    'https://img.example/a.jpg?w=200'
    """
    address, mark, query = url.partition("?")
    if not mark:
        return url
    kept = [part for part in query.split("&") if not _is_secret(part)]
    if len(kept) == query.count("&") + 1:
        return url
    return f"{address}?{'&'.join(kept)}" if kept else address


def host_of(url: str) -> str:
    """Scheme, host and port ("https://img.example"): what robots.txt and politeness are counted by."""
    return str(ada_url.URL(url).origin)


def name_and_port(url: str) -> tuple[str, int]:
    """The host's name, IPv6 in brackets, and the port in effect."""
    parts = ada_url.URL(url)
    return str(parts.hostname), int(parts.port or {"http:": 80, "https:": 443}[parts.protocol])


def target_of(url: str) -> str:
    """Path and query, as robots.txt sees them."""
    parts = ada_url.URL(url)
    return f"{parts.pathname}{parts.search}"


def _is_secret(part: str) -> bool:
    name = unquote_plus(part.partition("=")[0]).lower()
    return name in _SECRETS or name.startswith(_SECRET_PREFIXES)
