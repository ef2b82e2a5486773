"""What the private check is answered from: whole pictures only, without those that were erased or hidden."""

from __future__ import annotations

import random
from pathlib import Path

from index_corpus import NOON, add, opt_out

from checker.index.halves import half_codes
from checker.index.private import shown_half_codes
from checker.model import PHASH256, Fingerprint, Locator, Picture, Sha256, Variant
from checker.records.folder import DataFolder
from checker.settings import Settings
from checker.visits import PictureSeen


def listed(folder: DataFolder) -> list[bytes]:
    rows = shown_half_codes(folder, Settings(), now=NOON).whole_list()
    return [rows[at : at + 16] for at in range(0, len(rows), 16)]


def halves_of(*codes: bytes) -> list[bytes]:
    return sorted(half_codes(code)[0].tobytes() for code in codes)


def test_the_list_holds_half_a_code_of_every_whole_picture(tmp_path: Path) -> None:
    rng = random.Random(1)
    whole, part = rng.randbytes(32), rng.randbytes(32)
    codes = (Fingerprint(PHASH256, whole), Fingerprint(PHASH256, part, Variant.INNER, (0.1, 0.1, 0.9, 0.9)))
    with DataFolder.open(tmp_path, create=True) as folder:
        source = folder.store.source("codes", kind="folder", now=NOON)
        seen = PictureSeen(Picture(Sha256("a" * 64), 1, 1, 1, "PNG", codes, plain=False), servable=True)
        folder.store.record_file(seen, source=source, locator=Locator(file="a"), now=NOON)
        assert listed(folder) == halves_of(whole)


def test_erased_and_hidden_pictures_are_not_in_the_list(tmp_path: Path) -> None:
    rng = random.Random(2)
    shown, hidden, erased = (rng.randbytes(32) for _ in range(3))
    with DataFolder.open(tmp_path, create=True) as folder:
        added = add(folder, [shown, hidden, erased])
        assert listed(folder) == halves_of(shown, hidden, erased)
        opt_out(folder, hidden)
        folder.store.erase([folder.store.image_ids_of([max(added)])[max(added)]], now=NOON)
        assert listed(folder) == halves_of(shown)
