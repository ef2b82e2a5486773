"""Find the licences (RSL) that somebody points at: robots.txt, headers and pages in, Pointers out.

    robots.txt    `License:`; those in our group replace those outside of groups
    Link header   rel="license"; type="application/rsl+xml"
    page          <link rel="license" type="application/rsl+xml">, and licences that stand in a <script>

Nothing is fetched: what a pointer names is to be fetched like every address that a stranger gives. What is found only
by reading tolerantly (a relative address, another relation, plain HTTP), and what a page says of the pictures that it
embeds, can refuse and not permit: `Pointer.grants`.

Not looked at: RSS feeds, metadata inside of files, bodies of 401 and 402 responses (RSL 1.0 4.7, 4.8, 4.10).

Source: RSL 1.0 (RSL-SPEC-1.0, 2025-12-10, errata to 2026-08-07) 4.2, 4.4 to 4.6, 8; RFC 8288 3 and appendix B.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import ada_url
from selectolax.lexbor import LexborHTMLParser

from checker.signals.html import HTML_BYTES_MAX, PageTags
from checker.signals.markup import tamed
from checker.signals.robots import RobotsFile
from checker.signals.rsl_document import host_of, is_absolute
from checker.signals.statements import clipped

MEDIA_TYPE = "application/rsl+xml"
POINTERS_MAX = 16
"""Of one address. Sites have one or two; each may cost a request and some 0.1 s of reading."""

_IN_PAGE = "licence in the page"
_LINKED_BY_PAGE = "link to a licence in the page"
_LINK_PARAMETER = re.compile(
    r"""[ \t]*;[ \t]*([^\s=;,"]*)[ \t]*(?:=[ \t]*(?:"((?:[^"\\]|\\.)*)"?|([^;,]*)))?""", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Pointer:
    """One place where a licence is pointed at, or stands itself."""

    url: str | None
    """Absolute address of the document, to be fetched; None: it stands in `body`, or leads nowhere."""
    body: bytes | None
    """The document itself, in UTF-8; None: it is elsewhere."""
    place: str
    """ "robots.txt line 3", "header Link", ..."""
    raw: str = ""
    """The text of the pointer."""
    grants: bool = True
    """False: what the document permits does not count, what it refuses does."""


def pointers(
    robots: RobotsFile | None,
    headers: Sequence[tuple[str, str]],
    page: bytes | PageTags | None,
    *,
    agent: str,
    url: str = "",
    page_url: str = "",
    page_is_target: bool = False,
) -> tuple[Pointer, ...]:
    """Find every licence that is pointed at. Never raises.

    Args:
        robots: of the authority of `url`; only where it allows to fetch it. None: there is none.
        headers: of the response of `url`.
        page: HTML of the page that embeds the picture, or of `url` itself; None: there is none. Its `PageTags` do as
            well, but they lack the text of inline licences, which then lead nowhere.
        agent: our product token, for the choice of a group in robots.txt.
        url: the address that is asked about; relative addresses in robots.txt and headers are read from it.
        page_url: that of the page; empty: relative addresses in it lead nowhere.
        page_is_target: True: `url` is that page. False: it embeds the picture, and anybody's page can do that.
    Returns:
        At most 16; one that leads nowhere stands for those beyond.
    Source: RSL 1.0 4.2 ("all available association points"), 4.4 to 4.6.
    """
    found = [
        *(() if robots is None else _of_robots(robots, agent, url)),
        *_of_headers(headers, url),
        *(() if page is None else _of_page(page, url if page_is_target else page_url, grants=page_is_target)),
    ]
    if len(found) > POINTERS_MAX:
        place = found[POINTERS_MAX - 1].place
        found[POINTERS_MAX - 1 :] = [Pointer(None, None, place, f"more than {POINTERS_MAX} licences", grants=False)]
    return tuple(found)


def _of_robots(robots: RobotsFile, agent: str, url: str) -> Iterator[Pointer]:
    """Our group's License records replace those outside of groups; one that names no address replaces nothing (4.4)."""
    own = [record for record in robots.records_for(agent) if record.name == "license" and record.value]
    outside = [record for record in robots.outside if record.name == "license" and record.value]
    replaced = any(host_of(record.value) for record in own)
    for record in (*own, *(() if replaced else outside)):
        # "License: MIT" is no address: taken from the host's root it would only look like one.
        base = url if record.value.startswith("/") else ""
        yield _pointer(record.value, base, record.place, record.raw)


def _of_headers(headers: Sequence[tuple[str, str]], url: str) -> Iterator[Pointer]:
    for line in (value for name, value in headers if name.strip().lower() == "link"):
        links, rest = _links(line)
        for target, parameters in links:
            if _is_rsl(parameters.get("type", "")):
                # Another relation or context is not what the standard asks for: such a link can refuse only.
                exact = "license" in parameters.get("rel", "").lower().split() and "anchor" not in parameters
                yield _pointer(target, url, "header Link", line, grants=exact)
        if MEDIA_TYPE in rest.lower():
            yield Pointer(None, None, "header Link", clipped(line), grants=False)


def _of_page(page: bytes | PageTags, base: str, *, grants: bool) -> Iterator[Pointer]:
    """Linked and inline licences of a page, read within the limits of its other tags."""
    if isinstance(page, PageTags):
        for address in page.licences:
            if address == "inline":
                yield Pointer(None, None, _IN_PAGE, "its text was not kept", grants=False)
            else:
                yield _pointer(address, base, _LINKED_BY_PAGE, address, grants=False)
        return
    html = page[:HTML_BYTES_MAX]
    if html.startswith((b"\xff\xfe", b"\xfe\xff")):
        html = html.decode("utf-16", "replace").encode("utf-8", "replace")
    for node in LexborHTMLParser(tamed(html)).css("link, script"):
        attributes = node.attributes
        if not _is_rsl(attributes.get("type") or ""):
            continue
        linked = attributes.get("href") or attributes.get("src")
        if linked is not None:
            exact = node.tag == "link" and "license" in (attributes.get("rel") or "").lower().split()
            yield _pointer(linked, base, _LINKED_BY_PAGE, linked, grants=grants and exact)
        elif node.tag == "script":
            text = node.text()
            yield Pointer(None, text.encode("utf-8", "replace"), _IN_PAGE, clipped(text.strip()), grants)


def _pointer(address: str, base: str, place: str, raw: str, *, grants: bool = True) -> Pointer:
    """A pointer to this address. The standard asks for an absolute one, over HTTPS; others can refuse only."""
    address = address.strip()
    target = _joined(address, base)
    if is_absolute(address):
        target = address if host_of(address) else None
    exact = target is not None and address.lower().startswith("https://")
    return Pointer(target, None, place, clipped(raw), grants and exact)


def _joined(address: str, base: str) -> str | None:
    try:
        joined = str(ada_url.URL(address, base=base).href) if address and base else ""
    except ValueError:
        return None
    return joined if is_absolute(joined) else None


def _is_rsl(media_type: str) -> bool:
    return media_type.partition(";")[0].strip().lower() == MEDIA_TYPE


def _links(line: str) -> tuple[list[tuple[str, dict[str, str]]], str]:
    """The links of one Link field line, each with its parameters, and the text that could not be read.

    Of a parameter that is given twice the first counts.
    Source: RFC 8288 3, 3.3, 3.4.1 and B.3.
    """
    links: list[tuple[str, dict[str, str]]] = []
    position = 0
    while position < len(line):
        if line[position] in " \t,":
            position += 1
            continue
        end = line.find(">", position)
        if line[position] != "<" or end < 0:
            break
        target, position = line[position + 1 : end], end + 1
        parameters: dict[str, str] = {}
        while (match := _LINK_PARAMETER.match(line, position)) is not None:
            name, quoted, token = match[1].lower(), match[2], match[3]
            value = (token or "").strip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
            parameters.setdefault(name, value)
            position = match.end()
        links.append((target, parameters))
    return links, line[position:]
