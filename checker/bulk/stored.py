"""Which of many codes are near to anything that is stored, however turned? Most are not, and need no further look.

One look-up asks the index eight times, once an orientation, and that is what bulk look-ups would spend their time on.
Here the stored codes lie in one table that answers for all eight at once (index/turned.py), exactly. It holds the codes
in memory, 275 bytes each, so larger collections are asked through the index.

The answer may hold codes that were erased since; whoever asks looks each of them up properly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from checker.fingerprint.asked import turned_codes
from checker.index.live import QUERIES_MAX, LiveIndex
from checker.index.turned import NONE, TurnedCodes
from checker.model import PHASH256, Fingerprint
from checker.records.folder import DataFolder

TABLE_CODES_MAX = 1_200_000
"""330 MB."""
_READ_AT_ONCE = 50_000
_NEW_MAX = 50_000
"""Codes that came since the table was made, in a small one of their own; with more the large one is made anew."""
_TURNS = 8


class StoredCodes:
    """The phash256 codes of one data folder, as they are at each `refresh`."""

    def __init__(self, folder: DataFolder, index: LiveIndex, *, distance_bits_max: int) -> None:
        self._store = folder.store
        self._index = index
        self._distance_bits_max = distance_bits_max
        self._bits = bytearray()
        self._new = bytearray()
        self._upto = 0
        self._tables: tuple[TurnedCodes, ...] = ()
        self._by_index = False

    def refresh(self) -> None:
        """Take in what was stored since."""
        if self._by_index or self._index.state().codes > TABLE_CODES_MAX:
            self._by_index, self._tables = True, ()
            self._bits, self._new = bytearray(), bytearray()
            return
        before = len(self._new)
        while (block := self._store.code_block_after(self._upto, kind=PHASH256, count=_READ_AT_ONCE)).code_ids:
            self._new += block.bits
            self._upto = block.code_ids[-1]
        if not self._tables or len(self._new) > _NEW_MAX * PHASH256.bits // 8:
            self._bits += self._new
            self._new = bytearray()
            self._tables = (_table(self._bits),)
        elif len(self._new) != before:
            self._tables = (self._tables[0], _table(self._new))

    def near_any(self, codes: Sequence[Fingerprint]) -> npt.NDArray[np.bool_]:
        """For each phash256 code: is one that is stored, in any orientation, within the radius?"""
        if self._by_index:
            return self._asked_one_by_one(codes)
        asked = _words(b"".join(code.bits for code in codes))
        near = np.zeros(len(codes), dtype=np.bool_)
        for table in self._tables:
            near |= table.best(asked, distance_bits_max=self._distance_bits_max) != NONE
        return near

    def _asked_one_by_one(self, codes: Sequence[Fingerprint]) -> npt.NDArray[np.bool_]:
        near = np.zeros(len(codes), dtype=np.bool_)
        for first in range(0, len(codes), QUERIES_MAX // _TURNS):
            turned = [one.bits for code in codes[first : first + QUERIES_MAX // _TURNS] for one in turned_codes(code)]
            for hit in self._index.near(turned, distance_bits_max=self._distance_bits_max).hits:
                near[first + hit.query_no // _TURNS] = True
        return near


def _table(bits: bytearray) -> TurnedCodes:
    words = _words(bytes(bits))
    return TurnedCodes(words, np.full(len(words), -1, dtype=np.int16))


def _words(bits: bytes) -> npt.NDArray[np.uint64]:
    return np.frombuffer(bits, dtype=np.uint64).reshape(-1, PHASH256.bits // 64)
