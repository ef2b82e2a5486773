"""JSON-LD in a page -> the pictures that it names, as schema.org describes them.

Read are the values of `image`, `photo`, `logo`, `thumbnail`, `thumbnailUrl` and `primaryImageOfPage`, wherever they
stand: an address, an ImageObject, or a list of both; and every ImageObject itself (`contentUrl`, `url`), with its
caption. The types of JSON-LD are not resolved: contexts are documents of others, and nothing is fetched for them.

Source: schema.org, ImageObject, image, thumbnailUrl, logo; JSON-LD 1.1, 7.4 (script elements).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

JSON_CHARACTERS_MAX = 2**20
"""Of one script. Larger ones are not read; the largest of 130 news pages has 30,000."""
VALUES_MAX = 20_000
"""Looked at in one script, in the order of the document."""

_SHOWN = frozenset({"image", "images", "photo", "photos", "primaryimageofpage"})
_SMALL = frozenset({"thumbnail", "thumbnailurl", "logo"})
_IMAGE_TYPES = frozenset({"imageobject", "photograph", "barcode"})
_WRAPPINGS = (("<!--", "-->"), ("//<![CDATA[", "//]]>"), ("<![CDATA[", "]]>"))
"""What templates put around a script's text, for parsers that are gone."""


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """A picture that the data names."""

    href: str
    caption: str | None = None
    small: bool = False
    """A thumbnail or a logo."""


def pictures_in_jsonld(text: str) -> Iterator[NamedPicture]:
    """Give the pictures in order, as written. Never raises: what is no JSON names none."""
    if len(text) > JSON_CHARACTERS_MAX:
        return
    try:
        data = json.loads(_unwrapped(text), strict=False)
    except (ValueError, RecursionError):
        return
    stack: list[tuple[Any, str]] = [(data, "")]
    for _ in range(VALUES_MAX):
        if not stack:
            return
        value, role = stack.pop()
        if isinstance(value, list):
            stack += [(one, role) for one in reversed(value[:VALUES_MAX])]
        elif isinstance(value, dict):
            yield from _of_object(value, role)
            stack += [(one, _role(key)) for key, one in reversed(value.items()) if isinstance(one, list | dict | str)]
        elif isinstance(value, str) and role:
            yield NamedPicture(value, small=role == "small")


def _unwrapped(text: str) -> str:
    text = text.strip().rstrip(";")
    for before, behind in _WRAPPINGS:
        if text.startswith(before):
            return text.removeprefix(before).removesuffix(behind).rstrip().rstrip(";")
    return text


def _role(key: str) -> str:
    name = key.rpartition("/")[2].rpartition(":")[2].lower()
    return "shown" if name in _SHOWN else "small" if name in _SMALL else ""


def _of_object(value: Mapping[str, Any], role: str) -> Iterator[NamedPicture]:
    """An ImageObject, or whatever stands where one belongs."""
    if not role and not _IMAGE_TYPES & {kind.rpartition("/")[2].lower() for kind in _texts(value.get("@type"))}:
        return
    caption = next((text for key in ("caption", "description", "name") for text in _texts(value.get(key))), None)
    # The url beside a contentUrl may be that of the page about the picture.
    for href in _texts(value.get("contentUrl")) or _texts(value.get("url")) or _texts(value.get("@value")):
        yield NamedPicture(href, caption, small=role == "small")


def _texts(value: Any) -> list[str]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
