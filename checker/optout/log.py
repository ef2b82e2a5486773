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
How one key takes over from another: succession.py. `log.key` (log_keys.py) is never in a database, because every backup
of the database would then carry it.
"""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from checker.console import count_of
from checker.errors import DataError, InputError, LogBehindError, VerificationError
from checker.optout.entry import SALT_BYTES, Entry, Opening, entry_leaf, write_entry, write_opening
from checker.optout.log_keys import KEY_FILE, LogKey, read_keys, signing_keys, write_keys
from checker.optout.note import (
    Checkpoint,
    SigningKey,
    VerifierKey,
    checkpoint_at,
    is_key_name,
    note_signers,
    open_checkpoint,
    sign_note,
    with_one_signature,
)
from checker.optout.private_file import write_private
from checker.optout.succession import Succession, key_missing
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
from checker.records.registry import REGISTRY_FILE, LogRow, Registry, RegistryWriter

CHECKPOINT_FILE = "checkpoint"
LOCK_FILE = "log.lock"
CHECKPOINT_AGE_MAX = timedelta(hours=1)
"""A log that rests is signed again after this time, so that followers see that it is not withheld."""
OVERLAP_DAYS = 30
"""How long an old key signs beside its successor. Followers are to sync every day, and `honour` takes no feed older
than 7 days, so whoever did not see the new key within a month was not following."""
_PAGE = 500
"""Openings read at a time: short reads, because a reader holds up a commit in a rollback journal."""


class Log:
    """The log of one data folder."""

    def __init__(self, folder: Path, registry: Registry, random_bytes: RandomBytes) -> None:
        self._folder = folder
        self._registry = registry
        self._random_bytes = random_bytes
        self._succession = Succession(folder, registry, lambda writer, change: self.append(writer, change).index)
        self._opened: tuple[bytes, tuple[LogKey, ...], Checkpoint] | None = None

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
            if not read_keys(folder):
                if registry.log_size() or (folder / CHECKPOINT_FILE).exists():
                    raise key_missing(folder)
                name = origin or f"haveibeenscraped/{random_bytes(4).hex()}"
                if not is_key_name(name):
                    raise InputError(
                        f"a log cannot be called {name!r}; give HIBS_LOG_ORIGIN a name without spaces and plus signs"
                    )
                key = SigningKey(name=name, seed=random_bytes(32))
                write_keys(folder, [LogKey(key.verifier, key)])
            log = cls(folder, registry, random_bytes)
            log._sign(now)
        return log

    @property
    def origin(self) -> str:
        """The name of this log, first line of its checkpoints."""
        return self.keys()[0].verifier.name

    @property
    def vkey(self) -> str:
        """The verifier key that people pin: of two that sign the newer one, which will do so longer."""
        return self.keys()[-1].verifier.text

    def keys(self) -> tuple[LogKey, ...]:
        """All keys that this log ever had, oldest first."""
        return self._succession.keys()

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

    def for_receipt(self, note: bytes) -> tuple[VerifierKey, bytes]:
        """The key that a receipt with this checkpoint names, and the checkpoint with the signature of that key alone.

        Of two keys the newer one: its verifier key is the one that will be published longer.
        """
        signers = note_signers(note)
        key = next(k.verifier for k in reversed(self.keys()) if (k.verifier.name, k.verifier.id) in signers)
        return key, with_one_signature(note, key)

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

    def rotate(self, now: datetime, *, days: int = OVERLAP_DAYS) -> LogKey:
        """Make a new key. It signs from now on, the one before it beside it for `days` and then no more.

        Whoever signs after that day ends the old key; its secret half is deleted then.

        Raises:
            InputError: two keys sign already.
            LogBehindError, DataError: see `open`; nothing was changed.
        """
        with _locked(self._folder):
            self._sign(now)
            self._succession.rotate(self._random_bytes, now=now, days=days)
            self._sign(now)
        return self.keys()[-1]

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
        note = self._require_whole()
        self._succession.settle(now)
        size, signing = self._registry.log_size(), signing_keys(self.keys())
        if note is not None:
            head, signers = self._open_mark(note), note_signers(note)
            young = now - head.time < CHECKPOINT_AGE_MAX
            if head.size == size and young and all((key.name, key.verifier.id) in signers for key in signing):
                return note
        made = checkpoint_at(self.origin, size, root(size, self._registry.node), now)
        note = sign_note(made.text, signing)
        write_private(self._folder / CHECKPOINT_FILE, note)
        return note

    def _require_whole(self) -> bytes | None:
        """The mark, which the database holds all of. None: nothing was signed yet."""
        size, note = self._registry.log_size(), self._read_mark()
        if note is None and size:
            raise DataError(
                f"{self._folder / CHECKPOINT_FILE} is missing, so what was signed is not known; "
                "restore it, a follower of the feed has a copy"
            )
        if note is not None:
            self._refuse_behind(self._open_mark(note), size)
        return note

    def _refuse_behind(self, head: Checkpoint, size: int) -> None:
        if size < head.size:
            held = count_of(size, "entry", "entries")
            raise LogBehindError(
                f"{self._folder}/registry.db holds {held}, but {head.size} were signed: it is an older copy; "
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
        """Keys are read after the mark: whoever changes both writes the keys first."""
        log_keys, opened = self.keys(), self._opened
        if opened is not None and opened[:2] == (note, log_keys):
            return opened[2]
        keys = [key.verifier for key in log_keys]
        try:
            signers = note_signers(note)
            head = open_checkpoint(note, keys)
        except VerificationError as error:
            raise DataError(
                f"{self._folder / CHECKPOINT_FILE} was not signed with {KEY_FILE} ({error}); restore the two together"
            ) from error
        if any(name == head.origin and key_id not in {key.id for key in keys} for name, key_id in signers):
            raise DataError(
                f"{self._folder / CHECKPOINT_FILE} is signed by a key that {KEY_FILE} lacks, so that is an older copy; "
                "restore the newest one, followers have the other key pinned"
            )
        self._opened = (note, log_keys, head)
        return head


def folder_keys(folder: Path) -> tuple[LogKey, ...]:
    """All keys of the log in this data folder, oldest first.

    Raises:
        DataError: it has no log, or its key file cannot be used.
    """
    keys = read_keys(folder)
    if not keys:
        raise DataError(f"{folder} has no {KEY_FILE}; give the data folder of a log")
    return keys


def folder_key(folder: Path) -> str:
    """The verifier key of the log in this data folder; of two that sign the newer one. Raises as `folder_keys`."""
    return folder_keys(folder)[-1].verifier.text


def require_whole_log(folder: Path, registry: Registry) -> None:
    """Refuse a registry.db that is older than what its log signed: revoked API keys would be valid again, too.

    A folder without a log passes.

    Raises:
        LogBehindError, DataError: as `Log.open`.
    """
    with _locked(folder):
        if read_keys(folder):
            Log(folder, registry, secrets.token_bytes)._require_whole()
        elif registry.log_size() or (folder / CHECKPOINT_FILE).exists():
            raise key_missing(folder)


def require_whole_folder(folder: Path) -> None:
    """The same for a data folder: with an older registry.db, what was opted out since would be told and recorded.

    One without a registry passes, where nothing was signed. Raises LogBehindError, DataError.
    """
    if (folder / REGISTRY_FILE).is_file():
        with closing(Registry.open(folder / REGISTRY_FILE)) as registry:
            require_whole_log(folder, registry)
    elif (folder / CHECKPOINT_FILE).exists():
        raise LogBehindError(
            f"{folder}/{REGISTRY_FILE} is missing, but its log was signed here; "
            "restore it, else what was opted out would be told and recorded"
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the log of this folder, across threads and processes; waits for whoever has it."""
    with (folder / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
