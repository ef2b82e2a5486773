"""One part to its rows, whatever its kind is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import assert_never

from checker.datasets.parts import Part, PartKind
from checker.datasets.sample_tables import read_table
from checker.datasets.sample_tars import read_tar
from checker.datasets.samples import Sample, read_folder, read_list
from checker.errors import InputError
from checker.settings import Settings


def read_part(part: Part, settings: Settings) -> Iterator[Sample]:
    """The rows of a part, in order. What cannot be read is a row with a reason."""
    match part.kind:
        case PartKind.FOLDER:
            return read_folder(part, settings)
        case PartKind.TAR:
            return read_tar(part, settings)
        case PartKind.TABLE:
            return read_table(part, settings)
        case PartKind.LIST:
            return read_list(part)
        case _:
            assert_never(part.kind)


class FolderDigest:
    """SHA-256 of a folder of files, as lines of `sha256sum`; "-" for a file that cannot be read."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.bytes = 0

    def add(self, name: str, sha256: str | None) -> None:
        """The next file, in the order of the rows."""
        self._digest.update(f"{sha256 or '-'}  ".encode() + name.encode("utf-8", "surrogateescape") + b"\n")

    def hex(self) -> str:
        """Of all that were added."""
        return self._digest.hexdigest()


def size_and_digest(part: Part) -> tuple[int, str]:
    """Bytes and SHA-256 of a part that is one file.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with part.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return file.tell(), digest
    except OSError as error:
        raise InputError(f"cannot read {part.path}: {error.strerror}; check its permissions") from error
