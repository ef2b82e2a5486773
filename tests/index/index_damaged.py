"""Data folders that are there to be damaged, and what has to come of it."""

from __future__ import annotations

import random
from pathlib import Path

from index_answers import answers_as_a_scan, codes_in, holds, index_of, opt_out
from index_corpus import NOON, add

from checker.index.build import build
from checker.index.verify import Verified, verify
from checker.model import PHASH256
from checker.records.folder import DataFolder
from checker.settings import Settings


def made(path: Path, seed: int) -> Path:
    """A data folder whose index has three segments, something set aside, and codes that are newer."""
    rng = random.Random(seed)
    with DataFolder.open(path, create=True) as folder:
        stored: dict[int, bytes] = {}
        for number, count in enumerate((40, 12, 5)):
            stored |= add(folder, [rng.randbytes(32) for _ in range(count)])
            if not number:
                opt_out(folder, stored[2])
            build(folder, Settings(), now=NOON)
        add(folder, [rng.randbytes(32) for _ in range(3)])
    return path


def only(verified: tuple[Verified, ...]) -> Verified:
    return next(one for one in verified if one.kind == PHASH256)


def is_answered_for_named_and_mended(folder: DataFolder, *names: str, sentence: str | None = None) -> None:
    """Answers are right, the damage is named, does not verify, and is mended by the next build, which says so."""
    stored = codes_in(folder)
    assert stored
    with index_of(folder) as index:
        answers_as_a_scan(index, stored)
        assert sorted(index.state().damaged) == sorted(names)
        assert index.state().codes == len(stored)
    found = only(verify(folder, Settings(), now=NOON))
    assert not found.holds
    assert len(found.damaged) == len(names)
    built = next(one for one in build(folder, Settings(), now=NOON) if one.kind == PHASH256)
    assert len(built.repaired) == len(names)
    for said in (found.damaged, built.repaired):
        text = "\n".join(said)
        assert all((sentence or name) in text for name in names)
        assert "hibs index build" in text or "cannot be opened" in text
    assert not any(one.repaired for one in build(folder, Settings(), now=NOON))
    holds(folder, stored)
