"""Follow a log: bring a feed folder up to date from a server or a data folder, and never accept another history.

One sync, in order:

1. The checkpoint, signed by the pinned key. Smaller than what was accepted before: rollback. Same size and another
   root: fork.
2. The tiles and bundles that are new or grew. Where they do not fit what the folder has, all of them are fetched: only
   a whole tree that gives the new root can show that the old root is not in it, which is a fork. A damaged folder is
   healed the same way.
3. The openings from the first one missing. An erased one is deleted here too. One that is missing without an erase
   entry is asked for again with a newer checkpoint, since it may have been erased meanwhile.
4. Everything is written to `.sync` and proved there; then renamed into place, the checkpoint last. A sync that was
   killed leaves the old state, or one that `verify` refuses and the next sync completes.

On a fork or rollback the new checkpoint is kept as `checkpoint.conflict`, evidence that anybody can check, and nothing
else is touched. Bytes come from a `FeedSource`; this module knows paths and proofs, no network.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from checker.errors import InputError, VerificationError
from checker.model import utc_text
from checker.optout.entry import Entry, Opening, parse_opening, write_opening
from checker.optout.feed import (
    CHECKPOINT_FILE,
    OPENINGS_FILE,
    STATE_FILE,
    VERIFY_AGE_MAX,
    FeedState,
    is_stale,
    read_checkpoint,
    read_state,
)
from checker.optout.feed_proof import check_complete, checked_entry, erased_by, tree_nodes, verify_tree
from checker.optout.note import Checkpoint
from checker.optout.tree import TILE_WIDTH, Tile, bundles_of, root, tiles_of
from checker.optout.trust import FeedSource, first_contact, fork, given_key, offered_checkpoint, refuse_rollback

CONFLICT_FILE = "checkpoint.conflict"
STAGING_FOLDER = ".sync"
LOCK_FILE = ".lock"
OURS = frozenset({CHECKPOINT_FILE, OPENINGS_FILE, STATE_FILE, CONFLICT_FILE, STAGING_FOLDER, LOCK_FILE, "tile"})
ATTEMPTS_MAX = 3
"""Checkpoints tried in one sync; each further one is asked for only when an opening vanished meanwhile."""


@dataclass(frozen=True, slots=True)
class Synced:
    """What one sync did."""

    origin: str
    key: str
    source: str
    old_size: int
    size: int
    root: bytes
    signed_at: datetime
    tiles_fetched: int
    """Tiles and bundles."""
    openings_fetched: int
    openings_erased: int
    """Deleted here because they were erased."""
    first_use: bool
    """The key was taken from the source itself: nobody confirmed it."""
    stale: bool
    """The checkpoint is older than 48 hours, or from the future."""

    def to_dict(self) -> dict[str, str | int | bool]:
        """The answer of `hibs feed sync --json`."""
        return {
            "origin": self.origin,
            "key": self.key,
            "source": self.source,
            "old_size": self.old_size,
            "tree_size": self.size,
            "root": self.root.hex(),
            "signed_at": utc_text(self.signed_at),
            "tiles_fetched": self.tiles_fetched,
            "openings_fetched": self.openings_fetched,
            "openings_erased": self.openings_erased,
            "trusted_on_first_use": self.first_use,
        }


def sync(folder: Path, source: FeedSource, *, now: datetime, pin: str | None = None) -> Synced:
    """Bring `folder` up to date; it is made when it is missing.

    Args:
        pin: the verifier key to trust at the first sync. None: the one that the source names.
    Raises:
        InputError: the folder holds something else, or another sync is at work in it.
        RemoteError: the source did not answer. The folder is as before.
        VerificationError: what it answered does not hold, is a fork or a rollback. The folder is as before.
    """
    expected = None if pin is None else given_key(pin)
    with _held(folder):
        known = read_state(folder)
        state = known or first_contact(source, expected, now)
        if expected is not None and expected != state.key:
            raise VerificationError(f"{folder} follows {state.key.text}, which is not the key given", part="key")
        old = read_checkpoint(folder, state) if known else None
        seen: Checkpoint | None = None
        for attempt in range(1, ATTEMPTS_MAX + 1):
            note = source.checkpoint()
            new = offered_checkpoint(note, state, source)
            with _keeping_conflict(folder, note):
                refuse_rollback(state, old, new)
                update = _Update(folder, source, old, new)
                update.fetch_tree()
            try:
                update.fetch_openings()
            except VerificationError as error:
                # Without a newer checkpoint there is nothing that could explain the missing opening.
                if error.part != "omission" or attempt == ATTEMPTS_MAX or new == seen:
                    raise
                seen = new
                continue
            break
        if old is not None and old.size == new.size and old.time > new.time:
            # An older signature over the same tree tells nothing new.
            new, note = old, (folder / CHECKPOINT_FILE).read_bytes()
        accepted = replace(state, source=source.name, tree_size=new.size, synced_at=utc_text(now))
        update.put_in_place(accepted, note)
    return Synced(
        origin=state.origin,
        key=state.key.text,
        source=source.name,
        old_size=old.size if old else 0,
        size=new.size,
        root=new.root,
        signed_at=new.time,
        tiles_fetched=update.tiles_fetched,
        openings_fetched=update.openings_fetched,
        openings_erased=update.openings_erased,
        first_use=known is None and pin is None,
        stale=is_stale(new.time, now=now, age_max=VERIFY_AGE_MAX),
    )


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the folder against other syncs; make it when it is missing."""
    made = False
    try:
        made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        strangers = {path.name for path in folder.iterdir()} - OURS
        if strangers and not (folder / STATE_FILE).exists():
            raise InputError(f"{folder} holds other files and is no feed folder; choose an empty one")
        with (folder / LOCK_FILE).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(f"another sync is at work in {folder}; wait for it to end") from error
            yield
    except OSError as error:
        raise InputError(
            f"cannot write to the feed folder {folder}: {error.strerror}; check it and try again"
        ) from error
    finally:
        if made:
            _drop_if_empty(folder)


