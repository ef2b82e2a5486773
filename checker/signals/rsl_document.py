"""Read a licence document of Really Simple Licensing (RSL): bytes in, its contents and licences out.

    parse_document    the XML, held to the grammar: Document with one Content for each <content>, Licences in it

Nothing is decided here: `rsl` says what a document means for one address. Rules, in order:

1. Bytes, elements and depth are limited while expat reads; no tree is built. A document type, entities and external
   references are refused, and nothing is ever fetched.
2. The root is <rsl> in RSL's own namespace, or <rss> of a feed, whose items hold <content>. Elements of other
   namespaces are left out with all that they hold.
3. What breaks the grammar (an element of RSL's namespace that is unknown or out of place, a <content> without a
   licence, a word that is no token) makes the whole document not valid. It is then kept with its fault: a permission
   in it does not count, a refusal does. Refusals are also read from other separators, other case and old tokens.

Source: RSL 1.0 (RSL-SPEC-1.0, 2025-12-10, errata to 2026-08-07): 2.2 namespace and media type, 3 unknown elements,
3.3 content, 3.4.1 vocabularies, 3.5 and 3.6 permits and prohibits, 3.7 payment, 3.12 reporting, 4.7 RSS, appendix A;
RSS 2.0 (2.0.11), whose own elements stand in no namespace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ada_url
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, XMLParser

from checker.model import Use
from checker.signals.statements import TRAINING, clipped

NAMESPACE = "https://rslstandard.org/rsl"
DOCUMENT_BYTES_MAX = 512_000
"""Larger documents are not read; the limit of robots.txt and tdmrep.json, which are the same kind of file."""
ELEMENTS_MAX = 20_000
"""Twice what a licence for each of 1,000 paths needs; as many as fit into the bytes would take five times as long."""
DEPTH_MAX = 32
"""RSL itself is five deep; the rest is for the extensions of others."""

USAGE: Mapping[str, tuple[Use, ...]] = {
    "all": tuple(Use),
    "ai-all": (*TRAINING, Use.INDEX),
    "ai-train": TRAINING,
    "ai-index": (Use.INDEX,),
    "ai-input": (),  # feeding a model at answer time: none of our uses
    "search": (Use.SEARCH,),
}
"""Tokens of `type="usage"` (RSL 1.0 3.4.1.1) and the uses that they speak of."""

_REFUSING_ONLY: Mapping[str, tuple[Use, ...]] = {"train-ai": TRAINING, "train-genai": (Use.TRAIN_GENAI,)}
"""No token of RSL, but found in its documents (AIPREF's names): understood, never a permission."""

_CHILDREN: Mapping[str, frozenset[str]] = {
    "": frozenset({"rsl"}),
    "rsl": frozenset({"content"}),
    "item": frozenset({"content"}),
    "content": frozenset({"license", "alternate", "schema", "copyright", "terms"}),
    "license": frozenset({"permits", "prohibits", "payment", "reporting", "legal"}),
    "payment": frozenset({"standard", "custom", "amount", "accepts"}),
}
_FEED = {"": "rss", "rss": "channel", "channel": "item"}
"""What of RSS is gone into, by its parent; all else of a feed is left out."""
_PAYMENTS = frozenset({"purchase", "subscription", "training", "crawl", "use", "contribution", "attribution", "free"})
_DECLARED = re.compile(rb"""(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*["']([^"'>]*)""")
_ENCODINGS = re.compile(
    rb"utf-?8|utf-?16(le|be)?|(us-)?ascii|iso-8859-\d+|latin-?1|windows-125\d|koi8-[ru]", re.IGNORECASE
)
"""Expat asks Python for every other name, and Python's codecs hold more than encodings of text."""
_SEPARATORS = re.compile(r"[ \t\r\n,;]+")
_QNAME = re.compile(r"([A-Za-z_][\w.-]*):[A-Za-z_][\w.-]*", re.ASCII)
_NOTHING = re.compile(r"\s*0+(\.0*)?\s*", re.ASCII)


@dataclass(slots=True)
class Licence:
    """One <license>, an offer among those of its content."""

    permits: frozenset[Use] | None = None
    """A closed list: what it does not name is not licensed. None: there is no list of permitted usages."""
    prohibits: frozenset[Use] = frozenset()
    terms: bool = False
    """It asks for something: a payment, a report, or to be a certain user or in a certain place."""


@dataclass(slots=True)
class Content:
    """One <content>: the addresses that it is about, and the licences on offer for them."""

    number: int
    """Counted from 1, in the order of the document."""
    url: str
    """A path pattern or an absolute address; empty: whatever the document was found for."""
    terms: bool
    """A licence server stands before it, or it is encrypted: a token or key is needed even where it is free."""
    raw: str = ""
    licences: list[Licence] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Document:
    """A licence document, read as far as it could be."""

    contents: tuple[Content, ...] = ()
    fault: str = ""
    """The first thing that breaks the grammar, in words; empty: none does."""
    is_feed: bool = False
    """It is RSS, which speaks of assets of its own origin only."""


def parse_document(body: bytes, *, encoding: str | None = None) -> Document:
    """Read a licence document. Never raises: what is no RSL has no contents and a fault.

    Args:
        body: as served; the first 512,000 bytes count as a whole or not at all.
        encoding: counts before what the document says of itself; None: byte order mark, declaration, UTF-8.
    """
    if len(body) > DOCUMENT_BYTES_MAX:
        return Document(fault=f"more than {DOCUMENT_BYTES_MAX} bytes")
    declared = _DECLARED.match(body)
    if encoding is None and declared is not None and not _ENCODINGS.fullmatch(declared[1]):
        return Document(fault="an encoding that is not read")
    reader = _Reader(body)
    try:
        parser = XMLParser(target=reader, encoding=encoding, forbid_dtd=True)
        reader.parser = parser.parser
        parser.feed(body)
        parser.close()
    except DefusedXmlException:
        return Document(fault="a document type or entities")
    except (ParseError, ValueError, LookupError) as error:
        # LookupError and ValueError: encodings that Python does not know, or that expat cannot use.
        return Document(fault=clipped(f"no XML of RSL: {error}"))
    if not reader.contents:
        reader.blame("no <content>")
    return Document(tuple(reader.contents), reader.fault, reader.is_feed)


def host_of(url: str) -> str:
    """Host and port of an absolute http(s) address in one spelling. Empty: it is none."""
    try:
        parsed = ada_url.URL(url)
    except ValueError:
        return ""
    return str(parsed.host) if parsed.protocol in ("https:", "http:") else ""


def is_absolute(url: str) -> bool:
    """Whether the text is meant as an absolute http(s) address."""
    return url.lower().startswith(("https://", "http://"))


class _NotRslError(ValueError):
    """The document is none of RSL's, or larger than what is read."""


class _Reader:
    """What expat reports, put into contents and licences as it comes; nothing else is kept."""

    def __init__(self, body: bytes) -> None:
        self.contents: list[Content] = []
        self.fault = ""
        self.is_feed = False
        self.parser: Any = None
        self._body = body
        self._prefixes: set[str] = set()
        self._elements = 0
        self._depth = 0
        self._foreign_depth = 0
        """Depth of the element whose insides are left out; 0: none is open."""
        self._path: list[str] = [""]
        self._attributes: Mapping[str, str] = {}
        self._text: list[str] = []
        self._started_at = 0
        self._lists: set[tuple[str, str]] = set()
        self._payments = 0

    def blame(self, fault: str) -> None:
        """Note what breaks the grammar; the first is kept."""
        self.fault = self.fault or clipped(fault)

    def start_ns(self, prefix: str, _uri: str) -> None:
        """A prefix is declared: tokens that begin with it are somebody's extension."""
        self._prefixes.add(prefix)

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        self._elements += 1
        self._depth += 1
        if self._elements > ELEMENTS_MAX or self._depth > DEPTH_MAX:
            raise _NotRslError(f"more than {ELEMENTS_MAX} elements, or more than {DEPTH_MAX} inside each other")
        if self._foreign_depth:
            return
        namespace, _, name = tag.rpartition("}")
        parent = self._path[-1]
        ours = namespace == "{" + NAMESPACE
        if _FEED.get(parent) == tag:
            self._path.append(name)
            self.is_feed = True
            return
        if ours and name in _CHILDREN.get(parent, frozenset()):
            self._path.append(name)
            self._attributes, self._text = attributes, []
            self._begin(name, attributes)
            return
        if parent == "":
            raise _NotRslError(f"the root is {tag}")
        if ours:
            self.blame(f"<{name}> in <{parent}>")
        self._foreign_depth = self._depth

    def data(self, text: str) -> None:
        """Characters; those of tokens and amounts are kept."""
        if not self._foreign_depth and self._path[-1] in ("permits", "prohibits", "amount"):
            self._text.append(text)

    def end(self, _tag: str) -> None:
        """An element ends."""
        closing = self._foreign_depth == self._depth
        inside = self._foreign_depth and not closing
        self._depth -= 1
        if closing:
            self._foreign_depth = 0
        elif not inside:
            self._finish(self._path.pop(), "".join(self._text))

    def close(self) -> None:
        """The document ends."""

    def _begin(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "content":
            self._begin_content(attributes)
        elif name == "license":
            self._lists, self._payments = set(), 0
            self.contents[-1].licences.append(Licence())
        elif name == "payment":
            self._begin_payment(attributes.get("type"))
        elif name == "reporting":
            self.contents[-1].licences[-1].terms = True
        elif name in ("standard", "custom", "accepts"):
            # Somebody's terms to agree to, whatever the payment's type says.
            self.contents[-1].licences[-1].terms = True

    def _finish(self, name: str, text: str) -> None:
        if name in ("permits", "prohibits"):
            self._finish_list(name, self._attributes.get("type"), text)
        elif name == "amount" and not _NOTHING.fullmatch(text):
            self.contents[-1].licences[-1].terms = True
        elif name == "content":
            content = self.contents[-1]
            content.raw = self._source()
            if not content.licences:
                self.blame(f"content {content.number} has no <license>")

    def _begin_content(self, attributes: Mapping[str, str]) -> None:
        self._started_at = self.parser.CurrentByteIndex
        number = len(self.contents) + 1
        url = attributes.get("url")
        if url is None or (self.is_feed and not url):
            self.blame(f"content {number} has no url")
        elif url and not url.startswith(("/", "*")) and ("*" in host_of(url) or not host_of(url)):
            self.blame(f"content {number} has a url that is neither a path nor an address")
        terms = "server" in attributes or attributes.get("encrypted", "false") != "false"
        self.contents.append(Content(number, url or "", terms))

    def _begin_payment(self, kind: str | None) -> None:
        """No payment, or one that names neither a type nor anything else, is free (3.7)."""
        self._payments += 1
        if self._payments > 1:
            self.blame("two <payment> in a <license>")
        if kind is not None and kind not in _PAYMENTS and not self._is_extension(kind):
            self.blame(f"payment type {kind}")
        if kind is not None and kind != "free":
            self.contents[-1].licences[-1].terms = True

    def _finish_list(self, name: str, kind: str | None, text: str) -> None:
        licence = self.contents[-1].licences[-1]
        if (name, kind or "") in self._lists:
            self.blame(f'two <{name} type="{kind}"> in a <license>')
        self._lists.add((name, kind or ""))
        if kind in ("user", "geo"):
            licence.terms = True
            return
        if kind != "usage":
            self.blame(f'<{name} type="{kind}">')
        uses = self._uses(name, text)
        if name == "prohibits":
            licence.prohibits |= uses
        else:
            licence.permits = (licence.permits or frozenset()) | uses

    def _uses(self, name: str, text: str) -> frozenset[Use]:
        """The uses that a list of tokens speaks of. What is no token of 3.4.1.1 is a fault, and still understood."""
        uses: set[Use] = set()
        tokens = [token for token in _SEPARATORS.split(text) if token]
        if not tokens or "," in text or ";" in text:
            self.blame(f"<{name}> is no list of tokens between blanks")
        for token in tokens:
            known = USAGE.get(token)
            if known is None and not self._is_extension(token):
                self.blame(f"<{name}> names {token}")
                known = USAGE.get(token.lower(), _REFUSING_ONLY.get(token.lower()))
            uses.update(known or ())
        return frozenset(uses)

    def _is_extension(self, token: str) -> bool:
        """A token of another namespace: allowed, and not to be interpreted (3.4.1)."""
        match = _QNAME.fullmatch(token)
        return match is not None and match[1] in self._prefixes

    def _source(self) -> str:
        """The text of the <content> that just ended, blanks drawn together."""
        octets = self._body[self._started_at : min(self.parser.CurrentByteIndex, self._started_at + 4_000)]
        marks = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
        return clipped(" ".join(octets.decode(marks.get(self._body[:2], "utf-8"), "replace").split()))
