"""Perceptual hashes with name, version and bits; their distance; which pictures are too plain for one.

`phash256` version 1 is `imagehash.phash(hash_size=16)` on the 64 x 64 grey picture of `decode`: the 16 x 16 lowest
frequencies of a cosine transform, each compared with their median. imagehash is the definition, not a model of it.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
from PIL import Image

from checker.errors import NotACodeError
from checker.fingerprint.cosine import codes_of, coefficients
from checker.model import PHASH256, ROBUST_BITS, ROBUST_NAME, CodeKind, Fingerprint, Pixels

POPCOUNT = PHASH256.bits // 2
"""Bits set in the code of any picture with detail: the threshold is the median, so exactly half lie above it. All of
3,500 photos measured have 128; white, black and gradients have 0, 1 or 8."""
TIE = 1e-6
"""Coefficients reach 10^6 and are exact to 10^-9; nearer than this, the order of two is rounding."""
DETAIL_LEVELS_MIN = 2.0
"""Least standard deviation, in grey levels of 255, around the best-fitting plane: below it a picture is flat or a
gradient, and what little its code holds is noise."""


def phash256(pixels: Pixels) -> Fingerprint:
    """The code of a decoded picture: 256 bits, row by row, lowest frequencies first.

    By two matrix products, which give imagehash's bits wherever rounding does not decide them; where the two middle
    coefficients are as good as equal (flat pictures), imagehash itself is asked.
    """
    values = coefficients(pixels.grey64)
    ordered = np.sort(values, axis=None)
    if ordered[POPCOUNT] - ordered[POPCOUNT - 1] > TIE:
        return Fingerprint(kind=PHASH256, bits=codes_of(values[None])[0].tobytes())
    import imagehash  # half a second with scipy, for pictures that are too plain anyway

    value = imagehash.phash(Image.fromarray(pixels.grey64), hash_size=16)
    return Fingerprint(kind=PHASH256, bits=np.packbits(value.hash).tobytes())


def is_balanced(code: npt.NDArray[np.uint8]) -> bool:
    """Has a code, (32,), the number of bits that one with detail has? A mirror-symmetric part has not, for one: half of
    its coefficients are nought, and rounding would decide their bits."""
    return int(np.bitwise_count(code).sum()) == POPCOUNT


def distance_bits(left: Fingerprint, right: Fingerprint) -> int:
    """Hamming distance.

    Raises:
        ValueError: the codes are of unlike kinds or versions and do not compare.
    """
    if left.kind != right.kind:
        raise ValueError(f"{left.kind.name}/{left.kind.version} and {right.kind.name}/{right.kind.version} differ")
    return (int.from_bytes(left.bits) ^ int.from_bytes(right.bits)).bit_count()


def is_plain(pixels: Pixels, code: Fingerprint) -> bool:
    """Is there too little in the picture to tell it from others?

    One opt-out of a white square would otherwise opt out every flat picture.
    """
    return popcount(code) != POPCOUNT or is_flat(pixels.grey64)


def is_flat(grey: npt.NDArray[np.uint8]) -> bool:
    """Is a square grey picture, or a part of one, without detail? Then the bits of its code are noise."""
    return _detail_levels(grey) < DETAIL_LEVELS_MIN


def popcount(code: Fingerprint) -> int:
    """How many bits are set."""
    return int.from_bytes(code.bits).bit_count()


def parse_code(kind_name: str, version: str, text: str) -> Fingerprint:
    """Read a code that somebody gives as hex digits.

    Raises:
        NotACodeError: another kind or version, another length, or bits that no picture with detail has.
    """
    kind = _kind(kind_name, version)
    if kind is None:
        raise NotACodeError(
            f"codes of kind {kind_name!r} version {version!r} are not known here; use phash256 version 1"
        )
    try:
        bits = bytes.fromhex(text)
    except ValueError as error:
        raise NotACodeError(f"a {kind.name} code is written as {kind.bits // 4} hex digits") from error
    if len(bits) * 8 != kind.bits or len(text) * 4 != kind.bits:
        raise NotACodeError(f"a {kind.name} code has {kind.bits // 4} hex digits, this one has {len(text)}")
    code = Fingerprint(kind=kind, bits=bits)
    if kind == PHASH256 and popcount(code) != POPCOUNT:
        raise NotACodeError(
            f"no picture has this code: {popcount(code)} of its bits are set, a real one has {POPCOUNT}; "
            "make it with `hibs fingerprint`"
        )
    return code


def _detail_levels(grey: npt.NDArray[np.uint8]) -> float:
    """Standard deviation around the plane, by sums alone: what the plane explains is taken from the whole."""
    side = grey.shape[0]
    across = np.linspace(-1.0, 1.0, side)
    values = grey.astype(np.float64)
    rows, columns = values.sum(axis=1), values.sum(axis=0)
    whole = np.vdot(values, values) - rows.sum() ** 2 / values.size
    plane = ((rows @ across) ** 2 + (columns @ across) ** 2) / (side * (across @ across))
    return float(np.sqrt(max(0.0, whole - plane) / values.size))


_ROBUST_VERSION = re.compile(r"1-[0-9a-f]{12}")


def _kind(name: str, version: str) -> CodeKind | None:
    if (name, version) == (PHASH256.name, PHASH256.version):
        return PHASH256
    if name == ROBUST_NAME and _ROBUST_VERSION.fullmatch(version):  # whatever the model: another one's never compare
        return CodeKind(name, version, ROBUST_BITS)
    return None
