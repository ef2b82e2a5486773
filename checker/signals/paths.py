"""Path patterns, as robots.txt and TDMRep write them.

A pattern is compared from the first octet of path and query. `*` is any run of characters, a final `$` anchors the
end. Both sides are brought to one spelling first:

1. octets outside printable ASCII are percent-encoded;
2. percent-encoded unreserved characters are decoded (`%62` -> `b`), reserved ones stay (`%2F` is not `/`);
3. hexadecimal digits become upper case;
4. in an address `*` and `$` become `%2A` and `%24`, which is how a pattern names them literally.

In the query, RFC 9309's own table also takes `:` and `/` as equal to `%3A` and `%2F`; there a pattern matches in
either spelling.

Most addresses and patterns are in that spelling already, which is seen at a glance. `Patterns` answers which of many
patterns is the longest that matches without trying each: plain prefixes are looked up by their length.

Matching walks along the path once for each piece between two `*`, so that no pattern of a stranger costs more than
the product of both lengths (a regular expression would try every way to divide the path).

Source: RFC 9309 2.2.2 and 2.2.3, RFC 3986 2.2 and 2.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Generic, TypeVar

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# "*" and "$" are not among them: they are handled by their meaning. A "%" that starts no escape is encoded itself.
_RESERVED_KEPT = frozenset(b"!#&'()+,/:;=?@[]")
_ESCAPE_OR_OCTET = re.compile(rb"%([0-9A-Fa-f]{2})|(.)", re.DOTALL)
_IN_ONE_SPELLING = re.compile(r"[A-Za-z0-9\-._~!#&'()+,/:;=?@\[\]]*")
_SPECIAL = re.compile(r"[*?$]")
_PATH_START = re.compile(r"[/?]")
_RESERVED_IN_QUERY = re.compile(r"[:/@!'(),;\[\]]")

T = TypeVar("T")


def path_of(url: str) -> str:
    """Give path and query of an absolute address in the one spelling, without fragment.

    Returns:
        Starts with "/". The address is taken as it will be requested: dot segments are not resolved here.
    """
    rest = url.partition("#")[0]
    _, separator, after_scheme = rest.partition("://")
    if separator:
        rest = after_scheme
    start = _PATH_START.search(rest)
    path = rest[start.start() :] if start else ""
    return _one_spelling(path if path.startswith("/") else f"/{path}", wildcards=False)


def matched_octets(pattern: str, path: str) -> int | None:
    """Tell how specific the match of `pattern` with `path` is.

    Args:
        pattern: as written in the file, blanks around it removed.
        path: what `path_of` gave.
    Returns:
        The octets of the pattern in the one spelling: the largest wins. None: it does not match. A pattern that
        starts with neither "/" nor "*" never matches (our choice: what it was meant for cannot be known).
    """
    if not pattern.startswith(("/", "*")):
        return None
    spelled = _one_spelling(pattern, wildcards=True)
    return len(spelled) if _matches_in_either_spelling(spelled, path) else None


class Patterns(Generic[T]):
    """Many patterns, each with a value, made ready for many questions."""

    def __init__(self, patterns: Iterable[tuple[str, T]]) -> None:
        """Take pairs of a pattern, as for `matched_octets`, and its value; of equal patterns the first counts."""
        self._plain: dict[str, tuple[int, T]] = {}
        others: list[tuple[int, int, str, str, T]] = []
        for order, (pattern, value) in enumerate(patterns):
            if not pattern.startswith(("/", "*")):
                continue
            spelled = _one_spelling(pattern, wildcards=True)
            if "*" in spelled or "?" in spelled or spelled.endswith("$"):
                head = _SPECIAL.split(spelled, maxsplit=1)[0]
                others.append((len(spelled), order, head, spelled, value))
            else:
                self._plain.setdefault(spelled, (order, value))
        self._lengths = sorted({len(spelled) for spelled in self._plain}, reverse=True)
        self._others = sorted(others, key=lambda other: (-other[0], other[1]))

    def longest_match(self, path: str) -> T | None:
        """The value of the matching pattern with most octets; between equals the one that came first.

        Args:
            path: what `path_of` gave.
        """
        octets, order, winner = 0, 0, None
        for length in self._lengths:
            found = self._plain.get(path[:length])
            if found is not None and length <= len(path):
                octets, (order, winner) = length, found
                break
        for length, other_order, head, spelled, value in self._others:
            if length < octets or (length == octets and other_order > order):
                break
            if path.startswith(head) and _matches_in_either_spelling(spelled, path):
                return value
        return winner


def _matches_in_either_spelling(spelled: str, path: str) -> bool:
    if _matches(spelled, path):
        return True
    return "?" in spelled and "?" in path and _matches(_query_encoded(spelled), _query_encoded(path))


def _one_spelling(text: str, *, wildcards: bool) -> str:
    """Rules 1 to 4 above. Bytes that were not UTF-8 (surrogate escapes) are encoded as the bytes they are."""
    if _IN_ONE_SPELLING.fullmatch(text):
        return text
    octets = text.encode("utf-8", "surrogateescape" if _only_escapes(text) else "replace")
    last = len(octets) - 1

    def spell(match: re.Match[bytes]) -> bytes:
        if match[1] is not None:
            value = int(match[1], 16)
            return bytes((value,)) if value in _UNRESERVED else b"%%%02X" % value
        value = match[2][0]
        if value in _UNRESERVED or value in _RESERVED_KEPT:
            return match[2]
        if wildcards and (value == 0x2A or (value == 0x24 and match.start() == last)):
            return match[2]
        return b"%%%02X" % value

    return _ESCAPE_OR_OCTET.sub(spell, octets).decode("ascii")


def _only_escapes(text: str) -> bool:
    """Whether every lone surrogate stands for a byte; others have no octets at all and become "?"."""
    return not any("\ud800" <= c <= "\udfff" and not "\udc80" <= c <= "\udcff" for c in text)


def _query_encoded(text: str) -> str:
    path, question_mark, query = text.partition("?")
    return path + question_mark + _RESERVED_IN_QUERY.sub(lambda match: f"%{ord(match[0]):02X}", query)


def _matches(pattern: str, path: str) -> bool:
    anchored = pattern.endswith("$")
    pieces = (pattern[:-1] if anchored else pattern).split("*")
    if not path.startswith(pieces[0]):
        return False
    position = len(pieces[0])
    if len(pieces) == 1:
        return not anchored or position == len(path)
    for piece in pieces[1:-1]:
        # The leftmost place is enough: it leaves the most room for the pieces that follow.
        found = path.find(piece, position)
        if found < 0:
            return False
        position = found + len(piece)
    last_piece = pieces[-1]
    if anchored:
        return len(path) - len(last_piece) >= position and path.endswith(last_piece)
    return path.find(last_piece, position) >= 0
