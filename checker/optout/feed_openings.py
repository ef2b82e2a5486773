"""The openings of a feed folder on their way to a new checkpoint: only the new ones are fetched, proved and written.

A log of a million entries has half a gigabyte of openings, so they are never held, and what was proved once is not
proved again: `state.json` remembers how many bytes opened how many leaves, and their SHA-256. While that digest holds,
and the new tree begins with the old root, the old lines are what they were. Reading them for the digest costs a second
or two a gigabyte, and is not left out, because a follower whose disk lost a line would notice only when `verify` fails.
Where the digest does not hold (a damaged file, a sync that was killed), the lines are proved again one by one; from the
first leaf that lacks a good one, all are fetched anew.

    openings.ndjson            what was proved; lines beyond its remembered bytes are of a sync that was cut short
    .sync/openings.ndjson      the lines that follow it, as they came; a sync that was killed goes on after the last
    .sync/openings.whole       the file without what was erased; made only when an erase entry asks for it

New lines are appended. Only an erasure writes the file anew, and then all of it is proved again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from checker.errors import VerificationError
from checker.optout.common_lines import Opened, read_line
from checker.optout.entry import KeyChange
from checker.optout.feed import OPENINGS_FILE, FeedState, lines_of
from checker.optout.feed_folder import STAGING_FOLDER
from checker.optout.feed_proof import Account, read_numbered
from checker.optout.trust import FeedSource

WHOLE_FILE = "openings.whole"
_CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class _Kept:
    """The beginning of `openings.ndjson` that holds."""

    account: Account
    size_bytes: int
    digest: hashlib._Hash
    """Fed with these bytes; goes on with the new ones."""
    log_keys: tuple[tuple[int, KeyChange], ...] = ()
    """What it says of the log's keys, where the account does not know."""


