"""How one key of a log takes over from another.

    rotate   a new key is made; from then on both sign every checkpoint, and a `key` entry says that it was added
    settle   when the time is over, the old one signs no more, its secret half is deleted, and a `key` entry says so

The file `log.key` is written inside the transaction of such an entry, before its commit. A crash between the two leaves
a key whose entry is missing, and the next `settle` adds it; the other way round, a crash could leave an entry about a
key that nobody has. Whatever calls this holds the lock of the log. docs/feed.md section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from checker.errors import DataError, InputError
from checker.model import utc_text
from checker.optout.entry import KeyChange, KeyState, parse_entry
from checker.optout.log_keys import KEY_FILE, LogKey, read_keys, write_keys
from checker.optout.note import SigningKey
from checker.optout.tokens import RandomBytes
from checker.records.registry import Registry, RegistryWriter

Announce = Callable[[RegistryWriter, KeyChange], int]
"""Appends the entry inside the transaction and gives its index."""


class Succession:
    """The keys of the log in one data folder."""

    def __init__(self, folder: Path, registry: Registry, announce: Announce) -> None:
        self._folder = folder
        self._registry = registry
        self._announce = announce
        self._read: tuple[tuple[int, int], tuple[LogKey, ...]] | None = None

    def keys(self) -> tuple[LogKey, ...]:
        """All keys that this log ever had, oldest first; read again when another process changed them."""
        try:
            found = (self._folder / KEY_FILE).stat()
        except OSError as error:
            raise key_missing(self._folder) from error
        stamp = (found.st_ino, found.st_ctime_ns)
        if self._read is None or self._read[0] != stamp:
            self._read = (stamp, read_keys(self._folder))
        return self._read[1]

    def rotate(self, random_bytes: RandomBytes, *, now: datetime, days: int) -> None:
        """Make a new key. Raises InputError where two sign already."""
        keys = self.keys()
        ending = next((key.until for key in keys if key.signing and key.until), None)
        if ending is not None:
            raise InputError(f"two keys sign this log until {utc_text(ending)}; make another one after that")
        new = SigningKey(name=keys[0].verifier.name, seed=random_bytes(32))
        self._change(
            KeyChange(new.verifier.text, KeyState.ADDED),
            lambda index: _with_successor(keys, new, index=index, now=now, days=days),
        )

    def settle(self, now: datetime) -> None:
        """Say in the log what a crash kept from it, and end the key whose time is over."""
        for key in self.keys():
            if key.added is not None and not self._says(key.added, _change_of(key, KeyState.ADDED)):
                self._add_again(key, now)
        for key in self.keys():
            over = key.retired is None and key.until is not None and now >= key.until
            lost = key.retired is not None and not self._says(key.retired, _change_of(key, KeyState.RETIRED))
            if over or lost:
                self._retire(key)

    def _add_again(self, lost: LogKey, now: datetime) -> None:
        """The entry was not kept. The days in which both keys sign begin anew."""
        assert lost.since is not None
        late, keys = _minute(now) - lost.since, self.keys()

        def moved(index: int) -> list[LogKey]:
            later = [replace(key, until=key.until + late) if key.signing and key.until else key for key in keys]
            return [replace(key, since=_minute(now), added=index) if key == lost else key for key in later]

        self._change(_change_of(lost, KeyState.ADDED), moved)

    def _retire(self, old: LogKey) -> None:
        keys = self.keys()
        self._change(
            _change_of(old, KeyState.RETIRED),
            lambda index: [replace(key, signing=None, retired=index) if key == old else key for key in keys],
        )

    def _change(self, change: KeyChange, keys: Callable[[int], Sequence[LogKey]]) -> None:
        """Entry, file, commit. `keys` gives what stands in the file once the entry has this index."""
        with self._registry.writing() as writer:
            write_keys(self._folder, keys(self._announce(writer, change)))

    def _says(self, index: int, change: KeyChange) -> bool:
        """Is this the entry at `index`?"""
        rows = self._registry.log_rows(index, 1)
        return any(row.entry is not None and parse_entry(row.entry) == change for row in rows)


def key_missing(folder: Path) -> DataError:
    """What is said of a log without its key."""
    return DataError(
        f"{folder / KEY_FILE} is missing, but its log was begun; restore it, a new key would be another log"
    )


def _with_successor(keys: Sequence[LogKey], new: SigningKey, *, index: int, now: datetime, days: int) -> list[LogKey]:
    until = _minute(now) + timedelta(days=days)
    before = [replace(key, until=until) if key.signing else key for key in keys]
    return [*before, LogKey(new.verifier, new, since=_minute(now), added=index)]


def _change_of(key: LogKey, state: KeyState) -> KeyChange:
    return KeyChange(key.verifier.text, state)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
