"""The writer's side of the log: append, sign, prove, and give out what followers read.

The one sin of a log is to sign two histories. So:

1. An entry and the hashes of the subtrees it completes are one transaction of registry.db, numbered without a gap.
2. Only what is committed is signed, and the commit was synced to the disk before.
3. The last signed checkpoint is kept in a file of its own, `checkpoint`, the high-water mark. It is written (temporary
   name, sync, rename) before anybody is told. It lies outside the database on purpose: whoever restores an old
   registry.db finds a mark that is ahead of it, and nothing is signed any more (LogBehindError).
4. Reading the mark, checking the database against it, signing and writing it happen under one file lock, so that of two
   processes the slower cannot put an older checkpoint over a newer one.

A crash between commit and signature leaves entries that no checkpoint covers; the next `sign` covers them.
`log.key` (mode 0600) is never in a database, because every backup of the database would then carry it.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from checker.errors import DataError, InputError, LogBehindError, VerificationError
from checker.optout.entry import SALT_BYTES, Entry, Opening, entry_leaf, write_entry, write_opening
from checker.optout.note import (
    Checkpoint,
    SigningKey,
    checkpoint_at,
    is_key_name,
    open_checkpoint,
    parse_signing_key,
)
from checker.optout.tokens import RandomBytes
from checker.optout.tree import (
    ENTRIES,
    TILE_HEIGHT,
    TILE_WIDTH,
    Tile,
    has_tile,
    inclusion_proof,
    leaf_hash,
    nodes_completed,
    root,
    write_bundle,
)
from checker.records.registry import LogRow, Registry, RegistryWriter

KEY_FILE = "log.key"
CHECKPOINT_FILE = "checkpoint"
LOCK_FILE = "log.lock"
CHECKPOINT_AGE_MAX = timedelta(hours=1)
"""A log that rests is signed again after this time, so that followers see that it is not withheld."""
_PAGE = 500
"""Openings read at a time: short reads, because a reader holds up a commit in a rollback journal."""


class Log:
    """The log of one data folder."""

    def __init__(self, folder: Path, registry: Registry, key: SigningKey, random_bytes: RandomBytes) -> None:
        self._folder = folder
        self._registry = registry
        self._key = key
        self._random_bytes = random_bytes

    @classmethod
    def open(
        cls, folder: Path, registry: Registry, *, now: datetime, origin: str | None, random_bytes: RandomBytes
    ) -> Log:
        """Open the log, making its key when there is no log yet, and sign what was committed and not signed.

        Args:
            origin: name of a new log; an existing one keeps its own. None: `haveibeenscraped/` and 8 hex digits.
        Raises:
            LogBehindError: registry.db holds less than was signed, or something else.
            DataError: the key or the mark is missing or not ours.
        """
        with _locked(folder):
            key = _read_key(folder / KEY_FILE)
            if key is None:
                if registry.log_size() or (folder / CHECKPOINT_FILE).exists():
                    raise DataError(
                        f"{folder / KEY_FILE} is missing, but its log was begun; "
                        "restore it, a new key would be another log"
                    )
                name = origin or f"haveibeenscraped/{random_bytes(4).hex()}"
                if not is_key_name(name):
                    raise InputError(f"a log cannot be called {name!r}; use letters without spaces and plus signs")
                key = SigningKey(name=name, seed=random_bytes(32))
                write_private(folder / KEY_FILE, f"{key.text}\n".encode())
            log = cls(folder, registry, key, random_bytes)
            log._sign(now)
        return log

    @property
    def origin(self) -> str:
        """The name of this log, first line of its checkpoints."""
        return self._key.name

    @property
    def vkey(self) -> str:
        """The verifier key that people pin."""
        return self._key.verifier.text

    @property
    def size(self) -> int:
        """How many entries are under the last signed checkpoint."""
        return self.head().size

    def checkpoint(self) -> bytes:
        """The last signed checkpoint. There is one from the moment a log is opened, of size 0 then."""
        note = self._read_mark()
        if note is None:
            raise DataError(f"{self._folder / CHECKPOINT_FILE} is gone; restore it, a follower of the feed has a copy")
        return note

    def head(self) -> Checkpoint:
        """What the last signed checkpoint says."""
        return self._open_mark(self.checkpoint())

    # --- writing -----------------------------------------------------------------------------------------------

    def append(self, writer: RegistryWriter, entry: Entry) -> LogRow:
        """Add an entry inside the caller's transaction. It counts once `sign` was called after the commit."""
        data, salt, index = write_entry(entry), self._random_bytes(SALT_BYTES), writer.log_size()
        row = LogRow(index=index, leaf=entry_leaf(data, salt), entry=data, salt=salt)
        writer.add_log_entry(row, nodes_completed(index, leaf_hash(row.leaf), writer.node))
        return row

    def sign(self, now: datetime) -> bytes:
        """Sign all that is committed, or give back the last checkpoint where it covers that and is young.

        Raises:
            LogBehindError: the database is not the one that was signed; nothing was signed.
        """
        with _locked(self._folder):
            return self._sign(now)

    def prove(self, index: int, size: int) -> tuple[bytes, ...]:
        """The inclusion proof of an entry in the log of this size."""
        return inclusion_proof(index, size, self._registry.node)

    # --- what followers read -----------------------------------------------------------------------------------

    def tile(self, level: int, n: int, width: int = TILE_WIDTH) -> bytes:
        """The hashes of a tile (C2SP tlog-tiles).

        Raises:
            InputError: the signed log has no such tile.
        """
        self._require(Tile(level, n, width))
        return b"".join(self._registry.nodes(level * TILE_HEIGHT, n * TILE_WIDTH, width))

    def entries(self, n: int, width: int = TILE_WIDTH) -> bytes:
        """A bundle of entries (C2SP tlog-tiles): each entry is the 32 bytes of a leaf.

        Raises:
            InputError: the signed log has no such bundle.
        """
        self._require(Tile(ENTRIES, n, width))
        return write_bundle([row.leaf for row in self._registry.log_rows(n * TILE_WIDTH, width)])

    def openings(self, from_index: int, count: int) -> Iterator[bytes]:
        """The openings of the signed entries `from_index` to `from_index + count - 1`, one line each.

        An erased entry has none, so there may be fewer lines than entries.
        """
        end = min(from_index + count, self.size)
        for first in range(from_index, end, _PAGE):
            for row in self._registry.log_rows(first, min(_PAGE, end - first)):
                if row.entry is not None and row.salt is not None:
                    yield write_opening(Opening(index=row.index, entry=row.entry, salt=row.salt))

    # --- inside ------------------------------------------------------------------------------------------------

    def _require(self, tile: Tile) -> None:
        inside = tile.index >= 0 and ENTRIES <= tile.level < 64 and 1 <= tile.width <= TILE_WIDTH
        if not inside or not has_tile(tile, self.size):
            raise InputError("the log has no such tile; fetch the checkpoint and ask for tiles of its size")

    def _sign(self, now: datetime) -> bytes:
        size, note = self._registry.log_size(), self._read_mark()
        if note is None and size:
            raise DataError(
                f"{self._folder / CHECKPOINT_FILE} is missing, so what was signed is not known; "
                "restore it, a follower of the feed has a copy"
            )
        if note is not None:
            head = self._open_mark(note)
            self._refuse_behind(head, size)
            if head.size == size and now - head.time < CHECKPOINT_AGE_MAX:
                return note
        made = checkpoint_at(self.origin, size, root(size, self._registry.node), now)
        note = self._key.sign(made.text)
        write_private(self._folder / CHECKPOINT_FILE, note)
        return note

    def _refuse_behind(self, head: Checkpoint, size: int) -> None:
        if size < head.size:
            raise LogBehindError(
                f"{self._folder}/registry.db holds {size} entries, but {head.size} were signed: it is an older copy; "
                "restore the newest one, going on would fork the log"
            )
        if root(head.size, self._registry.node) != head.root:
            raise LogBehindError(
                f"{self._folder}/registry.db holds other entries than were signed; "
                "restore the copy that belongs to the file checkpoint, going on would fork the log"
            )

    def _read_mark(self) -> bytes | None:
        try:
            return (self._folder / CHECKPOINT_FILE).read_bytes()
        except FileNotFoundError:
            return None

    def _open_mark(self, note: bytes) -> Checkpoint:
        try:
            return open_checkpoint(note, [self._key.verifier])
        except VerificationError as error:
            raise DataError(
                f"{self._folder / CHECKPOINT_FILE} was not signed with {KEY_FILE} ({error}); restore the two together"
            ) from error


def folder_key(folder: Path) -> str:
    """The verifier key of the log in this data folder.

    Raises:
        DataError: it has no log, or its key file cannot be used.
    """
    key = _read_key(folder / KEY_FILE)
    if key is None:
        raise DataError(f"{folder} has no {KEY_FILE}; give the data folder of a log, or --key")
    return key.verifier.text


def write_private(path: Path, data: bytes) -> None:
    """Write a file of mode 0600 so that after a crash it is there as it was or as it should be, and on the disk.

    Raises:
        DataError: it cannot be written.
    """
    temporary = path.with_name(f"{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}; check space and permissions") from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the log of this folder, across threads and processes; waits for whoever has it."""
    with (folder / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read_key(path: Path) -> SigningKey | None:
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="utf-8")
        if stat.S_IMODE(mode) & 0o077:
            raise DataError(f"{path} can be read by others; run `chmod 600 {path}`, and think of a new log if one did")
        return parse_signing_key(text.removesuffix("\n"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; check its permissions") from error
    except ValueError as error:
        raise DataError(f"{path} is no signing key ({error}); restore it") from error
