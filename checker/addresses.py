"""The addresses that an opt-out names: a host, or a part of it, and which URLs it covers.

    host[":" port] path      "example.org/", "example.org/photos/", "example.org:8443/a"

An address has no scheme: http and https of one host are opted out together, since whoever copies a picture takes it by
either. One spelling each, so that equal addresses are equal texts: as the WHATWG URL standard writes host and path,
then without a dot at the end of the host, without the ports 80 and 443, and with the escapes of RFC 3986: capital hex
(6.2.2.1), letters and digits as they are (6.2.2.2), escaped whatever is no pchar (3.3), where the WHATWG's own list of
what is escaped still changes.

Entries of the log hold addresses, so `is_address` rests on a grammar and not on a library: what was an address once
must be one for every later version.

The host is exact: a subdomain is another host with its own owner. The path is a prefix by whole segments (the
path-match of RFC 6265 5.1.4): "/a" covers "/a", "/a/b" and "/a?x", not "/ab"; "/a/" covers what lies below it; "/"
covers all.

Nothing is fetched or looked up here.
"""

from __future__ import annotations

import re

import ada_url

from checker.errors import InputError

ADDRESS_CHARACTERS_MAX = 1_000
"""Of one address; a claim about it also has to be fetched and shown."""

_PORTS_LEFT_OUT = ("", "80", "443")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ADDRESS = re.compile(
    r"(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])"  # a name, IPv4 or IPv6
    r"(?::([1-9][0-9]{0,4}))?"
    r"(/[A-Za-z0-9._~!$&'()+,;=:@%/-]*)"  # path-absolute of RFC 3986 3.3, without the star
)
_NOT_PLAIN = re.compile(r"%([0-9A-Fa-f]{2})|[^A-Za-z0-9._~!$&'()*+,;=:@/-]")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
"""RFC 3986 2.3: escaping these changes nothing of what is named."""


def address_of(url: str) -> str | None:
    """Where a URL points, as an address is spelled: host, port and path.

    Returns:
        None: it is no http(s) URL, or cannot be read.

    >>> address_of("https://WWW.example.org:443/%7Eme/a%2fb.jpg?w=200#top")
    'www.example.org/~me/a%2Fb.jpg'
    """
    try:
        parts = ada_url.URL(url)
    except ValueError:  # a lone surrogate is one as well
        return None
    host = parts.hostname.rstrip(".")
    if parts.protocol not in ("http:", "https:") or not host:
        return None
    port = "" if parts.port in _PORTS_LEFT_OUT else f":{parts.port}"
    return f"{host}{port}{_plain(parts.pathname)}"


def is_address(text: str) -> bool:
    """Is this of the form of an address (docs/feed.md section 2)?"""
    found = _ADDRESS.fullmatch(text) if len(text) <= ADDRESS_CHARACTERS_MAX else None
    if found is None or found[1] in _PORTS_LEFT_OUT:
        return False
    return _plain(found[2]) == found[2] and not {".", ".."} & set(found[2].split("/"))


def parse_address(text: str) -> str:
    """Read an address as people type it, with or without a scheme and a path.

    Raises:
        InputError: it is none, or says more than a host, a port and a path.

    >>> parse_address("https://Example.org/photos/"), parse_address("example.org:8443")
    ('example.org/photos/', 'example.org:8443/')
    """
    url = text if _SCHEME.match(text) else f"https://{text}"
    shown = text if len(text) <= ADDRESS_CHARACTERS_MAX else f"{text[:ADDRESS_CHARACTERS_MAX]}..."
    address = address_of(url)
    if address is None:
        raise InputError(f"{shown!r} is no address of a host; write it like example.org/ or example.org/photos/")
    parts = ada_url.URL(url)
    if parts.username or parts.password or parts.search or parts.hash:
        raise InputError(
            f"{shown!r} has a user name, a query or a fragment; name a host and the beginning of a path, like "
            "example.org/photos/"
        )
    if "*" in address:
        raise InputError(f"{shown!r} has a *; name each host by itself, and of a path the beginning")
    if not is_address(address):
        raise InputError(
            f"{shown!r} has more than {ADDRESS_CHARACTERS_MAX} characters, or a host that cannot be written plainly; "
            "name the host and a shorter beginning of the path"
        )
    return address


def covers(address: str, url: str) -> bool:
    """Does this address cover this URL? False where the URL cannot be read.

    >>> covers("example.org/a", "http://example.org/a/b.jpg"), covers("example.org/a", "http://example.org/ab.jpg")
    (True, False)
    """
    there = address_of(url)
    if there is None or not there.startswith(address):
        return False
    return address.endswith("/") or there[len(address) : len(address) + 1] in ("", "/")


def covering_addresses(url: str) -> tuple[str, ...]:
    """Every address that covers this URL, the shortest first: to look one up among many. Empty: it cannot be read.

    >>> covering_addresses("https://example.org/a/b.jpg?x")
    ('example.org/', 'example.org/a', 'example.org/a/', 'example.org/a/b.jpg')
    """
    there = address_of(url)
    if there is None:
        return ()
    begin = there.index("/")
    slashes = [match.start() for match in re.finditer("/", there[:ADDRESS_CHARACTERS_MAX])]
    cuts = {len(there), *slashes, *(at + 1 for at in slashes)} - {begin}
    return tuple(there[:cut] for cut in sorted(cuts) if cut <= ADDRESS_CHARACTERS_MAX)


def _plain(path: str) -> str:
    return _NOT_PLAIN.sub(_escape, path)


def _escape(match: re.Match[str]) -> str:
    if match[1] is None:
        return f"%{ord(match[0]):02X}"  # the path is ASCII
    letter = chr(int(match[1], 16))
    return letter if letter in _UNRESERVED else match[0].upper()
