"""What the stages around the records rely on, as Protocols. `store.py`, `frontier.py` and `index.py` implement them.

Two promises hold for every implementation:
- ids are handed out in commit order and never reused, so "all after id N" never misses a row and a stale index
  can answer with nothing but a picture that is gone;
- nothing assumes that there is one process: readers and the writer may live in different ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from checker.model import Box, CodeKind, Locator, Sighting, Source, Variant, Verdict
from checker.records.evidence import Said
from checker.report import Coverage
from checker.visits import PictureSeen, Visit


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One stored code. Its kind is that of the question which gave it."""

    code_id: int
    image_id: int
    bits: bytes
    variant: Variant = Variant.WHOLE
    crop: Box | None = None
    """The part of the picture that it was made from, to 1/65535; None: all of it."""


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Many codes of one kind, in commit order, without what an index does not need."""

    code_ids: Sequence[int]
    bits: bytes
    """One code after the other."""


@dataclass(frozen=True, slots=True)
class ErasedBlock:
    """Codes of one kind that are gone, in the order in which they went."""

    mark: int
    """Ask for what came after it next time."""
    code_ids: Sequence[int]
    erased_at: Sequence[int]
    """When each went, in seconds since 1970 (UTC)."""


@dataclass(frozen=True, slots=True)
class StoredTiles:
    """The tiles of a stored picture (`model.Tiles`) and how large it is."""

    bits: bytes
    crop: Box
    width: int
    """Of the whole picture as shown, in pixels."""
    height: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A stored code near a query."""

    query_no: int
    """Position of the query in the call."""
    code_id: int
    distance_bits: int


@dataclass(frozen=True, slots=True)
class NearAnswer:
    """What a search gives. Equal to a scan of all codes up to `covered_upto`."""

    hits: tuple[Hit, ...]
    """Nearest first, then lowest id first; of `near`, query by query."""
    covered_upto: int
    """Largest code id that was searched; 0: none."""
    parts_asked: int = 1
    parts_answered: int = 1
    """Fewer than asked: some shard did not answer, and the coverage says so."""


@dataclass(frozen=True, slots=True)
class IndexState:
    """How large and how fresh an index is."""

    codes: int
    """Codes that are searched."""
    segments: int
    tail: int
    """Codes newer than the last segment; they are searched all the same."""
    upto: int
    """Largest code id that is searched; 0: none."""
    bytes: int = 0
    """Of the index's files."""
    built_at: datetime | None = None
    """When its files were last built. None: there are none, and the database is searched."""
    damaged: tuple[str, ...] = ()
    """Files that do not hold what was written there; the database answers in their place until they are built again."""
    pending_erasures: int = 0
    """Codes that were erased since and still lie in a file. No answer holds them."""


class NearIndex(Protocol):
    """Near-match search over the codes of one kind."""

    kind: CodeKind

    def near(self, codes: Sequence[bytes], *, distance_bits_max: int) -> NearAnswer:
        """Find all stored codes that differ from a query in at most `distance_bits_max` bits (0 to `kind.bits`).

        Args:
            codes: at most 64 queries of `kind.bits // 8` bytes each.
        """
        ...

    def nearest(self, codes: Sequence[bytes], *, count: int) -> NearAnswer:
        """Find the `count` stored codes that lie nearest to any of the queries, however far that is.

        Args:
            codes: as for `near`.
        Returns:
            Every stored code once at most, with the query that it is nearest to (of several, the first).
        """
        ...

    def state(self) -> IndexState:
        """Size and freshness."""
        ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """What recording one visit changed."""

    image_id: int | None = None
    new_image: bool = False
    """This picture (by SHA-256) was not known before."""
    links_added: int = 0
    images_added: int = 0
    """Of these, pictures."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Facts for /v1/stats and coverage."""

    images: int
    """Pictures recorded."""
    images_servable: int
    """Of these, with a code that look-ups can find."""
    sightings: int
    pages: int
    sources: int
    newest: datetime | None


