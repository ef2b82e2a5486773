"""The index equals a plain scan, always, for every kind of code, and sees what others commit."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checker.model import PHASH256, CodeKind, Fingerprint, Locator, Picture, PictureSeen, Sha256, Variant
from checker.records.folder import DataFolder
from checker.records.index import ScanIndex
from checker.records.kernels import distances, to_columns

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SSCD512 = CodeKind("sscd512", "1-240436cc531e", 512)
OTHER = CodeKind("other", "1", 64)
CODES = st.lists(st.binary(min_size=32, max_size=32), max_size=20)
KINDS = st.sampled_from([PHASH256, SSCD512])
SEEDS = st.integers(0, 2**32)


def add(folder: DataFolder, codes: Sequence[bytes], kind: CodeKind = PHASH256) -> None:
    """One picture a code. Each has a code of another kind too, so that ids of one kind have gaps: 2, 4, 6, ..."""
    source = folder.store.source("codes", kind="folder", now=NOON)
    for code in codes:
        number = folder.store.counts().images
        fingerprints = (Fingerprint(OTHER, bytes(8)), Fingerprint(kind, code))
        picture = Picture(Sha256(f"{number:064x}"), 1, 1, 1, "PNG", fingerprints, plain=False)
        seen = PictureSeen(picture, servable=True)
        folder.store.record_file(seen, source=source, locator=Locator(file=str(number)), now=NOON)


def flipped(code: bytes, bits: int, rng: random.Random) -> bytes:
    value = int.from_bytes(code, "big")
    for position in rng.sample(range(len(code) * 8), bits):
        value ^= 1 << position
    return value.to_bytes(len(code), "big")


def around(rng: random.Random, size: int, kind: CodeKind) -> tuple[list[bytes], list[bytes]]:
    """Two queries, and codes near the first or the second of them, some of them twice."""
    centres = [rng.randbytes(kind.bits // 8) for _ in range(2)]
    stored = [flipped(rng.choice(centres), rng.randrange(40), rng) for _ in range(size)]
    stored += rng.sample(stored, size // 3)
    return centres, stored


def distance(a: bytes, b: bytes) -> int:
    return bin(int.from_bytes(a) ^ int.from_bytes(b)).count("1")


def near_by_scan(stored: list[bytes], queries: list[bytes], distance_bits_max: int) -> list[tuple[int, int, int]]:
    """(query, distance, id), by query, then nearest first."""
    found = [
        (number, distance(code, query), 2 * place)
        for number, query in enumerate(queries)
        for place, code in enumerate(stored, start=1)
    ]
    return sorted(hit for hit in found if hit[1] <= distance_bits_max)


def nearest_by_scan(stored: list[bytes], queries: list[bytes], count: int) -> list[tuple[int, int, int]]:
    """(distance, id, query), nearest first; every code once, with the first of the queries that it is nearest to."""
    found = []
    for place, code in enumerate(stored, start=1):
        least, number = min((distance(code, query), number) for number, query in enumerate(queries))
        found.append((least, 2 * place, number))
    return sorted(found)[:count]


@given(stored=CODES, query=st.binary(min_size=32, max_size=32))
def test_distances_equal_counting_bits_one_by_one(stored: list[bytes], query: bytes) -> None:
    columns = to_columns(b"".join(stored), code_bytes=32)
    expected = [sum(bin(a ^ b).count("1") for a, b in zip(code, query, strict=True)) for code in stored]
    assert distances(columns, query).tolist() == expected


@settings(max_examples=25)
@given(seed=SEEDS, size=st.integers(0, 30), radius=st.integers(0, 64), kind=KINDS)
def test_near_equals_a_scan(
    tmp_path_factory: pytest.TempPathFactory, seed: int, size: int, radius: int, kind: CodeKind
) -> None:
    queries, stored = around(random.Random(seed), size, kind)
    with DataFolder.open(tmp_path_factory.mktemp("index"), create=True) as folder:
        add(folder, stored, kind)
        answer = ScanIndex(folder.store, kind).near(queries, distance_bits_max=radius)
    found = [(hit.query_no, hit.distance_bits, hit.code_id) for hit in answer.hits]
    assert found == near_by_scan(stored, queries, radius)
    assert answer.covered_upto == 2 * len(stored)


@settings(max_examples=25)
@given(seed=SEEDS, size=st.integers(0, 30), count=st.integers(1, 40), kind=KINDS)
def test_nearest_equals_a_scan(
    tmp_path_factory: pytest.TempPathFactory, seed: int, size: int, count: int, kind: CodeKind
) -> None:
    queries, stored = around(random.Random(seed), size, kind)
    with DataFolder.open(tmp_path_factory.mktemp("index"), create=True) as folder:
        add(folder, stored, kind)
        answer = ScanIndex(folder.store, kind).nearest(queries, count=count)
    found = [(hit.distance_bits, hit.code_id, hit.query_no) for hit in answer.hits]
    assert found == nearest_by_scan(stored, queries, count)
    assert answer.covered_upto == 2 * len(stored)


@pytest.mark.parametrize("kind", [PHASH256, SSCD512], ids=lambda kind: kind.name)
def test_codes_as_far_apart_as_codes_can_be_are_found_as_such(tmp_path: Path, kind: CodeKind) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [b"\xff" * (kind.bits // 8)], kind)
        index = ScanIndex(folder.store, kind)
        query = bytes(kind.bits // 8)
        assert index.near([query], distance_bits_max=kind.bits - 1).hits == ()
        assert [hit.distance_bits for hit in index.near([query], distance_bits_max=kind.bits).hits] == [kind.bits]
        assert [hit.distance_bits for hit in index.nearest([query], count=1).hits] == [kind.bits]


def test_of_equal_codes_the_oldest_come_first_and_of_equal_queries_the_first_is_named(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [bytes(32)] * 5)
        answer = ScanIndex(folder.store, PHASH256).nearest([bytes(32)] * 3, count=2)
    assert [(hit.query_no, hit.code_id, hit.distance_bits) for hit in answer.hits] == [(0, 2, 0), (0, 4, 0)]


def test_an_empty_index_answers_with_nothing(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        index = ScanIndex(folder.store, PHASH256)
        for answer in (index.near([bytes(32)], distance_bits_max=256), index.nearest([bytes(32)], count=5)):
            assert answer.hits == ()
            assert answer.covered_upto == 0


def test_a_question_without_codes_finds_nothing(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [bytes(32)])
        index = ScanIndex(folder.store, PHASH256)
        assert index.near([], distance_bits_max=256).hits == index.nearest([], count=5).hits == ()


def test_codes_of_another_kind_or_another_model_are_not_searched(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [bytes(64)], SSCD512)
        another_model = CodeKind("sscd512", "1-ffffffffffff", 512)
        assert ScanIndex(folder.store, another_model).state().codes == 0
        assert ScanIndex(folder.store, PHASH256).state().codes == 0
        assert ScanIndex(folder.store, SSCD512).state().codes == 1


def test_every_part_of_a_picture_is_searched(tmp_path: Path) -> None:
    whole = Fingerprint(PHASH256, bytes(32))
    part = Fingerprint(PHASH256, b"\xff" * 32, Variant.INNER, (0.1, 0.1, 0.9, 0.9))
    picture = Picture(Sha256("a" * 64), 1, 1, 1, "PNG", (whole, part), plain=False)
    with DataFolder.open(tmp_path, create=True) as folder:
        source = folder.store.source("codes", kind="folder", now=NOON)
        seen = PictureSeen(picture, servable=True)
        folder.store.record_file(seen, source=source, locator=Locator(file="a"), now=NOON)
        (hit,) = ScanIndex(folder.store, PHASH256).near([b"\xff" * 32], distance_bits_max=0).hits
        assert folder.store.codes_of([hit.code_id])[hit.code_id].variant is Variant.INNER


def test_what_another_process_commits_is_found_by_the_next_question(tmp_path: Path) -> None:
    code = random.Random(1).randbytes(32)
    with DataFolder.open(tmp_path, create=True) as folder:
        index = ScanIndex(folder.store, PHASH256)
        assert index.near([code], distance_bits_max=0).hits == ()
        with DataFolder.open(tmp_path, create=False) as other:
            add(other, [code])
        assert [hit.distance_bits for hit in index.near([code], distance_bits_max=0).hits] == [0]
        assert [hit.distance_bits for hit in index.nearest([code], count=1).hits] == [0]
        assert index.state().codes == 1


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        index = ScanIndex(folder.store, PHASH256)
        with pytest.raises(ValueError, match="at most 64"):
            index.near([bytes(32)] * 65, distance_bits_max=31)
        with pytest.raises(ValueError, match="at most 64"):
            index.nearest([bytes(32)] * 65, count=1)
        with pytest.raises(ValueError, match="1 at least"):
            index.nearest([bytes(32)], count=0)
        with pytest.raises(ValueError, match="words of 64"):
            ScanIndex(folder.store, CodeKind("odd", "1", 72))
