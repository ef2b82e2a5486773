"""A question (a picture or its codes) -> a `Report` with its evidence.

    picture -> codes -> near codes of the index -> pictures of the store -> hidden? withheld? -> matches

What is hidden keeps its match and loses its addresses: saying "not found" would be a lie, and saying why would tell
on the person who asked for it. One wording serves all reasons (docs/decisions.md, 9). Nothing of the asker is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from checker.errors import EmptyCorpusError
from checker.fingerprint import fingerprint_bytes
from checker.handles import Handles
from checker.model import PHASH256, Fingerprint, Picture, Sighting, Stance, Unreadable, Use, utc_text
from checker.records.folder import DataFolder
from checker.records.index import ScanIndex
from checker.records.interfaces import CodeRow, Counts
from checker.records.store import SourceFacts
from checker.report import CheckStatus, Coverage, Match, MatchKind, Orientation, Report, Withheld
from checker.settings import Settings

TOO_PLAIN = "This picture has too little in it to tell it from others (for example a plain wall)."
_FORBIDDING = {Stance.DENY.value, Stance.CONDITIONAL.value, Stance.UNKNOWN.value}


class Checker:
    """Answers questions about one data folder. A context manager; safe to share between threads."""

    def __init__(self, folder: DataFolder, settings: Settings, handles: Handles) -> None:
        self._folder = folder
        self._settings = settings
        self._handles = handles
        self._index = ScanIndex(folder.store, PHASH256)

    @classmethod
    def open(cls, folder: Path, settings: Settings | None = None) -> Checker:
        """Open a data folder for questions.

        Raises:
            DataError: there is none, it is damaged, or a newer version wrote it.
        """
        opened = DataFolder.open(folder, create=False)
        return cls(opened, settings or Settings(), Handles.of_folder(folder))

    def check(self, body: bytes, *, now: datetime) -> Report:
        """Look a picture up by its bytes.

        Raises:
            EmptyCorpusError: nothing was looked at yet, so there is no answer.
        """
        self.require_pictures()
        return self.check_picture(fingerprint_bytes(body, self._settings), now=now)

    def check_picture(self, picture: Picture | Unreadable, *, now: datetime) -> Report:
        """Look up what `fingerprint` gave; unreadable and too plain pictures get a report that says so."""
        if isinstance(picture, Unreadable):
            return Report(CheckStatus.UNREADABLE, picture.detail, self.coverage(), ())
        if picture.plain:
            return Report(CheckStatus.TOO_PLAIN, TOO_PLAIN, self.coverage(), ())
        return self.check_codes(picture.fingerprints, now=now)

    def check_codes(self, codes: Sequence[Fingerprint], *, now: datetime) -> Report:
        """Look up one picture by codes made elsewhere."""
        queries = [code.bits for code in codes if code.kind == PHASH256]
        answer = self._index.near(queries, distance_bits_max=self._settings.match_distance_bits_max)
        rows = self._folder.store.codes_of([hit.code_id for hit in answer.hits])
        nearest: dict[int, tuple[int, CodeRow]] = {}
        for hit in answer.hits:
            row = rows.get(hit.code_id)
            if row and (row.image_id not in nearest or hit.distance_bits < nearest[row.image_id][0]):
                nearest[row.image_id] = (hit.distance_bits, row)
        sightings = self._folder.store.sightings_of(list(nearest))
        matches = [
            self._match(row, sightings.get(image_id, ()), {PHASH256.name: distance}, now)
            for image_id, (distance, row) in sorted(nearest.items(), key=lambda item: (item[1][0], item[0]))
        ]
        return Report(CheckStatus.CHECKED, None, self.coverage(), tuple(matches))

    def sightings(self, handle: str, *, now: datetime) -> Match | None:
        """What `GET /v1/images/{handle}` answers. None: the handle is not ours or a day old."""
        image_id = self._handles.open(handle, now=now)
        codes = self._folder.store.codes_of_images([image_id]) if image_id is not None else ()
        if image_id is None or not codes:
            return None
        return self._match(codes[0], self._folder.store.sightings_of([image_id]).get(image_id, ()), {}, now)

    def coverage(self) -> Coverage:
        """What every answer rests on."""
        return self._folder.store.coverage((PHASH256,))

    def counts(self) -> Counts:
        """Facts for /v1/stats."""
        return self._folder.store.counts()

    def sources(self) -> tuple[SourceFacts, ...]:
        """Every source with what it holds."""
        return self._folder.store.sources()

    def require_pictures(self) -> None:
        """Refuse to answer from nothing.

        Raises:
            EmptyCorpusError: no picture here can be found, so "not found" would say nothing.
        """
        if self.coverage().images == 0:
            raise EmptyCorpusError(
                f"{self._folder.path} holds 0 pictures yet, so there is no answer; "
                "add some with `hibs crawl` or `hibs ingest`"
            )

    def close(self) -> None:
        """Close the databases."""
        self._folder.close()

    def __enter__(self) -> Checker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _match(
        self, row: CodeRow, sightings: tuple[Sighting, ...], distances: Mapping[str, int], now: datetime
    ) -> Match:
        hidden = self._folder.hidden.near(row.bits, distance_bits_max=self._settings.opt_out_distance_bits_max)
        shown = () if hidden else tuple(s for s in sightings if not _said_no_later(s))
        withheld = None
        if not shown and sightings:
            withheld = Withheld(len(sightings), min(s.first_seen for s in sightings).strftime("%Y-%m"))
        return Match(
            handle=self._handles.make(row.image_id, now=now),
            kind=MatchKind.SAME,
            orientation=Orientation.AS_IS,
            crop=None,
            distances=distances,
            sightings=shown,
            withheld=withheld,
        )


def _said_no_later(sighting: Sighting) -> bool:
    """Has the publisher said since that this is not to be kept in an index?"""
    return any(sighting.verdict.get(use.value) in _FORBIDDING for use in (Use.INDEX, Use.ALL))


# --- the JSON of the contract ----------------------------------------------------------------------------------


def report_document(report: Report) -> dict[str, Any]:
    """One answer as the contract's JSON, without the path."""
    return {
        "status": report.status.value,
        "reason": report.reason,
        "coverage": {
            "images": report.coverage.images,
            "sources": report.coverage.sources,
            "newest": utc_text(report.coverage.newest) if report.coverage.newest else None,
            "checks": list(report.coverage.checks),
        },
        "matches": [match_document(match) for match in report.matches],
    }


