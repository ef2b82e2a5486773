"""The `srcset` attribute: which picture files stand behind one `img`.

Source: HTML Standard 4.8.4.3.10 "parse a srcset attribute", https://html.spec.whatwg.org/multipage/images.html
Steps are named as there. Descriptors decide which candidate a browser shows; we want every address, and a candidate
whose descriptors the standard calls an error is dropped as it says. Unknown descriptors are ignored, as the standard's
tests have it (web-platform-tests, parse-a-srcset-attribute.html).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BLANK = "\t\n\f\r "
_CANDIDATES_MAX = 100
"""An author writes five to ten."""
_DESCRIPTOR_CHARACTERS_MAX = 40
"""Longer ones count as unknown."""


@dataclass(frozen=True, slots=True)
class SizedAddress:
    """One image candidate."""

    url: str
    """As written, unresolved."""
    size: float
    """Its width or density: of one srcset the larger is the larger picture. 1: nothing is said."""


def parse_srcset(text: str) -> tuple[SizedAddress, ...]:
    """Give all image candidates, in order. Empty: none is valid.

    >>> [one.url for one in parse_srcset("a.jpg 1x, b,c.jpg 2x")]
    ['a.jpg', 'b,c.jpg']
    """
    found: list[SizedAddress] = []
    at, end = 0, len(text)
    while len(found) < _CANDIDATES_MAX:
        while at < end and text[at] in _BLANK + ",":  # splitting loop
            at += 1
        if at >= end:
            break
        match = _NO_BLANKS.match(text, at)
        assert match, "the splitting loop ends at a character that is no blank"
        url, at = match[0], match.end()
        if url.endswith(","):
            found.append(SizedAddress(url.rstrip(","), 1.0))
            continue
        at, descriptors = _descriptors(text, at)
        if (size := _size(descriptors)) is not None:
            found.append(SizedAddress(url, size))
    return tuple(found)


def _descriptors(text: str, at: int) -> tuple[int, list[str]]:
    """The descriptor tokenizer: words up to a comma that stands outside of brackets."""
    match = _DESCRIPTORS.match(text, at)
    assert match, "it matches nothing at all as well"
    return match.end() + 1, _WORD.findall(match[0])


def _size(descriptors: list[str]) -> float | None:
    """The descriptor parser. None: an error; a known descriptor twice, `x` not alone, `h` without `w`, a zero."""
    sizes: dict[str, float] = {}
    for word in descriptors:
        kind, number = word[-1], word[:-1]
        if len(word) > _DESCRIPTOR_CHARACTERS_MAX:
            continue
        if kind in "wh" and _WHOLE.fullmatch(number):
            size = float(number)
            if size == 0:
                return None
        elif kind == "x" and _FLOAT.fullmatch(number) and float(number) >= 0:
            size = float(number)
        else:
            continue
        if kind in sizes:
            return None
        sizes[kind] = size
    if sizes.keys() not in ({"w"}, {"w", "h"}, {"x"}, set()):
        return None
    return sizes.get("w", sizes.get("x", 1.0))


_NO_BLANKS = re.compile(r"[^\t\n\f\r ]+")
_DESCRIPTORS = re.compile(r"(?:[^,(]|\([^)]*(?:\)|\Z))*+")
_WORD = re.compile(r"(?:[^\t\n\f\r (]|\([^)]*(?:\)|\Z))+")
_WHOLE = re.compile(r"[0-9]+")
"""HTML Standard 2.3.4.2, a valid non-negative integer."""
_FLOAT = re.compile(r"-?([0-9]+(\.[0-9]+)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
"""HTML Standard 2.3.4.3, a valid floating-point number."""
