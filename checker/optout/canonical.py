"""Texts with exactly one spelling: canonical JSON, base64url, Crockford's base32.

Whatever is hashed or signed here is read only in the spelling in which it would be written. Two spellings of one thing
would be two hashes, and a changed byte that changes nothing would be a byte that no proof covers.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

INTEGER_MAX = 2**53 - 1
"""The largest number that every JSON reader keeps exactly (RFC 8785 3.2.2.3)."""
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base32: no I, L, O, U, so that a number survives being read aloud."""


def canonical_json(document: Mapping[str, Any]) -> bytes:
    """Write the one spelling that a document has.

    Source: RFC 8785, restricted to ASCII strings, whole numbers 0 to 2^53-1, arrays and objects. Within that
    restriction Python's own writer gives the bytes that RFC 8785 asks for, if it is told not to escape: `ensure_ascii`
    would write DEL as `\\u007f`, which RFC 8785 3.2.2.2 leaves as it is.

    Raises:
        ValueError: the document holds something else (a fraction, null, true, a letter beyond ASCII).
    """
    _check_values(document)
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("ascii")


def parse_canonical_json(data: bytes) -> dict[str, Any]:
    """Read one object and accept it only in its one spelling.

    Raises:
        ValueError: it is no JSON object, holds a kind of value that is not allowed, or is spelled otherwise.
    """
    try:
        document = json.loads(data.decode("ascii"))
        if not isinstance(document, dict):
            raise ValueError("it is no object")
        again = canonical_json(document)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if again != data:
        raise ValueError("it is not in canonical form")
    return document


def _check_values(value: Any) -> None:
    if isinstance(value, str):
        if not value.isascii():
            raise ValueError("a string has a character beyond ASCII")
    elif isinstance(value, bool) or value is None or isinstance(value, float):
        raise ValueError("only strings, whole numbers, arrays and objects are allowed")
    elif isinstance(value, int):
        if not 0 <= value <= INTEGER_MAX:
            raise ValueError("a number is not between 0 and 2^53-1")
    elif isinstance(value, Mapping):
        for name, member in value.items():
            _check_values(name)
            _check_values(member)
    elif isinstance(value, list | tuple):
        for item in value:
            _check_values(item)
    else:
        raise ValueError(f"a {type(value).__name__} is no JSON value")


def base64url(data: bytes) -> str:
    """RFC 4648 section 5, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def parse_base64url(text: Any) -> bytes:
    """Read what `base64url` writes, in that one spelling.

    Raises:
        ValueError: anything else, padding and stray bits included.
    """
    if not isinstance(text, str):
        raise ValueError("base64url text is missing")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("it is not base64url") from error
    if base64url(data) != text:
        raise ValueError("it is not base64url in its one spelling")
    return data


def crockford(data: bytes) -> str:
    """Write bytes in Crockford's base32, most significant bits first, the last symbol filled up with zero bits."""
    symbols = -(-len(data) * 8 // 5)
    value = int.from_bytes(data) << (symbols * 5 - len(data) * 8)
    return "".join(CROCKFORD[value >> 5 * i & 31] for i in reversed(range(symbols)))
