"""What one row of a list or a dataset says of its picture, by its columns (`checker.datasets.columns`)."""

from __future__ import annotations

from collections.abc import Mapping

from checker.datasets.columns import CAPTION_CHARACTERS_MAX, Columns, sha256_of, text_of
from crawler.addresses import join, storable
from crawler.archives.entries import Told


def told_of(row: Mapping[str, object], columns: Columns, *, url_characters_max: int) -> Told:
    """What one row says of its picture. What cannot be read counts as not said."""
    return Told(
        image_url=_storable(address_of(row.get(columns.url or ""), url_characters_max=url_characters_max)),
        page_url=_storable(address_of(row.get(columns.page_url or ""), url_characters_max=url_characters_max)),
        caption=text_of(row.get(columns.caption or ""), characters_max=CAPTION_CHARACTERS_MAX),
        sha256=sha256_of(row.get(columns.sha256 or "")),
        resized=_was_resized(row, columns),
    )


def address_of(value: object, *, url_characters_max: int) -> str | None:
    """The http(s) address in a value, its secret parts included. None: there is none."""
    text = text_of(value, characters_max=url_characters_max + 1)
    url = join(text, "") if text and len(text) <= url_characters_max else None
    return url if url and len(url) <= url_characters_max else None


def _was_resized(row: Mapping[str, object], columns: Columns) -> bool:
    sides = ((columns.width, columns.original_width), (columns.height, columns.original_height))
    numbers = [(_number(row.get(now or "")), _number(row.get(before or ""))) for now, before in sides]
    return any(now is not None and before is not None and now != before for now, before in numbers)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and abs(value) < 2**53 else None


def _storable(url: str | None) -> str | None:
    return storable(url) if url else None
