"""The two proofs that a feed rests on: the tiles give the root, and every leaf is opened or erased.

Pure: a `ReadTile` gives the bytes of tiles, lines give the openings, so the same checks hold for a folder at rest and
for an update that is not yet in place. One pass over each; what is kept is 33 bytes a leaf, and the indexes that
withdrawals, disputes and erasures name.

Sources: RFC 6962 2.1 (hashing), C2SP tlog-tiles (tiles and bundles), docs/feed.md (openings).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from checker.errors import VerificationError
from checker.optout.common_lines import Opened, read_line
from checker.optout.entry import Entry, EntryType, KeyChange, OptOut, Reference
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
    root,
    tiles_of,
)

ReadTile = Callable[[Tile], bytes]
"""The bytes of a tile or bundle. Raises OSError when it is not there."""
BUNDLED_BYTES = 2 + HASH_BYTES
"""A leaf in a bundle, after its length."""


def verify_tree(checkpoint: Checkpoint, read: ReadTile) -> bytearray:
    """Check the bundles against the tiles and the tiles against the root.

    Returns:
        The leaves, 32 bytes each, one after the other.
    Raises:
        VerificationError: part "bundle" (with the leaf), "tile" or "root".
    """
    leaves = bytearray()
    above: list[bytes] = []  # the hashes of the full tiles of one level: what the next level must hold
    for bundle in bundles_of(checkpoint.size):
        entries = _entries(bundle, read)
        hashes = _tile(Tile(0, bundle.index, bundle.width), read)
        if b"".join([leaf_hash(entry) for entry in entries]) != hashes:
            raise _not_in_tile(bundle, entries, hashes)
        leaves += b"".join(entries)
        if bundle.width == TILE_WIDTH:
            above.append(_full_tile_hash(hashes))
    level, below = 0, above
    for tile in tiles_of(checkpoint.size):
        if tile.level == 0:
            continue
        if tile.level != level:
            level, below, above = tile.level, above, []
        hashes = _tile(tile, read)
        if hashes != b"".join(below[tile.index * TILE_WIDTH : tile.index * TILE_WIDTH + tile.width]):
            raise VerificationError(f"{tile.path} does not match the tiles below it", part="tile")
        if tile.width == TILE_WIDTH:
            above.append(_full_tile_hash(hashes))
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


def _not_in_tile(bundle: Tile, entries: list[bytes], hashes: bytes) -> VerificationError:
    offset = next(i for i, entry in enumerate(entries) if leaf_hash(entry) != hashes[i * HASH_BYTES :][:HASH_BYTES])
    return VerificationError(
        f"leaf {bundle.index * TILE_WIDTH + offset}: {bundle.path} differs from the tile; run `hibs feed sync` again",
        part="bundle",
    )


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


def _entries(bundle: Tile, read: ReadTile) -> list[bytes]:
    data, width = _read(bundle, read), bundle.width
    lengths = data[0::BUNDLED_BYTES], data[1::BUNDLED_BYTES]
    if len(data) != width * BUNDLED_BYTES or lengths != (bytes(width), bytes([HASH_BYTES]) * width):
        raise VerificationError(f"{bundle.path} does not hold {width} leaves of 32 bytes", part="bundle")
    return [data[at + 2 : at + BUNDLED_BYTES] for at in range(0, len(data), BUNDLED_BYTES)]


def _read(tile: Tile, read: ReadTile) -> bytes:
    try:
        return read(tile)
    except OSError as error:
        part = "bundle" if tile.level == ENTRIES else "tile"
        raise VerificationError(f"{tile.path} is missing; run `hibs feed sync` again", part=part) from error


# --- openings --------------------------------------------------------------------------------------------------


class Account:
    """Which leaves are accounted for, as their openings are read in the order of the log."""

    def __init__(self, leaves: bytearray, *, start: int = 0) -> None:
        """Begin an account.

        Args:
            leaves: all that the checkpoint signs, as `verify_tree` gives them.
            start: openings of smaller indexes were proved before, and are not asked about.
        """
        self._leaves = leaves
        self._start = start
        self._opened = bytearray(self.size - start)
        self._counts: Counter[EntryType] = Counter()
        self._named: dict[EntryType, set[int]] = {EntryType.WITHDRAW: set(), EntryType.DISPUTE: set()}
        self._erased: set[int] = set()
        self._key_changes: list[tuple[int, KeyChange]] = []
        self.last = start - 1
        """Index of the opening that was read last."""

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return len(self._leaves) // HASH_BYTES

    @property
    def counts(self) -> Mapping[EntryType, int]:
        """Entries by type."""
        return self._counts

    @property
    def erased(self) -> frozenset[int]:
        """The indexes that erase entries name."""
        return frozenset(self._erased)

    @property
    def key_changes(self) -> tuple[tuple[int, KeyChange], ...]:
        """What the log says of its own keys, by index."""
        return tuple(self._key_changes)

    def named(self, kind: EntryType) -> frozenset[int]:
        """The indexes that `withdraw` or `dispute` entries name."""
        return frozenset(self._named[kind])

    def add(self, opened: Opened) -> Entry | None:
        """Take the next opening.

        Returns:
            Its entry. None: it is of the common form, and `opened.entry()` makes it for whoever wants it.
        Raises:
            VerificationError: part "opening" or "entry"; it names the leaf.
        """
        index = opened.index
        if index <= self.last:
            raise VerificationError(
                f"leaf {index}: its opening comes after that of leaf {self.last}; the openings were reordered",
                part="opening",
            )
        at = index * HASH_BYTES
        if self._leaves[at : at + HASH_BYTES] != opened.leaf:
            raise self._not_a_leaf(index)
        entry = None
        if opened.common is not None:
            self._counts[EntryType.OPT_OUT] += 1
        else:
            entry = self._other_entry(opened)
        self._opened[index - self._start] = 1
        self.last = index
        return entry

    def _not_a_leaf(self, index: int) -> VerificationError:
        if index >= self.size:
            return VerificationError(
                f"leaf {index}: an opening lies beyond the {self.size} leaves that the checkpoint signs; it was put "
                "back, or a sync was cut short: run `hibs feed sync` again",
                part="opening",
            )
        return VerificationError(f"leaf {index}: its opening is not what the log holds", part="opening")

    def _other_entry(self, opened: Opened) -> Entry:
        index = opened.index
        try:
            entry = opened.entry()
        except VerificationError as error:
            raise VerificationError(f"leaf {index}: {error}", part=error.part) from error
        if isinstance(entry, Reference):
            if entry.index >= index:
                raise VerificationError(
                    f"leaf {index}: it names the entry {entry.index}, which is not before it", part="entry"
                )
            named = self._erased if entry.type is EntryType.ERASE else self._named[entry.type]
            named.add(entry.index)
        elif isinstance(entry, KeyChange):
            self._key_changes.append((index, entry))
        self._counts[entry_type(entry)] += 1
        return entry

    def erased_and_here(self) -> frozenset[int]:
        """Leaves whose opening was read although it was erased; those before `start` too, since nobody asked there."""
        return frozenset(i for i in self._erased if i < self._start or self._opened[i - self._start])

    def first_missing(self) -> int | None:
        """The first leaf that has no opening and is named by no erase entry read so far. None: there is none."""
        found = self._marks().find(0)
        return None if found < 0 else found + self._start

    def require_complete(self) -> None:
        """Check that each leaf has an opening or was erased, and not both.

        Raises:
            VerificationError: part "omission" or "opening"; it names the leaf.
        """
        marks = self._marks()
        missing, kept = marks.find(0), marks.find(_OPENED | _ERASED)
        if missing >= 0 and (kept < 0 or missing < kept):
            raise VerificationError(
                f"leaf {missing + self._start}: it has no opening, and no erase entry names it; somebody's entry was "
                "left out",
                part="omission",
            )
        if kept >= 0:
            raise VerificationError(
                f"leaf {kept + self._start}: it was erased and its opening is still here; run `hibs feed sync` again",
                part="opening",
            )

    def _marks(self) -> bytearray:
        marks = bytearray(self._opened)
        for index in self._erased:
            if index >= self._start:
                marks[index - self._start] |= _ERASED
        return marks


_OPENED, _ERASED = 1, 2


def read_numbered(line: bytes, number: int, last: int) -> Opened:
    """Read line `number` of a file of openings. Raises VerificationError, naming the leaf after `last`."""
    if not line.endswith(b"\n"):
        raise VerificationError(
            f"leaf {last + 1}: line {number} of the openings is cut off; run `hibs feed sync` again", part="opening"
        )
    try:
        return read_line(line)
    except VerificationError as error:
        raise VerificationError(f"leaf {last + 1}: line {number} of the openings: {error}", part=error.part) from error


def entry_type(entry: Entry) -> EntryType:
    """The type that the entry's bytes name."""
    if isinstance(entry, OptOut):
        return EntryType.OPT_OUT
    return EntryType.KEY if isinstance(entry, KeyChange) else entry.type
