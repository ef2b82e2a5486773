"""Which stored codes are near to each of many questions, however turned?

One look-up asks the index eight times, once an orientation, and that is what bulk look-ups would spend their time on.
Here the stored codes lie in one table that answers for all eight at once (index/turned_pairs.py), exactly: 40 bytes of
memory a code, and a few milliseconds for every 10,000 of them at each call. So few questions are asked through the
index, and so are larger collections and radii.

The answer may name codes that were erased since; whoever reads them from the store finds them missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from checker.fingerprint.cosine import turned_bits, turned_rows
from checker.index.live import QUERIES_MAX, LiveIndex
from checker.index.turned import loops_for
from checker.index.turned_blocks import PIECES_DISTANCE_MAX
from checker.index.turned_pairs import TooManyPairsError, TurnedPairs
from checker.model import PHASH256, Fingerprint
from checker.records.folder import DataFolder
from checker.records.interfaces import Hit

TABLE_CODES_MAX = 3_000_000
"""120 MB."""
TABLE_FROM = 500
"""Stored codes a question up to which the table is worth its time; measured at a million."""
PAIRS_MAX = 1 << 18
"""Near codes that are held for a part of a list: some 100 MB, with what is made of them. A half of 32,768 rows that are
found have 20,000; a list of one placeholder, thousands of times, of which thousands are stored, has millions."""
_BY_INDEX = 256
"""Questions of a part that is asked through the index."""
_READ_AT_ONCE = 50_000
_TURNS = 8


class StoredCodes:
    """The phash256 codes of one data folder, as they are at each question. Used by one thread at a time."""

    def __init__(self, folder: DataFolder, index: LiveIndex, *, distance_bits_max: int) -> None:
        self._store = folder.store
        self._index = index
        self._distance_bits_max = distance_bits_max
        self._table = TurnedPairs()
        self._ids = np.empty(0, dtype=np.int64)
        self._upto = 0

    def near(self, codes: Sequence[Fingerprint]) -> Iterator[Sequence[Sequence[Hit]]]:
        """For each phash256 code the stored ones within the radius; `query_no` is the orientation's (report.py).

        Part by part: the first of the codes, then those that follow. All at once where that is no more than fits.
        """
        if not self._wants_table(len(codes)):
            for first in range(0, len(codes), _BY_INDEX):
                yield self._by_index(codes[first : first + _BY_INDEX])
            return
        self._take_in()
        waiting = [codes]
        while waiting:
            some = waiting.pop()
            try:
                hits = self._by_table(some)
            except TooManyPairsError:
                waiting += [some[len(some) // 2 :], some[: len(some) // 2]]
                continue
            yield hits

    def prepare(self, questions: int) -> None:
        """Load what so many will be answered by."""
        if self._wants_table(questions):
            self._take_in()
            loops_for(questions)

    def _wants_table(self, questions: int) -> bool:
        stored = self._index.state().codes
        return stored <= min(TABLE_CODES_MAX, TABLE_FROM * questions) and self._distance_bits_max <= PIECES_DISTANCE_MAX

    def _by_table(self, codes: Sequence[Fingerprint]) -> Sequence[Sequence[Hit]]:
        hits: list[list[Hit]] = [[] for _ in codes]
        asked = _words(b"".join(code.bits for code in codes))
        pairs_max = max(PAIRS_MAX, len(self._table)) if len(codes) == 1 else PAIRS_MAX
        numbers, rows = self._table.near(asked, distance_bits_max=self._distance_bits_max, pairs_max=pairs_max)
        turned = turned_rows(asked.view(np.uint8))[numbers].view(np.uint64)
        distances = self._table.distances(rows, turned)
        pair, turn = np.nonzero(distances <= self._distance_bits_max)
        ids, bits = self._ids[rows[pair]], distances[pair, turn]
        for number, *hit in zip(*(array.tolist() for array in (numbers[pair], turn, ids, bits)), strict=True):
            hits[number].append(Hit(*hit))
        return hits

    def _take_in(self) -> None:
        """What was stored since."""
        bits, ids = bytearray(), [self._ids]
        while (block := self._store.code_block_after(self._upto, kind=PHASH256, count=_READ_AT_ONCE)).code_ids:
            bits += block.bits
            ids.append(np.array(block.code_ids))
            self._upto = block.code_ids[-1]
        if bits:
            self._table.add(_words(bytes(bits)))
            self._ids = np.concatenate(ids)

    def _by_index(self, codes: Sequence[Fingerprint]) -> Sequence[Sequence[Hit]]:
        hits: list[list[Hit]] = [[] for _ in codes]
        for first in range(0, len(codes), QUERIES_MAX // _TURNS):
            some = codes[first : first + QUERIES_MAX // _TURNS]
            turned = [bits for code in some for bits in turned_bits(code.bits)]
            for hit in self._index.near(turned, distance_bits_max=self._distance_bits_max).hits:
                number, turn = divmod(hit.query_no, _TURNS)
                hits[first + number].append(Hit(turn, hit.code_id, hit.distance_bits))
        return hits


def _words(bits: bytes) -> npt.NDArray[np.uint64]:
    return np.frombuffer(bits, dtype=np.uint64).reshape(-1, PHASH256.bits // 64)
