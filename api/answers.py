"""A `Report` and a `HolderView` in words: what is shown for an answer, line by line, before any markup.

Rules: a possible copy is shown apart and never counted as found; a withheld place has one wording whatever the reason;
"first" always says that it was we who saw it; addresses are text, because whoever follows one shows himself to the
site (a stalker may have planted it); an operator "states", and nobody here has checked it. What was tried is told from
the codes that were compared, not from a text that somebody has to remember to change.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.words import Words
from checker.commands.odds import one_in
from checker.console import printable
from checker.model import ROBUST_NAME, Box, Sighting, Stance, Use
from checker.optout.holder import HolderView, Seen
from checker.optout.operators import Follower, OperatorWord
from checker.optout.states import MOVES, State
from checker.records.operators import Statement
from checker.report import Coverage, Match, MatchKind, Orientation, Report

STALE_AFTER = timedelta(days=30)
"""From then on an answer says aloud how old the newest picture is."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a copy was seen."""

    image_url: str | None
    page_url: str | None
    caption: str | None
    source: str
    source_id: str
    record: str | None
    """Which file and row of the source."""
    first: str
    """The day on which we saw it first."""
    last: str | None
    """The day on which we saw it last; None: we saw it once."""
    said_by: str
    """The heading of `said`: the site, or the file itself."""
    said: str


@dataclass(frozen=True, slots=True)
class Copy:
    """One match."""

    title: str
    part: str | None
    """Which part of the one is the other, where it is not all of both."""
    frame: str | None
    """The part of the asked photo that the copy shows, as "0.1,0,0.9,1", for the script that draws it."""
    mirrored: bool
    places: tuple[Place, ...]
    withheld: str | None
    sureness: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer."""

    found: bool
    heading: str
    looked_at: str
    """When this look was."""
    copies: tuple[Copy, ...]
    possible: tuple[Copy, ...]
    coverage: tuple[str, ...]
    reach: tuple[str, ...]
    sent: str


@dataclass(frozen=True, slots=True)
class SeenPlace:
    """Where a copy was seen, for the holder of the opt-out."""

    place: Place
    look: str
    """What our own last look gave."""
    is_new: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """How an opt-out stands, for its holder."""

    number: str
    state: str
    more: str | None
    """What the state means for the holder, where one sentence is not enough."""
    reason: str | None
    recorded: str
    uses: str | None
    """None: they are erased."""
    pictures: str | None
    addresses: tuple[str, ...]
    entry: str | None
    """None: it has none in the list."""
    is_held: bool
    is_erased: bool
    may_withdraw: bool
    seen: tuple[SeenPlace, ...]
    seen_all: int
    new: int
    operators: tuple[tuple[str, str], ...]
    """Name, and what is known of it."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What an operator states about a whole dataset."""

    operator: str
    says: str
    rows_in: str
    rows_out: str
    report_digest: str


def answer_words(report: Report, words: Words, *, now: datetime, by_codes: bool = False) -> Answer:
    """Put a report into words.

    Args:
        by_codes: the asker sent codes and kept the photo, so less was tried.
    """
    sure = tuple(_copy(m, words) for m in report.matches if m.kind is not MatchKind.POSSIBLE)
    possible = tuple(_copy(m, words) for m in report.matches if m.kind is MatchKind.POSSIBLE)
    return Answer(
        found=bool(sure),
        heading=words.count("answer.found", len(sure)) if sure else words.say("answer.not-found"),
        looked_at=words.say("answer.looked-at", minute=words.minute(now)),
        copies=sure,
        possible=possible,
        coverage=coverage_words(report.coverage, words, now=now),
        reach=reach_words(report.coverage.checks, words, by_codes=by_codes),
        sent=words.say("answer.sent-codes" if by_codes else "answer.sent"),
    )


def reach_words(checks: Collection[str], words: Words, *, by_codes: bool = False) -> tuple[str, ...]:
    """Which copies a look-up knows and which it misses, in sentences, by the kinds of code that it compares."""
    if by_codes:
        return (words.say("reach.codes"), words.say("reach.never"))
    robust = "reach.robust" if ROBUST_NAME in checks else "reach.plain"
    return tuple(words.say(key) for key in ("reach.always", robust, "reach.never"))


def coverage_words(coverage: Coverage, words: Words, *, now: datetime) -> tuple[str, ...]:
    """What was looked at, in one or two sentences; with nothing looked at, that there is no answer."""
    if coverage.images == 0 or coverage.newest is None:
        return (words.say("coverage.empty"),)
    sources = words.count("coverage.sources", coverage.sources)
    pictures = words.count("coverage.pictures", coverage.images)
    first = words.say("coverage.looked", pictures=pictures, sources=sources, day=words.day(coverage.newest))
    if now - coverage.newest > STALE_AFTER:
        return (first, words.count("coverage.stale", (now - coverage.newest).days))
    return (first,)


def said_words(verdict: Mapping[str, str], words: Words) -> str:
    """What the publisher had said, as "no AI training, no automatic analysis"."""
    if not verdict:
        return words.say("said.not-asked")
    spoken: list[str] = []
    for use in Use:
        stance = verdict.get(use.value, Stance.UNSPECIFIED.value)
        if stance != Stance.UNSPECIFIED.value:
            spoken.append(words.say(f"said.{stance}", use=words.say(f"use.{use.value}")))
    return ", ".join(spoken) if spoken else words.say("said.nothing")


