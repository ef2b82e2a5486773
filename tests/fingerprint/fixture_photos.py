"""The committed photos as the tests of this folder take them: by name, decoded once."""

from __future__ import annotations

from functools import cache

import imagehash
import numpy as np
import numpy.typing as npt
from hibs_command import CHECKOUT
from PIL import Image

from checker.fingerprint import InProcessDecoder
from checker.model import Pixels
from checker.settings import Settings

IMAGES = CHECKOUT / "fixtures" / "images"
NAMES = tuple(sorted(path.stem for path in IMAGES.glob("*.jpg")))


@cache
def pixels(name: str) -> Pixels:
    """Decoded with the view. Shared: nobody writes to it."""
    found = InProcessDecoder(Settings()).decode((IMAGES / f"{name}.jpg").read_bytes(), view=True)
    assert isinstance(found, Pixels)
    return found


def photo(name: str) -> Image.Image:
    """In RGB."""
    with Image.open(IMAGES / f"{name}.jpg") as file:
        return file.convert("RGB")


def pixels_of(image: Image.Image) -> Pixels:
    """What the program sees of an RGB picture of at most 640 px a side, without the loss of saving it."""
    assert max(image.size) <= 640
    grey = image.convert("L").resize((64, 64), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return Pixels(np.asarray(grey), *image.size, format="PNG", view=np.asarray(image))


def by_imagehash(grey: npt.NDArray[np.uint8]) -> bytes:
    """What defines phash256: the code of a (64, 64) grey picture, by imagehash itself."""
    return np.packbits(imagehash.phash(Image.fromarray(grey), hash_size=16).hash).tobytes()


def bits_apart(left: bytes, right: bytes) -> int:
    return (int.from_bytes(left) ^ int.from_bytes(right)).bit_count()