def match_document(match: Match) -> dict[str, Any]:
    """One match; `where` is "shown" or "withheld", and `withheld` stands in the latter only."""
    document: dict[str, Any] = {
        "handle": match.handle,
        "kind": match.kind.value,
        "orientation": match.orientation.value,
        "crop": list(match.crop) if match.crop else None,
        "codes": dict(match.distances),
        "expected_chance_matches": match.expected_chance_matches,
        "where": "withheld" if match.withheld else "shown",
        "sightings": [_sighting_document(sighting) for sighting in match.sightings],
    }
    if match.withheld:
        document["withheld"] = {
            "count": match.withheld.count,
            "first_seen_month": match.withheld.first_seen_month,
        }
    return document


def _sighting_document(sighting: Sighting) -> dict[str, Any]:
    locator = sighting.locator
    return {
        "image_url": sighting.image_url,
        "page_url": sighting.page_url,
        "caption": sighting.caption,
        "source": {"id": sighting.source.id, "name": sighting.source.name, "kind": sighting.source.kind},
        "locator": {"file": locator.file, "row": locator.row, "key": locator.key} if locator else None,
        "first_seen": utc_text(sighting.first_seen),
        "last_seen": utc_text(sighting.last_seen),
        "verdict": dict(sighting.verdict),
    }