class NewOpenings:
    """One update of the openings. First `fetch`, which leaves the folder as it was, then `put_in_place`."""

    def __init__(self, folder: Path, leaves: bytearray, proved: FeedState | None) -> None:
        """Begin.

        Args:
            leaves: those of the new checkpoint, proved.
            proved: what is remembered of the lines that are there; None: nothing that could be relied on.
        """
        self._path = folder / OPENINGS_FILE
        self._staged = folder / STAGING_FOLDER / OPENINGS_FILE
        self._whole = folder / STAGING_FOLDER / WHOLE_FILE
        self._leaves = leaves
        self._proved = proved
        self._kept_bytes = 0
        self._digest = hashlib.sha256()
        self._rewritten = False
        self.fetched = 0
        self.erased = 0
        """Lines of the folder that were left out because their entries were erased."""
        self.key_changes: tuple[tuple[int, KeyChange], ...] = ()
        """After `fetch`: what the log says of its own keys."""

    def fetch(self, source: FeedSource) -> None:
        """Bring the openings up to the checkpoint.

        Raises:
            VerificationError: something does not hold; part "omission" when an opening is missing and was not erased.
        """
        kept = self._kept()
        account, self._kept_bytes, self._digest = kept.account, kept.size_bytes, kept.digest
        self._staged.parent.mkdir(parents=True, exist_ok=True)
        self._whole.unlink(missing_ok=True)
        self._resume(account)
        if account.first_missing() is not None:
            self._fetch_after(account, source)
        erased = account.erased_and_here()
        kept_keys = kept.log_keys
        if erased:
            account, kept_keys = self._leave_out(erased), ()
        account.require_complete()
        self.key_changes = kept_keys + account.key_changes

    def forget(self) -> None:
        """Drop what was fetched: it does not hold, so the next sync begins anew."""
        self._staged.unlink(missing_ok=True)

    def put_in_place(self) -> tuple[int, str]:
        """Change `openings.ndjson`. Returns its size in bytes and its SHA-256, for `state.json`."""
        if self._rewritten:
            _sync_to_disk(self._whole)
            self._whole.replace(self._path)
        elif not self._kept_bytes:
            _sync_to_disk(self._staged)
            self._staged.replace(self._path)
        else:
            self._append()
        return self._path.stat().st_size, self._digest.hexdigest()

    # --- what is there already ---------------------------------------------------------------------------------

    def _kept(self) -> _Kept:
        remembered = self._remembered()
        if remembered is not None:
            return remembered
        account = Account(self._leaves)
        kept = self._scan(account, before=len(self._leaves))
        missing = account.first_missing()
        if missing is not None and missing <= account.last:
            kept = self._scan(Account(self._leaves), before=missing)
        return kept

    def _remembered(self) -> _Kept | None:
        if self._proved is None or self._proved.log_keys is None:
            return None
        digest, left = hashlib.sha256(), self._proved.openings_bytes
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
                digest.update(chunk)
                left -= len(chunk)
        if left or digest.hexdigest() != self._proved.openings_sha256:
            return None
        account = Account(self._leaves, start=self._proved.tree_size)
        return _Kept(account, self._proved.openings_bytes, digest, self._proved.log_keys)

    def _scan(self, account: Account, *, before: int) -> _Kept:
        """Prove the lines of leaves below `before`, up to the first that does not hold."""
        size_bytes, digest = 0, hashlib.sha256()
        for line in _lines_if_any(self._path):
            try:
                opened = read_numbered(line, 0, account.last)
                if opened.index >= before:
                    break
                account.add(opened)
            except VerificationError:
                break
            size_bytes += len(line)
            digest.update(line)
        return _Kept(account, size_bytes, digest)

    def _resume(self, account: Account) -> None:
        """Take what an earlier sync fetched before it was killed; from the first line that does not hold, nothing."""
        good_bytes = 0
        for line in _lines_if_any(self._staged):
            try:
                account.add(read_numbered(line, 0, account.last))
            except VerificationError:
                break
            good_bytes += len(line)
            self._digest.update(line)
        with self._staged.open("ab") as file:
            file.truncate(good_bytes)

    # --- what is new -------------------------------------------------------------------------------------------

    def _fetch_after(self, account: Account, source: FeedSource) -> None:
        with self._staged.open("ab") as file:
            for received in source.openings(account.last + 1):
                line = received.removesuffix(b"\n") + b"\n"
                opened = _read_received(line, account.last)
                if opened.index >= account.size:
                    break  # the log grew after its checkpoint was asked for
                account.add(opened)
                file.write(line)
                self._digest.update(line)
                self.fetched += 1

    def _leave_out(self, erased: frozenset[int]) -> Account:
        """Write and prove the file without what was erased."""
        account, self._digest = Account(self._leaves), hashlib.sha256()
        old_lines = self._kept_lines()
        with self._whole.open("wb") as file:
            for line, is_old in chain(
                ((line, True) for line in old_lines), ((x, False) for x in lines_of(self._staged))
            ):
                opened = read_line(line)
                if opened.index in erased:
                    self.erased += is_old
                    continue
                account.add(opened)
                file.write(line)
                self._digest.update(line)
        self._rewritten = True
        return account

    def _kept_lines(self) -> Iterator[bytes]:
        left = self._kept_bytes
        for line in _lines_if_any(self._path):
            if left <= 0:
                return
            left -= len(line)
            yield line

    def _append(self) -> None:
        """Add the new lines after those that hold; whatever a sync that was killed left there is cut off."""
        if not self._staged.stat().st_size and self._path.stat().st_size == self._kept_bytes:
            return
        with self._path.open("r+b") as file, self._staged.open("rb") as new:
            file.truncate(self._kept_bytes)
            file.seek(self._kept_bytes)
            shutil.copyfileobj(new, file, _CHUNK_BYTES)
            file.flush()
            os.fsync(file.fileno())


def _read_received(line: bytes, last: int) -> Opened:
    try:
        return read_line(line)
    except VerificationError as error:
        raise VerificationError(f"leaf {last + 1}: {error}", part=error.part) from error


def _lines_if_any(path: Path) -> Iterator[bytes]:
    return lines_of(path) if path.exists() else iter(())


def _sync_to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
