"""The same search over any list of parts: ask each, put the answers together.

A part that lives elsewhere may fail to answer. It is left out and counted, and the caller's coverage says so: a search
over fewer parts is never passed off as a search over all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from checker.errors import PartUnavailableError
from checker.index.parts import Hits, Part, Words

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Answer:
    """The hits of all parts that answered."""

    hits: Hits
    parts_asked: int
    parts_answered: int


def near(parts: Sequence[Part], queries: Words, *, distance_bits_max: int, without: Ids) -> Answer:
    """All codes within `distance_bits_max` bits of a query: by query, then nearest first, then lowest id first.

    Args:
        without: ids that no answer may hold, rising (erased codes that parts still have).
    """
    found = list(_answers(parts, lambda part: part.near(queries, distance_bits_max=distance_bits_max)))
    hits = _kept(_joined(found), without)
    order = np.lexsort((hits.code_ids, hits.distances, hits.query_nos))
    return Answer(_taken(hits, order), len(parts), len(found))


def nearest(parts: Sequence[Part], queries: Words, *, count: int, without: Ids) -> Answer:
    """The `count` codes that lie nearest to any of the queries: nearest first, then lowest id first."""
    wanted = count
    while True:
        found = list(_answers(parts, lambda part, most=wanted: part.nearest(queries, count=most)))  # type: ignore[misc]
        kept = [_kept(one, without) for one in found]
        # What was left out as erased makes room for others of the same part, however many the other parts have given.
        complete = (len(one.code_ids) < wanted for one in found)
        if all(all_given or len(one.code_ids) >= count for all_given, one in zip(complete, kept, strict=True)):
            break
        wanted *= 2
    hits = _joined(kept)
    order = np.lexsort((hits.code_ids, hits.distances))[:count]
    return Answer(_taken(hits, order), len(parts), len(found))


def _answers(parts: Sequence[Part], ask: Callable[[Part], Hits]) -> Iterator[Hits]:
    for part in parts:
        try:
            yield ask(part)
        except PartUnavailableError:
            continue


def _joined(found: Sequence[Hits]) -> Hits:
    if len(found) == 1:
        return found[0]
    return Hits(
        np.concatenate([np.empty(0, np.int64), *(one.query_nos for one in found)]),
        np.concatenate([np.empty(0, np.int64), *(one.code_ids for one in found)]),
        np.concatenate([np.empty(0, np.uint16), *(one.distances for one in found)]),
    )


def _kept(hits: Hits, without: Ids) -> Hits:
    if not len(without) or not len(hits.code_ids):
        return hits
    places = np.minimum(np.searchsorted(without, hits.code_ids), len(without) - 1)
    return _taken(hits, np.flatnonzero(without[places] != hits.code_ids))


def _taken(hits: Hits, order: npt.NDArray[np.intp]) -> Hits:
    return Hits(hits.query_nos[order], hits.code_ids[order], hits.distances[order])
