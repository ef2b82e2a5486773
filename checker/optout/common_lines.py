"""Openings in their most common form, read fast; whatever is of another form goes to the strict reader.

A log of a million entries has a million openings, and the strict reader takes most of a minute for them: it parses JSON
and writes it again, twice a line. Nearly all of them have one form: an opt-out of one picture with the codes that this
version makes. The two patterns below accept exactly the canonical spelling of that form (docs/feed.md, sections 2 and
4) and nothing else. `common_line` never refuses: None only means that the strict reader decides, and says why.
"""

from __future__ import annotations

import hashlib
import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

from checker.model import PHASH256, ROBUST_BITS, ROBUST_NAME, CodeKind, Fingerprint, Use
from checker.optout.canonical import CROCKFORD
from checker.optout.entry import (
    ENTRY_BYTES_MAX,
    SALT_BYTES,
    TAG,
    USES,
    Entry,
    Evidence,
    OptOut,
    parse_entry,
    parse_opening,
)

_Parts = tuple[bytes, bytes, bytes, bytes | None, bytes | None, tuple[Use, ...]]
"""Evidence, number, phash256 code, sscd512 code and its version, uses."""


@dataclass(frozen=True, slots=True)
class Opened:
    """One line of the openings: the hash of its salt and entry is `leaf`."""

    index: int
    leaf: bytes
    entry_bytes: bytes
    common: _Parts | None
    """What an entry of the common form says, which is well formed then. None: of another form, and not yet read."""

    def entry(self) -> Entry:
        """The entry. Raises VerificationError, part "entry", where it breaks docs/feed.md section 2."""
        return parse_entry(self.entry_bytes) if self.common is None else _opt_out(self.common)


def read_line(line: bytes) -> Opened:
    """Read one opening; a line feed at its end may be missing. Its entry is made when it is asked for.

    Raises:
        VerificationError: part "opening"; see `parse_opening`.
    """
    common = common_line(line)
    if common is not None:
        return common
    opening = parse_opening(line)
    return Opened(opening.index, opening.leaf, opening.entry, None)


def common_line(line: bytes) -> Opened | None:
    """Read an opening in its common spelling. None: it is spelled otherwise, whatever else it may be."""
    found = _OPENING.fullmatch(line)
    if found is None:
        return None
    entry_text, index, leaf, salt_text = found.groups()
    entry, salt = _decoded(entry_text), _decoded(salt_text)
    if entry is None or salt is None or len(salt) != SALT_BYTES or len(entry) > ENTRY_BYTES_MAX:
        return None
    hashed = hashlib.sha256(TAG + salt + entry).digest()
    if hashed.hex() != leaf.decode():
        return None
    return Opened(int(index), hashed, entry, _parts(entry))


def common_entry(data: bytes) -> OptOut | None:
    """Read an opt-out of one picture. None: it is not of that form."""
    parts = _parts(data)
    return None if parts is None else _opt_out(parts)


def _parts(data: bytes) -> _Parts | None:
    found = _OPT_OUT.fullmatch(data)
    if found is None:
        return None
    evidence, number, phash, robust, version, uses_text = found.groups()
    uses = _USES.get(uses_text)
    return None if uses is None else (evidence, number, phash, robust, version, uses)


def _opt_out(parts: _Parts) -> OptOut:
    evidence, number, phash, robust, version, uses = parts
    codes = [Fingerprint(PHASH256, bytes.fromhex(phash.decode()))]
    if robust is not None and version is not None:
        codes.append(Fingerprint(_robust_kind(version.decode()), bytes.fromhex(robust.decode())))
    return OptOut(number=number.decode(), evidence=_EVIDENCE[evidence], pictures=(tuple(codes),), uses=uses)


@lru_cache(maxsize=16)
def _robust_kind(version: str) -> CodeKind:
    return CodeKind(ROBUST_NAME, version, ROBUST_BITS)


def _decoded(text: bytes) -> bytes | None:
    """Base64url in its one spelling (RFC 4648 section 5, no padding). None: something else."""
    try:
        data = a2b_base64(text.translate(_STANDARD) + b"=" * (-len(text) % 4))
    except Base64Error:
        return None
    again = b2a_base64(data, newline=False).rstrip(b"=").translate(_URL_SAFE)
    return data if again == text else None


def _uses_texts() -> dict[bytes, tuple[Use, ...]]:
    """Every sorted list of distinct uses, by how it is written: 31 of them."""
    lists = (uses for count in range(1, len(USES) + 1) for uses in combinations(USES, count))
    return {",".join(f'"{use.value}"' for use in uses).encode(): uses for uses in lists}


_STANDARD, _URL_SAFE = bytes.maketrans(b"-_", b"+/"), bytes.maketrans(b"+/", b"-_")
_USES = _uses_texts()
_EVIDENCE = {evidence.value.encode(): evidence for evidence in Evidence}
_SYMBOLS = f"[{CROCKFORD}]{{4}}"

_OPENING = re.compile(
    rb'\{"entry":"([A-Za-z0-9_-]+)","index":(0|[1-9][0-9]{0,14}),"leaf":"([0-9a-f]{64})","salt":"([A-Za-z0-9_-]{43})"\}'
    rb"\n?"
)
_OPT_OUT = re.compile(
    (
        r'\{"payload":\{"evidence":"(code|picture|host-file)",'
        rf'"number":"({_SYMBOLS}-{_SYMBOLS})",'
        r'"pictures":\[\[\{"hex":"([0-9a-f]{64})","kind":"phash256","version":"1"\}'
        r'(?:,\{"hex":"([0-9a-f]{128})","kind":"sscd512","version":"([0-9a-z][0-9a-z.-]{0,15})"\})?\]\],'
        r'"uses":\[([a-z",-]*)\]\},"type":"opt-out","v":1\}'
    ).encode()
)
