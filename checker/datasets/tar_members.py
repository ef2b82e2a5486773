"""The members of a tar, one after the other, within bounds. None is ever written, so a name can lead nowhere.

A tar ends with zeros (POSIX pax, "ustar Interchange Format"). One that ends otherwise was cut off or is damaged.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator, Mapping

from checker.datasets.bounded import BoundedFile, DamagedError

_HEADER_BYTES_MAX = 8_192
"""Of a member's extended header (long names). PATH_MAX is 4,096; tarfile reads them with regular expressions."""
_END_BYTES = 2**20
"""Looked at behind the end mark; tar fills up to 10 KiB."""
DOCUMENT_BYTES_MAX = 2**20
"""Of a `.json` or a text that is looked at."""
STEM = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)", re.DOTALL)
"""webdataset: the stem ends at the first dot of the file's name."""


def members_of(tar: tarfile.TarFile, opened: BoundedFile) -> Iterator[tarfile.TarInfo]:
    """Every member, in order; keeps none of them."""
    before = -1
    while True:
        opened.read_bytes_max = _HEADER_BYTES_MAX
        member = tar.next()
        if member is None:
            break
        if tar.offset <= before or member.size < 0:
            raise DamagedError("one of its members ends before it begins")  # it would be read for ever
        before = tar.offset
        tar.members.clear()  # type: ignore[attr-defined]  # tarfile remembers every member otherwise
        yield member
    if not opened.last:
        raise DamagedError("it has no end mark, so it was cut off")
    if opened.last.strip(b"\0"):
        raise DamagedError(f"there is no member at byte {tar.offset}")
    _check_end(opened)


def _check_end(opened: BoundedFile) -> None:
    """Behind the end mark there are zeros. Of gzip all of it is read: its checksum stands behind everything else."""
    opened.read_bytes_max = _END_BYTES
    while rest := opened.read(_END_BYTES):
        if rest.strip(b"\0"):
            raise DamagedError("it goes on behind its end mark, where nothing is looked for (two archives in one?)")
        if not opened.compressed:
            break
    while opened.compressed and opened.read(_HEADER_BYTES_MAX):
        pass  # gzip's checksum comes last (RFC 1952 2.3.1)


def is_file(member: tarfile.TarInfo) -> bool:
    """Is it an ordinary file? Links and files with holes are not read."""
    return member.isreg() and not member.issparse()


def body_of(tar: tarfile.TarFile, opened: BoundedFile, member: tarfile.TarInfo) -> bytes:
    """The bytes of an ordinary file in it."""
    opened.read_bytes_max = max(member.size, DOCUMENT_BYTES_MAX)
    held = tar.extractfile(member)
    assert held is not None, "only ordinary files are read"
    return held.read()


def read_document(body: bytes) -> Mapping[str, object] | None:
    """A JSON object. None: it is none, or cannot be read."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
