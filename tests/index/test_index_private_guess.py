"""Half a code does not give the other half away, as far as a linear model can tell (docs/private.md, section 5).

Of ordinary photos. Of studio portraits it does tell more, once it was taught portraits of the same series: that is
written in docs/private.md, and no test here says otherwise.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from checker.fingerprint import fingerprint_file
from checker.fingerprint.background import background
from checker.model import PHASH256, Picture
from checker.settings import Settings

STUDIO = 776
"""So many official portraits stand first in the background."""
KEPT = np.array([(row + column) % 2 == 0 for row in range(16) for column in range(16)])
GUESS_MAX = 0.60


def known_bits() -> npt.NDArray[np.bool_]:
    codes = background(PHASH256)
    assert codes is not None
    return np.unpackbits(np.ascontiguousarray(codes).view(np.uint8), axis=1).astype(bool)


def told(seen: npt.NDArray[np.bool_], new: npt.NDArray[np.bool_]) -> float:
    """The share of hidden bits of new photos that a linear model names, which saw all bits of others."""
    with_one = np.c_[np.ones(len(seen)), seen[:, KEPT]]
    model, *_ = np.linalg.lstsq(with_one, seen[:, ~KEPT].astype(float), rcond=None)
    guess = np.c_[np.ones(len(new)), new[:, KEPT]] @ model > 0.5
    return float((guess == new[:, ~KEPT]).mean())


def test_a_linear_model_hardly_tells_hidden_bits_of_photos_that_it_did_not_see() -> None:
    bits = known_bits()[STUDIO:]
    assert 0.45 < told(bits[::2], bits[1::2]) < GUESS_MAX


@pytest.mark.photos
def test_nor_of_other_photos(photos_folder: Path, settings: Settings) -> None:
    files = [path for path in sorted(photos_folder.glob("*.jpg")) if not path.name.startswith("congress_")]
    pictures = [fingerprint_file(path, settings) for path in files[::4]]
    codes = [p.fingerprints[0].bits for p in pictures if isinstance(p, Picture) and not p.plain]
    assert len(codes) > 50
    new = np.unpackbits(np.frombuffer(b"".join(codes), dtype=np.uint8).reshape(-1, 32), axis=1).astype(bool)
    assert 0.45 < told(known_bits(), new) < GUESS_MAX
