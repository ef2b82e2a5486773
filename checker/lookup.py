"""A question (a picture or its codes) -> a `Report` with its evidence.

    picture -> question -> copies among what is stored (matching) -> hidden? withheld? -> matches

What is hidden keeps its match and loses its addresses: saying "not found" would be a lie, and saying why would tell
on the person who asked for it. One wording serves all reasons (docs/decisions.md, 9). Nothing of the asker is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from types import TracebackType

from checker.errors import EmptyCorpusError
from checker.fingerprint import Decoder, question_of
from checker.fingerprint.pictures import read_picture_file
from checker.fingerprint.robust import RobustModel
from checker.handles import Handles
from checker.index.daily import DailyLists
from checker.index.live import LiveIndex
from checker.index.upkeep import Upkeep
from checker.matching.search import TOGETHER_MAX as TOGETHER_MAX
from checker.matching.search import Matcher
from checker.matching.weighing import Found
from checker.model import (
    PHASH256,
    CodeKind,
    Fingerprint,
    Picture,
    Sighting,
    Stance,
    Unreadable,
    Use,
    Variant,
)
from checker.records.folder import DataFolder
from checker.records.hidden import uncovered
from checker.records.interfaces import Counts, Hit, IndexState
from checker.records.store import SourceFacts
from checker.report import CheckStatus, Coverage, Match, MatchKind, Orientation, Report, Withheld
from checker.settings import Settings

TOO_PLAIN = "This picture has too little in it to tell it from others (for example a plain wall)."
_FORBIDDING = {Stance.DENY.value, Stance.CONDITIONAL.value, Stance.UNKNOWN.value}
_OF_INDEXES = (Use.INDEX.value, Use.ALL.value)


class Checker:
    """Answers questions about one data folder. A context manager; safe to share between threads."""

    def __init__(
        self, folder: DataFolder, settings: Settings, handles: Handles, decoder: Decoder | None = None
    ) -> None:
        self._folder = folder
        self._decoder = decoder
        self._settings = settings
        self._handles = handles
        model = RobustModel.of(settings)
        self._kinds = (PHASH256, model.kind) if model else (PHASH256,)
        self._indexes = tuple(LiveIndex(folder.path, folder.store, kind) for kind in self._kinds)
        self._matcher = Matcher(
            folder.store,
            self._indexes[0],
            self._indexes[1] if model else None,
            radius=settings.match_distance_bits_max,
        )

    @classmethod
    def open(cls, folder: Path, settings: Settings | None = None, *, decoder: Decoder | None = None) -> Checker:
        """Open a data folder for questions.

        Args:
            decoder: reads the pictures that `check` is given; in this process where None. Who gave it closes it.
        Raises:
            DataError: there is none, it is damaged, or a newer version wrote it.
            InputError: the settings name a model for sscd512 that cannot be used.
        """
        opened = DataFolder.open(folder, create=False)
        try:
            return cls(opened, settings or Settings(), Handles.of_folder(folder), decoder)
        except BaseException:
            opened.close()
            raise

    def check(self, body: bytes, *, now: datetime) -> Report:
        """Look a picture up by its bytes: turned, cut, framed and screenshotted copies are found as well.

        Raises:
            EmptyCorpusError: nothing was looked at yet, so there is no answer.
        """
        self.require_pictures()
        question = question_of(body, self._settings, decoder=self._decoder)
        if isinstance(question, Unreadable):
            return self._unreadable(question)
        if question.plain:
            return self._too_plain()
        coverage = self.coverage()
        found = self._matcher.search(question, pictures=coverage.images)
        return self._reports([found], [coverage], now)[0]

    def check_file(self, path: Path, *, now: datetime) -> Report:
        """The same for a file; one that cannot be read gets a report that says so."""
        body = read_picture_file(path, self._settings)
        return self._unreadable(body) if isinstance(body, Unreadable) else self.check(body, now=now)

    def check_picture(self, picture: Picture | Unreadable, *, now: datetime) -> Report:
        """Look up what `fingerprint` gave, by its codes. Of one unreadable or too plain the report says so."""
        if isinstance(picture, Unreadable):
            return self._unreadable(picture)
        if picture.plain:
            return self._too_plain()
        return self.check_codes([code for code in picture.fingerprints if code.variant is Variant.WHOLE], now=now)

    def check_codes(self, codes: Sequence[Fingerprint], *, now: datetime) -> Report:
        """Look up one picture by codes of the whole, made elsewhere: turned copies are found, cut ones are not."""
        return self.check_together([codes], now=now)[0]

    def check_together(self, questions: Sequence[Sequence[Fingerprint]], *, now: datetime) -> tuple[Report, ...]:
        """As `check_codes`, for `TOGETHER_MAX` pictures at most: the same reports, each at about half the cost."""
        coverage = self.coverage()
        found = self._matcher.search_codes(questions, pictures=coverage.images)
        return self._reports(found, [_asked_for(coverage, codes) for codes in questions], now)

    def found_together(
        self, questions: Sequence[Sequence[Fingerprint]], near: Sequence[Sequence[Hit]]
    ) -> list[list[Found]]:
        """The pictures that `check_together` would report, and nothing yet of where they were seen; for lists.

        Args:
            near: what is near to each phash256 code; see `Matcher.search_codes`.
        """
        return self._matcher.search_codes(questions, pictures=self.coverage().images, near=near)

    def sightings(self, handle: str, *, now: datetime) -> Match | None:
        """What `GET /v1/images/{handle}` answers. None: the handle is not ours or a day old."""
        image_id = self._handles.open(handle, now=now)
        return None if image_id is None else self.seen([image_id], now=now).get(image_id)

    def seen(self, image_ids: Sequence[int], *, now: datetime) -> Mapping[int, Match]:
        """What is known of many stored pictures now, by id. Missing: it was erased, or cannot be found."""
        codes: dict[int, list[bytes]] = {}
        for row in self._folder.store.codes_of_images(image_ids, PHASH256):
            codes.setdefault(row.image_id, []).append(row.bits)
        stored = [
            Found(
                image_id=image_id,
                kind=MatchKind.SAME,
                orientation=Orientation.AS_IS,
                crop=None,
                stored_crop=None,
                distances={},
                expected=None,
                codes_disagree=False,
                phash_codes=tuple(of_image),
            )
            for image_id, of_image in codes.items()
        ]
        return dict(zip(codes, self._matches(stored, now), strict=True))

    def opened(self, handle: str, number: str, *, now: datetime) -> Match | None:
        """The same as the holder of an opt-out sees it: every sighting. None: opt-out `number` does not hide it."""
        match, image_id = self.sightings(handle, now=now), self._handles.open(handle, now=now)
        if match is None or image_id is None:
            return None
        store, radius = self._folder.store, self._settings.opt_out_distance_bits_max
        codes = [code.bits for code in store.codes_of_images([image_id], PHASH256)]
        if number not in self._folder.hidden.hiding(codes, distance_bits_max=radius):
            return None
        return replace(match, sightings=store.sightings_of([image_id]).get(image_id, ()), withheld=None)

    def coverage(self) -> Coverage:
        """What every answer rests on."""
        return self._folder.store.coverage(self._kinds)

    def counts(self) -> Counts:
        """Facts for /v1/stats."""
        return self._folder.store.counts()

    def upkeep(self, say: Callable[[str], None]) -> Upkeep:
        """Keep the index built, beside the answers, until it is closed; `say` is told of a build that failed."""
        return Upkeep(self._folder, self._settings, say, damaged=self._index_is_damaged)

    def daily_lists(self) -> DailyLists:
        """What the private check is answered from, a list a day (docs/private.md). Close it before this."""
        return DailyLists(self._folder, self._settings)

    def erase(self, report: Report, *, now: datetime) -> int:
        """Erase from the corpus the pictures that a report found, possible copies excepted; how many there were.

        Nothing that was seen of them stays, and no answer names them from the next question on. What keeps a picture
        from being recorded again is an opt-out.
        """
        ids = [
            self._handles.open(match.handle, now=now)
            for match in report.matches
            if match.kind is not MatchKind.POSSIBLE
        ]
        return self._folder.store.erase([image_id for image_id in ids if image_id is not None], now=now)

    def index_states(self) -> tuple[tuple[CodeKind, IndexState], ...]:
        """Size and freshness of what is searched, for every kind of code that look-ups compare."""
        return tuple((index.kind, index.state()) for index in self._indexes)

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
        """Close the index and the databases."""
        for index in self._indexes:
            index.close()
        self._folder.close()

    def __enter__(self) -> Checker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _index_is_damaged(self) -> bool:
        return any(state.damaged for _, state in self.index_states())

    def _unreadable(self, problem: Unreadable) -> Report:
        return Report(CheckStatus.UNREADABLE, problem.detail, self.coverage(), ())

    def _too_plain(self) -> Report:
        return Report(CheckStatus.TOO_PLAIN, TOO_PLAIN, self.coverage(), ())

    def _reports(
        self, found: Sequence[Sequence[Found]], coverages: Sequence[Coverage], now: datetime
    ) -> tuple[Report, ...]:
        matches = iter(self._matches([one for each in found for one in each], now))
        return tuple(
            Report(CheckStatus.CHECKED, None, coverage, tuple(islice(matches, len(each))))
            for coverage, each in zip(coverages, found, strict=True)
        )

    def _matches(self, found: Sequence[Found], now: datetime) -> list[Match]:
        """Each with where it was seen. What all of them need is asked once."""
        if not found:
            return []
        ids = [one.image_id for one in found]
        sightings = self._folder.store.sightings_of(sorted(set(ids)))
        radius = self._settings.opt_out_distance_bits_max
        hidden = self._folder.hidden.near_each([one.phash_codes for one in found], distance_bits_max=radius)
        addresses = self._folder.hidden_addresses.by_address()
        matches = []
        for one, handle, is_hidden in zip(found, self._handles.make_many(ids, now=now), hidden, strict=True):
            seen = sightings.get(one.image_id, ())
            told = (sighting for sighting in seen if not (sighting.gone_since or _said_no_later(sighting)))
            shown = () if is_hidden else uncovered(addresses, told)
            matches.append(_match(one, handle, shown, seen))
        return matches


def _match(found: Found, handle: str, shown: tuple[Sighting, ...], seen: tuple[Sighting, ...]) -> Match:
    withheld = None
    if not shown and seen:
        withheld = Withheld(len(seen), min(sighting.first_seen for sighting in seen).strftime("%Y-%m"))
    return Match(
        handle=handle,
        kind=found.kind,
        orientation=found.orientation,
        crop=found.crop,
        stored_crop=found.stored_crop,
        distances=found.distances,
        sightings=shown,
        withheld=withheld,
        expected_chance_matches=found.expected,
        codes_disagree=found.codes_disagree,
    )


def _asked_for(coverage: Coverage, codes: Sequence[Fingerprint]) -> Coverage:
    """With the kinds of codes alone that were asked with."""
    asked = {code.kind.name for code in codes}
    return replace(coverage, checks=tuple(name for name in coverage.checks if name in asked))


def _said_no_later(sighting: Sighting) -> bool:
    """Has the publisher said since that this is not to be kept in an index?"""
    return any(sighting.verdict.get(use) in _FORBIDDING for use in _OF_INDEXES)
