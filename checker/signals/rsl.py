"""Read Really Simple Licensing (RSL): what licence documents say of an address.

    pointers         robots.txt, Link headers and the tags of a page -> where the documents are (`rsl_pointers`)
    read_document    one document, for one address
    read_licenses    the pointers with what was fetched for them -> findings

Inside one document, in order:

1. Of the <content> whose url matches, the most specific decides (most octets; one without a url is about whatever it
   was found for). What it does not speak of is still refused where a broader one refuses it, and never permitted:
   all applicable terms count together, and reading them never expands rights (3.1.1).
2. In a licence `prohibits` refuses. `permits` is a closed list: what it does not name is refused, what it names is
   allowed where nothing is asked for it, and otherwise conditional. Without that list nothing is said of what is not
   prohibited, or all of it is conditional where something is asked for.
3. Several licences are alternative offers: the best one for each use counts, but what one of them prohibits stays
   refused. So it is for several equally specific <content>.
4. A larger use is not allowed where a part of it is refused or conditional.
5. In a document that is not valid nothing is allowed or left open: all that is not refused is conditional (4.3: the
   asset is unlicensed). So it is where there is no document to be had.

A licence in our group of robots.txt replaces those outside of groups; other places count together, the strongest
stance winning (4.9: the most restrictive combination). Pages that embed a picture, pointers in another form than the
standard's, documents that are not fetched over HTTPS and feeds of other hosts can refuse and not permit.

Source: RSL 1.0 (RSL-SPEC-1.0, 2025-12-10, errata to 2026-08-07) 3.1.1 conflicts, 3.3 content, 3.5 permits, 3.6
prohibits, 3.7 payment, 4.2 to 4.9 association and precedence (4.7 feeds), 8 HTTPS; RFC 8288 3 and appendix B for Link;
rslstandard.org, guide to robots.txt, for a License that names a feed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Protocol

from checker.model import Finding, Stance, Use
from checker.signals.paths import matched_octets, path_of
from checker.signals.rsl_document import Content, Document, Licence, host_of, parse_document
from checker.signals.rsl_pointers import Pointer, pointers
from checker.signals.statements import clipped, uniform, with_contained

__all__ = ["Fetched", "Pointer", "pointers", "read_document", "read_licenses"]

VERSION = "RSL 1.0"

_BLOCKING = (Stance.CONDITIONAL, Stance.DENY)
_BEST_FIRST = (Stance.ALLOW, Stance.CONDITIONAL, Stance.DENY)


class Fetched(Protocol):
    """The outcome of fetching one document, as `read.RobotsFetch` has it."""

    @property
    def status(self) -> int | None:
        """Of the last response; None: there was none."""

    @property
    def body(self) -> bytes:
        """As served."""

    @property
    def error(self) -> str | None:
        """A short name: "timeout", ...; None: the response arrived whole."""


def read_licenses(found: Sequence[Pointer], documents: Mapping[str, Fetched], url: str) -> tuple[Finding, ...]:
    """Read all licences that apply to `url`.

    Args:
        found: what `pointers` gave.
        documents: what was fetched, by `Pointer.url`.
    Returns:
        At least one finding for each pointer: a document that is not there, could not be fetched or could not be
        read makes every use conditional.
    Source: RSL 1.0 4.3.
    """
    findings: list[Finding] = []
    for pointer in found:
        fetched = None if pointer.url is None else documents.get(pointer.url)
        if pointer.body is not None:
            findings += read_document(
                pointer.body, url, place=pointer.place, grants=pointer.grants, stands_in_page=True
            )
        elif pointer.url is None:
            findings.append(_unlicensed(pointer.place, pointer.raw, malformed=True))
        elif fetched is None:
            findings.append(_unlicensed(pointer.place, f"{pointer.url} was not fetched"))
        elif fetched.error is not None or fetched.status is None or not 200 <= fetched.status < 300:
            outcome = fetched.error or f"HTTP {fetched.status}"
            findings.append(_unlicensed(pointer.place, f"{pointer.url}: {outcome}"))
        else:
            findings += read_document(
                fetched.body, url, place=pointer.place, grants=pointer.grants, fetched_from=pointer.url
            )
    return tuple(findings)


def read_document(
    body: bytes, url: str, *, place: str, grants: bool = True, stands_in_page: bool = False, fetched_from: str = ""
) -> tuple[Finding, ...]:
    """Say what a licence document says of `url`. Never raises.

    Args:
        place: where the document, or what pointed at it, was found.
        grants: whether its permissions count.
        stands_in_page: it is an inline <script>: UTF-8 whatever it declares, and its one <content> is about the page
            even where its url names the work's canonical address (4.6.2); it can refuse then, and not permit.
        fetched_from: its address. A feed permits what its own host serves only (4.7). Empty: not known, and believed.
    Returns:
        One finding for each <content> that decides something, the most specific first; one without uses where none is
        about `url`; one that makes every use conditional where the document is not valid.
    """
    document = _parsed(body.strip(), "utf-8") if stands_in_page else _parsed(body, None)
    path, host = path_of(url), host_of(url)
    if document.is_feed and fetched_from and host_of(fetched_from) != host:
        grants = False
    matched = [(octets, one) for one in document.contents if (octets := _specificity(one.url, path, host)) is not None]
    if stands_in_page and not matched and len(document.contents) == 1:
        matched, grants = [(0, document.contents[0])], False
    matched.sort(key=lambda match: -match[0])
    levels = [[content for _, content in same] for _, same in groupby(matched, key=lambda match: match[0])]
    uses: list[dict[Use, Stance]] = []
    decided: dict[Use, Stance] = {}
    for level in levels:
        said = {use: s for use, s in _offered(level).items() if use not in decided and (not uses or s in _BLOCKING)}
        uses.append(said)
        decided |= said
    if document.fault:
        snippet = " ".join(body[:400].decode("utf-8", "replace").split())
        place_of, raw, scope = _told(place, levels[0]) if levels else (place, snippet, "")
        named = {use: decided[use] if decided.get(use) in _BLOCKING else Stance.CONDITIONAL for use in Use}
        return (_finding(place_of, f"{document.fault}: {raw}", named, scope, malformed=True),)
    if not levels:
        return (_finding(place, "no content of the licence is about this address", {}),)
    part_refused = {use for use in decided if any(decided.get(part) in _BLOCKING for part in with_contained({use}))}
    findings: list[Finding] = []
    for level, said in zip(levels, uses, strict=True):
        kept = {u: s for u, s in said.items() if s in _BLOCKING or (grants and u not in part_refused)}
        if kept or not findings:
            place_of, raw, scope = _told(place, level)
            findings.append(_finding(place_of, raw, kept, scope))
    return tuple(findings)


@lru_cache(maxsize=16)
def _parsed(body: bytes, encoding: str | None) -> Document:
    # A site's licence is asked about for each of its pictures, and a hostile one takes a quarter of a second to read.
    return parse_document(body, encoding=encoding)


def _specificity(pattern: str, path: str, host: str) -> int | None:
    """The octets by which the url of a <content> matches; 0: it names none, or one that cannot be understood."""
    if pattern.startswith(("/", "*")):
        return matched_octets(pattern, path)
    named_host = host_of(pattern)
    if not named_host or "*" in named_host:
        return 0
    if named_host != host:
        return None
    rest = pattern.partition("://")[2].partition("#")[0]
    start = next((i for i, character in enumerate(rest) if character in "/?"), len(rest))
    named_path = rest[start:]
    return matched_octets(named_path if named_path.startswith("/") else f"/{named_path}", path)


def _offered(level: Sequence[Content]) -> dict[Use, Stance]:
    """The best offer for each use among these contents' licences; a prohibition in any of them stays."""
    offers = [_offer(licence, licence.terms or content.terms) for content in level for licence in content.licences]
    best: dict[Use, Stance] = {}
    for use in Use:
        said = [offer[use] for offer in offers if use in offer]
        if said:
            best[use] = min(said, key=_BEST_FIRST.index)
    prohibited = {use for content in level for licence in content.licences for use in licence.prohibits}
    return best | uniform(Stance.DENY, prohibited)


