"""What the private check is answered from: whole pictures only, without those that were erased or hidden."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from index_corpus import NOON, add, opt_out

from checker.index.build import build
from checker.index.halves import half_codes
from checker.index.live import kind_folder
from checker.index.private import open_half_codes
from checker.model import PHASH256, Fingerprint, Locator, Picture, Sha256, Variant
from checker.records.folder import DataFolder
from checker.settings import Settings
from checker.visits import PictureSeen

SETTINGS = Settings()


def listed(folder: DataFolder) -> list[bytes]:
    halves = open_half_codes(folder, SETTINGS, now=NOON)
    rows = halves.whole_list()
    halves.close()
    return [rows[at : at + 16] for at in range(0, len(rows), 16)]


def halves_of(*codes: bytes) -> list[bytes]:
    return sorted(half_codes(code)[0].tobytes() for code in codes)


@pytest.mark.parametrize("built", [False, True], ids=["database", "file"])
def test_the_list_holds_half_a_code_of_every_whole_picture(tmp_path: Path, built: bool) -> None:
    rng = random.Random(1)
    whole, part = rng.randbytes(32), rng.randbytes(32)
    codes = (Fingerprint(PHASH256, whole), Fingerprint(PHASH256, part, Variant.INNER, (0.1, 0.1, 0.9, 0.9)))
    with DataFolder.open(tmp_path, create=True) as folder:
        source = folder.store.source("codes", kind="folder", now=NOON)
        seen = PictureSeen(Picture(Sha256("a" * 64), 1, 1, 1, "PNG", codes, plain=False), servable=True)
        folder.store.record_file(seen, source=source, locator=Locator(file="a"), now=NOON)
        if built:
            build(folder, SETTINGS, now=NOON)
        assert listed(folder) == halves_of(whole)


@pytest.mark.parametrize("built", [False, True], ids=["database", "file"])
def test_erased_and_hidden_pictures_are_not_in_the_list(tmp_path: Path, built: bool) -> None:
    rng = random.Random(2)
    shown, hidden, erased = (rng.randbytes(32) for _ in range(3))
    with DataFolder.open(tmp_path, create=True) as folder:
        added = add(folder, [shown, hidden, erased])
        if built:
            build(folder, SETTINGS, now=NOON)
            assert listed(folder) == halves_of(shown, hidden, erased)
        opt_out(folder, hidden)
        folder.store.erase([folder.store.image_ids_of([max(added)])[max(added)]], now=NOON)
        if built:
            build(folder, SETTINGS, now=NOON)
        assert listed(folder) == halves_of(shown)


def test_the_list_stays_as_it_is_until_the_next_build(tmp_path: Path) -> None:
    rng = random.Random(3)
    first, second = rng.randbytes(32), rng.randbytes(32)
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [first])
        build(folder, SETTINGS, now=NOON)
        add(folder, [second])
        assert listed(folder) == halves_of(first)
        build(folder, SETTINGS, now=NOON)
        assert listed(folder) == halves_of(first, second)


def test_a_damaged_file_is_not_served(tmp_path: Path) -> None:
    code = random.Random(4).randbytes(32)
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [code])
        build(folder, SETTINGS, now=NOON)
        (file,) = kind_folder(folder.path, PHASH256).glob("halves-*")
        content = bytearray(file.read_bytes())
        content[-5000] ^= 1
        file.write_bytes(content)
        assert listed(folder) == halves_of(code)
        built = build(folder, SETTINGS, now=NOON)
        assert any(file.name in sentence for one in built for sentence in one.repaired)
        assert listed(folder) == halves_of(code)
