"""Whom a follower trusts: one pinned key, and never a history that contradicts what it signed before.

A log may change its key: the old one and the new one sign together for some weeks, and an entry of the log says that
the new one came. A follower learns of it from that entry, under a checkpoint that its pinned key signed, and tells a
person. Only a person pins: whoever stole the old key could also write such an entry (docs/feed.md section 5).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from checker.errors import InputError, RemoteError, VerificationError
from checker.model import utc_text
from checker.optout.entry import Entry, KeyChange, KeyState
from checker.optout.feed import FeedState, checked_checkpoint
from checker.optout.note import Checkpoint, VerifierKey, parse_verifier_key
from checker.optout.tree import Tile


class FeedSource(Protocol):
    """Where a feed comes from. Raises RemoteError or DataError when it does not answer."""

    name: str
    """For people and for `state.json`."""

    def key(self) -> str:
        """The verifier key that the source itself names."""
        ...

    def checkpoint(self) -> bytes:
        """The newest signed checkpoint."""
        ...

    def tile(self, tile: Tile) -> bytes:
        """A tile or bundle of at least this width; a wider one is cut by the follower."""
        ...

    def tiles(self, wanted: Sequence[Tile]) -> Iterator[bytes]:
        """Each of these tiles and bundles, in this order, as `tile` gives them."""
        ...

    def openings(self, start: int) -> Iterator[bytes]:
        """Lines of the openings with index `start` and larger, in order."""
        ...


def given_key(text: str) -> VerifierKey:
    """The key that a person gives. Raises InputError: a mistyped one is their mistake, nothing was forged."""
    try:
        return parse_verifier_key(text)
    except VerificationError as error:
        raise InputError(f"--pin: {error}; take it as the log's operator publishes it") from error


def first_contact(source: FeedSource, expected: VerifierKey | None, now: datetime) -> FeedState:
    """The state of a folder that follows nothing yet.

    Raises:
        RemoteError: no key was given, and the source names none.
    """
    try:
        key = expected or parse_verifier_key(source.key())
    except VerificationError as error:
        raise RemoteError(f"{source.name} names no key of a log; check the address") from error
    return FeedState(origin=key.name, key=key, source=source.name, tree_size=0, synced_at=utc_text(now))


class KeyNews:
    """What a log says of its own keys, collected on the way through its entries."""

    def __init__(self, origin: str, changes: Iterable[tuple[int, KeyChange]] = ()) -> None:
        self._origin = origin
        self._added: dict[VerifierKey, int] = {}
        self._retired: set[VerifierKey] = set()
        for index, change in changes:
            self.see(index, change)

    def see(self, index: int, entry: Entry) -> None:
        """Take note of an entry. Keys of other names are passed over: they never sign this log."""
        if not isinstance(entry, KeyChange):
            return
        key = parse_verifier_key(entry.key)
        if key.name == self._origin and entry.state is KeyState.ADDED:
            self._added.setdefault(key, index)
        elif key.name == self._origin:
            self._retired.add(key)

    def standing(self) -> Mapping[VerifierKey, int]:
        """Keys that came and did not go, with the entry that says so, oldest first."""
        return {key: index for key, index in self._added.items() if key not in self._retired}

    def sentences(self, pinned: VerifierKey) -> tuple[str, ...]:
        """What a person should be told who pinned this key: one sentence for each newer one."""
        standing = self.standing()
        return tuple(
            f"the log {self._origin} changes its key: entry {index} says that {key.text} signs it too; compare that "
            "with what its operator publishes elsewhere, and then sync with --pin and this key"
            for key, index in standing.items()
            if index > standing.get(pinned, -1) and key != pinned
        )


def repinned(state: FeedState, given: VerifierKey, news: KeyNews) -> FeedState:
    """The state of a folder in which a person pins another key than the one that it follows.

    Args:
        news: of the folder as it was accepted, so that the pinned key signed what it says.
    Raises:
        VerificationError: part "key"; the log did not say that this key came.
    """
    if given not in news.standing():
        raise VerificationError(
            f"this folder follows {state.key.text}, which is not the key given, and nothing that it signed says that "
            f"{given.text} signs the same log; sync once without --pin, or compare both with what the log's operator "
            "publishes and begin a new folder",
            part="key",
        )
    return replace(state, key=given)


def offered_checkpoint(note: bytes, state: FeedState, source: FeedSource) -> Checkpoint:
    """Open what the source offers. Raises VerificationError, naming the source, when the pinned key did not sign it."""
    try:
        return checked_checkpoint(note, state.key)
    except VerificationError as error:
        raise VerificationError(
            f"{source.name} offers a checkpoint that is not accepted: {error}; check that it is the log that is "
            "followed here and whether its key changed, and ask its operator",
            part=error.part,
        ) from error


def refuse_rollback(state: FeedState, old: Checkpoint | None, new: Checkpoint) -> None:
    """Refuse to go back, or sideways. Raises VerificationError, part "rollback" or "fork"."""
    accepted = max(state.tree_size, old.size if old else 0)
    if new.size < accepted:
        raise VerificationError(
            f"rollback: the log {new.origin} now shows size {new.size}, and {accepted} was accepted before; both "
            "checkpoints are kept, nothing else was changed: ask whoever runs it",
            part="rollback",
        )
    if old is not None and old.size == new.size and old.root != new.root:
        raise fork(old, new)


def fork(old: Checkpoint, new: Checkpoint) -> VerificationError:
    """What is said of two histories under one key."""
    return VerificationError(
        f"fork: the log {new.origin} of size {new.size} does not begin with the {old.size} entries that it signed "
        "before; both checkpoints are kept, nothing else was changed: show them to others who follow it",
        part="fork",
    )
