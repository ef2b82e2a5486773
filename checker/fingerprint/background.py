"""Codes of unrelated photos that come with the package: what "near by chance" looks like.

background.npz holds codes only, of photos in the public domain (studio portraits, objects, places), made by
benchmarks/background.py, which names every source. A query is compared with all of them, so that a portrait before a
curtain is judged by other portraits before curtains and not by the mean of all photos.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from checker.model import CodeKind

FILE = Path(__file__).with_name("background.npz")
TAIL_SHARE = 0.02
SCALE_BITS_MIN = 2.0
"""A tail thinner than this was fitted to ties, not to a tail."""

Distances = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Null:
    """How near unrelated pictures come to one picture: the lower tail of its distances to the background.

    Below `edge` lies a known share of the background; further down the share falls by e every `scale` bits. The tail of
    a light-tailed distribution over a high threshold is exponential or thinner (Pickands 1975; Balkema and de Haan
    1974), so a small chance comes out too large rather than too small. docs/benchmarks.md has the calibration.
    """

    sorted_distances: Distances
    edge: float
    scale: float

    @classmethod
    def of(cls, distances: Distances, *, copies_within: int) -> Null:
        """Fit to distances from one picture to the background, (n,); those of its own copies in there are left out."""
        far = np.sort(distances[distances > copies_within])
        count = max(1, round(TAIL_SHARE * len(far)))
        edge = float(far[count])
        return cls(far, edge, max(SCALE_BITS_MIN, edge - float(far[:count].mean())))

    @classmethod
    def of_each(cls, distances: Distances, *, copies_within: int) -> list[Null]:
        """The same of several pictures, (pictures, n), at a third of the time where none has a copy in there."""
        if (distances <= copies_within).any():
            return [cls.of(row, copies_within=copies_within) for row in distances]
        far = np.sort(distances, axis=1)
        count = max(1, round(TAIL_SHARE * far.shape[1]))
        edges, means = far[:, count].tolist(), far[:, :count].mean(axis=1).tolist()
        scales = [max(SCALE_BITS_MIN, edge - mean) for edge, mean in zip(edges, means, strict=True)]
        return [cls(row, float(edge), scale) for row, edge, scale in zip(far, edges, scales, strict=True)]

    def chance(self, distance: float) -> float:
        """The chance that one unrelated picture lies at least this near, 0 to 1."""
        count = len(self.sorted_distances)
        if distance >= self.edge:
            return float(np.searchsorted(self.sorted_distances, distance, side="right")) / count
        below = max(1, round(TAIL_SHARE * count)) / count
        return below * float(np.exp((distance - self.edge) / self.scale))


@cache
def background(kind: CodeKind) -> npt.NDArray[np.uint64] | None:
    """Codes of one kind, (n, bits / 64) words, column by column. None: there are none of this kind and version."""
    with np.load(FILE, allow_pickle=False) as file:
        if f"{kind.name}.{kind.version}" not in file:
            return None
        codes: npt.NDArray[np.uint8] = file[f"{kind.name}.{kind.version}"]
    return np.asfortranarray(codes.view(np.uint64))  # word by word, as `distances_to` reads it: six times as fast


def distances_to(codes: npt.NDArray[np.uint64], queries: list[bytes]) -> Distances:
    """From each background picture to the nearest of the queries, (n,)."""
    words = codes.shape[1]
    asked = np.frombuffer(b"".join(queries), dtype=np.uint64).reshape(-1, words)
    found = np.zeros((len(asked), len(codes)), dtype=np.uint16)
    for column, query in zip(codes.T, asked.T, strict=True):
        found += np.bitwise_count(column ^ query[:, None])
    return found.min(axis=0, initial=words * 64).astype(np.int64)
