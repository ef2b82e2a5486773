"""The index equals a plain scan, always: whatever was added, built, erased or reopened before, for any kind of code."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from index_corpus import (
    NOON,
    OTHER,
    SSCD512,
    add,
    add_many,
    flipped,
    near_by_scan,
    nearest_by_scan,
)

from checker.hamming import distances, to_columns
from checker.index.build import build
from checker.index.live import LiveIndex
from checker.model import PHASH256, CodeKind, Fingerprint, Locator, Picture, Sha256, Variant
from checker.records.folder import DataFolder
from checker.records.interfaces import NearAnswer
from checker.settings import Settings
from checker.visits import PictureSeen

CODES = st.lists(st.binary(min_size=32, max_size=32), max_size=20)
KINDS = st.sampled_from([PHASH256, SSCD512])
SEEDS = st.integers(0, 2**32)


def index_of(folder: DataFolder, kind: CodeKind = PHASH256) -> LiveIndex:
    return LiveIndex(folder.path, folder.store, kind)


def near_hits(answer: NearAnswer) -> list[tuple[int, int, int]]:
    return [(hit.query_no, hit.distance_bits, hit.code_id) for hit in answer.hits]


def nearest_hits(answer: NearAnswer) -> list[tuple[int, int, int]]:
    return [(hit.distance_bits, hit.code_id, hit.query_no) for hit in answer.hits]


@given(stored=CODES, query=st.binary(min_size=32, max_size=32))
def test_distances_equal_counting_bits_one_by_one(stored: list[bytes], query: bytes) -> None:
    columns = to_columns(b"".join(stored), code_bytes=32)
    expected = [sum(bin(a ^ b).count("1") for a, b in zip(code, query, strict=True)) for code in stored]
    assert distances(columns, query).tolist() == expected


class AnyHistory(RuleBasedStateMachine):
    """Adds, builds, erases and reopens in any order; at every point all answers are those of a scan."""

    @initialize(kind=KINDS, seed=SEEDS)
    def begin(self, kind: CodeKind, seed: int) -> None:
        self.kind, self.rng = kind, random.Random(seed)
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = DataFolder.open(Path(self.temporary.name) / "d", create=True)
        self.index = index_of(self.folder, kind)
        self.centres = [self.rng.randbytes(kind.bits // 8) for _ in range(2)]
        self.stored: dict[int, bytes] = {}

    @rule(count=st.integers(0, 12))
    def add(self, count: int) -> None:
        codes = [flipped(self.rng.choice(self.centres), self.rng.randrange(40), self.rng) for _ in range(count)]
        codes += self.rng.sample(codes, count // 3)  # the very same bits again
        self.stored |= add(self.folder, codes, self.kind)

    @rule(full=st.booleans())
    def build(self, full: bool) -> None:
        build(self.folder, Settings(), now=NOON, full=full)

    @precondition(lambda self: self.stored)
    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        gone = data.draw(st.sampled_from(sorted(self.stored)))
        del self.stored[gone]
        self.folder.store.erase([self.folder.store.image_ids_of([gone])[gone]], now=NOON)

    @rule()
    def reopen(self) -> None:
        self.index.close()
        self.index = index_of(self.folder, self.kind)

    @invariant()
    def answers_are_those_of_a_scan(self) -> None:
        radius, count = self.rng.randrange(65), self.rng.randrange(1, 20)
        near = self.index.near(self.centres, distance_bits_max=radius)
        assert near_hits(near) == near_by_scan(self.stored, self.centres, radius)
        nearest = self.index.nearest(self.centres, count=count)
        assert nearest_hits(nearest) == nearest_by_scan(self.stored, self.centres, count)
        assert self.index.state().codes == len(self.stored)

    def teardown(self) -> None:
        if hasattr(self, "index"):
            self.index.close()
            self.folder.close()
            self.temporary.cleanup()


AnyHistory.TestCase.settings = settings(max_examples=25, stateful_step_count=20)
TestAnyHistory = AnyHistory.TestCase


@pytest.mark.parametrize("size", [0, 1, 2, 99_999, 100_000, 100_001])
def test_around_the_size_from_which_codes_are_cut_into_pieces(tmp_path: Path, size: int) -> None:
    rng = random.Random(size)
    with DataFolder.open(tmp_path, create=True) as folder:
        stored = add_many(folder, [rng.randbytes(32) for _ in range(size)]) if size else {}
        ids = rng.sample(sorted(stored), min(size, 20))
        queries = [flipped(stored[code_id], bits, rng) for code_id, bits in zip(ids, range(31, 0, -1), strict=False)]
        build(folder, Settings(), now=NOON)
        with index_of(folder) as index:
            for radius in (0, 16, 31, 64):
                assert near_hits(index.near(queries, distance_bits_max=radius)) == near_by_scan(stored, queries, radius)
            assert nearest_hits(index.nearest(queries[:2], count=5)) == nearest_by_scan(stored, queries[:2], 5)
            assert index.state().segments == bool(size)


@pytest.mark.parametrize("kind", [PHASH256, SSCD512], ids=lambda kind: kind.name)
@pytest.mark.parametrize("built", [False, True], ids=["database", "segment"])
def test_codes_as_far_apart_as_codes_can_be_are_found_as_such(tmp_path: Path, kind: CodeKind, built: bool) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [b"\xff" * (kind.bits // 8)], kind)
        if built:
            build(folder, Settings(), now=NOON)
        query = bytes(kind.bits // 8)
        with index_of(folder, kind) as index:
            assert index.near([query], distance_bits_max=kind.bits - 1).hits == ()
            assert [hit.distance_bits for hit in index.near([query], distance_bits_max=kind.bits).hits] == [kind.bits]
            assert [hit.distance_bits for hit in index.nearest([query], count=1).hits] == [kind.bits]


@pytest.mark.parametrize("built", [False, True], ids=["database", "segment"])
def test_of_equal_codes_the_oldest_come_first_and_of_equal_queries_the_first_is_named(
    tmp_path: Path, built: bool
) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [bytes(32)] * 5)
        if built:
            build(folder, Settings(), now=NOON)
        with index_of(folder) as index:
            answer = index.nearest([bytes(32)] * 3, count=2)
    assert [(hit.query_no, hit.code_id, hit.distance_bits) for hit in answer.hits] == [(0, 2, 0), (0, 4, 0)]


def test_an_empty_index_answers_with_nothing(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        index = index_of(folder)
        for answer in (index.near([bytes(32)], distance_bits_max=256), index.nearest([bytes(32)], count=5)):
            assert answer.hits == ()
            assert answer.covered_upto == 0


def test_a_question_without_codes_finds_nothing(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [bytes(32)])
        index = index_of(folder)
        assert index.near([], distance_bits_max=256).hits == index.nearest([], count=5).hits == ()


def test_codes_of_another_kind_or_another_model_are_not_searched(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [bytes(64)], SSCD512)
        build(folder, Settings(), now=NOON)
        for kind, codes in ((CodeKind("sscd512", "1-ffffffffffff", 512), 0), (PHASH256, 0), (SSCD512, 1), (OTHER, 1)):
            with index_of(folder, kind) as index:
                assert index.state().codes == codes


def test_every_part_of_a_picture_is_searched(tmp_path: Path) -> None:
    whole = Fingerprint(PHASH256, bytes(32))
    part = Fingerprint(PHASH256, b"\xff" * 32, Variant.INNER, (0.1, 0.1, 0.9, 0.9))
    picture = Picture(Sha256("a" * 64), 1, 1, 1, "PNG", (whole, part), plain=False)
    with DataFolder.open(tmp_path, create=True) as folder:
        source = folder.store.source("codes", kind="folder", now=NOON)
        seen = PictureSeen(picture, servable=True)
        folder.store.record_file(seen, source=source, locator=Locator(file="a"), now=NOON)
        (hit,) = index_of(folder).near([b"\xff" * 32], distance_bits_max=0).hits
        assert folder.store.codes_of([hit.code_id])[hit.code_id].variant is Variant.INNER


def test_what_another_process_commits_is_found_by_the_next_question(tmp_path: Path) -> None:
    code = random.Random(1).randbytes(32)
    with DataFolder.open(tmp_path, create=True) as folder:
        index = index_of(folder)
        assert index.near([code], distance_bits_max=0).hits == ()
        with DataFolder.open(tmp_path, create=False) as other:
            add(other, [code])
        assert [hit.distance_bits for hit in index.near([code], distance_bits_max=0).hits] == [0]
        assert [hit.distance_bits for hit in index.nearest([code], count=1).hits] == [0]
        assert index.state().codes == 1


def test_bits_of_a_code_count_the_same_wherever_they_lie(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [bytes(32)])
        build(folder, Settings(), now=NOON)
        with index_of(folder) as index:
            for bit in range(256):
                query = (1 << bit).to_bytes(32, "big")
                assert [hit.distance_bits for hit in index.near([query], distance_bits_max=1).hits] == [1]


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        index = index_of(folder)
        with pytest.raises(ValueError, match="at most 64"):
            index.near([bytes(32)] * 65, distance_bits_max=31)
        with pytest.raises(ValueError, match="at most 64"):
            index.nearest([bytes(32)] * 65, count=1)
        with pytest.raises(ValueError, match="1 at least"):
            index.nearest([bytes(32)], count=0)
        with pytest.raises(ValueError, match="32 bytes each"):
            index.near([bytes(31)], distance_bits_max=31)
        with pytest.raises(ValueError, match="a radius of -1 bits"):
            index.near([bytes(32)], distance_bits_max=-1)
        with pytest.raises(ValueError, match="codes of phash256 have 256"):
            index.near([bytes(32)], distance_bits_max=257)
        with pytest.raises(ValueError, match="words of 64"):
            LiveIndex(folder.path, folder.store, CodeKind("odd", "1", 72))
