"""Paths in a list that was made on another system, and why there is no file under one.

Windows writes `\\` between folders. A Mac writes accents as signs of their own (NFD), others do not (NFC; UAX #15), and
what unpacks a ZIP file may change the one into the other.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
"""RFC 3986 3.1 and 3.2: a scheme and an authority."""

NO_FILE = "there is no such file"


def listed_file(folder: Path, text: str) -> Path:
    """The file that a cell of a list names, `folder` being that of the list.

    As it is written, where that is there or nothing is; else in another spelling, where exactly one file has it.
    """
    written = folder / text
    if _is_there(written):
        return written
    spellings = {text, text.replace("\\", "/")}
    spellings |= {unicodedata.normalize(form, spelling) for spelling in spellings for form in ("NFC", "NFD")}
    there = [folder / spelling for spelling in sorted(spellings) if _is_there(folder / spelling)]
    return there[0] if len(there) == 1 else written


def missing_words(text: str) -> str:
    """Why there is no file of this name, as far as its form tells."""
    if text[:7].lower() == "file://":
        return "this is an address that begins with file://, and no path; write the path alone"
    if _ADDRESS.match(text):
        return "this is an address and no file; save the photo on this machine and name its path"
    if text.startswith("~"):
        return "the sign ~ means a home folder in a shell only; write the whole path"
    if "\\" in text:
        return f"{NO_FILE}, with \\ as it is written or with / in its place; check the path"
    return f"{NO_FILE}; check the path"


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
