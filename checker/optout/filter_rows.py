"""What a pipeline hands over, read as address, code and picture: rows of Hugging Face, webdataset, img2dataset, Arrow.

    a row       {"image": {"bytes": ..., "path": ...}, "url": ...}     datasets, one at a time
    a batch     {"image": [...], "url": [...]}, or an Arrow table      datasets, in batches; Parquet
    a sample    {"__key__": ..., "jpg": ..., "json": ...}              webdataset, decoded or not

Columns are found by their names, in any case, as `hibs honour` finds them. What is no picture becomes a reason, never
an exception; an object that nobody could read (a tensor) is refused, since it says that the pipeline is put together
in another order than its maker thinks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from checker.datasets.columns import Columns, Named, address_text, match_columns, picture_names
from checker.errors import InputError
from checker.fingerprint import parse_code
from checker.fingerprint.pictures import OTHER_PICTURE_SUFFIXES, PICTURE_SUFFIXES
from checker.model import PHASH256, Fingerprint

CODE_COLUMN = PHASH256.name
VERSION_COLUMN = f"{PHASH256.name}_version"
SAMPLE_KEY = "__key__"
_JSON = "json"
_JSON_BYTES_MAX = 2**20


@dataclass(frozen=True, slots=True)
class GivenRow:
    """One row, as far as a decision needs it."""

    url: str | None
    code: Fingerprint | None
    """None: there is none that a picture can have."""
    pictures: tuple[Any, ...]
    """Bytes, or what `fingerprint` takes. None among them: there is no picture in the column."""


@dataclass(frozen=True, slots=True)
class GivenColumns:
    """Which columns of a table are read, as they are spelled there."""

    found: Columns
    code: str | None
    version: str | None
    more: tuple[str, ...] = ()
    """Other columns that are named as pictures: a row may hold a picture and its edited copy."""

    @classmethod
    def of(cls, names: Sequence[str], named: Named) -> GivenColumns:
        """Find the columns.

        Raises:
            InputError: none of them says anything that could decide, or one that was named is not there.
        """
        spelled = {name.lower(): name for name in reversed(names)}
        found = match_columns(names, named)
        more = () if named.image is not None else tuple(one for one in picture_names(names) if one != found.image)
        if found.image is None and more:
            found, more = replace(found, image=more[0]), more[1:]
        columns = cls(found, spelled.get(CODE_COLUMN), spelled.get(VERSION_COLUMN), more)
        for wanted, there in ((named.url, columns.found.url), (named.image, columns.found.image)):
            if wanted is not None and there is None:
                raise InputError(f"there is no column {wanted!r} among {_listed(names)}; name another")
        if columns.found.url is columns.found.image is columns.code is None:
            raise InputError(
                f"no column of {_listed(names)} holds pictures, addresses or {CODE_COLUMN}; name one with "
                "picture_column= or url_column="
            )
        return columns

    @property
    def read(self) -> tuple[str, ...]:
        """Names of the columns that are looked at."""
        names = (self.found.url, self.found.image, self.code, self.version, *self.more)
        return tuple(name for name in names if name is not None)

    def row(self, values: Mapping[str, Any]) -> GivenRow:
        """Read one row."""
        first = [] if self.found.image is None else _pictures(values.get(self.found.image))
        more = [one for name in self.more for one in _pictures(values.get(name)) if not isinstance(one, _NO_PICTURES)]
        return GivenRow(
            url=address_text(values, self.found),
            code=_code(values.get(self.code or ""), values.get(self.version or "")),
            pictures=tuple(_picture(one) for one in [*first, *more]),
        )


def read_sample(sample: Mapping[str, Any]) -> GivenRow:
    """Read a sample of webdataset: every member that is a picture by its name, and the address in its JSON."""
    about = sample.get(_JSON)
    if isinstance(about, bytes | str) and len(about) <= _JSON_BYTES_MAX:
        try:
            about = json.loads(about)
        except (ValueError, RecursionError):
            about = None
    told = {name: value for name, value in about.items() if isinstance(name, str)} if isinstance(about, dict) else {}
    members = [name for name in sample if f".{name.rsplit('.', 1)[-1].lower()}" in _PICTURES]
    code = sample.get(CODE_COLUMN, told.get(CODE_COLUMN))
    return GivenRow(
        url=address_text(told, match_columns(told)) or address_text(sample, match_columns(["url"])),
        code=_code(code, told.get(VERSION_COLUMN)) if not members else None,
        pictures=tuple(_picture(sample[name]) for name in members),
    )


def is_batch(values: Mapping[str, Any], columns: GivenColumns) -> bool:
    """Do the values come as one list a column? A column beside them that is no list tells a row with a list in it."""
    lists = all(isinstance(values[name], list) for name in columns.read)
    return lists and not any(isinstance(value, _ONE) for value in values.values())


def _code(value: Any, version: Any) -> Fingerprint | None:
    if version is not None and version != PHASH256.version:
        return None
    if isinstance(value, bytes | bytearray | memoryview) and len(value) == PHASH256.bits // 8:
        value = bytes(value).hex()
    elif isinstance(value, bytes | bytearray | memoryview):
        value = bytes(value[:100]).decode("ascii", "replace")
    if not isinstance(value, str):
        return None
    try:
        return parse_code(PHASH256.name, PHASH256.version, value.lower())
    except InputError:
        return None


def _pictures(value: Any) -> list[Any]:
    """The pictures in a cell, which may hold a list of them."""
    return value if isinstance(value, list) and value else [None if isinstance(value, list) else value]


def _picture(value: Any) -> Any:
    """The picture in a cell. A path alone is none: what is read is what the dataset holds."""
    if isinstance(value, Mapping):
        value = value.get("bytes")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    return None if isinstance(value, str) else value


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name[:40]) for name in names[:12])


_ONE = (str, bytes, int, float, Mapping, type(None))
"""What a batch has in no column: there it is a list, or an array of one of the libraries that count."""
_NO_PICTURES = (str, int, float, type(None))
"""An address, a count: in a column that only sounds like pictures these are none. In the first they are not checked."""
_PICTURES = PICTURE_SUFFIXES | OTHER_PICTURE_SUFFIXES
