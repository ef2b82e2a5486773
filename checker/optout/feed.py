"""Verify a feed folder: what an operator follows, proved from its files alone.

    checkpoint          signed note: origin, size, root, time
    tile/...            the Merkle tree and the leaves, as C2SP tlog-tiles lays them out
    openings.ndjson     what each leaf stands for, in the order of the log; erased ones are gone
    state.json          the pinned origin and key, and where the feed came from

`verify_feed` refuses, in this order, each by a VerificationError that names the part and, where it is one, the leaf:

1. a checkpoint that the pinned key did not sign, or of another origin;
2. a leaf in a bundle that is not the leaf in the tile; tiles that do not give the checkpoint's root;
3. an opening that is out of order, or is not that of its leaf, or names an entry that is not before it;
4. a leaf without opening that no erase entry names: otherwise a server could leave out whom it likes. An opening that
   was erased and is still here.

How old a feed may be differs by use, so it is asked apart: `Feed.is_stale`. Format: docs/feed.md.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from checker.errors import InputError, VerificationError
from checker.model import Fingerprint, Use
from checker.optout.entry import Entry, EntryType, Evidence, KeyChange, OptOut, Reference
from checker.optout.feed_proof import erased_by, verify_openings, verify_tree
from checker.optout.note import Checkpoint, VerifierKey, open_checkpoint, parse_verifier_key

CHECKPOINT_FILE = "checkpoint"
OPENINGS_FILE = "openings.ndjson"
STATE_FILE = "state.json"
VERIFY_AGE_MAX = timedelta(hours=48)
"""`feed verify` and `feed sync` call an older checkpoint stale: a log that lives signs a new one every day."""
CLOCK_SKEW_MAX = timedelta(minutes=10)
"""A checkpoint from further in the future would look fresh for as long as its signer likes."""


@dataclass(frozen=True, slots=True)
class FeedState:
    """What a follower remembers about the log that it follows."""

    origin: str
    key: VerifierKey
    """Pinned at the first sync; nothing that another key signed is ever taken."""
    source: str
    """Where the last sync came from: a URL or a data folder."""
    tree_size: int
    """Largest size ever accepted."""
    synced_at: str
    """RFC 3339, UTC."""

    def to_json(self) -> bytes:
        """The bytes of `state.json`."""
        document = {
            "v": 1,
            "origin": self.origin,
            "key": self.key.text,
            "source": self.source,
            "tree_size": self.tree_size,
            "synced_at": self.synced_at,
        }
        return json.dumps(document, indent=1).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class StandingOptOut:
    """An opt-out that nobody withdrew or erased."""

    index: int
    number: str
    lone_code: bool
    """Made from a code; nobody here saw the picture."""
    disputed: bool
    pictures: tuple[tuple[Fingerprint, ...], ...]
    """The codes of each picture."""
    uses: tuple[Use, ...]
    """What it is about; never `all`."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed that was verified."""

    origin: str
    key: VerifierKey
    size: int
    root: bytes
    signed_at: datetime
    entries: Mapping[int, Entry]
    """By index in the log, rising; erased ones are missing."""

    @property
    def erased(self) -> frozenset[int]:
        """Entries of which only the leaf is left."""
        return erased_by(self.entries.values())

    def is_stale(self, *, now: datetime, age_max: timedelta) -> bool:
        """Was it signed longer ago than `age_max`, or in the future (`now` is aware)?"""
        return is_stale(self.signed_at, now=now, age_max=age_max)

    def counts(self) -> dict[str, int]:
        """Entries by type; `erased` are those whose type is not known any more."""
        kinds = Counter(entry_type(entry) for entry in self.entries.values())
        return {**{kind.value: kinds[kind] for kind in EntryType}, "erased": len(self.erased)}

    def standing(self) -> tuple[StandingOptOut, ...]:
        """The opt-outs that count, oldest first."""
        ended = {i for kind in (EntryType.WITHDRAW, EntryType.ERASE) for i in self._referred(kind)}
        disputed = self._referred(EntryType.DISPUTE)
        return tuple(
            StandingOptOut(
                index=index,
                number=entry.number,
                lone_code=entry.evidence is Evidence.CODE,
                disputed=index in disputed,
                pictures=entry.pictures,
                uses=entry.uses,
            )
            for index, entry in self.entries.items()
            if isinstance(entry, OptOut) and index not in ended
        )

    def _referred(self, kind: EntryType) -> frozenset[int]:
        found = (entry for entry in self.entries.values() if isinstance(entry, Reference))
        return frozenset(entry.index for entry in found if entry.type is kind)


def entry_type(entry: Entry) -> EntryType:
    """The type that the entry's bytes name."""
    if isinstance(entry, OptOut):
        return EntryType.OPT_OUT
    return EntryType.KEY if isinstance(entry, KeyChange) else entry.type


