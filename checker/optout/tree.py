"""The Merkle tree of the log: hashing, roots, proofs, their verifiers, and the tiles that carry it. Pure.

A tree is never held as a whole. Everything asks a `Nodes` function for the hash of a *complete* subtree, `(level,
index)`: level 0 are leaf hashes, and `(level, index)` covers the entries `index * 2**level` up to the next one's start.
The writer keeps these hashes in its database, a follower cuts them out of tiles, `MemoryTree` has them in a dict.

Sources: RFC 6962 section 2.1 (hashing, proofs), RFC 9162 sections 2.1.3.2 and 2.1.4.2 (verifying), C2SP tlog-tiles
(paths, tiles, bundles). Verifiers answer True or False and never raise for what somebody else made.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

Nodes = Callable[[int, int], bytes]
"""The hash of the complete subtree (level, index). Raises whatever its maker raises when it is not there."""

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962 2.1: SHA-256(0x00 || data). `data` is one entry of the log, here the 32 bytes of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 2.1: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


# --- writing ---------------------------------------------------------------------------------------------------


def nodes_completed(index: int, hashed_leaf: bytes, nodes: Nodes) -> list[tuple[int, int, bytes]]:
    """The complete subtrees that come into being when the leaf `index` is appended, the leaf itself first.

    Args:
        index: number of leaves before this one.
        nodes: gives the complete subtrees to the left of it.
    """
    made, level, hashed = [(0, index, hashed_leaf)], 0, hashed_leaf
    while index & 1:
        hashed = node_hash(nodes(level, index - 1), hashed)
        level, index = level + 1, index >> 1
        made.append((level, index, hashed))
    return made


class MemoryTree:
    """A whole tree in memory, for a follower that checks a few million leaves and for tests."""

    def __init__(self) -> None:
        self.size = 0
        self._nodes: dict[tuple[int, int], bytes] = {}

    def append(self, data: bytes) -> None:
        """Add one entry of the log (not yet hashed)."""
        for level, index, hashed in nodes_completed(self.size, leaf_hash(data), self.nodes):
            self._nodes[level, index] = hashed
        self.size += 1

    def nodes(self, level: int, index: int) -> bytes:
        """See `Nodes`. Raises KeyError where the tree has no such complete subtree."""
        return self._nodes[level, index]

    def root(self) -> bytes:
        """The root of all that was appended."""
        return root(self.size, self.nodes)


# --- roots and proofs ------------------------------------------------------------------------------------------


def root(size: int, nodes: Nodes) -> bytes:
    """The Merkle tree hash of the first `size` entries. Source: RFC 6962 2.1."""
    return range_hash(0, size, nodes) if size else EMPTY_ROOT


def range_hash(start: int, end: int, nodes: Nodes) -> bytes:
    """The Merkle tree hash of the entries `start` up to, not including, `end`.

    `start` lies where RFC 6962 splits a tree, so every piece is a complete subtree or splits again.
    """
    width = end - start
    if width & (width - 1) == 0 and start % width == 0:
        return nodes(width.bit_length() - 1, start // width)
    middle = start + _split(width)
    return node_hash(range_hash(start, middle, nodes), range_hash(middle, end, nodes))


def inclusion_proof(index: int, size: int, nodes: Nodes) -> tuple[bytes, ...]:
    """The audit path of the entry `index` in the tree of `size` entries, from the leaf up. Source: RFC 6962 2.1.1."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} has no entry {index}")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(range_hash(middle, end, nodes))
            end = middle
        else:
            proof.append(range_hash(start, middle, nodes))
            start = middle
    return tuple(reversed(proof))


def consistency_proof(old_size: int, new_size: int, nodes: Nodes) -> tuple[bytes, ...]:
    """That the tree of `new_size` begins with that of `old_size`. Source: RFC 6962 2.1.2.

    Empty where the sizes are equal or the old tree was empty: there is nothing to show then.
    """
    if not 0 <= old_size <= new_size:
        raise ValueError(f"a tree of {new_size} does not grow out of one of {old_size}")
    if old_size in (0, new_size):
        return ()
    proof: list[bytes] = []
    start, end, whole = 0, new_size, True
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            proof.append(range_hash(middle, end, nodes))
            end = middle
        else:
            proof.append(range_hash(start, middle, nodes))
            start, whole = middle, False
    if not whole:  # else the old root itself is the subtree, and the verifier has it
        proof.append(range_hash(start, end, nodes))
    return tuple(reversed(proof))


def _split(size: int) -> int:
    """The largest power of two below `size` (size >= 2)."""
    return 1 << (size - 1).bit_length() - 1


