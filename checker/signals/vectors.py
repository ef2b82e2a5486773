"""Run test vectors: what stands in a file of cases, put through the readers, against what the file expects of it.

    {"vectors": [{"id": "S01", "kind": "robots", "input": "User-agent: *\nDisallow: /art/\n",
                  "context": {"url": "https://img.example/art/a.jpg"},
                  "expected": {"crawl": "deny", "uses": {}, "malformed": false}}]}

A vector is judged before doubt is looked at: each use has the strongest stance that was said of it, `malformed` tells
whether anything could not be read, and `unknown` does not occur.

    kind                    input
    robots                  text of robots.txt
    robots-http             {status, body, redirects, error}: what became of fetching it
    content-usage-header, content-signal-header, x-robots-tag       list of values, one a header line
    html-meta               text of a page; context.target: "image" (the page embeds it) or "page"
    tdmrep                  any of {file: {status, body, error}, headers: [[name, value]], html, xmp}; the xmp is of a
                            picture, or of a PDF where context.resource is application/pdf
    xmp                     text of an XMP packet
    c2pa                    manifest store, as c2pa's reader gives it in JSON
    rsl                     {doc}: a licence that applies; or any of {robots, headers, html, licenses: {url: text}}
    ai.txt                  {status, content_type, body, error}
    trust.txt               text of the file
    tdm-ai                  declaration, as an object or as its text; taken as verified
    http-status             {status, headers}
    combine                 {kind: input, ...}; the licenses of rsl count for robots, headers and html beside it as well

`context` may hold ua, url, infer_ai_tokens, now, target and resource (a media type, or "image" or "page"); `expected`
holds crawl, uses and malformed. What is left out of either, or null, has the value given below; so it is for parts of
an input that need not be there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from checker.errors import InputError
from checker.model import Finding, Stance, Use
from checker.signals.declarations import read_declaration
from checker.signals.headers import header_values
from checker.signals.read import Evidence, RobotsFetch, licences_of, read_findings
from checker.signals.rsl_document import is_absolute
from checker.signals.statements import clipped
from checker.signals.textfiles import TextFile, read_ai_txt, read_trust_txt
from checker.signals.vector_files import Member
from checker.signals.verdict import combine

DEFAULT_AGENT = "ExampleImageBot"
DEFAULT_URL = "https://img.example/art/a.jpg"
DEFAULT_NOW = datetime(2026, 11, 22, tzinfo=UTC)

_STANCES = {stance.value: stance for stance in Stance if stance is not Stance.UNKNOWN}
_USES = {use.value: use for use in Use}
_PAGES = frozenset({"page", "html", "text/html", "application/xhtml+xml"})
_ENTRIES = ("kind", "input", "context", "expected")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a vector expects, or what came."""

    crawl: Stance
    uses: Mapping[Use, Stance]
    """Without those that are unspecified."""
    malformed: bool

    def to_dict(self) -> dict[str, Any]:
        """In the form of a vector's `expected`."""
        return {
            "crawl": None if self.crawl is Stance.UNSPECIFIED else self.crawl.value,
            "uses": {use.value: self.uses[use].value for use in Use if use in self.uses},
            "malformed": self.malformed,
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """A vector that came out otherwise than its file says."""

    id: str
    expected: Outcome
    came: Outcome


@dataclass(frozen=True, slots=True)
class _Context:
    agent: str
    url: str
    infer_ai_tokens: bool
    now: datetime
    of_page: bool
    """HTML in the vector is the resource that is asked about; otherwise it embeds it."""
    of_pdf: bool
    """XMP in a vector of TDMRep is that of a PDF, to which the protocol gives it; otherwise that of a picture."""


@dataclass(slots=True)
class _Gathered:
    """What the inputs of a vector come to: evidence for the wired readers, and findings of those that stand alone."""

    context: _Context
    evidence: dict[str, Any] = field(default_factory=dict)
    headers: list[tuple[str, str]] = field(default_factory=list)
    licences: dict[str, TextFile] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def put(self, given: Member, name: str, value: Any) -> None:
        """Set one thing of the evidence; a second time would silently replace the first."""
        if name in self.evidence:
            raise given.wrong(f"left out: another part gives the {name} already")
        self.evidence[name] = value


def run_vectors(document: Mapping[str, Any]) -> list[Difference]:
    """Put every vector through the readers.

    Args:
        document: what `vector_files.parse_vectors` gave.
    Returns:
        The vectors that came out otherwise than they expect, in the order of the file. Empty: all are as expected.
    Raises:
        InputError: the document is not of the form above; it names the vector and the member.
    """
    differences: list[Difference] = []
    numbers: dict[str, int] = {}
    for number, vector in enumerate(document["vectors"], start=1):
        name = Member(f"vector number {number}", vector).members().get("id")
        if name is None or not isinstance(name.value, str) or not name.value:
            raise InputError(f"vector number {number}: id should be text that is not empty")
        if name.value in numbers:
            first = numbers[name.value]
            raise InputError(
                f"vectors number {first} and {number} have one id, {clipped(name.value)}; give each its own"
            )
        numbers[name.value] = number
        # Other members (a clause, a reason) are for people.
        members = {key: Member(f"vector {name.value}: {key}", vector.get(key)) for key in _ENTRIES}
        expected = _expected(members["expected"])
        came = _outcome(members)
        if came != expected:
            differences.append(Difference(name.value, expected, came))
    return differences


def _expected(member: Member) -> Outcome:
    given = member.parts(("crawl", "uses", "malformed"))
    uses = given["uses"].parts(_USES) if "uses" in given else {}
    stances = {_USES[name]: one.one_of(_STANCES) for name, one in uses.items()}
    return Outcome(
        crawl=given["crawl"].one_of(_STANCES) if "crawl" in given else Stance.UNSPECIFIED,
        uses={use: stance for use, stance in stances.items() if stance is not Stance.UNSPECIFIED},
        malformed="malformed" in given and given["malformed"].flag(),
    )


def _outcome(members: Mapping[str, Member]) -> Outcome:
    gathered = _Gathered(_context(members["context"]))
    reader = members["kind"].one_of(_KINDS)
    reader(members["input"], gathered)
    context = gathered.context
    evidence = Evidence(
        url=context.url,
        headers=tuple(gathered.headers),
        licences=tuple(gathered.licences.items()),
        **gathered.evidence,
    )
    findings = [
        *read_findings(evidence, agent=context.agent, now=context.now, infer_ai_tokens=context.infer_ai_tokens),
        *gathered.findings,
    ]
    verdict = combine(findings)
    return Outcome(
        crawl=verdict.crawl,
        uses={use: stance for use, stance in verdict.uses.items() if stance is not Stance.UNSPECIFIED},
        malformed=any(finding.malformed for finding in findings),
    )


def _context(member: Member) -> _Context:
    names = ("ua", "url", "infer_ai_tokens", "now", "target", "resource")
    given = {} if member.value is None else member.parts(names)
    now = DEFAULT_NOW
    if "now" in given:
        try:
            now = datetime.fromisoformat(given["now"].text())
        except ValueError as error:
            raise given["now"].wrong("an ISO 8601 date or time") from error
    target = given["target"].one_of({"image": "image", "page": "page"}) if "target" in given else "image"
    resource = given["resource"].text().partition(";")[0].strip().lower() if "resource" in given else "image"
    if "url" in given and not is_absolute(given["url"].text()):
        raise given["url"].wrong("an address that starts with https:// or http://")
    return _Context(
        agent=given["ua"].text() if "ua" in given else DEFAULT_AGENT,
        url=given["url"].text() if "url" in given else DEFAULT_URL,
        infer_ai_tokens="infer_ai_tokens" in given and given["infer_ai_tokens"].flag(),
        now=now.replace(tzinfo=UTC) if now.tzinfo is None else now,
        of_page=target == "page" or resource in _PAGES,
        of_pdf=resource == "application/pdf",
    )


# --- the kinds -------------------------------------------------------------------------------------------------


def _robots(given: Member, gathered: _Gathered) -> None:
    gathered.put(given, "robots", RobotsFetch(status=200, body=given.octets()))


def _robots_http(given: Member, gathered: _Gathered) -> None:
    gathered.put(given, "robots", _fetch(given.parts(("status", "body", "redirects", "error"))))


def _header_lines(name: str) -> Callable[[Member, _Gathered], None]:
    def read(given: Member, gathered: _Gathered) -> None:
        gathered.headers += [(name, line.text()) for line in given.items()]

    return read


def _html(given: Member, gathered: _Gathered) -> None:
    gathered.put(given, "html", given.octets())
    gathered.evidence["html_is_target"] = gathered.context.of_page


def _tdmrep(given: Member, gathered: _Gathered) -> None:
    parts = given.parts(("file", "headers", "html", "xmp"))
    if "xmp" in parts and gathered.context.of_pdf:
        _tdmrep_of_pdf(parts, gathered)
        return
    if "file" in parts:
        gathered.put(parts["file"], "tdmrep", _fetch(parts["file"].parts(("status", "body", "error"))))
    if "headers" in parts:
        gathered.headers += parts["headers"].header_lines()
    if "html" in parts:
        _html(parts["html"], gathered)
    if "xmp" in parts:
        _xmp(parts["xmp"], gathered)


def _tdmrep_of_pdf(parts: Mapping[str, Member], gathered: _Gathered) -> None:
    """TDMRep: what a PDF says itself supersedes the file and the headers. No other part of the project reads PDFs."""
    from checker.signals import tdmrep
    from checker.signals.embedded import read_reservations

    fetched = _fetch(parts["file"].parts(("status", "body", "error"))) if "file" in parts else RobotsFetch(404)
    file = tdmrep.read_file(fetched.body, gathered.context.url) if fetched.status == 200 else []
    lines = parts["headers"].header_lines() if "headers" in parts else []
    said = [header_values(lines, name) for name in ("tdm-reservation", "tdm-policy")]
    headers = tdmrep.read_values(*said, place="header tdm-reservation")
    gathered.findings += tdmrep.read_tdmrep(file, headers, read_reservations(parts["xmp"].octets(), place="XMP"))


def _xmp(given: Member, gathered: _Gathered) -> None:
    from checker.signals.embedded import read_xmp

    gathered.findings += read_xmp(given.octets(), place="XMP")


def _c2pa(given: Member, gathered: _Gathered) -> None:
    from checker.signals.c2pa import read_store

    given.members()
    gathered.findings += read_store(given.value, place="C2PA manifest")


def _rsl(given: Member, gathered: _Gathered) -> None:
    from checker.signals.rsl import read_document, read_licenses

    parts = given.parts(("doc", "robots", "headers", "html", "licenses"))
    context = gathered.context
    if "doc" in parts:
        gathered.findings += read_document(parts["doc"].octets(), context.url, place="licence")
    licences = parts["licenses"].members() if "licenses" in parts else {}
    gathered.licences |= {url: TextFile(status=200, body=text.octets()) for url, text in licences.items()}
    pointing = Evidence(
        url=context.url,
        robots=RobotsFetch(status=200, body=parts["robots"].octets()) if "robots" in parts else None,
        headers=tuple(parts["headers"].header_lines()) if "headers" in parts else (),
        html=parts["html"].octets() if "html" in parts else None,
        html_is_target=context.of_page,
        page_url=context.url if context.of_page else "",
    )
    gathered.findings += read_licenses(licences_of(pointing, agent=context.agent), gathered.licences, context.url)


def _ai_txt(given: Member, gathered: _Gathered) -> None:
    parts = given.parts(("status", "content_type", "body", "error"))
    fetched = _fetch(parts)
    content_type = parts["content_type"].text() if "content_type" in parts else ""
    file = TextFile(fetched.status, fetched.body, content_type, fetched.error)
    gathered.findings += read_ai_txt(file, gathered.context.url, agent=gathered.context.agent)


def _trust_txt(given: Member, gathered: _Gathered) -> None:
    gathered.findings += read_trust_txt(TextFile(status=200, body=given.octets()))


def _tdm_ai(given: Member, gathered: _Gathered) -> None:
    if isinstance(given.value, str):
        body = given.octets()
    else:
        given.members()
        try:
            body = json.dumps(given.value).encode()
        except RecursionError as error:
            raise given.wrong("nested less deeply") from error
    gathered.findings += read_declaration(body, place="declaration", verified=True)


def _http_status(given: Member, gathered: _Gathered) -> None:
    parts = given.parts(("status", "headers"))
    status = parts.get("status", given.inner("status", None))
    gathered.put(status, "status", status.number())
    gathered.headers += parts["headers"].header_lines() if "headers" in parts else []


def _combine(given: Member, gathered: _Gathered) -> None:
    readers = {name: reader for name, reader in _KINDS.items() if reader is not _combine}
    for kind, one in given.parts(readers).items():
        readers[kind](one, gathered)


def _fetch(parts: Mapping[str, Member]) -> RobotsFetch:
    return RobotsFetch(
        status=parts["status"].number() if "status" in parts else None,
        body=parts["body"].octets() if "body" in parts else b"",
        redirects=parts["redirects"].number() if "redirects" in parts else 0,
        error=parts["error"].text() if "error" in parts else None,
    )


_KINDS: Mapping[str, Callable[[Member, _Gathered], None]] = {
    "robots": _robots,
    "robots-http": _robots_http,
    "content-usage-header": _header_lines("Content-Usage"),
    "content-signal-header": _header_lines("Content-Signal"),
    "x-robots-tag": _header_lines("X-Robots-Tag"),
    "html-meta": _html,
    "tdmrep": _tdmrep,
    "xmp": _xmp,
    "c2pa": _c2pa,
    "rsl": _rsl,
    "ai.txt": _ai_txt,
    "trust.txt": _trust_txt,
    "tdm-ai": _tdm_ai,
    "http-status": _http_status,
    "combine": _combine,
}
