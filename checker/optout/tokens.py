"""What people hold and type: the number of an opt-out and its withdraw code.

The number is public, the code is the secret. It is kept here only as SHA-256.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from checker.optout.canonical import crockford
from checker.optout.entry import NUMBER as NUMBER

RandomBytes = Callable[[int], bytes]
"""`secrets.token_bytes`, or something predictable in a test."""

CODE_PREFIX = "hibs-w1-"
"""Says what it is, so that a scanner for leaked secrets can find it."""
_CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{32}")


def new_withdraw_code(random_bytes: RandomBytes) -> str:
    """A withdraw code: 160 random bits after its prefix."""
    return CODE_PREFIX + crockford(random_bytes(20))


def read_withdraw_code(text: str) -> str | None:
    """Read a code as people type it: small letters, and O, I, L for the digits they look like. None: it is none."""
    prefix, body = text.strip()[: len(CODE_PREFIX)].lower(), _symbols(text.strip()[len(CODE_PREFIX) :])
    return CODE_PREFIX + body if prefix == CODE_PREFIX and _CODE.fullmatch(body) else None


def read_number(text: str) -> str:
    """Read a number as people type it; something that is no number comes back as it is and is not found."""
    number = _symbols(text.strip())
    if len(number) == 8:
        number = f"{number[:4]}-{number[4:]}"
    return number if NUMBER.fullmatch(number) else text


def withdraw_text(number: str, code: str, *, days: int) -> str:
    """The file NUMBER.withdraw.txt."""
    return (
        f"{code}\n\n"
        f"This code withdraws the opt-out {number} and shows how it stands: keep it to yourself, apart from the "
        f"receipt.\n"
        f"Give this file to the page /receipts of the service where it was recorded. Or run `hibs opt-out status "
        f"{number}.withdraw.txt` with --server URL or --data DIR, and in the same way `receipt`, `withdraw` or "
        f"`erase`.\n"
        f"A withdrawal takes effect after {days} days, so that a stolen code can be noticed. Erasing is at once.\n"
    )


def _symbols(text: str) -> str:
    return text.upper().translate(str.maketrans("OIL", "011"))


def withdraw_code_hash(code: str) -> bytes:
    """What is stored of a withdraw code."""
    # 160 random bits need no slow hash; and a look-up by hash tells nothing about the code through its time.
    return hashlib.sha256((read_withdraw_code(code) or code).encode(errors="replace")).digest()
