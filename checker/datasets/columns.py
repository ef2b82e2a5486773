"""Columns of lists and datasets, by the names that people give them: any case, any type.

    LAION                URL or url, TEXT or caption, WIDTH, HEIGHT, similarity, hash, md5, ...
    img2dataset          url, caption, key, status, error_message, sha256, width, original_width, ...
    Hugging Face         image, a struct of bytes and path
    others               image_url, alt, page_url, ...

Nothing is believed of a type: a key may be a number, an address bytes, a width 512.0, and every value may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from checker.model import Sha256

CAPTION_CHARACTERS_MAX, KEY_CHARACTERS_MAX = 1_000, 500
"""Longer texts are cut: a caption is shown beside a picture, a key finds a row."""

_NAMES = {
    "url": (
        "url",
        "image_url",
        "img_url",
        "imageurl",
        "image_link",
        "image_src",
        "img_src",
        "src",
        "contenturl",
        "link",
    ),
    "page_url": ("page_url", "pageurl", "source_url", "host_page_url", "page", "referrer", "referer"),
    "caption": ("caption", "text", "alt", "alt_text", "alttext", "txt", "title", "description"),
    "sha256": ("sha256",),
    "key": ("key", "__key__", "sample_id", "uid", "id"),
    "status": ("status",),
    "error": ("error_message",),
    "width": ("width",),
    "height": ("height",),
    "original_width": ("original_width",),
    "original_height": ("original_height",),
    "image": ("jpg", "jpeg", "png", "webp", "gif", "image", "img", "picture", "photo", "image_bytes", "bytes"),
}
"""Of several columns the first one counts."""
_PICTURE_NAME = re.compile(
    r"(?:.*_)?(?:jpe?g|png|webp|gif|image|img|picture|photo)s?(?:_?\d{1,4})?", re.ASCII | re.DOTALL
)
"""One of several in a row."""
_URL_CHARACTERS_MAX = 2_048
_SHA256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Named:
    """Columns that the person named, because their names say nothing to us."""

    url: str | None = None
    image: str | None = None


NOTHING_NAMED = Named()


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one table, as they are spelled there. None: there is none."""

    url: str | None = None
    page_url: str | None = None
    caption: str | None = None
    sha256: str | None = None
    key: str | None = None
    status: str | None = None
    error: str | None = None
    width: str | None = None
    height: str | None = None
    original_width: str | None = None
    original_height: str | None = None
    image: str | None = None

    @property
    def of_img2dataset(self) -> bool:
        """Does it tell of each row whether its picture was downloaded?"""
        return self.status is not None and (self.error or self.original_width or self.sha256) is not None


def match_columns(names: Iterable[str], named: Named = NOTHING_NAMED) -> Columns:
    """Find the columns that say something to us.

    >>> match_columns(["SAMPLE_ID", "URL", "TEXT", "WIDTH"]).url
    'URL'
    """
    spelled: dict[str, str] = {}
    for name in names:
        spelled.setdefault(_plain(name), name)
    found = {role: next((spelled[one] for one in known if one in spelled), None) for role, known in _NAMES.items()}
    for role, chosen in (("url", named.url), ("image", named.image)):
        if chosen is not None:
            found[role] = spelled.get(_plain(chosen))
    return Columns(**found)


def picture_names(names: Iterable[str]) -> tuple[str, ...]:
    """Every column that is named as one of pictures, in order: a row may have several ("image", "edited_image").

    >>> picture_names(["url", "Image", "edited_image", "image_2", "image_hash", "images"])
    ('Image', 'edited_image', 'image_2', 'images')
    """
    return tuple(name for name in names if _plain(name) in _NAMES["image"] or _PICTURE_NAME.fullmatch(_plain(name)))


def _plain(name: str) -> str:
    return re.sub(r"[\s.-]+", "_", name.strip().lower())


def text_of(value: object, *, characters_max: int) -> str | None:
    """A value as text that can be stored. None: there is none.

    >>> text_of(b"a cat", characters_max=3)
    'a c'
    """
    if isinstance(value, bytes | bytearray | memoryview):
        value = bytes(value[: 4 * characters_max]).decode("utf-8", "replace")
    elif isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**18 else None
    if not isinstance(value, str):
        return None
    text = value[:characters_max].strip()
    return text.encode("utf-8", "replace").decode() or None


def address_text(row: Mapping[str, object], columns: Columns) -> str | None:
    """The address in a row, as it stands there. None: there is none, or it is too long to be one."""
    text = text_of(row.get(columns.url or ""), characters_max=_URL_CHARACTERS_MAX + 1)
    return text if text and len(text) <= _URL_CHARACTERS_MAX else None


def sha256_of(value: object) -> Sha256 | None:
    """A digest, from its digits or its bytes."""
    if isinstance(value, bytes) and len(value) == 32:
        return Sha256(value.hex())
    text = text_of(value, characters_max=100)
    return Sha256(text.lower()) if text and _SHA256.fullmatch(text) else None


def downloaded(row: Mapping[str, object], columns: Columns) -> bool:
    """Does img2dataset say that it has this picture? Where it says nothing, it is taken to."""
    status = text_of(row.get(columns.status or ""), characters_max=100)
    return not columns.of_img2dataset or status is None or status.lower() == "success"
