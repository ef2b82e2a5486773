"""The codes that opt-outs hide, read from registry.db at the moment of each answer.

They are never copied into the corpus: the two databases have no common transaction, and an opt-out has to bind the
next answer, not the next rebuild.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from checker.hamming import Columns, distances, to_columns
from checker.model import CodeKind
from checker.records.registry import REGISTRY_FILE, Registry


class HiddenCodes:
    """A scan over the hidden codes of one kind. Safe to share between threads."""

    def __init__(self, folder: Path, kind: CodeKind) -> None:
        self._file = folder / REGISTRY_FILE
        self._kind = kind
        self._lock = threading.Lock()
        self._registry: Registry | None = None
        self._seen_version = -1
        self._columns: Columns = np.empty((kind.bits // 64, 0), dtype=np.uint64)

    def near(self, code: bytes, *, distance_bits_max: int) -> bool:
        """Does an opt-out in force name a picture this near?"""
        return self.near_any([code], distance_bits_max=distance_bits_max)

    def near_any(self, codes: Sequence[bytes], *, distance_bits_max: int) -> bool:
        """Is one of these codes, of one picture and its parts, this near to what an opt-out in force names?"""
        columns = self._refreshed()
        return any(bool((distances(columns, code) <= distance_bits_max).any()) for code in codes)

    def turned_codes(self) -> list[bytes]:
        """Every hidden code in its eight orientations, sorted."""
        return sorted(row.tobytes() for row in self._refreshed().T)

    def close(self) -> None:
        """Close the registry."""
        with self._lock:
            if self._registry is not None:
                self._registry.close()
                self._registry = None

    def _refreshed(self) -> Columns:
        with self._lock:
            if self._registry is None:
                if not self._file.is_file():
                    return self._columns  # nobody has opted out yet
                self._registry = Registry.open(self._file)
            version = self._registry.version()
            if version != self._seen_version:
                codes = b"".join(_turned(self._registry.hidden_codes(self._kind)))
                self._columns = to_columns(codes, code_bytes=self._kind.bits // 8)
                self._seen_version = version
            return self._columns


def _turned(codes: Iterable[bytes]) -> Iterator[bytes]:
    """Each code in its eight orientations: who says no to a photo says no to its mirror image."""
    from checker.fingerprint.cosine import turned_bits  # here, because it brings Pillow, and most calls find no code

    for code in codes:
        yield from turned_bits(code)
