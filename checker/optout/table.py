"""The standing opt-outs of a feed as arrays: what `honour.py` decides by.

`OptOutRows` takes the entries one by one, as `verify_feed` opens them, and keeps of each what is compared: 32 bytes of
a code and some 17 more. Which entries were withdrawn, erased or disputed is known only when all were seen, so those are
sorted out at the end (`standing`). A million entries take 45 MB here, and 240 MB in the table that they become.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from checker.model import PHASH256, ROBUST_BITS, ROBUST_NAME, CodeKind, Fingerprint, Use
from checker.optout.entry import Entry, Evidence, OptOut
from checker.signals.statements import with_contained

CODE_BYTES = PHASH256.bits // 8


class AddressEntry(NamedTuple):
    """An entry that names an address."""

    entry: int
    """Index in the log."""
    disputed: bool


@dataclass(frozen=True, slots=True, eq=False)
class RobustCodes:
    """The sscd512 codes of some rows; a picture may have one of each of several models. Arrays of one length."""

    rows: npt.NDArray[np.int64]
    """Never falling."""
    bits: npt.NDArray[np.uint8]
    """(n, 64)"""
    versions: npt.NDArray[np.int16]
    """Places in `names`."""
    names: tuple[str, ...]
    """Versions of the code that occur."""

    def of(self, row: int) -> list[Fingerprint]:
        """The codes of one row."""
        first, end = np.searchsorted(self.rows, (row, row + 1)).tolist()
        return [
            Fingerprint(CodeKind(ROBUST_NAME, self.names[self.versions[at]], ROBUST_BITS), self.bits[at].tobytes())
            for at in range(first, end)
        ]

    def kept(self, stands: npt.NDArray[np.bool_]) -> RobustCodes:
        """Those of the rows that stand, by the numbers that these rows get."""
        here = stands[self.rows]
        places = stands.cumsum() - 1
        return RobustCodes(places[self.rows[here]], self.bits[here], self.versions[here], self.names)


@dataclass(frozen=True, slots=True, eq=False)
class StandingRows:
    """One row a phash256 code of a standing opt-out, in the order of the log. Arrays of one length."""

    codes: npt.NDArray[np.uint64]
    """(n, 4): the bytes of each code as four words."""
    entries: npt.NDArray[np.int64]
    """Index in the log, rising."""
    lone: npt.NDArray[np.bool_]
    """Made from a code alone: nobody here saw the picture."""
    disputed: npt.NDArray[np.bool_]
    robust: RobustCodes
    """Of the same pictures, where they have any."""
    addresses: Mapping[str, AddressEntry]
    """By address, the entry that decides: one that nobody disputes, else the oldest."""
    opt_outs: int
    not_compared: int
    """Of these, with a picture that has no code of a kind that this version compares."""
    other_uses: int
    """Opt-outs left aside because they are about none of the uses that were asked for."""


class OptOutRows:
    """Takes the entries of a feed in the order of the log: the `each` of `verify_feed`."""

    def __init__(self, uses: Collection[Use] | None = None) -> None:
        """`uses`: what the pictures are for; opt-outs about other uses are counted only. None: every one counts."""
        self._uses = uses
        self._codes, self._entries, self._lone = bytearray(), array("q"), bytearray()
        self._counted, self._other_uses, self._not_compared = array("q"), array("q"), array("q")
        self._robust, self._robust_rows, self._robust_versions = bytearray(), array("q"), array("h")
        self._versions: dict[str, int] = {}
        self._addresses: list[tuple[str, int]] = []

    def __call__(self, index: int, entry: Entry) -> None:
        """Take the entry at `index`; entries that are no opt-outs say nothing here."""
        if not isinstance(entry, OptOut):
            return
        if not self._is_about(entry):
            self._other_uses.append(index)
            return
        self._counted.append(index)
        lone = entry.evidence is Evidence.CODE
        not_compared = False
        for picture in entry.pictures:
            whole = [code for code in picture if code.kind == PHASH256]
            for code in whole:
                self._add_robust(picture)
                self._codes += code.bits
                self._entries.append(index)
                self._lone.append(lone)
            not_compared |= not whole
        if not_compared:
            self._not_compared.append(index)
        self._addresses += [(address, index) for address in entry.addresses]

    def _add_robust(self, picture: tuple[Fingerprint, ...]) -> None:
        """Of the picture that the next row is of."""
        for code in picture:
            if is_robust(code.kind):
                self._robust += code.bits
                self._robust_rows.append(len(self._entries))
                self._robust_versions.append(self._versions.setdefault(code.kind.version, len(self._versions)))

    def standing(self, *, ended: frozenset[int], disputed: frozenset[int]) -> StandingRows:
        """What is left when all entries were seen.

        Args:
            ended: indexes of opt-outs that were withdrawn or erased.
            disputed: indexes of those that somebody disputes.
        """
        entries = np.array(self._entries, dtype=np.int64)
        stands = ~_among(entries, ended)
        robust = RobustCodes(
            rows=np.array(self._robust_rows, dtype=np.int64),
            bits=np.frombuffer(self._robust, dtype=np.uint8).reshape(-1, ROBUST_BITS // 8),
            versions=np.array(self._robust_versions, dtype=np.int16),
            names=tuple(self._versions),
        )
        codes = np.frombuffer(self._codes, dtype=np.uint64).reshape(-1, CODE_BYTES // 8)
        return StandingRows(
            codes=codes[stands],
            entries=entries[stands],
            lone=np.frombuffer(self._lone, dtype=np.bool_)[stands],
            disputed=_among(entries[stands], disputed),
            robust=robust.kept(stands),
            addresses=self._standing_addresses(ended, disputed),
            opt_outs=_count_without(self._counted, ended),
            not_compared=_count_without(self._not_compared, ended),
            other_uses=_count_without(self._other_uses, ended),
        )

    def _standing_addresses(self, ended: frozenset[int], disputed: frozenset[int]) -> dict[str, AddressEntry]:
        found: dict[str, AddressEntry] = {}
        for address, index in self._addresses:
            if index not in ended:
                one = AddressEntry(index, index in disputed)
                found[address] = min(found.get(address, one), one, key=lambda entry: (entry.disputed, entry.entry))
        return found

    def _is_about(self, entry: OptOut) -> bool:
        if self._uses is None or Use.ALL in self._uses:
            return True
        return not with_contained(entry.uses).isdisjoint(self._uses)


def is_robust(kind: CodeKind) -> bool:
    """Is it sscd512, of whatever model?"""
    return kind.name == ROBUST_NAME and kind.bits == ROBUST_BITS


def _among(entries: npt.NDArray[np.int64], indexes: frozenset[int]) -> npt.NDArray[np.bool_]:
    return np.isin(entries, np.array(sorted(indexes), dtype=np.int64))


def _count_without(indexes: array[int], ended: frozenset[int]) -> int:
    return sum(index not in ended for index in indexes)
