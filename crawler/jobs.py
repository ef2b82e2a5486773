"""What the workers are asked and what they answer, in memory and as bytes.

A message is a JSON document and some blobs: lengths first, so that no byte of a stranger's page is ever searched for
an end. The answers come from processes of ours that read the bytes of others; they are checked for their form only.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from checker.fingerprint import Depth
from checker.model import (
    CodeKind,
    Finding,
    Fingerprint,
    Picture,
    Sha256,
    Tiles,
    Unreadable,
    UnreadableReason,
    Variant,
)
from checker.records.rows import finding_document, read_finding
from checker.signals.read import Evidence, RobotsFetch
from checker.signals.textfiles import TextFile
from checker.visits import FoundLink

LENGTHS = struct.Struct("!II")
"""Bytes of the document; bytes of all blobs together."""
MESSAGE_BYTES_MAX = 256 * 2**20
_FETCHES = ("robots", "tdmrep")
_TEXTS = ("ai_txt", "trust_txt", "well_known_trust_txt")


@dataclass(frozen=True, slots=True)
class PageJob:
    """Read one page, sitemap or feed."""

    evidence: Evidence
    """With the page in `html` and as what is asked about."""
    content_type: str
    now: datetime
    depth: int = 0
    """Links from a start address to it."""


@dataclass(frozen=True, slots=True)
class PageRead:
    """What stands on it."""

    findings: tuple[Finding, ...]
    """Of the page itself."""
    says: tuple[Finding, ...]
    """What it says of the pictures on it."""
    links: tuple[FoundLink, ...]


@dataclass(frozen=True, slots=True)
class PictureJob:
    """Code one picture."""

    body: bytes
    depth: Depth


@dataclass(frozen=True, slots=True)
class PictureRead:
    """What it gave."""

    picture: Picture | Unreadable | None
    """None: the file itself keeps us from coding it."""
    findings: tuple[Finding, ...]
    """What the file says of itself."""


class ReaderFailedError(Exception):
    """The process that read this died, took too long or answered nonsense."""


class Reader(Protocol):
    """Reads pages and pictures."""

    async def page(self, job: PageJob) -> PageRead:
        """Read a page. Raises ReaderFailedError, or SandboxError where no process can be started."""
        ...

    async def picture(self, job: PictureJob) -> PictureRead:
        """Code a picture. Raises as `page`."""
        ...

    async def ready(self) -> None:
        """Wait until a job could be begun: what is fetched before that is fetched again if the run is killed."""
        ...

    def keeps_up(self) -> bool:
        """Would another job be begun at once?"""
        ...


# --- as bytes --------------------------------------------------------------------------------------------------


def packed(job: PageJob | PictureJob) -> list[bytes]:
    """A job as the parts of a message."""
    if isinstance(job, PictureJob):
        return message({"job": "picture", "depth": job.depth.value}, [job.body])
    blobs: list[bytes] = []
    document = {
        "job": "page",
        "content_type": job.content_type,
        "now": job.now.isoformat(),
        "depth": job.depth,
        "evidence": _packed_evidence(job.evidence, blobs),
    }
    return message(document, blobs)


def unpacked(document: Mapping[str, Any], blobs: bytes) -> PageJob | PictureJob:
    """The job in a message."""
    take = _blobs(document["blobs"], blobs)
    if document["job"] == "picture":
        return PictureJob(body=take(0) or b"", depth=Depth(document["depth"]))
    return PageJob(
        evidence=_evidence(document["evidence"], take),
        content_type=document["content_type"],
        now=datetime.fromisoformat(document["now"]),
        depth=document["depth"],
    )


def packed_answer(read: PageRead | PictureRead) -> list[bytes]:
    """An answer as the parts of a message."""
    findings = [finding_document(one) for one in read.findings]
    if isinstance(read, PictureRead):
        return message({"findings": findings, "picture": _packed_picture(read.picture)}, [])
    says = [finding_document(one) for one in read.says]
    links = [[getattr(link, name) for name in FoundLink.__slots__] for link in read.links]
    return message({"findings": findings, "says": says, "links": links}, [])


def unpacked_page(document: Mapping[str, Any]) -> PageRead:
    """The answer to a `PageJob`."""
    links = (dict(zip(FoundLink.__slots__, link, strict=True)) for link in document["links"])
    return PageRead(
        findings=tuple(read_finding(one) for one in document["findings"]),
        says=tuple(read_finding(one) for one in document["says"]),
        links=tuple(FoundLink(**link) for link in links),
    )


def unpacked_picture(document: Mapping[str, Any]) -> PictureRead:
    """The answer to a `PictureJob`."""
    findings = tuple(read_finding(one) for one in document["findings"])
    return PictureRead(picture=_picture(document["picture"]), findings=findings)


def message(document: Mapping[str, Any], blobs: Sequence[bytes]) -> list[bytes]:
    """The parts of a message, to be written one after the other."""
    text = json.dumps({**document, "blobs": [len(blob) for blob in blobs]}).encode()
    return [LENGTHS.pack(len(text), sum(map(len, blobs))), text, *blobs]


def _blobs(sizes: Sequence[int], data: bytes) -> Callable[[int | None], bytes | None]:
    starts = [sum(sizes[:number]) for number in range(len(sizes))]

    def take(number: int | None) -> bytes | None:
        return None if number is None else data[starts[number] : starts[number] + sizes[number]]

    return take


def _packed_evidence(evidence: Evidence, blobs: list[bytes]) -> dict[str, Any]:
    def put(body: bytes | None) -> int | None:
        if body is None:
            return None
        blobs.append(body)
        return len(blobs) - 1

    def fetch(one: Any) -> list[Any] | None:
        return None if one is None else [one.status, put(one.body), one.redirects, one.error]

    def text(one: TextFile | None) -> list[Any] | None:
        return None if one is None else [one.status, put(one.body), one.content_type, one.error]

    return {
        "url": evidence.url,
        "page_url": evidence.page_url,
        "status": evidence.status,
        "headers": evidence.headers,
        "html": put(evidence.html),
        **{name: fetch(getattr(evidence, name)) for name in _FETCHES},
        **{name: text(getattr(evidence, name)) for name in _TEXTS},
        "licences": [[url, fetch(one)] for url, one in evidence.licences],
    }


def _evidence(document: Mapping[str, Any], take: Callable[[int | None], bytes | None]) -> Evidence:
    def fetch(one: Sequence[Any] | None) -> RobotsFetch | None:
        return None if one is None else RobotsFetch(one[0], take(one[1]) or b"", one[2], one[3])

    def text(one: Sequence[Any] | None) -> TextFile | None:
        return None if one is None else TextFile(one[0], take(one[1]) or b"", one[2], one[3])

    licences = ((url, fetch(one)) for url, one in document["licences"])
    return Evidence(
        url=document["url"],
        page_url=document["page_url"],
        status=document["status"],
        headers=tuple((name, value) for name, value in document["headers"]),
        html=take(document["html"]),
        html_is_target=True,
        robots=fetch(document["robots"]),
        tdmrep=fetch(document["tdmrep"]),
        ai_txt=text(document["ai_txt"]),
        trust_txt=text(document["trust_txt"]),
        well_known_trust_txt=text(document["well_known_trust_txt"]),
        licences=tuple((url, one) for url, one in licences if one is not None),
    )


def _packed_picture(picture: Picture | Unreadable | None) -> dict[str, Any] | None:
    if picture is None:
        return None
    if isinstance(picture, Unreadable):
        return {"reason": picture.reason.value, "detail": picture.detail}
    codes = [
        [one.kind.name, one.kind.version, one.kind.bits, one.hex, one.variant.value, one.crop]
        for one in picture.fingerprints
    ]
    return {
        "sha256": picture.sha256,
        "byte_size": picture.byte_size,
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
        "plain": picture.plain,
        "codes": codes,
        "tiles": picture.tiles and [picture.tiles.bits.hex(), picture.tiles.crop],
    }


def _picture(document: Mapping[str, Any] | None) -> Picture | Unreadable | None:
    if document is None:
        return None
    if "reason" in document:
        return Unreadable(UnreadableReason(document["reason"]), document["detail"])
    codes = tuple(
        Fingerprint(CodeKind(name, version, bits), bytes.fromhex(code), Variant(variant), crop and tuple(crop))
        for name, version, bits, code, variant, crop in document["codes"]
    )
    tiles = document["tiles"]
    return Picture(
        sha256=Sha256(document["sha256"]),
        byte_size=document["byte_size"],
        width=document["width"],
        height=document["height"],
        format=document["format"],
        fingerprints=codes,
        plain=document["plain"],
        tiles=tiles and Tiles(bytes.fromhex(tiles[0]), tuple(tiles[1])),
    )
