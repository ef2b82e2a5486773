"""The two proofs that a feed rests on: the tiles give the root, and every leaf is opened or erased.

Pure: a `ReadTile` gives the bytes of tiles, lines give the openings, so the same checks hold for a folder at rest and
for an update that is not yet in place.

Sources: RFC 6962 2.1 (hashing), C2SP tlog-tiles (tiles and bundles), docs/feed.md (openings).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from checker.errors import VerificationError
from checker.optout.entry import Entry, EntryType, Opening, Reference, parse_entry, parse_opening
from checker.optout.note import Checkpoint
from checker.optout.tree import (
    ENTRIES,
    HASH_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Nodes,
    Tile,
    bundles_of,
    leaf_hash,
    node_hash,
    nodes_of_tiles,
    parse_bundle,
    root,
    tiles_of,
)

ReadTile = Callable[[Tile], bytes]
"""The bytes of a tile or bundle. Raises OSError when it is not there."""


def verify_tree(checkpoint: Checkpoint, read: ReadTile) -> list[bytes]:
    """Check the bundles against the tiles and the tiles against the root.

    Returns:
        The leaves, 32 bytes each.
    Raises:
        VerificationError: part "bundle" (with the leaf), "tile" or "root".
    """
    leaves: list[bytes] = []
    for bundle in bundles_of(checkpoint.size):
        entries = _entries(bundle, read)
        hashes = _tile(Tile(0, bundle.index, bundle.width), read)
        for offset, entry in enumerate(entries):
            if leaf_hash(entry) != hashes[offset * HASH_BYTES : (offset + 1) * HASH_BYTES]:
                raise VerificationError(
                    f"leaf {len(leaves)}: {bundle.path} differs from the tile; run `hibs feed sync` again",
                    part="bundle",
                )
            leaves.append(entry)
    for tile in tiles_of(checkpoint.size):
        below = (Tile(tile.level - 1, tile.index * TILE_WIDTH + i, TILE_WIDTH) for i in range(tile.width))
        if tile.level and _tile(tile, read) != b"".join(_full_tile_hash(_tile(full, read)) for full in below):
            raise VerificationError(f"{tile.path} does not match the tiles below it", part="tile")
    if root(checkpoint.size, tree_nodes(checkpoint.size, read)) != checkpoint.root:
        raise VerificationError(
            f"the tiles do not give the root that the checkpoint signs for size {checkpoint.size}", part="root"
        )
    return leaves


def tree_nodes(size: int, read: ReadTile) -> Nodes:
    """The complete subtrees of a tree of this size, cut out of its tiles; the last tile read is kept."""
    kept: dict[Tile, bytes] = {}

    def widest(level: int, index: int) -> bytes:
        tile = Tile(level, index, min(TILE_WIDTH, (size >> TILE_HEIGHT * level) - index * TILE_WIDTH))
        if tile not in kept:
            kept.clear()
            kept[tile] = _tile(tile, read)
        return kept[tile]

    return nodes_of_tiles(widest)


def _full_tile_hash(data: bytes) -> bytes:
    """The hash that stands for a full tile one level up."""
    hashes = [data[i : i + HASH_BYTES] for i in range(0, len(data), HASH_BYTES)]
    while len(hashes) > 1:
        hashes = [node_hash(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]


def _tile(tile: Tile, read: ReadTile) -> bytes:
    data = _read(tile, read)
    if len(data) != tile.width * HASH_BYTES:
        raise VerificationError(f"{tile.path} has {len(data)} bytes, not {tile.width * HASH_BYTES}", part="tile")
    return data


def _entries(bundle: Tile, read: ReadTile) -> tuple[bytes, ...]:
    try:
        entries = parse_bundle(_read(bundle, read))
    except ValueError as error:
        raise VerificationError(f"{bundle.path}: {error}", part="bundle") from error
    if len(entries) != bundle.width or any(len(entry) != HASH_BYTES for entry in entries):
        raise VerificationError(f"{bundle.path} does not hold {bundle.width} leaves of 32 bytes", part="bundle")
    return entries


def _read(tile: Tile, read: ReadTile) -> bytes:
    try:
        return read(tile)
    except OSError as error:
        part = "bundle" if tile.level == ENTRIES else "tile"
        raise VerificationError(f"{tile.path} is missing; run `hibs feed sync` again", part=part) from error


def verify_openings(lines: Iterable[bytes], leaves: list[bytes]) -> dict[int, Entry]:
    """Check openings against the leaves, and that no leaf is without.

    Returns:
        The entries by index, rising.
    Raises:
        VerificationError: part "opening", "entry" or "omission"; it names the leaf.
    """
    entries: dict[int, Entry] = {}
    last = -1
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            raise VerificationError(f"leaf {last + 1}: line {number} of the openings is cut off", part="opening")
        try:
            opening = parse_opening(line)
        except VerificationError as error:
            raise VerificationError(
                f"leaf {last + 1}: line {number} of the openings: {error}", part=error.part
            ) from error
        if opening.index <= last:
            raise VerificationError(
                f"leaf {opening.index}: its opening comes after that of leaf {last}; the openings were reordered",
                part="opening",
            )
        entries[opening.index] = checked_entry(opening, leaves)
        last = opening.index
    check_complete(entries, len(leaves))
    return entries


def check_complete(entries: Mapping[int, Entry], size: int) -> None:
    """Check that each of `size` leaves has an opening or was erased, and not both.

    Raises:
        VerificationError: part "omission" or "opening"; it names the leaf.
    """
    erased = erased_by(entries.values())
    for index in range(size):
        if index not in entries and index not in erased:
            raise VerificationError(
                f"leaf {index}: it has no opening, and no erase entry names it; somebody's entry was left out",
                part="omission",
            )
        if index in entries and index in erased:
            raise VerificationError(
                f"leaf {index}: it was erased and its opening is still here; run `hibs feed sync` again", part="opening"
            )


def checked_entry(opening: Opening, leaves: list[bytes]) -> Entry:
    """The entry of an opening that belongs to its leaf. Raises VerificationError, naming the leaf."""
    index = opening.index
    if index >= len(leaves):
        raise VerificationError(
            f"leaf {index}: an opening lies beyond the {len(leaves)} leaves that the checkpoint signs; it was put "
            "back, or a sync was cut short: run `hibs feed sync` again",
            part="opening",
        )
    if opening.leaf != leaves[index]:
        raise VerificationError(f"leaf {index}: its opening is not what the log holds", part="opening")
    try:
        entry = parse_entry(opening.entry)
    except VerificationError as error:
        raise VerificationError(f"leaf {index}: {error}", part=error.part) from error
    if isinstance(entry, Reference) and entry.index >= index:
        raise VerificationError(f"leaf {index}: it names the entry {entry.index}, which is not before it", part="entry")
    return entry


def erased_by(entries: Iterable[Entry]) -> frozenset[int]:
    """The indexes that erase entries name."""
    return frozenset(entry.index for entry in entries if isinstance(entry, Reference) and entry.type is EntryType.ERASE)