class Store(Protocol):
    """The corpus: one writer at a time, many readers."""

    def source(self, name: str, *, kind: str, now: datetime) -> Source:
        """The source of this name and kind; made when it is new."""
        ...

    def record(self, visit: Visit, *, source: Source) -> Recorded:
        """Write one crawler visit in ONE transaction: evidence, findings, picture, sightings, new links, lease done.

        Idempotent: the same visit again changes `last_seen` and the like at most. What was said before stays.
        """
        ...

    def record_file(
        self, seen: PictureSeen, *, source: Source, locator: Locator, now: datetime, verdict: Verdict | None = None
    ) -> Recorded:
        """Write one picture met in an archive, with what it says itself. A second run adds only what was lacking."""
        ...

    def erase(self, image_ids: Sequence[int], *, now: datetime) -> int:
        """Erase pictures, their codes, tiles and sightings in ONE transaction (`erasure.py`); how many there were."""
        ...

    def codes_after(self, code_id: int, *, kind: CodeKind, count: int) -> tuple[CodeRow, ...]:
        """Codes of every variant with a larger id, in commit order. Empty: none is newer."""
        ...

    def code_block_after(self, code_id: int, *, kind: CodeKind, count: int) -> CodeBlock:
        """The same without pictures and parts, for an index that reads them all: eight times as fast."""
        ...

    def code_block_between(self, after_id: int, upto_id: int, *, kind: CodeKind, count: int) -> CodeBlock:
        """The first `count` codes with after_id < id <= upto_id. Empty: there is none."""
        ...

    def whole_code_block_after(self, code_id: int, *, kind: CodeKind, count: int) -> CodeBlock:
        """As `code_block_after`, but only codes of whole pictures (`Variant.WHOLE`): one a picture."""
        ...

    def code_block_of(self, code_ids: Sequence[int], *, kind: CodeKind) -> CodeBlock:
        """These codes in the order of their ids, each once; ids of other kinds and of erased ones are passed over."""
        ...

    def last_code_id(self, kind: CodeKind) -> int:
        """The largest id of a stored code; 0: none is stored. It falls when that code is erased."""
        ...

    def codes_between_count(self, first_id: int, last_id: int, *, kind: CodeKind) -> int:
        """How many codes are stored with first_id <= id <= last_id."""
        ...

    def image_ids_of(self, code_ids: Sequence[int]) -> Mapping[int, int]:
        """The picture of each code. Missing: erased."""
        ...

    def code_ids_of_images(self, image_ids: Sequence[int], *, kind: CodeKind) -> Mapping[int, tuple[int, ...]]:
        """The codes of each picture, lowest id first. Missing: erased, or recorded without a code of this kind."""
        ...

    def kinds(self) -> tuple[CodeKind, ...]:
        """The kinds of which a code is stored, oldest first."""
        ...

    def withheld_images(self) -> tuple[int, ...]:
        """Ids, rising, of the pictures whose every sighting is withheld: gone, or not to be indexed any more."""
        ...

    def erased_codes_after(self, mark: int, *, kind: CodeKind) -> ErasedBlock:
        """Codes that were erased since `mark` (0: ever), oldest first. Empty: none was, and the mark stays."""
        ...

    def codes_of(self, code_ids: Sequence[int]) -> Mapping[int, CodeRow]:
        """Codes by id. A missing id is an erased picture: it is no match any more."""
        ...

    def codes_of_images(self, image_ids: Sequence[int], kind: CodeKind | None = None) -> tuple[CodeRow, ...]:
        """The codes of these pictures, in commit order; without `kind`, those of all kinds.

        Empty: erased, or recorded without a code.
        """
        ...

    def tiles_of(self, image_ids: Sequence[int]) -> Mapping[int, StoredTiles]:
        """Tiles by image id. Missing: erased, recorded without, or by a version that made none."""
        ...

    def sightings_of(self, image_ids: Sequence[int]) -> Mapping[int, tuple[Sighting, ...]]:
        """Sightings by image id, oldest first."""
        ...

    def said_on(self, url: str, at: datetime) -> Said:
        """What was known of this address at that moment: verdicts, findings and evidence (`evidence.py`)."""
        ...

    def evidence_body(self, digest: str) -> bytes | None:
        """The bytes of a file in `Said.files`; None: not kept. Raises DataError where they are damaged."""
        ...

    def counts(self) -> Counts:
        """Facts about all that is recorded."""
        ...

    def coverage(self, kinds: Sequence[CodeKind]) -> Coverage:
        """What a look-up over these kinds rests on; its checks are phash256 and those of which a code is stored."""
        ...

    def robust_kinds(self) -> tuple[CodeKind, ...]:
        """The kinds named sscd512 of which a code is stored, oldest first: a look-up by another model says so."""
        ...

    def version(self) -> int:
        """Changes when another process or this one committed anything (SQLite `data_version`)."""
        ...


def verdict_forbids_index(verdict: Verdict) -> bool:
    """Does what was said keep us from storing a code that look-ups can find (docs/decisions.md, 9)?

    Deny, conditional and unknown do; nothing said does not.
    """
    from checker.model import Stance, Use

    return any(verdict.uses[use] in (Stance.DENY, Stance.CONDITIONAL, Stance.UNKNOWN) for use in (Use.INDEX, Use.ALL))
