"""Read what a picture file itself says of its use: PLUS data mining, TDMRep, C2PA, and the rights fields beside them.

    read_xmp        one XMP packet: plus:DataMining and tdm:reservation
    read_picture    a whole file: the same from wherever its XMP sits, C2PA manifests, and the rights fields of XMP, IIM
                    and Exif, which are evidence and decide nothing

A prohibition counts wherever it stands and in any case of letters; it is even looked for in a packet that cannot be
parsed. A permission needs the exact key, in a property of the file itself, in a block that is whole and in its place.
A packet or manifest that is there and cannot be read leaves `tdm` and both training uses in doubt. Data mining has no
form in IIM or Exif, so what is broken there leaves none. tdm:reservation is not defined for pictures: 1 counts, 0 is
shown and decides nothing. A manifest that is kept elsewhere (dcterms:provenance) is not fetched, and leaves doubt.

JPEG Trust (ISO/IEC 21617-1) has no term of its own here: its manifests are read as C2PA, other JUMBF is noted.

Source: IPTC Photo Metadata Standard 2025.1 (Data Mining since 2023.1); the PLUS LDF vocabulary; TDMRep 2026-06-18;
C2PA 1.4 A.4 for the address of a manifest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator

import defusedxml.ElementTree

from checker.model import Finding, Use
from checker.signals import c2pa, c2pa_reader, tdmrep
from checker.signals.blocks import Blocks, Kind
from checker.signals.containers import find_blocks
from checker.signals.plus import read_data_mining
from checker.signals.rights import FIELDS, PLUS, read_exif_rights, read_iim_rights, read_xmp_rights
from checker.signals.rsl import read_document
from checker.signals.rsl_document import NAMESPACE
from checker.signals.statements import TRAINING, Statement, clipped, findings_of, without_permissions
from checker.signals.xmp import Packet, parse_packet

VERSION = "IPTC Photo Metadata 2025.1"

_USES = (Use.TDM, *TRAINING)
_DOUBT = Statement(malformed=True, doubted=frozenset(_USES))
_TERMS = {
    "DMI-PROHIBITED-SEECONSTRAINT": "plus:OtherConstraints",
    "DMI-PROHIBITED-SEEEMBEDDEDRIGHTSEXPR": "Iptc4xmpExt:EmbdEncRightsExpr",
    "DMI-PROHIBITED-SEELINKEDRIGHTSEXPR": "Iptc4xmpExt:LinkedEncRightsExpr",
}
"""Where the terms stand that a condition points to; shown with it."""

_DATA_MINING = PLUS + "DataMining"
_LIKE_DATA_MINING = re.compile(
    r"\{https?://(?:[a-z]+\.)?(?:useplus\.(?:org|com)|iptc\.org/std/iptc4xmpext)\b[^}]*\}datamining", re.IGNORECASE
)
"""The property in another case of letters, version or spelling of a namespace of PLUS or IPTC: it can refuse only."""
# TDMRep names the first for EPUB and the second for the XMP of PDF; it names none for pictures.
_TDM_NAMESPACES = ("{http://www.w3.org/ns/tdmrep#}", "{http://www.w3.org/ns/tdmrep/}")
_RESERVATIONS = tuple(namespace + "reservation" for namespace in _TDM_NAMESPACES)
_POLICIES = tuple(namespace + "policy" for namespace in _TDM_NAMESPACES)
_LIKE_RESERVATION = re.compile(r"\{https?://www\.w3\.org/ns/tdmrep[/#]*\}(?:tdm-)?reservation", re.IGNORECASE)
_PROVENANCE = "{http://purl.org/dc/terms/}provenance"


def read_xmp(packet: bytes, *, place: str) -> tuple[Finding, ...]:
    """Read data mining and tdm:reservation in one XMP packet of a picture. Never raises.

    Args:
        packet: as it stands in the file, or a sidecar; UTF-8, UTF-16 or UTF-32.
        place: where it was found: "JPEG APP1 XMP", "sidecar".
    """
    return tuple(_read_packet(parse_packet(packet), place))


def read_reservations(packet: bytes, *, place: str) -> list[tdmrep.Reservation]:
    """Read tdm:reservation and tdm:policy of a packet, for a format to which TDMRep gives them full force (PDF).

    Returns:
        What `tdmrep.read_tdmrep` takes for the document's own place. Empty: it says nothing, or cannot be read.
    """
    return _reservations(parse_packet(packet), place, _RESERVATIONS)


def read_picture(
    body: bytes, *, read_manifests: Callable[[bytes, str], c2pa_reader.Manifests] = c2pa_reader.read_manifests
) -> tuple[Finding, ...]:
    """Read everything that a picture file says of its use and its rights. Never raises.

    Args:
        body: the whole file. No pixel is decoded. A sidecar (.xmp) is read as well.
        read_manifests: gives the C2PA manifests of a file of this media type; called only where there are any.
    """
    blocks = find_blocks(body)
    findings: list[Finding] = []
    for block in blocks.of(Kind.XMP):
        packet = parse_packet(block.body)
        read = [*_read_packet(packet, block.place)]
        findings += read if block.exact else without_permissions(read)
        findings += _manifest_elsewhere(packet, block.place) if not blocks.of(Kind.C2PA) else ()
        findings += read_xmp_rights(packet, block.place)
    for block in blocks.of(Kind.IIM):
        findings += read_iim_rights(block.body, block.place)
    for block in blocks.of(Kind.EXIF):
        findings += read_exif_rights(block.body, block.place)
    findings += _read_c2pa(body, blocks, read_manifests)
    for kind, place in blocks.cut.items():
        if kind is Kind.XMP:
            findings += _findings(_DOUBT, place, "not the whole packet could be read")
        elif kind is Kind.C2PA:
            findings.append(c2pa.not_read(place, "the manifest is not whole", malformed=True))
    return tuple(findings)


def _read_packet(packet: Packet, place: str) -> Iterator[Finding]:
    if not packet.readable:
        said: list[Statement] = []
        for key in packet.prohibitions():
            statement = read_data_mining(key, about_file=False)
            if statement not in said:
                said.append(statement)
                yield from _findings(Statement(statement.uses), f"{place}, which cannot be parsed", key)
        yield from _findings(_DOUBT, place, "the XMP packet cannot be parsed")
        return
    yield from _read_data_mining(packet, place)
    licence = next(packet.root.iter(f"{{{NAMESPACE}}}rsl"), None)
    if licence is not None:
        # RSL 1.0 4.8. Anybody can put one into a copy, and its url names the work, not this copy: it can refuse only.
        text = defusedxml.ElementTree.tostring(licence)
        yield from read_document(text, "", place=f"{place} RSL", grants=False, stands_in_page=True)
    for one in _reservations(packet, place, packet.names_like(_LIKE_RESERVATION)):
        if one.reserved is False:
            yield tdmrep.noted(one)
        else:
            yield from tdmrep.read_tdmrep([], [], [one])


def _read_data_mining(packet: Packet, place: str) -> Iterator[Finding]:
    """One finding for each different meaning: a hostile packet may hold many thousand values."""
    values = (
        (value, one.about_file and one.name == _DATA_MINING)
        for one in packet.properties((_DATA_MINING, *packet.names_like(_LIKE_DATA_MINING)))
        for value in one.values or ("",)
    )
    said: list[Statement] = []
    for value, about_file in dict.fromkeys(values):
        statement = read_data_mining(value, about_file=about_file)
        if statement not in said:
            said.append(statement)
            yield from _findings(statement, f"{place} plus:DataMining", value + _terms(packet, value))


def _terms(packet: Packet, value: str) -> str:
    """The terms that a condition points to, for the person who has to judge them."""
    field = next((field for key, field in _TERMS.items() if value.strip().upper().endswith(key)), None)
    if field is None:
        return ""
    names = [name for name, (label, _) in FIELDS.items() if label == field]
    texts = [text.strip() for found in packet.properties(names) for text in found.values]
    return f" ({field}: {'; '.join(texts[:5]) or 'not there'})"


def _reservations(packet: Packet, place: str, names: Collection[str]) -> list[tdmrep.Reservation]:
    reserved = [value for found in packet.properties(names) for value in found.values or ("",)]
    policies = [value for found in packet.properties(_POLICIES) for value in found.values]
    return tdmrep.read_values(reserved, policies, place=f"{place} tdm:reservation")


def _manifest_elsewhere(packet: Packet, place: str) -> Iterator[Finding]:
    for found in packet.properties((_PROVENANCE,)):
        for value in found.values:
            if found.about_file and value.strip().lower().startswith(("https://", "http://")):
                yield c2pa.not_read(f"{place} dcterms:provenance", f"kept elsewhere, not fetched: {value.strip()}")
                return


def _read_c2pa(
    body: bytes, blocks: Blocks, read_manifests: Callable[[bytes, str], c2pa_reader.Manifests]
) -> Iterator[Finding]:
    found = blocks.of(Kind.C2PA)
    if not found:
        return
    place = next((block.place for block in found if block.exact), found[0].place)
    manifests = read_manifests(body, blocks.mime)
    if isinstance(manifests, c2pa_reader.NotRead):
        yield c2pa.not_read(place, manifests.reason, malformed=manifests.malformed)
    elif manifests is not None:
        yield from c2pa.read_store(manifests, place=place)
    elif any(block.exact for block in found):
        yield c2pa.not_read(place, "a manifest seems to be there and none is found", malformed=True)
    else:
        yield Finding(signal="c2pa", place=place, raw="JUMBF boxes without a C2PA manifest", version=c2pa.VERSION)


def _findings(statement: Statement, place: str, raw: str) -> tuple[Finding, ...]:
    return findings_of(statement, signal="plus-data-mining", place=clipped(place), raw=raw, version=VERSION)
