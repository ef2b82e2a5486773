"""What the holder of a withdraw code sees: where the pictures were seen, and what those who follow the list did.

The holder sees every sighting, those too that other people's answers withhold, and of copies that were met after the
opt-out and have no code. What is told is what we know and no more: when we looked, not whether it is there now; what
an operator states, not what it did.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from checker.addresses import covering_addresses
from checker.model import Sighting, utc_text
from checker.optout.operators import OperatorWord, day_in_words, operators_of
from checker.optout.request import OptOuts
from checker.optout.states import Status
from checker.records.folder import DataFolder

SIGHTINGS_MAX = 200
"""Shown in one answer; how many there are is told beside."""
_IN_A_COPY = ("folder", "archive", "web-archive")
"""Sources that hold a copy of what somebody else took: of the address itself they say nothing that is so now."""


class Look(StrEnum):
    """What our own last look at a sighting gave."""

    GONE = "gone"
    IN_A_COPY = "in-a-copy"
    STILL_THERE = "still-there"


_LOOK_WORDS = {Look.GONE: "gone since", Look.IN_A_COPY: "in this copy on", Look.STILL_THERE: "still there on"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One sighting, for the holder."""

    sighting: Sighting
    is_new: bool
    """First seen by us after the opt-out."""

    @property
    def look_kind(self) -> Look:
        """What our own last look gave."""
        if self.sighting.gone_since is not None:
            return Look.GONE
        return Look.IN_A_COPY if self.sighting.source.kind in _IN_A_COPY else Look.STILL_THERE

    @property
    def look(self) -> str:
        """The same with its day, in a sentence."""
        return f"{_LOOK_WORDS[self.look_kind]} {day_in_words(self.sighting.gone_since or self.sighting.last_seen)}"

    def to_dict(self) -> dict[str, Any]:
        """As `hibs opt-out status --json` and the API give it."""
        sighting, locator = self.sighting, self.sighting.locator
        return {
            "image_url": sighting.image_url,
            "page_url": sighting.page_url,
            "source": {"id": sighting.source.id, "name": sighting.source.name, "kind": sighting.source.kind},
            "locator": locator.to_dict() if locator else None,
            "first_seen": utc_text(sighting.first_seen),
            "last_seen": utc_text(sighting.last_seen),
            "new": self.is_new,
            "look": self.look,
        }


@dataclass(frozen=True, slots=True)
class HolderView:
    """Everything that the holder may know."""

    status: Status
    sightings: tuple[Seen, ...]
    """New ones first, then the newest; at most `SIGHTINGS_MAX`."""
    sightings_all: int
    new: int
    """How many of all are new."""
    operators: tuple[OperatorWord, ...]

    def to_dict(self) -> dict[str, Any]:
        """The status, and what only the holder sees."""
        return {
            **self.status.to_dict(),
            "sightings": [seen.to_dict() for seen in self.sightings],
            "sightings_all": self.sightings_all,
            "new": self.new,
            "operators": [word.to_dict() for word in self.operators],
        }


def holder_view(opt_outs: OptOuts, status: Status, *, now: datetime) -> HolderView:
    """What the holder of this request sees. Whoever calls has seen the withdraw code."""
    folder = opt_outs.collection.folder()
    seen = _seen(opt_outs, folder, status) if folder else []
    seen.sort(key=lambda one: (one.is_new, one.sighting.first_seen), reverse=True)
    return HolderView(
        status=status,
        sightings=tuple(seen[:SIGHTINGS_MAX]),
        sightings_all=len(seen),
        new=sum(one.is_new for one in seen),
        operators=operators_of(opt_outs.registry, status.index, now),
    )


def new_sightings(opt_outs: OptOuts, status: Status) -> tuple[Sighting, ...]:
    """What was first seen by us after the opt-out, the newest first."""
    folder = opt_outs.collection.folder()
    new = [seen.sighting for seen in _seen(opt_outs, folder, status) if seen.is_new] if folder else []
    return tuple(sorted(new, key=lambda sighting: sighting.first_seen, reverse=True))


def forget_pictures(opt_outs: OptOuts, status: Status, *, now: datetime) -> int:
    """Erase from the collection what was seen of the pictures of a request (`hibs erase` does the same by a photo).

    Before the request itself is erased, because afterwards nothing is left to know them by. Only for whoever holds the
    data folder: anybody with a copy of a public picture could have evidence of others deleted otherwise.

    Returns:
        How many pictures there were.
    """
    folder = opt_outs.collection.folder()
    if folder is None or not status.pictures:
        return 0
    near = opt_outs.collection.near(opt_outs.registry.pictures_of(status.number))
    return folder.store.erase([*near, *folder.store.images_of_opt_out(status.number)], now=now)


def _seen(opt_outs: OptOuts, folder: DataFolder, status: Status) -> list[Seen]:
    # The time of a request is cut to the minute. A picture without a code was met while the opt-out hid it, so in that
    # minute it is new; of one with a code that cannot be told, and it counts from the next minute on.
    minute, after = status.recorded_at, status.recorded_at + timedelta(minutes=1)
    named = set(folder.store.images_of_opt_out(status.number))
    near = set(opt_outs.collection.near(opt_outs.registry.pictures_of(status.number)))
    # Whoever opted a host out is told of that host, not where else a picture of it stands.
    everywhere = near | named if status.pictures else set()
    images = everywhere | named | set(_images_at(folder, status.addresses))
    seen = []
    for image_id, sightings in folder.store.sightings_of(sorted(images)).items():
        begin = minute if image_id in named else after
        for sighting in sightings:
            if image_id in everywhere or _covered((sighting.image_url, sighting.page_url), status.addresses):
                seen.append(Seen(sighting, is_new=sighting.first_seen >= begin))
    return seen


def _images_at(folder: DataFolder, addresses: Sequence[str]) -> list[int]:
    """Pictures that were seen at an address that is named."""
    if not addresses:
        return []
    there = folder.store.images_on({address.partition("/")[0] for address in addresses})
    return [image_id for image_id, urls in there.items() if _covered(urls, addresses)]


def _covered(urls: Iterable[str | None], addresses: Sequence[str]) -> bool:
    named = frozenset(addresses)
    return any(not named.isdisjoint(covering_addresses(url)) for url in urls if url)
