"""Is an index what it has to be? Asked by the tests that damage, kill and race it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from index_corpus import NOON, flipped, near_by_scan, nearest_by_scan

from checker.index.live import LiveIndex, kind_folder
from checker.index.manifest import Manifest, read_manifest
from checker.index.verify import verify
from checker.model import PHASH256, CodeKind, Fingerprint
from checker.records.folder import DataFolder
from checker.records.registry import REGISTRY_FILE, LogRow, OptOutRow, Registry
from checker.settings import Settings

IN_MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
"""For tests that write very many files: on a disk most of their time would go into waiting for it."""


def index_of(folder: DataFolder, kind: CodeKind = PHASH256) -> LiveIndex:
    """The index as it is opened by a process that begins now."""
    return LiveIndex(folder.path, folder.store, kind)


def codes_in(folder: DataFolder, kind: CodeKind = PHASH256) -> dict[int, bytes]:
    """What the database holds, by id."""
    block = folder.store.code_block_after(0, kind=kind, count=1_000_000)
    width = kind.bits // 8
    return {code_id: block.bits[n * width : (n + 1) * width] for n, code_id in enumerate(block.code_ids)}


def opt_out(folder: DataFolder, code: bytes, number: int = 0) -> None:
    """Have somebody hide every picture with a code like this. `number`: how many did before."""
    name = str(number)
    row = OptOutRow(name, number, "recorded", "picture", ("tdm",), 1, name.encode(), NOON)
    with closing(Registry.open(folder.path / REGISTRY_FILE)) as registry, registry.writing() as writer:
        writer.add_log_entry(LogRow(index=number, leaf=bytes(32), entry=b"entry", salt=name.encode()), [])
        writer.add_opt_out(row, [[Fingerprint(PHASH256, code)]])


def erase(folder: DataFolder, *code_ids: int) -> None:
    """Erase the pictures of these codes."""
    folder.store.erase(list(folder.store.image_ids_of(code_ids).values()), now=NOON)


def manifest_of(folder: DataFolder) -> Manifest:
    """What the index of the folder is made of."""
    manifest = read_manifest(kind_folder(folder.path, PHASH256), PHASH256)
    assert manifest
    return manifest


def queries_for(stored: Mapping[int, bytes], seed: int = 0) -> list[bytes]:
    """A few stored codes as they are and with bits changed, the oldest and the newest among them; one of none."""
    rng = random.Random(seed)
    ids = sorted(stored)
    chosen = [*ids[:1], *ids[-1:], *rng.sample(ids, min(3, len(ids)))]
    return [bytes(32), *(flipped(stored[code_id], rng.randrange(32), rng) for code_id in chosen)]


def answers_as_a_scan(index: LiveIndex, stored: Mapping[int, bytes], queries: Sequence[bytes] | None = None) -> None:
    """Every answer is what a scan of `stored` gives."""
    asked = queries_for(stored) if queries is None else queries
    for radius in (0, 31, 256):
        found = index.near(asked, distance_bits_max=radius).hits
        assert [(hit.query_no, hit.distance_bits, hit.code_id) for hit in found] == near_by_scan(stored, asked, radius)
    for count in (1, 5, len(stored) + 1):
        found = index.nearest(asked, count=count).hits
        expected = nearest_by_scan(stored, asked, count)
        assert [(hit.distance_bits, hit.code_id, hit.query_no) for hit in found] == expected


def holds(folder: DataFolder, stored: Mapping[int, bytes]) -> None:
    """Answers are those of a scan, no file is damaged or left over, and every row is what the database says."""
    with index_of(folder) as index:
        answers_as_a_scan(index, stored)
        state = index.state()
        assert (state.damaged, state.codes) == ((), len(stored))
    for kind in verify(folder, Settings(), now=NOON):
        assert kind.holds, kind
        assert not kind.waiting
