"""Codes made before by `hibs fingerprint --json`: JSON lines, one picture each."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from checker.errors import InputError
from checker.fingerprint import parse_code
from checker.model import Picture, Sha256

CODE_LINE_BYTES_MAX = 65_536
"""A line is half a kilobyte and a path."""


class CodeLines:
    """Pictures of such a file by their SHA-256; all of them in memory."""

    def __init__(self, path: Path) -> None:
        """Read it.

        Raises:
            InputError: the file cannot be read, or a line of it is not such a line.
        """
        self._pictures = {row.sha256: row for row in code_lines(path) if isinstance(row, Picture)}

    def by_sha256(self, sha256: str) -> Picture | None:
        """See `coding.Known`."""
        return self._pictures.get(Sha256(sha256))

    def by_url(self, _: str) -> None:
        """See `coding.Known`; these lines tell no addresses."""
        return


def code_lines(path: Path) -> Iterator[Picture | str]:
    """Every line of a file of codes: a picture, or the path of one that could not be read when the codes were made.

    Raises:
        InputError: the file cannot be read, or a line of it is not such a line.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while line := file.readline(CODE_LINE_BYTES_MAX + 1):
                number += 1
                try:
                    if len(line) > CODE_LINE_BYTES_MAX:
                        raise ValueError("it is too long")
                    yield _code_line(json.loads(line.removeprefix(codecs.BOM_UTF8)))
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError) as error:
                    raise InputError(
                        f"{path} line {number} is no line of `hibs fingerprint --json`; make the file with that command"
                    ) from error
    except OSError as error:
        raise InputError(f"cannot read the codes in {path}: {error.strerror}; check the path") from error


def _code_line(document: dict[str, Any]) -> Picture | str:
    if document["status"] == "unreadable":
        return str(document["path"])
    picture = _known_picture(document)
    if not picture.plain and not picture.fingerprints:
        raise ValueError("it holds no code")
    return picture


def _known_picture(document: Mapping[str, Any]) -> Picture:
    plain = bool(document["plain"])
    codes = {} if plain else document["codes"]
    return Picture(
        sha256=Sha256(_sha256(document["sha256"])),
        byte_size=0,
        width=document["width"],
        height=document["height"],
        format=document["format"],
        fingerprints=tuple(parse_code(name, code["version"], code["hex"]) for name, code in codes.items()),
        plain=plain,
    )


def _sha256(text: Any) -> str:
    if not isinstance(text, str) or not re.fullmatch("[0-9a-f]{64}", text):
        raise ValueError("it names no SHA-256")
    return text
