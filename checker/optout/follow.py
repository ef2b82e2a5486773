"""Follow a log: bring a feed folder up to date from a server or a data folder, and never accept another history.

One sync, in order:

1. The checkpoint, signed by the pinned key. Smaller than what was accepted before: rollback. Same size and another
   root: fork.
2. The tiles and bundles that are new or grew. The whole tree is hashed again, from the files that are there and the new
   ones: seconds for a million leaves, and the only way to notice what a disk lost. Where they do not fit, all of them
   are fetched: only a whole tree that gives the new root can show that the old root is not in it, which is a fork. A
   damaged folder is healed the same way.
3. The openings from the first one missing; those that were proved before are not proved again (feed_openings.py says
   why they need not be). An erased one is deleted here too. One that is missing without an erase entry is asked for
   again with a newer checkpoint, since it may have been erased meanwhile.
4. Everything is written to `.sync` and proved there; then put into place: tiles, openings, checkpoint, and last
   `state.json`, which remembers it. A sync that was killed leaves the old state, the new one, or one that `verify`
   refuses and the next sync completes. What it had fetched is not fetched again.

On a fork or rollback the new checkpoint is kept as `checkpoint.conflict`, evidence that anybody can check, and nothing
else is touched. Bytes come from a `FeedSource`; this module knows paths and proofs, no network.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from checker.errors import VerificationError
from checker.model import utc_text
from checker.optout.arrivals import with_arrival
from checker.optout.feed import CHECKPOINT_FILE, VERIFY_AGE_MAX, is_stale, read_checkpoint, read_state
from checker.optout.feed_folder import CONFLICT_FILE, held, write_whole
from checker.optout.feed_update import Update
from checker.optout.note import Checkpoint
from checker.optout.trust import (
    FeedSource,
    KeyNews,
    first_contact,
    given_key,
    offered_checkpoint,
    refuse_rollback,
    repinned,
)

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
    key_news: tuple[str, ...]
    """What should be told to whoever pinned the key: the log says that another one signs it too."""
    stale: bool
    """The checkpoint is older than 48 hours, or from the future."""

    def to_dict(self) -> dict[str, str | int | bool | list[str]]:
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
            "key_news": list(self.key_news),
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
    with held(folder):
        known = read_state(folder)
        state = known or first_contact(source, expected, now)
        if expected is not None and expected != state.key:
            state = repinned(state, expected, KeyNews(state.origin, state.log_keys or ()))
        # Also where state.json was lost: what the folder accepted binds, and of another key it is not overwritten.
        old = read_checkpoint(folder, state)
        seen: Checkpoint | None = None
        tiles = openings = 0
        for attempt in range(1, ATTEMPTS_MAX + 1):
            note = source.checkpoint()
            new = offered_checkpoint(note, state, source)
            with _keeping_conflict(folder, note):
                refuse_rollback(state, old, new)
                update = Update(folder, source, state, old, new)
                update.fetch()
            # Without a newer checkpoint there is nothing that could explain a missing opening.
            last_try = attempt == ATTEMPTS_MAX or new == seen
            try:
                update.fetch_openings(last_try=last_try)
            except VerificationError as error:
                if error.part != "omission" or last_try:
                    raise VerificationError(
                        f"what {source.name} offers does not hold, {folder} is as it was: {error}", part=error.part
                    ) from error
                seen, tiles, openings = new, tiles + update.tiles_fetched, openings + update.openings_fetched
                continue
            break
        if old is not None and old.size == new.size and old.time > new.time:
            # An older signature over the same tree tells nothing new.
            new, note = old, (folder / CHECKPOINT_FILE).read_bytes()
        arrivals = with_arrival(state.arrivals, new.size, new.time)
        accepted = replace(state, source=source.name, tree_size=new.size, synced_at=utc_text(now), arrivals=arrivals)
        update.put_in_place(accepted, note)
    return Synced(
        origin=state.origin,
        key=state.key.text,
        source=source.name,
        old_size=old.size if old else 0,
        size=new.size,
        root=new.root,
        signed_at=new.time,
        tiles_fetched=tiles + update.tiles_fetched,
        openings_fetched=openings + update.openings_fetched,
        openings_erased=update.openings_erased,
        first_use=known is None and pin is None,
        key_news=KeyNews(state.origin, update.key_changes).sentences(state.key),
        stale=is_stale(new.time, now=now, age_max=VERIFY_AGE_MAX),
    )


@contextmanager
def _keeping_conflict(folder: Path, note: bytes) -> Iterator[None]:
    """Keep the new checkpoint beside the old one when both cannot be true.

    A log that was rolled back was once that small, so its checkpoint proves nothing alone: it never replaces one that
    was kept before, which may prove a fork.
    """
    try:
        yield
    except VerificationError as error:
        if error.part == "fork" or (error.part == "rollback" and not (folder / CONFLICT_FILE).exists()):
            write_whole(folder / CONFLICT_FILE, note)
        raise
