"""A feed folder of many opt-outs, written straight to its files, as a follower would have it. Nothing to run here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from checker.model import PHASH256, Fingerprint
from checker.optout.canonical import base64url
from checker.optout.entry import USES, EntryType, Evidence, OptOut, Reference, entry_leaf, number_from, write_entry
from checker.optout.feed import CHECKPOINT_FILE, OPENINGS_FILE, STATE_FILE, FeedState
from checker.optout.note import SigningKey, checkpoint_at, sign_note
from checker.optout.tree import ENTRIES, HASH_BYTES, TILE_WIDTH, bundles_of, leaf_hash, node_hash, root, tiles_of

ORIGIN = "benchmark.example/opt-outs"
WITHDRAWN_EVERY = 100
"""Every hundredth entry takes back the one before."""
Codes = npt.NDArray[np.uint8]


def entry_bytes(codes: Codes, seed: int) -> Iterator[bytes]:
    """The entries of these codes, (n, 32). Written by hand, since a million go through it; one is compared."""
    draw, hundred = np.random.default_rng(seed), ",".join(f'"{use}"' for use in USES)
    for index, code in enumerate(codes):
        if index % WITHDRAWN_EVERY == WITHDRAWN_EVERY - 1:
            yield write_entry(Reference(EntryType.WITHDRAW, index - 1))
            continue
        number = number_from(draw.bytes(5))
        written = (
            f'{{"payload":{{"evidence":"picture","number":"{number}","pictures":[[{{"hex":"{code.tobytes().hex()}",'
            f'"kind":"phash256","version":"1"}}]],"uses":[{hundred}]}},"type":"opt-out","v":1}}'
        ).encode()
        if not index:
            one = ((Fingerprint(PHASH256, code.tobytes()),),)
            assert written == write_entry(OptOut(number, Evidence.PICTURE, one, USES))
        yield written


def make_feed(folder: Path, codes: Codes, *, seed: int = 1) -> None:
    """Write a feed of these codes that verifies, signed now."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(seed + 1)
    leaves, digest, size = [], hashlib.sha256(), 0
    with (folder / OPENINGS_FILE).open("wb") as openings:
        for index, entry in enumerate(entry_bytes(codes, seed)):
            salt = draw.bytes(32)
            leaves.append(entry_leaf(entry, salt))
            line = (
                f'{{"entry":"{base64url(entry)}","index":{index},"leaf":"{leaves[-1].hex()}",'
                f'"salt":"{base64url(salt)}"}}\n'
            ).encode()
            openings.write(line)
            digest.update(line)
            size += len(line)
    top = _write_tiles(folder, leaves)
    now, key = datetime.now(UTC), SigningKey(ORIGIN, bytes(range(32)))
    checkpoint = checkpoint_at(ORIGIN, len(leaves), top, now)
    (folder / CHECKPOINT_FILE).write_bytes(sign_note(checkpoint.text, [key]))
    synced = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    state = FeedState(ORIGIN, key.verifier, "benchmark", len(leaves), synced, size, digest.hexdigest(), ())
    (folder / STATE_FILE).write_bytes(state.to_json())


def _write_tiles(folder: Path, leaves: list[bytes]) -> bytes:
    levels = [[leaf_hash(leaf) for leaf in leaves]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
    for tile in (*tiles_of(len(leaves)), *bundles_of(len(leaves))):
        path = folder / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        some = slice(tile.index * TILE_WIDTH, tile.index * TILE_WIDTH + tile.width)
        if tile.level == ENTRIES:
            path.write_bytes(b"".join(HASH_BYTES.to_bytes(2) + leaf for leaf in leaves[some]))
        else:
            path.write_bytes(b"".join(levels[8 * tile.level][some]))
    return root(len(leaves), lambda level, index: levels[level][index])


def is_made(folder: Path, size: int) -> bool:
    """Is a feed of this size there already, and signed today?"""
    try:
        state = json.loads((folder / STATE_FILE).read_bytes())
    except FileNotFoundError:
        return False
    return bool(state["tree_size"] == size and state["synced_at"][:10] == datetime.now(UTC).strftime("%Y-%m-%d"))
