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

The openings are read once, one after the other, and none is kept: who needs what they say takes it as it passes by
(`each`). How old a feed may be differs by use, so it is asked apart: `Feed.is_stale`. Format: docs/feed.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from checker.errors import InputError, VerificationError
from checker.model import parse_utc, utc_text
from checker.optout.arrivals import Arrivals, arrivals_document, read_arrivals
from checker.optout.entry import OPENING_BYTES_MAX, Entry, EntryType, KeyChange, KeyState
from checker.optout.feed_proof import BUNDLED_BYTES, Account, read_numbered, verify_tree
from checker.optout.note import NOTE_BYTES_MAX, Checkpoint, VerifierKey, open_checkpoint, parse_verifier_key
from checker.optout.tree import TILE_WIDTH, Tile

CHECKPOINT_FILE = "checkpoint"
OPENINGS_FILE = "openings.ndjson"
STATE_FILE = "state.json"
STATE_BYTES_MAX = 2**24
"""A line a day on which the log grew: thousands of years."""
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
    openings_bytes: int = 0
    """How much of `openings.ndjson` was proved to open the first `tree_size` leaves; only `sync` asks."""
    openings_sha256: str = ""
    """Of these bytes, in hex. Empty: not known, so they are proved again."""
    arrivals: Arrivals = ()
    """How large the log was on each day on which it had grown."""
    log_keys: tuple[tuple[int, KeyChange], ...] | None = None
    """What these openings say of the log's keys, by index. None: not known, so they are read again."""

    def to_json(self) -> bytes:
        """The bytes of `state.json`."""
        document = {
            "v": 1,
            "origin": self.origin,
            "key": self.key.text,
            "source": self.source,
            "tree_size": self.tree_size,
            "synced_at": self.synced_at,
            "openings_bytes": self.openings_bytes,
            "openings_sha256": self.openings_sha256,
            "arrivals": arrivals_document(self.arrivals),
            "log_keys": [[index, change.state.value, change.key] for index, change in self.log_keys or ()],
        }
        return json.dumps(document, indent=1).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed that was verified."""

    folder: Path
    origin: str
    key: VerifierKey
    size: int
    root: bytes
    signed_at: datetime
    withdrawn: frozenset[int]
    """Indexes that withdrawals name."""
    erased: frozenset[int]
    """Entries of which only the leaf is left."""
    disputed: frozenset[int]
    """Indexes that disputes name."""
    tally: Mapping[EntryType, int]
    """Entries by type; those that were erased count no more."""
    key_changes: tuple[tuple[int, KeyChange], ...] = ()
    """What the log says of its own keys, by index."""

    @property
    def ended(self) -> frozenset[int]:
        """Opt-outs that count no more: withdrawn, or erased."""
        return self.withdrawn | self.erased

    def is_stale(self, *, now: datetime, age_max: timedelta) -> bool:
        """Was it signed longer ago than `age_max`, or in the future (`now` is aware)?"""
        return is_stale(self.signed_at, now=now, age_max=age_max)

    def counts(self) -> dict[str, int]:
        """Entries by type; `erased` are those whose type is not known any more."""
        return {**{kind.value: self.tally.get(kind, 0) for kind in EntryType}, "erased": len(self.erased)}


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


def verify_feed(folder: Path, *, each: Callable[[int, Entry], None] | None = None) -> Feed:
    """Verify every file of a feed folder against its pinned key, in one pass.

    Args:
        each: gets the index and the entry of every opening, in the order of the log, as it is proved. What a later
            entry ends is known only afterwards: `Feed.ended`. Nothing of it counts when this raises.
    Raises:
        InputError: this is no feed folder.
        VerificationError: something does not hold; see the top of this file.
    """
    state = read_state(folder)
    if state is None and (folder / CHECKPOINT_FILE).exists():
        raise VerificationError(
            f"{folder / STATE_FILE} is missing, and with it the key that was pinned; run `hibs feed sync` again, with "
            "--pin and the key that the log's operator publishes",
            part="state",
        )
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
        account = Account(verify_tree(checkpoint, lambda tile: read_tile(folder, tile)))
        _verify_openings(folder / OPENINGS_FILE, account, each)
    return Feed(
        folder=folder,
        origin=checkpoint.origin,
        key=state.key,
        size=checkpoint.size,
        root=checkpoint.root,
        signed_at=checkpoint.time,
        withdrawn=account.named(EntryType.WITHDRAW),
        erased=account.erased,
        disputed=account.named(EntryType.DISPUTE),
        tally=account.counts,
        key_changes=account.key_changes,
    )


def _verify_openings(path: Path, account: Account, each: Callable[[int, Entry], None] | None) -> None:
    for number, line in enumerate(lines_of(path), start=1):
        opened = read_numbered(line, number, account.last)
        entry = account.add(opened)
        if each is not None:
            each(opened.index, entry or opened.entry())
    account.require_complete()


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file of openings, a longer one in pieces, so that a damaged file cannot fill the memory.

    Raises:
        VerificationError: part "opening"; it cannot be read.
    """
    try:
        with path.open("rb") as file:
            yield from iter(partial(file.readline, OPENING_BYTES_MAX + 1), b"")
    except OSError as error:
        raise VerificationError(
            f"{path} cannot be read ({error.strerror}); run `hibs feed sync` again", part="opening"
        ) from error


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
        document = json.loads(_read_at_most(folder / STATE_FILE, STATE_BYTES_MAX))
        if type(document["v"]) is not int or document["v"] != 1:
            raise ValueError("its version is not 1")
        state = FeedState(
            origin=document["origin"],
            key=parse_verifier_key(document["key"]),
            source=document["source"],
            tree_size=document["tree_size"],
            synced_at=document["synced_at"],
        )
        state = replace(state, arrivals=read_arrivals(document.get("arrivals")), **_proved_openings(document))
        if state.key.name != state.origin or type(state.tree_size) is not int or state.tree_size < 0:
            raise ValueError("its origin or tree_size is not of its form")
        if not isinstance(state.source, str) or utc_text(parse_utc(state.synced_at)) != state.synced_at:
            raise ValueError("its source is no text, or its synced_at no time")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise InputError(f"cannot read {folder / STATE_FILE}: {error.strerror}; check its permissions") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, VerificationError) as error:
        raise VerificationError(
            f"{folder / STATE_FILE} cannot be used; move the folder away and sync again with --pin", part="state"
        ) from error
    return state