def _offer(licence: Licence, terms: bool) -> dict[Use, Stance]:
    granted = Stance.CONDITIONAL if terms else Stance.ALLOW
    if licence.permits is not None:
        uses = {use: granted if use in licence.permits else Stance.DENY for use in Use}
    else:
        uses = uniform(granted, Use) if terms else {}
    return uses | uniform(Stance.DENY, licence.prohibits)


def _told(place: str, level: Sequence[Content]) -> tuple[str, str, str]:
    """Place, raw text and scope of a finding from these contents: those of the first."""
    return f"{place}, content {level[0].number}", level[0].raw, level[0].url


def _unlicensed(place: str, raw: str, *, malformed: bool = False) -> Finding:
    """The finding for a licence that cannot be had. Merely missing, it is unreachable and not malformed."""
    return _finding(place, raw, uniform(Stance.CONDITIONAL, Use), malformed=malformed, unreachable=not malformed)


def _finding(
    place: str,
    raw: str,
    uses: Mapping[Use, Stance],
    scope: str = "",
    *,
    malformed: bool = False,
    unreachable: bool = False,
) -> Finding:
    ordered = {use: uses[use] for use in Use if use in uses}
    return Finding(
        signal="rsl",
        place=place,
        raw=clipped(raw),
        uses=ordered,
        version=VERSION,
        scope=clipped(scope),
        malformed=malformed,
        unreachable=unreachable,
    )
