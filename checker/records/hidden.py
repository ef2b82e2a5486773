"""What opt-outs hide, by code and by address, read from registry.db at the moment of each answer.

It is never copied into the corpus: the two databases have no common transaction, and an opt-out has to bind the next
answer, not the next rebuild.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from checker.addresses import covering_addresses
from checker.hamming import Columns, distances, to_columns
from checker.model import CodeKind, Sighting
from checker.records.registry import REGISTRY_FILE, Registry


class _Hidden:
    """Something that opt-outs hide, kept in memory while registry.db stays as it is. Safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / REGISTRY_FILE
        self._lock = threading.Lock()
        self._registry: Registry | None = None
        self._seen_version = -1
        self._mark = 0, 0

    def close(self) -> None:
        """Close the registry."""
        with self._lock:
            if self._registry is not None:
                self._registry.close()
                self._registry = None

    def _refresh(self) -> None:
        """Read again where anybody committed since. The caller holds the lock."""
        if self._registry is None:
            if not self._file.is_file():
                return  # nobody has opted out yet
            self._registry = Registry.open(self._file)
        version = self._registry.version()
        if version != self._seen_version:
            mark = self._registry.hiding_mark()
            if mark[1] != self._mark[1]:
                self._add(self._registry, 0)
            elif mark != self._mark:
                self._add(self._registry, self._mark[0])  # nothing ended: only what is new has to be read
            self._mark, self._seen_version = mark, version

    def _add(self, registry: Registry, after: int) -> None:
        """Take in the requests with a larger id than `after`; with 0 all of them, in place of what there is."""
        raise NotImplementedError


class HiddenCodes(_Hidden):
    """A scan over the hidden codes of one kind."""

    def __init__(self, folder: Path, kind: CodeKind) -> None:
        super().__init__(folder)
        self._kind = kind
        self._columns: Columns = np.empty((kind.bits // 64, 0), dtype=np.uint64)
        self._numbers: tuple[str, ...] = ()

    def near(self, code: bytes, *, distance_bits_max: int) -> bool:
        """Does an opt-out in force name a picture this near?"""
        return self.near_any([code], distance_bits_max=distance_bits_max)

    def near_any(self, codes: Sequence[bytes], *, distance_bits_max: int) -> bool:
        """Is one of these codes, of one picture and its parts, this near to what an opt-out in force names?"""
        return self.near_each([codes], distance_bits_max=distance_bits_max)[0]

    def near_each(self, pictures: Sequence[Sequence[bytes]], *, distance_bits_max: int) -> list[bool]:
        """The same of many pictures, each with its codes."""
        columns, _ = self._refreshed()
        if not columns.shape[1]:
            return [False] * len(pictures)
        if columns.shape[1] > _COMPARED_AT_ONCE:
            return [
                any(bool((distances(columns, code) <= distance_bits_max).any()) for code in codes) for codes in pictures
            ]
        picture_nos = np.repeat(np.arange(len(pictures)), [len(codes) for codes in pictures])
        asked = to_columns(b"".join(code for codes in pictures for code in codes), code_bytes=self._kind.bits // 8)
        group = _COMPARED_AT_ONCE // columns.shape[1]
        near = np.zeros(len(pictures), dtype=bool)
        for first in range(0, len(picture_nos), group):
            some = asked[:, first : first + group]
            bits = np.bitwise_count(columns[:, None] ^ some[:, :, None]).sum(axis=0, dtype=np.uint16)
            near[picture_nos[first : first + group][(bits <= distance_bits_max).any(axis=1)]] = True
        return list(map(bool, near))

    def hiding(self, codes: Sequence[bytes], *, distance_bits_max: int) -> tuple[str, ...]:
        """The numbers of the opt-outs in force that name a picture this near to one of these codes, sorted."""
        columns, numbers = self._refreshed()
        near = {
            place // _TURNS
            for code in codes
            for place in np.flatnonzero(distances(columns, code) <= distance_bits_max).tolist()
        }
        return tuple(sorted({numbers[place] for place in near}))

    def turned_codes(self) -> list[bytes]:
        """Every hidden code in its eight orientations, sorted."""
        return sorted(row.tobytes() for row in self._refreshed()[0].T)

    def _refreshed(self) -> tuple[Columns, tuple[str, ...]]:
        with self._lock:
            self._refresh()
            return self._columns, self._numbers

    def _add(self, registry: Registry, after: int) -> None:
        hiding = registry.hiding_codes(self._kind, after=after)
        codes = b"".join(_turned([bits for bits, _ in hiding]))
        columns, numbers = to_columns(codes, code_bytes=self._kind.bits // 8), tuple(number for _, number in hiding)
        self._columns = np.concatenate([self._columns, columns], axis=1) if after else columns
        self._numbers = (*self._numbers, *numbers) if after else numbers


class HiddenAddresses(_Hidden):
    """The addresses that opt-outs name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._numbers: dict[str, tuple[str, ...]] = {}

    def any(self) -> bool:
        """Is an address hidden at all? Most folders have none, and need not ask further."""
        return bool(self.by_address())

    def hosts(self) -> frozenset[str]:
        """Hosts of which all or a part is hidden, with the port where it is not the default one."""
        return frozenset(address.partition("/")[0] for address in self.by_address())

    def hiding(self, urls: Iterable[str | None]) -> tuple[str, ...]:
        """The numbers of the opt-outs in force that name an address which covers one of these, sorted."""
        hidden = self.by_address()
        return tuple(sorted(covers(hidden, *urls))) if hidden else ()

    def by_address(self) -> Mapping[str, tuple[str, ...]]:
        """The numbers of the opt-outs in force by the address that they name, as it is now; never changed."""
        with self._lock:
            self._refresh()
            return self._numbers

    def _add(self, registry: Registry, after: int) -> None:
        numbers = dict(self._numbers) if after else {}
        for address, number in registry.hiding_addresses(after=after):
            numbers[address] = (*numbers.get(address, ()), number)
        self._numbers = numbers


def covers(hidden: Mapping[str, tuple[str, ...]], *urls: str | None) -> frozenset[str]:
    """The numbers of the opt-outs among `hidden` that name an address which covers one of these."""
    return frozenset(
        number for url in urls if url for address in covering_addresses(url) for number in hidden.get(address, ())
    )


def uncovered(hidden: Mapping[str, tuple[str, ...]], sightings: Iterable[Sighting]) -> tuple[Sighting, ...]:
    """The sightings of which no address among `hidden` names the host or a part of it."""
    return tuple(one for one in sightings if not (hidden and covers(hidden, one.image_url, one.page_url)))


_TURNS = 8
_COMPARED_AT_ONCE = 1 << 18
"""Pairs of codes, of 32 bytes each. Where more than these are hidden, one code is compared with them at a time."""
_AT_ONCE = 8_192
"""Codes that are turned together; one by one a million of them took 47 s."""


def _turned(codes: Sequence[bytes]) -> Iterator[bytes]:
    """Each code in its eight orientations: who says no to a photo says no to its mirror image."""
    # Here, because it brings Pillow, and most calls find no code.
    from checker.fingerprint.cosine import turned_rows

    for begin in range(0, len(codes), _AT_ONCE):
        together = codes[begin : begin + _AT_ONCE]
        yield turned_rows(np.frombuffer(b"".join(together), dtype=np.uint8).reshape(len(together), -1)).tobytes()
