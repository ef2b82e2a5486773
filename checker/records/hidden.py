"""The codes that opt-outs hide, read from registry.db at the moment of each answer.

They are never copied into the corpus: the two databases have no common transaction, and an opt-out has to bind the
next answer, not the next rebuild.
"""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from checker.model import CodeKind
from checker.records.kernels import Columns, distances, to_columns
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
        columns = self._refreshed()
        return bool((distances(columns, code) <= distance_bits_max).any())

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
                codes = b"".join(self._registry.hidden_codes(self._kind))
                self._columns = to_columns(codes, code_bytes=self._kind.bits // 8)
                self._seen_version = version
            return self._columns
