"""From bytes or a file to a `Picture`: every code this installation makes, in one call."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path

from checker.fingerprint.asked import Question
from checker.fingerprint.decode import Decoder, InProcessDecoder
from checker.fingerprint.hashes import is_plain, phash256
from checker.fingerprint.robust import RobustModel
from checker.fingerprint.stored import stored_codes, whole_robust_code
from checker.model import Fingerprint, Picture, Pixels, Sha256, Unreadable, UnreadableReason
from checker.settings import Settings

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif"})
"""Names of pictures that are read. A file named on its own is tried whatever its name is."""
OTHER_PICTURE_SUFFIXES = frozenset({".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp", ".jp2", ".jxl", ".svg", ".psd"})
"""Names of pictures that are not read: they are picked up in a folder all the same and become rows with a reason. To
leave a folder of HEIC photos out would answer "not found" about nothing."""


class Depth(Enum):
    """How much of a picture is coded."""

    HASH = "hash"
    """phash256 of the whole: what opt-outs name, and what `honour` filters by."""
    WHOLE = "whole"
    """Every kind of code, of the whole."""
    STORED = "stored"
    """Everything that a stored picture is found by (docs/decisions.md, 16)."""
    STORED_LEAN = "stored-lean"
    """The same without platform crops, for a large corpus."""

    @classmethod
    def stored(cls, pictures: int, settings: Settings) -> Depth:
        """How the next picture of a corpus of this many is coded."""
        if settings.stored_parts == "off":
            return cls.WHOLE
        return cls.STORED if pictures < settings.stored_crops_images_max else cls.STORED_LEAN


def fingerprint_bytes(
    body: bytes, settings: Settings, *, decoder: Decoder | None = None, depth: Depth = Depth.HASH
) -> Picture | Unreadable:
    """Decode `body` and make its codes.

    Returns:
        The picture (`plain` where its code says too little), or the reason why there is none.
    Raises:
        InputError: the settings name a model for sscd512 that cannot be used.
    """
    model = None if depth is Depth.HASH else RobustModel.of(settings)
    needs_view = model is not None or depth in (Depth.STORED, Depth.STORED_LEAN)
    pixels = (decoder or InProcessDecoder(settings)).decode(body, view=needs_view)
    if isinstance(pixels, Unreadable):
        return pixels
    return picture_of(pixels, Sha256(hashlib.sha256(body).hexdigest()), len(body), model=model, depth=depth)


def picture_of(pixels: Pixels, sha256: Sha256, byte_size: int, *, model: RobustModel | None, depth: Depth) -> Picture:
    """The codes of decoded pixels. A plain picture gets the one that shows that it is."""
    code = phash256(pixels)
    plain = is_plain(pixels, code)
    codes: tuple[Fingerprint, ...] = (code,)
    tiles = None
    if not plain and depth in (Depth.STORED, Depth.STORED_LEAN):
        codes, tiles = stored_codes(pixels, model, crops=depth is Depth.STORED)
    elif not plain and model:
        codes = (code, *whole_robust_code(pixels, model))
    return Picture(
        sha256=sha256,
        byte_size=byte_size,
        width=pixels.width,
        height=pixels.height,
        format=pixels.format,
        fingerprints=codes,
        plain=plain,
        tiles=tiles,
    )


def fingerprint_file(
    path: Path, settings: Settings, *, decoder: Decoder | None = None, depth: Depth = Depth.HASH
) -> Picture | Unreadable:
    """As `fingerprint_bytes`, from a file; reads no more of it than the size limit and one byte."""
    body = read_picture_file(path, settings)
    return body if isinstance(body, Unreadable) else fingerprint_bytes(body, settings, decoder=decoder, depth=depth)


def question_of(body: bytes, settings: Settings, *, decoder: Decoder | None = None) -> Question | Unreadable:
    """Decode `body` into something to look up.

    Raises:
        InputError: the settings name a model for sscd512 that cannot be used.
    """
    model = RobustModel.of(settings)
    pixels = (decoder or InProcessDecoder(settings)).decode(body, view=True)
    return pixels if isinstance(pixels, Unreadable) else Question(pixels, model)


def read_picture_file(path: Path, settings: Settings) -> bytes | Unreadable:
    """The bytes of an ordinary file, one more than the size limit at most, or why there are none."""
    try:
        # Asked before opening: to open a named pipe would wait for its writer for ever.
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return _closed_folder(path)
        if not stat.S_ISREG(mode):
            return Unreadable(UnreadableReason.MISSING, "this is no ordinary file; save the picture as one")
        with path.open("rb") as file:
            return file.read(settings.picture_bytes_max + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Unreadable(UnreadableReason.MISSING, "there is no such file; check the path")
    except OSError as error:
        what = "check the path" if error.errno in _ABOUT_THE_PATH else "check its permissions"
        return Unreadable(UnreadableReason.MISSING, f"the file cannot be read ({error.strerror}); {what}")
    except ValueError:  # a null byte in the name
        return Unreadable(UnreadableReason.MISSING, "no file can have this name; check the path")


def _closed_folder(path: Path) -> Unreadable:
    try:
        os.scandir(path).close()
    except OSError as error:
        return Unreadable(
            UnreadableReason.MISSING, f"the folder cannot be listed ({error.strerror}); check its permissions"
        )
    return Unreadable(UnreadableReason.MISSING, "this is a folder; name the picture in it")


_ABOUT_THE_PATH = (errno.ENAMETOOLONG, errno.ELOOP)


def picture_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Every picture file that the paths name: files as given, folders with all below them, sorted by name.

    A missing path comes through, so that it becomes a row with a reason, and so does a folder that cannot be listed.
    Links out of a folder are not followed.
    """
    for path in paths:
        if is_folder(path):
            yield from sorted(_below(path))
        else:
            yield path


def is_folder(path: Path) -> bool:
    """Is it a folder? What cannot be asked (too long a name, a folder above that is closed) is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _below(folder: Path) -> Iterator[Path]:
    closed: list[OSError] = []
    for name, _, files in os.walk(folder, onerror=closed.append):
        found = (Path(name) / file for file in files)
        yield from (p for p in found if p.suffix.lower() in _NAMED_AS_PICTURES and not p.is_symlink())
    yield from (Path(error.filename) for error in closed)


_NAMED_AS_PICTURES = PICTURE_SUFFIXES | OTHER_PICTURE_SUFFIXES