def _drop_if_empty(folder: Path) -> None:
    """A folder made for a sync that got nothing goes again: it would look like a feed."""
    with suppress(OSError):
        if [path.name for path in folder.iterdir()] == [LOCK_FILE]:
            shutil.rmtree(folder)


@contextmanager
def _keeping_conflict(folder: Path, note: bytes) -> Iterator[None]:
    """Keep the new checkpoint beside the old one when both cannot be true."""
    try:
        yield
    except VerificationError as error:
        if error.part in ("fork", "rollback"):
            _write(folder / CONFLICT_FILE, note)
        raise


class _Update:
    """One new state of a feed folder, made in `.sync`."""

    def __init__(self, folder: Path, source: FeedSource, old: Checkpoint | None, new: Checkpoint) -> None:
        self._folder = folder
        self._staging = folder / STAGING_FOLDER
        self._source = source
        self._old = old
        self._new = new
        self._leaves: list[bytes] = []
        self._fetched: list[Tile] = []
        self.tiles_fetched = 0
        self.openings_fetched = 0
        self.openings_erased = 0

    def fetch_tree(self) -> None:
        """Rule 2. Raises VerificationError, part "fork" among others."""
        known = self._old.size if self._old else 0
        try:
            self._fetch_tiles(known)
            self._leaves = verify_tree(self._new, self._read)
        except VerificationError:
            shutil.rmtree(self._staging, ignore_errors=True)
            self._fetch_tiles(0)
            self._leaves = verify_tree(self._new, self._read)
        if self._old and root(self._old.size, tree_nodes(self._new.size, self._read)) != self._old.root:
            shutil.rmtree(self._staging, ignore_errors=True)
            raise fork(self._old, self._new)

    def _fetch_tiles(self, known: int) -> None:
        self._fetched = [*tiles_of(self._new.size, known=known), *bundles_of(self._new.size, known=known)]
        for tile in self._fetched:
            staged = self._staging / tile.path
            if staged.exists():
                continue  # of a sync that was killed; what it holds is proved below
            _write(staged, _cut(self._source.tile(tile), tile))
            self.tiles_fetched += 1

    def _read(self, tile: Tile) -> bytes:
        staged = self._staging / tile.path
        return (staged if staged.exists() else self._folder / tile.path).read_bytes()

    def fetch_openings(self) -> None:
        """Rule 3. Raises VerificationError, part "omission" when one is missing and was not erased."""
        openings, entries = self._openings_here()
        before = set(openings)
        here = erased_by(entries.values())
        missing = (index for index in range(len(self._leaves)) if index not in openings and index not in here)
        start = next(missing, None)
        if start is not None:
            last = start - 1
            for line in self._source.openings(start):
                opening = parse_opening(line)
                if opening.index >= len(self._leaves):
                    break  # the log grew after its checkpoint was asked for
                if opening.index <= last:
                    raise VerificationError(f"leaf {opening.index}: its opening came out of order", part="opening")
                last = opening.index
                entries[opening.index] = checked_entry(opening, self._leaves)
                openings[opening.index] = opening
                self.openings_fetched += 1
        erased = erased_by(entries.values())
        self.openings_erased = len(before & erased)
        left = sorted(openings.keys() - erased)
        check_complete({index: entries[index] for index in left}, len(self._leaves))
        _write(self._staging / OPENINGS_FILE, b"".join(write_opening(openings[index]) for index in left))

    def _openings_here(self) -> tuple[dict[int, Opening], dict[int, Entry]]:
        """What the folder has and the log confirms; the rest is fetched again."""
        openings: dict[int, Opening] = {}
        entries: dict[int, Entry] = {}
        path = self._folder / OPENINGS_FILE
        for line in path.read_bytes().splitlines() if path.exists() else ():
            try:
                opening = parse_opening(line)
                entries[opening.index] = checked_entry(opening, self._leaves)
            except VerificationError:
                continue
            openings[opening.index] = opening
        return openings, entries

    def put_in_place(self, state: FeedState, note: bytes) -> None:
        """Rule 4, the second half."""
        for tile in self._fetched:
            target = self._folder / tile.path
            target.parent.mkdir(parents=True, exist_ok=True)
            (self._staging / tile.path).replace(target)
        (self._staging / OPENINGS_FILE).replace(self._folder / OPENINGS_FILE)
        _write(self._folder / STATE_FILE, state.to_json())
        _write(self._folder / CHECKPOINT_FILE, note)
        for tile in self._fetched:
            self._drop_outgrown(tile)
        shutil.rmtree(self._staging, ignore_errors=True)

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
    return data[: tile.width * (34 if tile.level < 0 else 32)]


def _write(path: Path, data: bytes) -> None:
    """Write beside and rename: the file is the old one or the new one, whatever happens."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(data)
        if STAGING_FOLDER not in path.parts:  # what power loss takes from staging is proved missing and fetched again
            file.flush()
            os.fsync(file.fileno())
    partial.replace(path)