def standing_words(view: HolderView, words: Words) -> Standing:
    """Put what the holder of a withdraw code sees into words."""
    status = view.status
    entry = None if status.index is None else words.number(status.index)
    day = words.day(status.withdraw_at) if status.withdraw_at else ""
    # Of an erased one that was held no list ever knew, so nothing of it stays there.
    spelling = "erased-unlisted" if status.state is State.ERASED and entry is None else status.state.value
    return Standing(
        number=status.number,
        state=words.say(f"state.{spelling}", day=day),
        more=words.say(f"state-more.{spelling}") if words.has(f"state-more.{spelling}") else None,
        reason=printable(status.reason) if status.reason else None,
        recorded=words.minute(status.recorded_at),
        uses=", ".join(words.say(f"no.{use.value}") for use in Use if use.value in status.uses) or None,
        pictures=words.number(status.pictures) if status.pictures else None,
        addresses=tuple(printable(address) for address in status.addresses),
        entry=entry,
        is_held=status.state is State.HELD,
        is_erased=status.state is State.ERASED,
        may_withdraw=State.WITHDRAWING in MOVES[status.state],
        seen=tuple(_seen(seen, words) for seen in view.sightings),
        seen_all=view.sightings_all,
        new=view.new,
        operators=tuple((printable(word.operator), operator_words(word, words)) for word in view.operators),
    )


def operator_words(word: OperatorWord, words: Words) -> str:
    """What is known of an operator and one opt-out: what was sent to it, and what it states."""
    known = []
    if word.received_at is not None:
        known.append(words.say("operator.received", day=words.day(word.received_at)))
    if word.stated_at is not None and word.stated_size is not None:
        known.append(_stated(word.stated_size, word.stated_at, words))
    return "; ".join(known) or words.say("operator.silent")


def follower_words(follower: Follower, words: Words) -> tuple[str, str]:
    """Name of one that follows the list, and how far it has read."""
    if follower.received_at is None:
        return printable(follower.operator), words.say("operators.not-fetched")
    entry, day = words.number(follower.size - 1), words.day(follower.received_at)
    return printable(follower.operator), words.say("operators.fetched", entry=entry, day=day)


def statement_words(statement: Statement, words: Words) -> Stated:
    """What an operator states about a whole dataset."""
    return Stated(
        operator=printable(statement.operator),
        says=_stated(statement.feed_size, statement.stated_at, words),
        rows_in=words.number(statement.rows_in),
        rows_out=words.number(statement.rows_out),
        report_digest=statement.report_digest,
    )


def _stated(feed_size: int, stated_at: datetime, words: Words) -> str:
    # By the last entry of its list: entries are counted from 0, here as on receipts.
    return words.say("operator.stated", entry=words.number(feed_size - 1), day=words.day(stated_at))


def _seen(seen: Seen, words: Words) -> SeenPlace:
    last = seen.sighting.gone_since or seen.sighting.last_seen
    look = words.say(f"look.{seen.look_kind.value}", day=words.day(last))
    return SeenPlace(place=_place(seen.sighting, words), look=look, is_new=seen.is_new)


def _copy(match: Match, words: Words) -> Copy:
    title = words.say(f"kind.{match.kind.value}")
    if match.orientation is not Orientation.AS_IS:
        title = words.say("kind.how", kind=title, how=words.say(f"orientation.{match.orientation.value}"))
    withheld = None
    if match.withheld:
        month = words.month(match.withheld.first_seen_month)
        withheld = words.count("answer.withheld", match.withheld.count, month=month)
    return Copy(
        title=title,
        part=_part(match, words),
        frame=_frame(match.crop) if match.crop else None,
        mirrored=match.orientation.value.startswith(Orientation.MIRRORED.value),
        places=tuple(_place(s, words) for s in match.sightings),
        withheld=withheld,
        sureness=_sureness(match, words),
    )


def _part(match: Match, words: Words) -> str | None:
    if match.kind is MatchKind.SAME or not (match.crop or match.stored_crop):
        return None  # the same photo with and without a border is still the whole photo
    if match.crop and match.stored_crop:
        return words.say("part.shared")
    return words.say("part.of-yours" if match.crop else "part.of-it")


def _frame(crop: Box) -> str:
    return ",".join(f"{value:.4f}" for value in crop)


def _sureness(match: Match, words: Words) -> str | None:
    if match.codes_disagree:
        return words.say("sure.codes-disagree")
    if match.kind is MatchKind.POSSIBLE or match.expected_chance_matches is None:
        return None  # the section of possible copies says that they are not sure
    number = one_in(match.expected_chance_matches)
    return words.say("sure.chance", number=words.number(number)) if number else None


def _place(sighting: Sighting, words: Words) -> Place:
    first, last = words.day(sighting.first_seen), words.day(sighting.last_seen)
    return Place(
        image_url=_address(sighting.image_url),
        page_url=_address(sighting.page_url),
        caption=printable(sighting.caption) if sighting.caption else None,
        source=printable(sighting.source.name),
        source_id=sighting.source.id,
        record=_record(sighting, words),
        first=first,
        last=None if first == last else last,
        said_by=words.say("place.said-file" if sighting.verdict and not sighting.image_url else "place.said"),
        said=said_words(sighting.verdict, words),
    )


def _record(sighting: Sighting, words: Words) -> str | None:
    locator = sighting.locator
    if locator is None or locator.file is None:
        return None
    parts = [printable(locator.file)]
    if locator.row is not None:
        parts.append(words.say("place.row", row=words.number(locator.row)))
    if locator.key is not None:
        parts.append(printable(locator.key))
    if locator.column is not None:
        parts.append(printable(locator.column))
    return ", ".join(parts)


def _address(url: str | None) -> str | None:
    """An address as text. Other schemes than http(s) are never shown: `javascript:` is no place."""
    if url is None or not url.lower().startswith(("http://", "https://")):
        return None
    return printable(url)
