"""How much of this folder's own collection a picture that is to be opted out would hide: its blast radius.

A logo, a book cover or a forged code is near many pictures that are not the asker's. Such a request hides here at once
and is held: nobody else is told until a person has looked (`hibs opt-out review`). Counted for each picture of a
request, never for their sum: the folder of a photographer is no logo.

A phash256 code can be forged to be near another picture; to have the second code near as well is much harder. So where
the request and the collection have both, and most of the pictures that are near by the first, whole by whole, lie in
the bulk of what chance gives by the second (docs/decisions.md, 16), the codes contradict each other.

Where there is no collection beside the registry, nothing can be asked and nothing is held.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from checker.fingerprint.asked import AskedCode, turned_codes
from checker.index.live import QUERIES_MAX, LiveIndex
from checker.matching.chance import BULK_CHANCE, Chances
from checker.model import PHASH256, ROBUST_NAME, Fingerprint, Variant
from checker.records.folder import CORPUS_FILE, DataFolder, is_file
from checker.records.interfaces import CodeRow
from checker.report import Orientation

_COMPARED_MAX = 200
"""Pictures whose second code is compared."""
_WHOLE = (Variant.WHOLE, Variant.TRIMMED)


@dataclass(frozen=True, slots=True)
class Reach:
    """What one picture is near to here."""

    images: int = 0
    """Stored pictures with a code within the radius, in any orientation."""
    hosts: int = 0
    """Hosts on which these were seen: of the page, else of the picture."""
    compared: int = 0
    """Of the pictures, how many are near as a whole and have the second code."""
    contradicted: int = 0
    """Of these, those whose second code speaks against it."""

    @property
    def forged(self) -> bool:
        """Do most of the second codes contradict?"""
        return self.contradicted * 2 > self.compared


class Collection:
    """What a data folder has of others' pictures. Opened when it is first asked for; safe to share between threads."""

    def __init__(self, path: Path, *, distance_bits_max: int) -> None:
        """`distance_bits_max`: how near a picture has to be to be hidden."""
        self._path = path
        self._distance_bits_max = distance_bits_max
        self._lock = threading.Lock()
        self._opened: tuple[DataFolder, LiveIndex] | None = None

    def folder(self) -> DataFolder | None:
        """The data folder; None while it holds no collection."""
        opened = self._open()
        return opened[0] if opened else None

    def near(self, pictures: Sequence[Sequence[Fingerprint]]) -> list[int]:
        """Ids of the stored pictures that these codes hide, rising."""
        opened = self._open()
        found: set[int] = set()
        if opened:
            for picture in pictures:
                found.update(row.image_id for row, _ in self._near_rows(*opened, picture))
        return sorted(found)

    def reach(self, picture: Sequence[Fingerprint]) -> Reach:
        """What one picture, given by its codes, is near to."""
        opened = self._open()
        if not opened:
            return Reach()
        folder, rows = opened[0], self._near_rows(*opened, picture)
        images = sorted({row.image_id for row, _ in rows})
        if not images:
            return Reach()
        as_it_lies = {row.image_id for row, turn in rows if turn is Orientation.AS_IS and row.variant in _WHOLE}
        compared, contradicted = _compare(folder, picture, sorted(as_it_lies)[:_COMPARED_MAX])
        return Reach(len(images), folder.store.hosts_of(images), compared, contradicted)

    def close(self) -> None:
        """Close the database and the index."""
        with self._lock:
            if self._opened:
                folder, index = self._opened
                index.close()
                folder.close()
                self._opened = None

    def _open(self) -> tuple[DataFolder, LiveIndex] | None:
        with self._lock:
            if self._opened is None and is_file(self._path / CORPUS_FILE):
                folder = DataFolder.open(self._path, create=False)
                self._opened = folder, LiveIndex(self._path, folder.store, PHASH256)
            return self._opened

    def _near_rows(
        self, folder: DataFolder, index: LiveIndex, picture: Sequence[Fingerprint]
    ) -> list[tuple[CodeRow, Orientation]]:
        codes = [code for code in picture if code.kind == PHASH256]
        asked = [turned for turns in turned_codes(codes) for turned in turns]
        near: list[tuple[int, Orientation]] = []
        for begin in range(0, len(asked), QUERIES_MAX):
            together = asked[begin : begin + QUERIES_MAX]
            hits = index.near([one.bits for one in together], distance_bits_max=self._distance_bits_max).hits
            near += [(hit.code_id, together[hit.query_no].orientation) for hit in hits]
        rows = folder.store.codes_of(sorted({code_id for code_id, _ in near}))
        return [(rows[code_id], turn) for code_id, turn in near if code_id in rows]


def how_much(images: int, hosts: int) -> str:
    """`60 pictures on 1 host`; what was met in folders and archives alone was seen on no host."""
    pictures = "1 picture" if images == 1 else f"{images} pictures"
    return pictures + (f" on {hosts} host{'s' * (hosts != 1)}" if hosts else "")


def hold_reason(reach: Reach, *, hosts_max: int, images_max: int) -> str | None:
    """Why a person has to look at a request with such a picture before others are told. None: nobody has to."""
    if reach.hosts > hosts_max or reach.images > images_max:
        return (
            f"it is near {how_much(reach.images, reach.hosts)} of this collection; more than {images_max} pictures or "
            f"{hosts_max} hosts look like a logo or a code that many share"
        )
    if reach.forged:
        return (
            f"its two codes contradict each other about {reach.contradicted} of {reach.compared} pictures of this "
            "collection: the one is near, the other is not, as with a forged code"
        )
    return None


def _compare(folder: DataFolder, picture: Sequence[Fingerprint], image_ids: Sequence[int]) -> tuple[int, int]:
    """How many of these have the second code of the asked picture's kind, and of how many it contradicts."""
    second = [code for code in picture if code.kind.name == ROBUST_NAME and code.variant is Variant.WHOLE]
    if not second or not image_ids:
        return 0, 0
    kind = second[0].kind
    asked = tuple(AskedCode(code.bits, Orientation.AS_IS) for code in second if code.kind == kind)
    nearest: dict[int, tuple[int, bytes]] = {}
    for row in folder.store.codes_of_images(image_ids, kind):
        distance = min(_distance(code.bits, row.bits) for code in asked)
        if row.image_id not in nearest or distance < nearest[row.image_id][0]:
            nearest[row.image_id] = distance, row.bits
    chances = Chances((), asked, kind)
    far = sum(chances.of_robust(distance, bits) > BULK_CHANCE for distance, bits in nearest.values())
    return len(nearest), far


def _distance(one: bytes, other: bytes) -> int:
    return int(np.bitwise_count(np.frombuffer(one, dtype=np.uint8) ^ np.frombuffer(other, dtype=np.uint8)).sum())
