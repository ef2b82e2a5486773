"""The audit log of one data folder: append, sign, and refuse to go on with an older one.

The same rules as the opt-out log's (checker/optout/log.py): an act and the hashes that it completes are one transaction
with what was done; only what is committed is signed; the last signed checkpoint lies in a file of its own, written
before anybody is told; a registry that is behind it signs nothing any more. It has a key of its own, `audit.key`:
who checks an audit pins it for another reason than who follows opt-outs.

Acts are appended inside the caller's transaction, so that nothing is done without being written down. A crash between
commit and signature leaves acts that no checkpoint covers; the next `sign` covers them.
"""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from checker.audit.entry import SALT_BYTES, TEXT_KEPT, Done, audit_row, leaf_of
from checker.errors import DataError, LogBehindError, VerificationError
from checker.optout.log_keys import read_keys
from checker.optout.note import Checkpoint, SigningKey, checkpoint_at, open_checkpoint, parse_signing_key, sign_note
from checker.optout.private_file import read_private, write_private
from checker.optout.tokens import RandomBytes
from checker.optout.tree import Nodes, leaf_hash, nodes_completed, root
from checker.records.audit import add_audit_row, audit_node, audit_size, erase_audit_text
from checker.records.registry import Registry, RegistryWriter

KEY_FILE = "audit.key"
CHECKPOINT_FILE = "audit.checkpoint"
LOCK_FILE = "audit.lock"
_FIRST_KEY_FILE = "audit.key.first"
"""A new key, until the first checkpoint that it signs is there. So a key without a checkpoint is never a crash of ours:
the checkpoint was taken away, and what it covered is not known."""


def record(writer: RegistryWriter, done: Done, random_bytes: RandomBytes = secrets.token_bytes) -> int:
    """Append an act inside the caller's transaction; its index. It counts once `AuditLog.sign` was called."""
    index = audit_size(writer)
    row = audit_row(done, index, random_bytes(SALT_BYTES))
    add_audit_row(writer, row, nodes_completed(index, leaf_hash(leaf_of(row)), _nodes(writer)))
    return index


class AuditLog:
    """Signs the audit log of one data folder. Safe to share between threads."""

    def __init__(self, folder: Path, registry: Registry) -> None:
        self._folder = folder
        self._registry = registry

    def record(self, *done: Done, now: datetime) -> None:
        """Write acts down in a transaction of their own, and sign.

        Raises:
            LogBehindError, DataError: see `sign`; what was done is written down all the same.
        """
        with self._registry.writing() as writer:
            for one in done:
                record(writer, one)
        self.sign(now)

    def sign(self, now: datetime) -> bytes:
        """Sign all that is committed, or give back the last checkpoint where it covers that.

        Raises:
            LogBehindError: the database is not the one that was signed; nothing was signed.
            DataError: the key or the mark is missing or not ours.
        """
        with _locked(self._folder):
            key = self._key()
            note, size = self._require_whole(key), audit_size(self._registry)
            if note is not None and open_checkpoint(note, [key.verifier]).size == size:
                return note
            made = checkpoint_at(key.name, size, root(size, self.nodes), now)
            note = sign_note(made.text, [key])
            write_private(self._folder / CHECKPOINT_FILE, note)
            self._take_first_key()
            return note

    def head(self) -> Checkpoint | None:
        """What the last signed checkpoint says. None: nothing was ever recorded here.

        Raises:
            DataError: the key is missing, or the mark is not signed with it.
        """
        note = self._read(CHECKPOINT_FILE)
        key = _read_key(self._folder)
        if note is None and key is None:
            return None
        if note is None or key is None:
            raise DataError(_half(self._folder, CHECKPOINT_FILE if note is None else KEY_FILE))
        return self._open(note, key)

    def checkpoint(self) -> bytes | None:
        """The last signed checkpoint. None: nothing was ever recorded here."""
        return self._read(CHECKPOINT_FILE)

    def vkey(self) -> str | None:
        """The verifier key that people pin. None: nothing was ever recorded here."""
        key = _read_key(self._folder)
        return key.verifier.text if key else None

    def nodes(self, level: int, index: int) -> bytes:
        """See `checker.optout.tree.Nodes`."""
        return audit_node(self._registry, level, index)

    def erase_old_text(self, now: datetime) -> int:
        """Erase the text of acts of more than three years ago, which leaves their leaves; how many had it still."""
        with self._registry.writing() as writer:
            return erase_audit_text(writer, before=now - TEXT_KEPT)

    def require_whole(self) -> None:
        """Refuse a registry.db that is older than what was signed. A folder in which nothing was recorded passes.

        Raises:
            LogBehindError, DataError: as `sign`.
        """
        with _locked(self._folder):
            self._take_first_key()
            if (key := _read_key(self._folder)) is not None:
                self._require_whole(key)
            elif (self._folder / CHECKPOINT_FILE).exists():
                raise DataError(_half(self._folder, KEY_FILE))

    def _key(self) -> SigningKey:
        self._take_first_key()
        key = _read_key(self._folder)
        if key is None:
            if (self._folder / CHECKPOINT_FILE).exists():
                raise DataError(_half(self._folder, KEY_FILE))
            log_keys = read_keys(self._folder)
            name = log_keys[0].verifier.name if log_keys else f"haveibeenscraped/{secrets.token_hex(4)}"
            key = SigningKey(name=f"{name[:190]}/audit", seed=secrets.token_bytes(32))
            write_private(self._folder / _FIRST_KEY_FILE, f"{key.text}\n".encode())
        return key

    def _take_first_key(self) -> None:
        """Give a key that has signed its name, also where a crash came between the two."""
        first, key = self._folder / _FIRST_KEY_FILE, self._folder / KEY_FILE
        if first.exists() and not key.exists() and (self._folder / CHECKPOINT_FILE).exists():
            first.rename(key)

    def _require_whole(self, key: SigningKey) -> bytes | None:
        note = self._read(CHECKPOINT_FILE)
        if note is None:
            if (self._folder / KEY_FILE).exists():
                raise DataError(_half(self._folder, CHECKPOINT_FILE))
            return None
        head, size = self._open(note, key), audit_size(self._registry)
        if size < head.size:
            raise LogBehindError(
                f"{self._folder}/registry.db holds {size} acts, but {head.size} were signed: it is an older copy; "
                "restore the newest one, keys that were revoked since would be valid again"
            )
        if root(head.size, self.nodes) != head.root:
            raise LogBehindError(
                f"{self._folder}/registry.db holds other acts than were signed; run `hibs audit verify`, and "
                f"restore the copy that belongs to the file {CHECKPOINT_FILE}"
            )
        return note

    def _open(self, note: bytes, key: SigningKey) -> Checkpoint:
        try:
            return open_checkpoint(note, [key.verifier])
        except VerificationError as error:
            raise DataError(
                f"{self._folder / CHECKPOINT_FILE} was not signed with {KEY_FILE} ({error}); restore the two together"
            ) from error

    def _read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None


def _nodes(writer: RegistryWriter) -> Nodes:
    return lambda level, index: audit_node(writer, level, index)


def _half(folder: Path, missing: str) -> str:
    return f"{folder / missing} is missing, so what was signed cannot be checked; restore it from a backup"


def _read_key(folder: Path) -> SigningKey | None:
    path = folder / KEY_FILE
    if (text := read_private(path)) is None:
        return None
    try:
        return parse_signing_key(text.removesuffix("\n"))
    except ValueError as error:
        raise DataError(f"{path} is no file of a signing key ({error}); restore it") from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the audit log of this folder, across threads and processes; waits for whoever has it."""
    with (folder / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
