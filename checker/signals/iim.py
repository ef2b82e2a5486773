"""Read IPTC-IIM: the rights fields that older programs write, inside Photoshop's image resources.

    image_resource    the data of one resource (0x0404 is IIM) out of a chain of "8BIM" blocks
    add_resources     the same, as blocks; resource 0x0424 is XMP, whose place is a PSD, so elsewhere it only refuses
    read_datasets     the text of the wanted datasets of record 2

Data mining has no form in IIM, so nothing here refuses or permits: what is broken is left out without doubt.

Source: IPTC-NAA Information Interchange Model 4.2, 1.5 and 1.6; Adobe Photoshop File Formats, Image Resource Blocks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from checker.signals.blocks import Blocks, Kind

IIM_RESOURCE = 0x0404
XMP_RESOURCE = 0x0424
DATASETS_MAX = 10_000

_UTF8_DECLARED = b"\x1b%G"
"""Dataset 1:90 with this says that the text is UTF-8; without it no encoding is told."""


def image_resource(body: bytes, number: int) -> tuple[bytes, bool]:
    """Find one resource in a chain of blocks.

    Returns:
        Its data, all blocks of this number joined (empty: there is none), and whether the chain was cut off.
    """
    found: list[bytes] = []
    at = 0
    while at + 12 <= len(body) and body[at : at + 4] in (b"8BIM", b"8B64", b"MeSa", b"AgHg", b"PHUT", b"DCSR"):
        own = int.from_bytes(body[at + 4 : at + 6])
        name_bytes = 1 + body[at + 6]
        start = at + 6 + name_bytes + name_bytes % 2
        size = int.from_bytes(body[start : start + 4])
        data = body[start + 4 : start + 4 + size]
        if own == number:
            found.append(data)
        if len(data) < size:
            return b"".join(found), True
        at = start + 4 + size + size % 2
    return b"".join(found), False


def add_resources(data: bytes, place: str, blocks: Blocks) -> None:
    """Add the IIM, and XMP, of a chain of resources; what is no such chain is IIM as it stands."""
    if not data.startswith(b"8BIM"):
        blocks.add(Kind.IIM, place, data)
        return
    blocks.add(Kind.IIM, place, image_resource(data, IIM_RESOURCE)[0])
    blocks.add(Kind.XMP, f"{place}, resource 0x0424", image_resource(data, XMP_RESOURCE)[0], exact=False)


def read_datasets(body: bytes, wanted: Collection[int]) -> dict[int, list[str]]:
    """Read the wanted datasets of record 2 as text. Never raises; a broken chain ends where it breaks."""
    values: dict[int, list[str]] = {}
    declared_utf8 = False
    for record, number, data in _datasets(body):
        if (record, number) == (1, 90):
            declared_utf8 = data == _UTF8_DECLARED
        elif record == 2 and number in wanted:
            values.setdefault(number, []).append(decoded(data, declared_utf8=declared_utf8))
    return values


def _datasets(body: bytes) -> Iterator[tuple[int, int, bytes]]:
    at = 0
    for _ in range(DATASETS_MAX):
        if at + 5 > len(body) or body[at] != 0x1C:
            return
        record, number = body[at + 1], body[at + 2]
        size = int.from_bytes(body[at + 3 : at + 5])
        at += 5
        if size & 0x8000:  # extended: the lower bits count the bytes of the size that follows
            digits = size & 0x7FFF
            if digits > 8:
                return
            size = int.from_bytes(body[at : at + digits])
            at += digits
        yield record, number, body[at : at + size]
        at += size


def decoded(data: bytes, *, declared_utf8: bool = False) -> str:
    """Text in UTF-8 if it is that, else in Latin-1, which older programs write, in Exif too. Never raises."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace") if declared_utf8 else data.decode("latin-1")
