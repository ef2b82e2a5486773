"""Read an XMP packet: bytes -> the properties that were asked for, by namespace, in whatever form they stand.

    decode      UTF-8, UTF-16 or UTF-32 by its first bytes; what the packet says of its own encoding is not believed
    parse       defusedxml, no document type, so no entities; sizes are checked before a tree is built
    collect     every element and attribute of a wanted name, with its plain values

A packet that cannot be parsed is still searched for PLUS prohibitions, which are URIs that nothing else looks like.
What properties mean is left to `embedded`.

Bounds: 4 MiB a packet, 100,000 tags and as many attributes (counted as "<" and "="), 2,000 characters a value. Real
packets hold 3 to 60 KiB, those with long editing histories more. The costliest that passes takes 0.5 s and 40 MB.

Source: ISO 16684-1 (XMP part 1) 7 and C.2 for the forms of a value; XMP part 3 for encodings.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

PACKET_BYTES_MAX = 4 * 2**20
TAGS_MAX = 100_000
ATTRIBUTES_MAX = 100_000
VALUE_CHARACTERS_MAX = 2000
"""Of one value; what is shown of it is shorter still."""

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_XML = "{http://www.w3.org/XML/1998/namespace}"
_VALUES = (RDF + "resource", RDF + "value")
_DESCRIPTION = RDF + "Description"
_ABOUT = RDF + "about"
_LISTS = frozenset(RDF + name for name in ("Alt", "Bag", "Seq", "li"))
_NAMESPACES = (b"adobe:ns:meta/", RDF[1:-1].encode())
_PROHIBITION = re.compile(rb"ldf/vocab/(DMI-PROHIBITED[A-Z-]*)", re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: it begins like that one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)


@dataclass(frozen=True, slots=True)
class Property:
    """One occurrence of one property."""

    name: str
    """Namespace in braces, then the local name: "{http://purl.org/dc/elements/1.1/}rights"."""
    values: tuple[str, ...]
    """As written, white space included; none: the property is there and empty."""
    about_file: bool
    """It stands where XMP puts what is said of the whole file, as a value or a list of them. False: deeper, or inside
    of a structure, so it may speak of an ingredient, or of another time."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet as far as it could be read."""

    root: Any
    """The tree; None: it is not well-formed, too large, or not what XML is allowed to be here."""
    raw: bytes

    @property
    def readable(self) -> bool:
        """Was it parsed?"""
        return self.root is not None

    def properties(self, names: Collection[str]) -> tuple[Property, ...]:
        """Every occurrence of these names, in the order of the file."""
        return tuple(_found(self.root, frozenset(names))) if self.readable else ()

    def names_like(self, name: re.Pattern[str]) -> tuple[str, ...]:
        """The different names of elements and attributes that this pattern matches as a whole, sorted."""
        names: set[str] = set()
        for element in self.root.iter() if self.readable else ():
            names.update((element.tag, *element.attrib))
        return tuple(sorted(one for one in names if name.fullmatch(one)))

    def prohibitions(self) -> tuple[str, ...]:
        """The different PLUS prohibitions that stand anywhere in the bytes, upper case."""
        # UTF-16 is ASCII with a NUL beside each letter.
        found = (match[1].decode("ascii").upper() for match in _PROHIBITION.finditer(self.raw.replace(b"\0", b"")))
        return tuple(dict.fromkeys(found))


def parse_packet(raw: bytes) -> Packet:
    """Parse one packet, or a sidecar file. Never raises; `readable` tells whether it worked."""
    text = _text(raw) if len(raw) <= PACKET_BYTES_MAX else None
    if text is None or text.count("<") > TAGS_MAX or text.count("=") > ATTRIBUTES_MAX:
        return Packet(None, raw)
    try:
        # Given as text, so that no declaration can switch to an encoding in which the counts above would not hold.
        return Packet(defusedxml.ElementTree.fromstring(text, forbid_dtd=True), raw)
    except (defusedxml.ElementTree.ParseError, DefusedXmlException, ValueError, RecursionError, MemoryError):
        return Packet(None, raw)


def is_packet(body: bytes) -> bool:
    """Is this file as a whole a packet (a sidecar)? Told by how it begins and by the namespaces of XMP."""
    head = body[:4096].replace(b"\0", b"").removeprefix(codecs.BOM_UTF8).removeprefix(codecs.BOM_UTF16_LE)
    head = head.removeprefix(codecs.BOM_UTF16_BE).lstrip()
    return head.startswith(b"<") and any(namespace in head for namespace in _NAMESPACES)


def _text(raw: bytes) -> str | None:
    """None: it is in no encoding that XMP allows."""
    encoding = next((name for start, name in _BOMS if raw.startswith(start)), "utf-8")
    try:
        return raw.decode(encoding).strip("\ufeff\0 \t\r\n")
    except UnicodeDecodeError:
        return None


def _found(root: Any, names: frozenset[str]) -> Iterator[Property]:
    """Walk the tree once, without recursion: what stands inside a wanted property belongs to its values."""
    of_file = {id(description) for description in _descriptions(root)}
    waiting: list[tuple[Any, bool]] = [(root, False)]
    while waiting:
        element, is_property_of_file = waiting.pop()
        describes_file = id(element) in of_file
        for name, value in element.attrib.items():
            if name in names:
                yield Property(name, (value[:VALUE_CHARACTERS_MAX],), about_file=describes_file)
        if element.tag in names:
            about_file = is_property_of_file and all(part.tag in _LISTS for part in element.iter() if part != element)
            yield Property(element.tag, tuple(_values(element)), about_file=about_file)
            continue
        waiting.extend((child, describes_file) for child in reversed(element))


def _descriptions(root: Any) -> list[Any]:
    """The rdf:Description elements that speak of the whole file: outermost, and all of one thing (ISO 16684-1, 7.4).

    Where they name different things, those that name none.
    """
    outermost = [root] if root.tag == RDF + "RDF" else [child for child in root if child.tag == RDF + "RDF"]
    found = [child for rdf in outermost for child in rdf if child.tag == _DESCRIPTION]
    named = {id(one): one.get(_ABOUT) or one.get("about") or "" for one in found}
    return found if len(set(named.values())) < 2 else [one for one in found if not named[id(one)]]


def _values(element: Any) -> Iterator[str]:
    """The plain values of a property: text, rdf:resource, rdf:value, items of a list, members of a structure."""
    for part in element.iter():
        for name, value in part.attrib.items():
            if name in _VALUES or not name.startswith((RDF, _XML)):
                yield value[:VALUE_CHARACTERS_MAX]
        # Between the tags of a list or structure stands white space only; an empty property has no value.
        for text in (part.text, part.tail if part is not element else None):
            if text and text.strip():
                yield text[:VALUE_CHARACTERS_MAX]
