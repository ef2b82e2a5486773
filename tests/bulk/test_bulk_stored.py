"""What is near to the codes of a list: by the table as by the index, also of what was stored and erased since."""

from __future__ import annotations

import random
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from checker.bulk import stored as stored_module
from checker.bulk.stored import StoredCodes
from checker.fingerprint.cosine import turned_bits
from checker.index import turned_pairs
from checker.index.live import LiveIndex
from checker.model import PHASH256, Fingerprint, Locator, Picture, Sha256
from checker.records.folder import DataFolder
from checker.records.interfaces import Hit
from checker.visits import PictureSeen

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RADIUS = 31


def moved(bits: bytes, flips: int, draw: random.Random) -> bytes:
    return (int.from_bytes(bits) ^ sum(1 << place for place in draw.sample(range(256), flips))).to_bytes(32)


def store(folder: DataFolder, codes: list[bytes]) -> None:
    source = folder.store.source("codes", kind="folder", now=NOON)
    for number, bits in enumerate(codes):
        sha256 = Sha256(f"{folder.store.last_code_id(PHASH256):032x}{number:032x}")
        picture = Picture(sha256, 1, 1, 1, "PNG", (Fingerprint(PHASH256, bits),), plain=False)
        folder.store.record_file(
            PictureSeen(picture, servable=True), source=source, locator=Locator(file=sha256), now=NOON
        )


def by_looking_at_all(folder: DataFolder, asked: list[Fingerprint]) -> list[list[Hit]]:
    stored = folder.store.codes_after(0, kind=PHASH256, count=10**6)
    return [
        [
            Hit(turn, row.code_id, distance)
            for turn, bits in enumerate(turned_bits(code.bits))
            for row in stored
            if (distance := (int.from_bytes(bits) ^ int.from_bytes(row.bits)).bit_count()) <= RADIUS
        ]
        for code in asked
    ]


@pytest.mark.parametrize(
    ("table_from", "pairs_max"),
    [(0, 10**6), (10**6, 10**6), (10**6, 1)],
    ids=["by the index", "by the table", "by the table in parts"],
)
def test_lists_are_answered_as_by_looking_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table_from: int, pairs_max: int
) -> None:
    monkeypatch.setattr(stored_module, "TABLE_FROM", table_from)
    monkeypatch.setattr(stored_module, "PAIRS_MAX", pairs_max)
    monkeypatch.setattr(turned_pairs, "_ROOM", pairs_max)
    draw = random.Random(5)
    codes = [draw.randbytes(32) for _ in range(60)]
    asked = [Fingerprint(PHASH256, moved(draw.choice(turned_bits(code)), 12, draw)) for code in codes[:40]]
    with (
        DataFolder.open(tmp_path, create=True) as folder,
        closing(LiveIndex(tmp_path, folder.store, PHASH256)) as index,
    ):
        stored = StoredCodes(folder, index, distance_bits_max=RADIUS)
        for later in (codes[:20], codes[20:]):
            store(folder, later)
            parts = list(stored.near(asked))
            assert (len(parts) > 1) == (pairs_max == 1)
            near = [sorted(hits, key=lambda hit: (hit.query_no, hit.code_id)) for part in parts for hits in part]
            assert near == by_looking_at_all(folder, asked)
        assert sum(map(bool, near)) == 40
