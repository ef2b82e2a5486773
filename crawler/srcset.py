"""The `srcset` attribute: which picture files stand behind one `img`.

Source: HTML Standard 4.8.4.3.10 "parse a srcset attribute", https://html.spec.whatwg.org/multipage/images.html
Steps are named as there. Descriptors decide which candidate a browser shows; we want every address, and a candidate
whose descriptors the standard calls an error is dropped as it says.
"""

from __future__ import annotations

import re

_BLANK = "\t\n\f\r "
_CANDIDATES_MAX = 100
"""An author writes five to ten."""


def parse_srcset(text: str) -> tuple[str, ...]:
    """Give the addresses of all image candidates, in order, unresolved. Empty: none is valid.

    >>> parse_srcset("a.jpg 1x, b,c.jpg 2x")
    ('a.jpg', 'b,c.jpg')
    """
    found: list[str] = []
    at, end = 0, len(text)
    while len(found) < _CANDIDATES_MAX:
        while at < end and text[at] in _BLANK + ",":  # splitting loop
            at += 1
        if at >= end:
            break
        start = at
        while at < end and text[at] not in _BLANK:
            at += 1
        url = text[start:at]
        if url.endswith(","):
            found.append(url.rstrip(","))
            continue
        at, descriptors = _descriptors(text, at)
        if _valid(descriptors):
            found.append(url)
    return tuple(found)


def _descriptors(text: str, at: int) -> tuple[int, list[str]]:
    """The descriptor tokenizer: words up to a comma that stands outside of brackets."""
    words: list[str] = []
    word, inside = "", False
    while at < len(text):
        character = text[at]
        at += 1
        if inside:
            word += character
            inside = character != ")"
        elif character in _BLANK:
            if word:
                words.append(word)
            word = ""
        elif character == ",":
            break
        else:
            word += character
            inside = character == "("
    if word:
        words.append(word)
    return at, words


def _valid(descriptors: list[str]) -> bool:
    """The descriptor parser: no unknown word, none twice, `x` alone, `h` only beside `w`."""
    kinds = []
    for word in descriptors:
        kind, number = word[-1], word[:-1]
        whole = re.fullmatch(r"[0-9]+", number, re.ASCII) and int(number[:9]) > 0
        if (kind in "wh" and whole) or (kind == "x" and _FLOAT.fullmatch(number) and not number.startswith("-")):
            kinds.append(kind)
        else:
            return False
    return len(set(kinds)) == len(kinds) and kinds in ([], ["x"], ["w"], ["w", "h"], ["h", "w"])


_FLOAT = re.compile(r"-?(\d+(\.\d+)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
"""HTML Standard 2.3.4.3, a valid floating-point number."""
