"""Read the rights fields of a picture: whose it is, whom to ask, on what terms. Evidence that decides nothing.

The fields of XMP, IIM and Exif are shown side by side, as each was written. Words such as "no AI training" in them are
no signal that a machine could act on; the finding is marked for a person to read. A Creative Commons licence is none
either: what it permits hangs on conditions, and on the law where it does not reach.

Source: IPTC Photo Metadata Standard 2025.1, mapping to IIM and Exif; PLUS LDF.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from checker.model import Finding
from checker.signals.iim import decoded, read_datasets
from checker.signals.statements import clipped
from checker.signals.tiff import read_tags
from checker.signals.xmp import Packet

VALUES_MAX = 20
"""Shown of one field."""
FOR_REVIEW = "for review, speaks of machine use: "

PLUS = "{http://ns.useplus.org/ldf/xmp/1.0/}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_PHOTOSHOP = "{http://ns.adobe.com/photoshop/1.0/}"
_RIGHTS = "{http://ns.adobe.com/xap/1.0/rights/}"
_IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"

FIELDS = {
    _DC + "rights": ("dc:rights", "copyright notice"),
    _DC + "creator": ("dc:creator", "creator"),
    _PHOTOSHOP + "Credit": ("photoshop:Credit", "credit line"),
    _PHOTOSHOP + "Source": ("photoshop:Source", "source"),
    _PHOTOSHOP + "Instructions": ("photoshop:Instructions", "instructions"),
    _RIGHTS + "WebStatement": ("xmpRights:WebStatement", "web statement of rights"),
    _RIGHTS + "UsageTerms": ("xmpRights:UsageTerms", "rights usage terms"),
    _RIGHTS + "Marked": ("xmpRights:Marked", "marked as copyrighted"),
    PLUS + "Licensor": ("plus:Licensor", "licensor"),
    PLUS + "CopyrightOwner": ("plus:CopyrightOwner", "copyright owner"),
    PLUS + "ImageSupplier": ("plus:ImageSupplier", "image supplier"),
    PLUS + "OtherConstraints": ("plus:OtherConstraints", "other constraints"),
    "{http://creativecommons.org/ns#}license": ("cc:license", "licence"),
    "{http://web.resource.org/cc/}license": ("cc:license", "licence"),
    "{http://purl.org/dc/terms/}license": ("dcterms:license", "licence"),
    _IPTC + "DigitalSourceType": ("Iptc4xmpExt:DigitalSourceType", "digital source type"),
    _IPTC + "EmbdEncRightsExpr": ("Iptc4xmpExt:EmbdEncRightsExpr", "embedded rights expression"),
    _IPTC + "LinkedEncRightsExpr": ("Iptc4xmpExt:LinkedEncRightsExpr", "linked rights expression"),
}
"""Property -> its usual name, and what it is called in words."""
_DATASETS = {116: "copyright notice", 80: "creator", 110: "credit line", 115: "source", 40: "instructions"}
_TAGS = {0x8298: "copyright notice", 0x013B: "creator"}

_MACHINE_USE = re.compile(
    r"\b(?:A\.?I\.?|ML|KI|IA|LLMs?|TDM)\b"  # as they stand in notices; "ai" and "ia" are words of other languages
    r"|(?i:machine[ -]learning|artificial intelligence|intelligence artificielle|k[üu]nstliche intelligenz"
    r"|inteligencia artificial|maschinelles lernen|data[ -]?mining|text[ -]and[ -]data|neural network"
    r"|\btrain(?:ing|ed)?\b|\bscrap(?:e|es|ed|ing)\b|\bdata ?sets?\b|\bgenerative\b)"
)


def read_xmp_rights(packet: Packet, place: str) -> Iterator[Finding]:
    """Read the rights fields of an XMP packet; none where it cannot be parsed."""
    texts: dict[str, list[str]] = {}
    for found in packet.properties(FIELDS):
        texts.setdefault(found.name, []).extend(found.values[:VALUES_MAX])
    for name, (label, words) in FIELDS.items():
        yield from _evidence(texts.get(name, []), f"{place} {label}", words)


def read_iim_rights(records: bytes, place: str) -> Iterator[Finding]:
    """Read the rights fields of IPTC-IIM datasets."""
    for number, texts in sorted(read_datasets(records, _DATASETS).items()):
        yield from _evidence(texts, f"{place} 2:{number}", _DATASETS[number])


def read_exif_rights(block: bytes, place: str) -> Iterator[Finding]:
    """Read the rights tags of an Exif block (a TIFF structure), or of a TIFF file."""
    for number, values in sorted(read_tags(block, _TAGS).values.items()):
        # Photographer and editor stand in one value, divided by NUL.
        texts = [decoded(part) for value in values[:1] for part in value[:2000].split(b"\0")]
        yield from _evidence(texts, f"{place} 0x{number:04X}", _TAGS[number])


def _evidence(texts: list[str], place: str, words: str) -> Iterator[Finding]:
    texts = [" ".join(text.split()) for text in texts[:VALUES_MAX]]
    shown = "; ".join(dict.fromkeys(text for text in texts if text))
    if shown:
        flag = FOR_REVIEW if _MACHINE_USE.search(shown) else ""
        yield Finding(
            signal="rights-field",
            place=place,
            raw=clipped(f"{flag}{words}: {shown}"),
            version="IPTC Photo Metadata 2025.1",
        )
