"""Codes that were made before, found by the digest of a picture or by its address: sorted arrays, all in memory."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from checker.datasets.code_batches import code_bytes_of, read_codes
from checker.datasets.tables import TABLE_ERRORS
from checker.errors import InputError
from checker.model import PHASH256, Fingerprint, Picture, Sha256


class KnownCodes:
    """The codes of many files by digest and by address, as sorted arrays."""

    def __init__(self, files: list[Path]) -> None:
        """Read them.

        Raises:
            InputError: a file cannot be read.
        """
        codes: list[npt.NDArray[np.uint64]] = []
        plain: list[npt.NDArray[np.bool_]] = []
        digests: list[bytes] = []
        addresses: list[bytes] = []
        for file in files:
            try:
                for batch in read_codes(file):
                    of_use = np.flatnonzero(batch.has_code | batch.plain)
                    codes.append(batch.codes[of_use])
                    plain.append(batch.plain[of_use])
                    digests += [_digest_bytes(batch.sha256s[int(n)].as_py()) for n in of_use]
                    addresses += [_address_bytes(batch.urls[int(n)].as_py()) for n in of_use]
            except TABLE_ERRORS as error:
                raise InputError(f"cannot read the codes in {file}: {error}; delete it and make it anew") from error
        self._codes = np.concatenate(codes) if codes else np.zeros((0, 4), np.uint64)
        self._plain = np.concatenate(plain) if plain else np.zeros(0, np.bool_)
        self._digests, self._addresses = _Sorted(digests), _Sorted(addresses)

    def by_sha256(self, sha256: str) -> Picture | None:
        """See `coding.Known`."""
        return self._picture(self._digests.find(bytes.fromhex(sha256)[:_KEY_BYTES]), sha256)

    def by_url(self, url: str) -> Picture | None:
        """See `coding.Known`."""
        return self._picture(self._addresses.find(_address_bytes(url)), "")

    def _picture(self, row: int | None, sha256: str) -> Picture | None:
        if row is None:
            return None
        plain = bool(self._plain[row])
        fingerprints = () if plain else (Fingerprint(PHASH256, self._codes[row].tobytes()),)
        return Picture(Sha256(sha256), 0, 0, 0, "", fingerprints, plain)


_KEY_BYTES = 16
"""Of a SHA-256: two that agree so far by chance are not met."""


def _digest_bytes(value: object) -> bytes:
    if isinstance(value, str) and len(value) == 64:
        value = code_bytes_of(value, 32)
    return value[:_KEY_BYTES] if isinstance(value, bytes) and len(value) == 32 else b""


def _address_bytes(url: str | None) -> bytes:
    return hashlib.sha256(url.encode("utf-8", "replace")).digest()[:_KEY_BYTES] if url else b""


class _Sorted:
    """Finds keys of 16 bytes among many; keys that are empty are in no answer."""

    def __init__(self, keys: list[bytes]) -> None:
        kept = [number for number, key in enumerate(keys) if key]
        words = np.frombuffer(b"".join(keys[n] for n in kept), dtype=">u8").reshape(-1, 2).astype(np.uint64)
        order = np.lexsort((words[:, 1], words[:, 0]))
        self._high, self._low = words[order, 0], words[order, 1]
        self._rows = np.array(kept, dtype=np.int64)[order]

    def find(self, key: bytes) -> int | None:
        """Its number. None: it is not there."""
        high, low = (np.uint64(int.from_bytes(key[at : at + 8])) for at in (0, 8))
        at = int(np.searchsorted(self._high, high))
        while at < len(self._high) and self._high[at] == high:
            if self._low[at] == low:
                return int(self._rows[at])
            at += 1
        return None
