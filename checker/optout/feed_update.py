"""One new state of a feed folder, made in `.sync` and proved there, then put in place."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from checker.errors import VerificationError
from checker.optout.entry import KeyChange
from checker.optout.feed import CHECKPOINT_FILE, STATE_FILE, FeedState, read_tile
from checker.optout.feed_folder import STAGING_FOLDER, write_whole
from checker.optout.feed_openings import NewOpenings
from checker.optout.feed_proof import BUNDLED_BYTES, tree_nodes, verify_tree
from checker.optout.note import Checkpoint
from checker.optout.tree import ENTRIES, HASH_BYTES, TILE_WIDTH, Tile, bundles_of, root, tiles_of
from checker.optout.trust import FeedSource, fork


class Update:
    """From one checkpoint to the next. Until `put_in_place` the folder stays as it was."""

    def __init__(self, folder: Path, source: FeedSource, state: FeedState, old: Checkpoint | None, new: Checkpoint):
        self._folder = folder
        self._staging = folder / STAGING_FOLDER
        self._source = source
        self._old = old
        self._new = new
        # Of a folder whose checkpoint was put back nothing shows that the lines belong to this tree.
        relied_on = old is not None and old.size >= state.tree_size
        self._proved = state if relied_on else None
        self._fetched: dict[Tile, None] = {}
        self._openings: NewOpenings | None = None
        self.tiles_fetched = 0

    @property
    def openings_fetched(self) -> int:
        """How many came."""
        return self._openings.fetched if self._openings else 0

    @property
    def key_changes(self) -> tuple[tuple[int, KeyChange], ...]:
        """What the log says of its own keys."""
        return self._openings.key_changes if self._openings else ()

    @property
    def openings_erased(self) -> int:
        """How many were deleted here because they were erased."""
        return self._openings.erased if self._openings else 0

    def fetch(self) -> None:
        """Fetch and prove the tree. Raises VerificationError, part "fork" among others."""
        known = self._old.size if self._old else 0
        try:
            self._fetch_tiles(known)
            leaves = verify_tree(self._new, self._read)
        except VerificationError:
            self._drop_staged_tiles()
            self._fetch_tiles(0)
            leaves = verify_tree(self._new, self._read)
        if self._old and root(self._old.size, tree_nodes(self._new.size, self._read)) != self._old.root:
            self._drop_staged_tiles()
            raise fork(self._old, self._new)
        self._openings = NewOpenings(self._folder, leaves, self._proved)

    def fetch_openings(self, *, last_try: bool) -> None:
        """Fetch and prove the openings. Raises VerificationError, part "omission" when one is missing.

        Args:
            last_try: nobody will ask again now, so what does not hold is not kept for the next time.
        """
        assert self._openings is not None, "the tree comes first"
        try:
            self._openings.fetch(self._source)
        except VerificationError as error:
            if last_try or error.part != "omission":
                self._openings.forget()
            raise

    def put_in_place(self, state: FeedState, note: bytes) -> None:
        """Tiles, openings, checkpoint, state, in this order; then what is outgrown goes."""
        assert self._openings is not None, "nothing was fetched"
        for tile in self._fetched:
            target = self._folder / tile.path
            target.parent.mkdir(parents=True, exist_ok=True)
            (self._staging / tile.path).replace(target)
        size_bytes, digest = self._openings.put_in_place()
        write_whole(self._folder / CHECKPOINT_FILE, note)
        state = replace(state, openings_bytes=size_bytes, openings_sha256=digest, log_keys=self.key_changes)
        write_whole(self._folder / STATE_FILE, state.to_json())
        for tile in self._fetched:
            self._drop_outgrown(tile)
        shutil.rmtree(self._staging, ignore_errors=True)

    def _fetch_tiles(self, known: int) -> None:
        size = self._new.size
        self._fetched = dict.fromkeys([*tiles_of(size, known=known), *bundles_of(size, known=known)])
        # Those of a sync that was killed are there already; what they hold is proved with the rest.
        wanted = [tile for tile in self._fetched if not (self._staging / tile.path).exists()]
        for tile, data in zip(wanted, self._source.tiles(wanted), strict=True):
            write_whole(self._staging / tile.path, _cut(data, tile))
            self.tiles_fetched += 1

    def _read(self, tile: Tile) -> bytes:
        # Only what will be put in place counts; others may lie in staging, of a sync that was killed while healing.
        return read_tile(self._staging if tile in self._fetched else self._folder, tile)

    def _drop_staged_tiles(self) -> None:
        shutil.rmtree(self._staging / "tile", ignore_errors=True)

    def _drop_outgrown(self, tile: Tile) -> None:
        """Remove narrower versions of a tile that grew."""
        partials = self._folder / f"{Tile(tile.level, tile.index, TILE_WIDTH).path}.p"
        if tile.width == TILE_WIDTH:
            shutil.rmtree(partials, ignore_errors=True)
            return
        for path in partials.iterdir():
            if path.name != str(tile.width):
                path.unlink()


def _cut(data: bytes, tile: Tile) -> bytes:
    """The first `width` hashes or leaves: a log may serve the full tile when a partial one is outgrown."""
    return data[: tile.width * (BUNDLED_BYTES if tile.level == ENTRIES else HASH_BYTES)]