def is_stale(signed_at: datetime, *, now: datetime, age_max: timedelta) -> bool:
    """See `Feed.is_stale`."""
    return not -CLOCK_SKEW_MAX <= now - signed_at <= age_max


def stale_sentence(signed_at: datetime, *, now: datetime, folder: Path) -> str:
    """What is said about a stale feed."""
    age = now - signed_at
    if age < timedelta(0):
        return f"the feed in {folder} is stale: it was signed in the future; check this machine's clock"
    hours = int(age.total_seconds()) // 3600
    ago = f"{hours} hours" if hours < 72 else f"{hours // 24} days"
    return (
        f"the feed in {folder} is stale: it was signed {ago} ago; run `hibs feed sync`, and if it stays so, its source "
        "is withholding news or is not running"
    )


# --- verifying -------------------------------------------------------------------------------------------------


def verify_feed(folder: Path) -> Feed:
    """Verify every file of a feed folder against its pinned key.

    Raises:
        InputError: this is no feed folder.
        VerificationError: something does not hold; see the top of this file.
    """
    state = read_state(folder)
    if state is None:
        raise InputError(f"{folder} is no feed folder (it has no {STATE_FILE}); make one with `hibs feed sync`")
    checkpoint = read_checkpoint(folder, state)
    if checkpoint is None:
        raise VerificationError(f"{folder} has no checkpoint; run `hibs feed sync` again", part="checkpoint-format")
    if checkpoint.size < state.tree_size:
        raise VerificationError(
            f"rollback: the checkpoint in {folder} has size {checkpoint.size}, {state.tree_size} was accepted before; "
            "it was put back, or a sync was cut short: run `hibs feed sync` again",
            part="checkpoint-size",
        )
    with _naming(folder):
        leaves = verify_tree(checkpoint, lambda tile: (folder / tile.path).read_bytes())
    try:
        with _naming(folder), (folder / OPENINGS_FILE).open("rb") as lines:
            entries = verify_openings(lines, leaves)
    except OSError as error:
        raise VerificationError(
            f"{folder / OPENINGS_FILE} cannot be read ({error.strerror}); run `hibs feed sync` again", part="opening"
        ) from error
    return Feed(checkpoint.origin, state.key, checkpoint.size, checkpoint.root, checkpoint.time, entries)


@contextmanager
def _naming(folder: Path) -> Iterator[None]:
    """Say of which folder it was that something does not hold: an operator follows several."""
    try:
        yield
    except VerificationError as error:
        raise VerificationError(f"the feed in {folder} does not verify: {error}", part=error.part) from error


def read_state(folder: Path) -> FeedState | None:
    """Read `state.json`; None: there is none.

    Raises:
        VerificationError: part "state"; it cannot be read, so nothing is pinned any more.
    """
    try:
        document = json.loads((folder / STATE_FILE).read_bytes())
        if document["v"] != 1:
            raise ValueError("its version is not 1")
        state = FeedState(
            origin=document["origin"],
            key=parse_verifier_key(document["key"]),
            source=document["source"],
            tree_size=document["tree_size"],
            synced_at=document["synced_at"],
        )
        if state.key.name != state.origin or type(state.tree_size) is not int or state.tree_size < 0:
            raise ValueError("its origin or tree_size is not of its form")
        if not isinstance(state.source, str) or not isinstance(state.synced_at, str):
            raise ValueError("its source or synced_at is no text")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise InputError(f"cannot read {folder / STATE_FILE}: {error.strerror}; check its permissions") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, VerificationError) as error:
        raise VerificationError(
            f"{folder / STATE_FILE} cannot be used; move the folder away and sync again with --pin", part="state"
        ) from error
    return state


def read_checkpoint(folder: Path, state: FeedState) -> Checkpoint | None:
    """Read the folder's checkpoint and check its signature and origin; None: there is none."""
    path = folder / CHECKPOINT_FILE
    try:
        return checked_checkpoint(path.read_bytes(), state.key)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VerificationError(
            f"{path} cannot be read ({error.strerror}); move it away and run `hibs feed sync`", part="checkpoint-format"
        ) from error
    except VerificationError as error:
        raise VerificationError(
            f"{path}: {error}; it was changed: move it away and run `hibs feed sync`", part=error.part
        ) from error


def checked_checkpoint(note: bytes, key: VerifierKey) -> Checkpoint:
    """Open a checkpoint that `key` must have signed, about the log of its own name."""
    checkpoint = open_checkpoint(note, [key])
    if checkpoint.origin != key.name:
        raise VerificationError(
            f"the checkpoint is about the log {checkpoint.origin}, not {key.name}; it is another log",
            part="checkpoint-origin",
        )
    return checkpoint