# --- verifying -------------------------------------------------------------------------------------------------


def verify_inclusion(index: int, size: int, hashed_leaf: bytes, proof: Sequence[bytes], root_hash: bytes) -> bool:
    """Is this leaf hash the entry `index` of the tree with this size and root? Source: RFC 9162 2.1.3.2."""
    if not 0 <= index < size or any(len(step) != HASH_BYTES for step in proof):
        return False
    fn, sn, hashed = index, size - 1, hashed_leaf
    for step in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            hashed = node_hash(step, hashed)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            hashed = node_hash(hashed, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and hashed == root_hash


def verify_consistency(old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Does the new tree begin with the old one? Source: RFC 9162 2.1.4.2."""
    if not 0 <= old_size <= new_size or any(len(step) != HASH_BYTES for step in proof):
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    # A complete old tree is a subtree of the new one, so its root is the first step and is not sent.
    steps = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not steps:
        return False
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old_hash = new_hash = steps[0]
    for step in steps[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            old_hash, new_hash = node_hash(step, old_hash), node_hash(step, new_hash)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            new_hash = node_hash(new_hash, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and old_hash == old_root and new_hash == new_root


# --- tiles -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tile:
    """Which tile. Source: C2SP tlog-tiles, "Merkle Tree"."""

    level: int
    """0-63; `ENTRIES` for a bundle of entries."""
    index: int
    width: int
    """1-256 hashes; below 256 it is partial."""

    @property
    def path(self) -> str:
        """ "tile/0/x001/234.p/17", "tile/entries/000"."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{'/'.join([*('x' + g for g in groups[:-1]), groups[-1]])}{partial}"


ENTRIES = -1
"""The level that stands for bundles of entries."""

_PATH = re.compile(
    r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
)


def parse_tile_path(path: str) -> Tile | None:
    """Read what `Tile.path` writes. None: it is no such path, or not in its one spelling."""
    found = _PATH.fullmatch(path)
    if not found:
        return None
    level, digits, width = found.groups()
    tile = Tile(
        level=ENTRIES if level == "entries" else int(level),
        index=int(digits.replace("x", "").replace("/", "")),
        width=int(width) if width else TILE_WIDTH,
    )
    return tile if tile.path == path else None


def tiles_of(size: int, *, known: int = 0) -> Iterator[Tile]:
    """The tiles of hashes that a tree of `size` has and one of `known` has not, level by level."""
    for level in range(64):
        hashes, before = size >> TILE_HEIGHT * level, known >> TILE_HEIGHT * level
        if not hashes:
            return
        yield from _tiles_of_level(level, hashes, before)


def bundles_of(size: int, *, known: int = 0) -> Iterator[Tile]:
    """The bundles of entries that a tree of `size` has and one of `known` has not."""
    yield from _tiles_of_level(ENTRIES, size, known)


def has_tile(tile: Tile, size: int) -> bool:
    """Does a tree of `size` or any smaller one have this tile?"""
    hashes = size >> TILE_HEIGHT * max(tile.level, 0)
    return tile.index * TILE_WIDTH + tile.width <= hashes


def _tiles_of_level(level: int, hashes: int, before: int) -> Iterator[Tile]:
    if hashes == before:
        return
    for index in range(before // TILE_WIDTH, -(-hashes // TILE_WIDTH)):
        yield Tile(level, index, min(TILE_WIDTH, hashes - index * TILE_WIDTH))


def tile_bytes(tile: Tile, nodes: Nodes) -> bytes:
    """The hashes of a tile, one after the other."""
    first = tile.index * TILE_WIDTH
    return b"".join(nodes(tile.level * TILE_HEIGHT, i) for i in range(first, first + tile.width))


def nodes_of_tiles(read: Callable[[int, int], bytes]) -> Nodes:
    """`Nodes` out of tiles.

    Args:
        read: the bytes of the tile (level, index), as wide as there is.
    """

    def nodes(level: int, index: int) -> bytes:
        height = level % TILE_HEIGHT
        first = index << height
        tile = read(level // TILE_HEIGHT, first // TILE_WIDTH)
        at = first % TILE_WIDTH * HASH_BYTES
        hashes = [tile[at + i * HASH_BYTES : at + (i + 1) * HASH_BYTES] for i in range(1 << height)]
        while len(hashes) > 1:
            hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
        return hashes[0]

    return nodes


def write_bundle(entries: Sequence[bytes]) -> bytes:
    """Entries one after the other, each after its length in 16 bits, big-endian. Source: C2SP tlog-tiles."""
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)
