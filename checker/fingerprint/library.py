"""`from checker import fingerprint`: the codes of a picture in whatever form somebody has it.

Bytes and paths give the codes that look-ups and opt-outs use. From pixels that another program decoded (Pillow, numpy)
they come out a few bits apart, because that program scaled or converted them in its own way; give the bytes where you
have them.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from checker.errors import InputError
from checker.fingerprint.decode import decode_image
from checker.fingerprint.pictures import Depth, fingerprint_bytes, fingerprint_file, picture_of
from checker.fingerprint.robust import RobustModel
from checker.model import Picture, Sha256, Unreadable
from checker.settings import Settings

Source = bytes | bytearray | memoryview | str | os.PathLike[str] | Image.Image | npt.NDArray[Any]


def fingerprint(source: Source, *, settings: Settings | None = None) -> Picture | Unreadable:
    """Make the codes of one picture.

    Args:
        source: the bytes of a file; a path; a Pillow image; or an array of pixels, (height, width) grey or
            (height, width, 3 or 4) RGB or RGBA, as uint8.
        settings: limits; the defaults where None.
    Returns:
        The picture, or the reason why there is none. Made from pixels, its `sha256` and `byte_size` are those of the
        raw pixels, and its `format` is empty.
    Raises:
        InputError: `source` is something else, or an array of another shape or type.
    """
    limits = settings or Settings()
    if isinstance(source, bytes | bytearray | memoryview):
        return fingerprint_bytes(bytes(source), limits, depth=Depth.WHOLE)
    if isinstance(source, str | os.PathLike):
        return fingerprint_file(Path(source), limits, depth=Depth.WHOLE)
    if isinstance(source, np.ndarray):
        source = _image_of(source)
    if not isinstance(source, Image.Image):
        raise InputError(
            f"a picture is bytes, a path, a Pillow image or an array, not {type(source).__name__}; give one of them"
        )
    return _of_pixels(source, limits)


def _of_pixels(image: Image.Image, settings: Settings) -> Picture | Unreadable:
    model = RobustModel.of(settings)
    pixels = decode_image(image, settings, view=model is not None)
    if isinstance(pixels, Unreadable):
        return pixels
    raw = image.tobytes()
    picture = picture_of(pixels, Sha256(hashlib.sha256(raw).hexdigest()), len(raw), model=model, depth=Depth.WHOLE)
    return replace(picture, format="")


def _image_of(array: npt.NDArray[Any]) -> Image.Image:
    fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not fits or 0 in array.shape:
        raise InputError(
            f"an array of pixels is (height, width), (height, width, 3) or (height, width, 4) of uint8, "
            f"not {array.shape} of {array.dtype}; convert it first"
        )
    return Image.fromarray(np.ascontiguousarray(array))
