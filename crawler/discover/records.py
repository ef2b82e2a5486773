"""The XML of sitemaps and feeds -> flat records: one for each entry, with its fields in order.

1. Octets are limited by the caller; elements, depth, entries, fields and text are limited here, while expat reads. No
   tree is built.
2. A document type, entities and external references end the reading (defusedxml). So does broken XML. What was read
   before is kept: half a sitemap is half of the pages.
3. Names are spelled without the prefixes of the document: "loc", "image:loc", "media:content". A namespace that is
   nowhere in the table, other than the root's, makes "other:...".

Source: Namespaces in XML 1.0; XML Base 3 (relative addresses in Atom, RFC 4287 2).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, XMLParser

from crawler.addresses import join

RECORDS_MAX = 50_000
"""Entries read of one document (sitemaps.org: at most 50,000 in a sitemap)."""
FIELDS_MAX = 5_000
"""Of one entry; further ones are passed over. Google: at most 1,000 pictures for a page, each with four facts."""
TEXT_CHARACTERS_MAX = 2**18
"""Of one entry in all."""
ELEMENTS_MAX = 2_000_000
DEPTH_MAX = 64
_URL_CHARACTERS_MAX = 2_048
_PIECE_CHARACTERS = 2**20

_PREFIXES = {
    "www.sitemaps.org/schemas/sitemap/0.9": "",
    "purl.org/rss/1.0": "",
    "www.google.com/schemas/sitemap-image/1.1": "image:",
    "www.google.com/schemas/sitemap-video/1.1": "video:",
    "search.yahoo.com/mrss": "media:",
    "www.itunes.com/dtds/podcast-1.0.dtd": "itunes:",
    "purl.org/rss/1.0/modules/content": "content:",
    "www.w3.org/2005/atom": "atom:",
    "www.w3.org/1999/xhtml": "xhtml:",
    "www.w3.org/1999/02/22-rdf-syntax-ns": "rdf:",
    "www.w3.org/xml/1998/namespace": "xml:",
}
"""Namespaces, in lower case, without scheme, final slash and "#", since documents spell them in all these ways."""


@dataclass(frozen=True, slots=True)
class Field:
    """One element of an entry."""

    name: str
    inside: str
    """The name of the element around it."""
    attributes: Mapping[str, str]
    text: str
    base: str
    """What addresses in it are relative to."""


@dataclass(frozen=True, slots=True)
class Record:
    """One entry."""

    name: str
    inside: str
    fields: tuple[Field, ...]

    def all(self, name: str) -> Iterator[Field]:
        """The fields of this name, in order."""
        return (one for one in self.fields if one.name == name)

    def text(self, *names: str) -> str:
        """The text of the first of these names that has one. Empty: none has."""
        return next((one.text.strip() for name in names for one in self.all(name) if one.text.strip()), "")


def read_records(text: str, names: Collection[str], *, base: str) -> Iterator[Record]:
    """Give every element that has one of these names as a record. Never raises.

    Args:
        names: of entries; one inside of another is a field of it.
        base: the address of the document.
    """
    reader = _Reader(names, base)
    parser = XMLParser(target=reader, encoding="utf-8", forbid_dtd=True)
    for start in range(0, len(text), _PIECE_CHARACTERS):
        try:
            parser.feed(text[start : start + _PIECE_CHARACTERS].encode("utf-8", "replace"))
        except (ParseError, DefusedXmlException, ValueError):
            yield from reader.take()
            return
        yield from reader.take()


class _EnoughError(ValueError):
    """A limit was reached."""


class _Reader:
    """What expat reports, put into records as they end."""

    def __init__(self, names: Collection[str], base: str) -> None:
        self._names = names
        self._bases = [base]
        self._path = [""]
        self._root_namespace = ""
        self._elements = self._records = 0
        self._ended: list[Record] = []
        self._entry_depth = 0
        """Depth of the entry that is open; 0: none is."""
        self._fields: list[Field] = []
        self._open: list[tuple[Mapping[str, str], list[str]]] = []
        """Attributes and text of the elements that are open inside of the entry."""
        self._text_left = 0

    def take(self) -> list[Record]:
        """The records that ended since the last call."""
        ended, self._ended = self._ended, []
        return ended

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        self._elements += 1
        if self._elements > ELEMENTS_MAX or len(self._path) > DEPTH_MAX:
            raise _EnoughError
        if len(self._path) == 1:
            self._root_namespace = tag.rpartition("}")[0]
        name = self._name(tag)
        self._path.append(name)
        self._bases.append(self._base(attributes))
        if self._entry_depth:
            self._open.append((attributes, []))
        elif name in self._names:
            self._records += 1
            if self._records > RECORDS_MAX:
                raise _EnoughError
            self._entry_depth, self._fields, self._text_left = len(self._path), [], TEXT_CHARACTERS_MAX
            self._open = [(attributes, [])]

    def data(self, text: str) -> None:
        """Characters."""
        if self._open and self._text_left > 0:
            self._open[-1][1].append(text[: self._text_left])
            self._text_left -= len(text)

    def end(self, _tag: str) -> None:
        """An element ends."""
        name, base = self._path.pop(), self._bases.pop()
        if not self._entry_depth:
            return
        attributes, text = self._open.pop()
        if len(self._fields) < FIELDS_MAX:
            spelled = {self._name(key): value for key, value in attributes.items()}
            self._fields.append(Field(name, self._path[-1], spelled, "".join(text), base))
        if len(self._path) < self._entry_depth:
            self._ended.append(Record(name, self._path[-1], tuple(self._fields)))
            self._entry_depth = 0

    def close(self) -> None:
        """The document ends."""

    def _name(self, tag: str) -> str:
        namespace, _, name = tag.rpartition("}")
        if not namespace or namespace == self._root_namespace:
            return name
        known = namespace.lower().removeprefix("{").partition("://")[2].rstrip("/#")
        return _PREFIXES.get(known, "other:") + name

    def _base(self, attributes: Mapping[str, Any]) -> str:
        own = attributes.get("{http://www.w3.org/XML/1998/namespace}base")
        if not own or len(own) > _URL_CHARACTERS_MAX:
            return self._bases[-1]
        return join(own, self._bases[-1]) or self._bases[-1]
