"""From bytes or a file to a `Picture`: every code this installation makes, in one call."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from checker.errors import InputError
from checker.fingerprint.decode import Decoder, InProcessDecoder
from checker.fingerprint.hashes import is_plain, phash256
from checker.model import Picture, Sha256, Unreadable, UnreadableReason
from checker.settings import Settings

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif"})
"""Names that are picked up in a folder. A file named on its own is tried whatever its name is."""


def fingerprint_bytes(body: bytes, settings: Settings, *, decoder: Decoder | None = None) -> Picture | Unreadable:
    """Decode `body` and make its codes.

    Returns:
        The picture (`plain` where its code says too little), or the reason why there is none.
    """
    pixels = (decoder or InProcessDecoder(settings)).decode(body)
    if isinstance(pixels, Unreadable):
        return pixels
    code = phash256(pixels)
    return Picture(
        sha256=Sha256(hashlib.sha256(body).hexdigest()),
        byte_size=len(body),
        width=pixels.width,
        height=pixels.height,
        format=pixels.format,
        fingerprints=(code,),
        plain=is_plain(pixels, code),
    )


def fingerprint_file(path: Path, settings: Settings, *, decoder: Decoder | None = None) -> Picture | Unreadable:
    """As `fingerprint_bytes`, from a file; reads no more of it than the size limit and one byte."""
    try:
        with path.open("rb") as file:
            body = file.read(settings.picture_bytes_max + 1)
    except FileNotFoundError:
        return Unreadable(UnreadableReason.MISSING, "there is no such file; check the path")
    except OSError as error:
        return Unreadable(
            UnreadableReason.MISSING, f"the file cannot be read ({error.strerror}); check its permissions"
        )
    return fingerprint_bytes(body, settings, decoder=decoder)


def picture_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Every picture file that the paths name: files as given, folders with all below them, sorted by name.

    A missing path comes through, so that it becomes a row with a reason. Links out of a folder are not followed.

    Raises:
        InputError: a folder cannot be listed.
    """
    for path in paths:
        if path.is_dir():
            yield from sorted(_below(path))
        else:
            yield path


def _below(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise InputError(f"cannot list the folder {error.filename}: {error.strerror}; check its permissions")

    for name, _, files in os.walk(folder, onerror=refuse):
        found = (Path(name) / file for file in files)
        yield from (p for p in found if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file() and not p.is_symlink())
