"""Withdraw files that a list names: with them a match that is withheld is shown to whoever opted the photo out.

The codes in them are secrets. They are read before anything is asked, stay in memory, and are in no message, journal,
report or table. A server gets the code of a photo with a withheld match, and of no other.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from pathlib import Path

from checker.errors import InputError
from checker.evidence.manifest import ManifestRow
from checker.optout.papers import is_withdraw_file, read_file
from checker.optout.tokens import read_withdraw_code


def read_receipts(rows: Sequence[ManifestRow]) -> dict[Path, str]:
    """The withdraw code in every file that the rows name.

    Raises:
        InputError: one cannot be read or holds none. The message has the number of the photo and nothing of the cell,
            into which somebody may have put the code itself.
    """
    known: dict[Path, str] = {}
    for number, row in enumerate(rows, start=1):
        if row.receipt is None or row.receipt in known:
            continue
        code = _code(row.receipt)
        if code is None:
            raise InputError(
                f"the receipt of photo {number} cannot be used; name a file NUMBER.withdraw.txt as it was written, by "
                "its path from the folder of the list"
            )
        known[row.receipt] = code
    return known


def _code(path: Path) -> str | None:
    try:
        data = read_file(path)
    except (InputError, ValueError):
        return None
    if not is_withdraw_file(data):
        return None
    text = data.removeprefix(codecs.BOM_UTF8).decode("ascii", errors="replace")
    return read_withdraw_code(text.lstrip().partition("\n")[0])