def read_tile(folder: Path, tile: Tile) -> bytes:
    """The bytes of a tile or bundle of a folder, at most one more than a full one has. Raises OSError."""
    return _read_at_most(folder / tile.path, TILE_WIDTH * BUNDLED_BYTES)


def _read_at_most(path: Path, bytes_max: int) -> bytes:
    """The file, or one byte more than it may have: a damaged or foreign folder cannot fill the memory."""
    with path.open("rb") as file:
        return file.read(bytes_max + 1)


def _proved_openings(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a sync remembers of the openings. It saves work and proves nothing: of another form it is as if missing."""
    size, digest = document.get("openings_bytes"), document.get("openings_sha256")
    try:
        log_keys = tuple(_key_change(*item) for item in document["log_keys"])
    except (KeyError, TypeError, ValueError):
        return {}
    known = type(size) is int and size >= 0 and isinstance(digest, str)
    return {"openings_bytes": size, "openings_sha256": digest, "log_keys": log_keys} if known else {}


def _key_change(index: Any, state: Any, key: Any) -> tuple[int, KeyChange]:
    try:
        return int(index), KeyChange(key=parse_verifier_key(key).text, state=KeyState(state))
    except (VerificationError, AttributeError) as error:
        raise ValueError("this is no verifier key") from error


def read_checkpoint(folder: Path, state: FeedState) -> Checkpoint | None:
    """Read the folder's checkpoint and check its signature and origin; None: there is none."""
    path = folder / CHECKPOINT_FILE
    try:
        return checked_checkpoint(_read_at_most(path, NOTE_BYTES_MAX), state.key)
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
