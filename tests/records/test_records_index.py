"""The index equals a plain scan, always, and sees what others commit."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.model import PHASH256, Fingerprint, Locator, Picture, PictureSeen, Sha256
from checker.records.folder import DataFolder
from checker.records.index import ScanIndex
from checker.records.kernels import distances, to_columns

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CODES = st.lists(st.binary(min_size=32, max_size=32), max_size=20)


def add(folder: DataFolder, codes: list[bytes]) -> None:
    source = folder.store.source("codes", kind="folder", now=NOON)
    for code in codes:
        number = folder.store.counts().images
        fingerprint = Fingerprint(PHASH256, code)
        picture = Picture(Sha256(f"{number:064x}"), 1, 1, 1, "PNG", (fingerprint,), plain=False)
        seen = PictureSeen(picture, servable=True)
        folder.store.record_file(seen, source=source, locator=Locator(file=str(number)), now=NOON)


def flipped(code: bytes, bits: int, *, seed: int) -> bytes:
    value = int.from_bytes(code, "big")
    for position in random.Random(seed).sample(range(256), bits):
        value ^= 1 << position
    return value.to_bytes(32, "big")


def scan(stored: list[bytes], query: bytes, distance_bits_max: int) -> list[tuple[int, int]]:
    """(distance, id) by counting characters, nearest first; ids count from 1."""
    found = []
    for number, code in enumerate(stored, start=1):
        different = sum(bin(a ^ b).count("1") for a, b in zip(code, query, strict=True))
        if different <= distance_bits_max:
            found.append((different, number))
    return sorted(found)


@given(stored=CODES, query=st.binary(min_size=32, max_size=32))
def test_distances_equal_counting_bits_one_by_one(stored: list[bytes], query: bytes) -> None:
    columns = to_columns(b"".join(stored), code_bytes=32)
    expected = [sum(bin(a ^ b).count("1") for a, b in zip(code, query, strict=True)) for code in stored]
    assert distances(columns, query).tolist() == expected


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(0, 30), radius=st.integers(0, 64))
def test_near_equals_a_scan(tmp_path_factory: pytest.TempPathFactory, seed: int, size: int, radius: int) -> None:
    rng = random.Random(seed)
    centre = rng.randbytes(32)
    stored = [flipped(centre, rng.randrange(80), seed=rng.randrange(2**32)) for _ in range(size)]
    with DataFolder.open(tmp_path_factory.mktemp("index"), create=True) as folder:
        add(folder, stored)
        answer = ScanIndex(folder.store, PHASH256).near([centre], distance_bits_max=radius)
    assert [(hit.distance_bits, hit.code_id) for hit in answer.hits] == scan(stored, centre, radius)


def test_an_empty_index_answers_with_nothing(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        answer = ScanIndex(folder.store, PHASH256).near([bytes(32)], distance_bits_max=256)
    assert answer.hits == ()
    assert answer.covered_upto == 0


def test_what_another_process_commits_is_found_by_the_next_question(tmp_path: Path) -> None:
    code = random.Random(1).randbytes(32)
    with DataFolder.open(tmp_path, create=True) as folder:
        index = ScanIndex(folder.store, PHASH256)
        assert index.near([code], distance_bits_max=0).hits == ()
        with DataFolder.open(tmp_path, create=False) as other:
            add(other, [code])
        assert [hit.distance_bits for hit in index.near([code], distance_bits_max=0).hits] == [0]
        assert index.state().codes == 1


def test_more_than_64_codes_a_question_are_refused(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder, pytest.raises(ValueError, match="at most 64"):
        ScanIndex(folder.store, PHASH256).near([bytes(32)] * 65, distance_bits_max=31)
