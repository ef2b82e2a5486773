"""Codes that were made before, so that honouring them every day decodes nothing: a folder with one Parquet file a part.

    codes/00000.tar.parquet     a row a picture of 00000.tar; its metadata say which file that was
    codes/files.parquet         those of the loose files of the folder that was given

A part is recognised by its name, size and time of change. Rows follow those of the part, so that a decision about a
row needs neither its bytes nor a search. Where the part is another one, pictures are found by their SHA-256, and
rows that have none by the digest or the address that they tell (docs/honour.md says what is trusted here).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from checker.datasets.known_codes import KnownCodes
from checker.datasets.parts import Part
from checker.datasets.tables import TABLE_ERRORS, open_table
from checker.errors import InputError
from checker.model import Picture

VERSION = 2
"""1: only the first of several columns with pictures was looked at."""
METADATA = b"hibs_codes"
SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("row", pa.int64()),
        ("key", pa.string()),
        ("name", pa.string()),
        ("url", pa.string()),
        ("sha256", pa.binary(32)),
        ("phash256", pa.binary(32)),
        ("phash256_version", pa.string()),
        ("sscd512", pa.binary(64)),
        ("sscd512_version", pa.string()),
        ("plain", pa.bool_()),
        ("status", pa.string()),
        ("reason", pa.string()),
    ]
)
"""One row a picture; a row of the part without any is one too. `status`: ok, too-plain, unreadable, no-picture."""
_FILES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class AboutPart:
    """What the codes of a part say of the part."""

    name: str
    stamp: str
    """See `parts.stamp_of`."""
    made_of: str
    """Which codes were made, of which columns; others are made anew."""
    sha256: str
    part_bytes: int
    rows: int
    pictures: int
    """With a code, or too plain for one. None: the part has addresses alone, and its codes say nothing."""
    unreadable: int
    """Pictures and rows that could not be read."""

    def to_metadata(self) -> dict[bytes, bytes]:
        """For the Parquet file."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {METADATA: json.dumps({"v": VERSION, **fields}, sort_keys=True).encode()}

    @classmethod
    def of(cls, path: Path) -> AboutPart | None:
        """Of a Parquet file. None: it is no file of codes, or one of another version."""
        try:
            metadata = pq.read_schema(path).metadata or {}
            with open_table(path) as table:
                metadata = table.metadata.metadata or metadata
            document = json.loads(metadata[METADATA])
            if document.pop("v") != VERSION or set(document) != set(cls.__slots__):
                return None
            return cls(**document)
        except (*TABLE_ERRORS, TypeError, AttributeError, RecursionError):
            return None


def codes_name(part_name: str) -> str:
    """Where the codes of a part lie in a folder of codes."""
    return f"{part_name or 'files'}.parquet"


class CodesFolder:
    """Codes that were made before, of any number of parts."""

    def __init__(self, path: Path) -> None:
        """Look at what is there.

        Raises:
            InputError: there is nothing, or nothing of this version.
        """
        files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        self._parts: dict[tuple[str, str], tuple[Path, AboutPart]] = {}
        self._files: list[Path] = []
        for file in files[:_FILES_MAX]:
            about = AboutPart.of(file)
            if about is not None:
                self._parts[_last(about.name), about.stamp] = (file, about)
                self._files.append(file)
        if not self._files:
            raise InputError(f"{path} holds no codes of this version; make them with `hibs fingerprint --out`")
        self._known: KnownCodes | None = None

    def of_part(self, part: Part, stamp: str) -> tuple[Path, AboutPart] | None:
        """The codes of just this part. None: they were made of another state of it, or never."""
        found = self._parts.get((_last(part.name), stamp))
        if found is None or not found[1].pictures or not found[1].made_of.endswith(made_of_columns(part)):
            return None
        return found

    def by_sha256(self, sha256: str) -> Picture | None:
        """See `coding.Known`."""
        return self._all().by_sha256(sha256)

    def by_url(self, url: str) -> Picture | None:
        """See `coding.Known`."""
        return self._all().by_url(url)

    def _all(self) -> KnownCodes:
        if self._known is None:
            self._known = KnownCodes(self._files)
        return self._known


def made_of_columns(part: Part) -> str:
    """Which columns a person named; with others, a row has other pictures."""
    return f"url={part.named.url} image={part.named.image}"


def _last(name: str) -> str:
    return name.rpartition("/")[2]
