"""A code can be forged: a photo nudged in its lowest frequencies gets the code of somebody else's photo.

The nudge is the attack as anybody would do it: move every coefficient that lies on the wrong side of the median a
little over to the other side, and save. What is left looks like soft light on the photo.
"""

from __future__ import annotations

from pathlib import Path

import imagehash
import numpy as np
import pytest
from matching.corpora import NOW, WITH, WITHOUT, corpus, jpeg, named, opened
from PIL import Image
from scipy.fft import dctn, idctn

from checker.fingerprint.robust import is_installed
from checker.lookup import Checker
from checker.report import MatchKind
from checker.settings import Settings

needs_robust = pytest.mark.skipif(not is_installed(), reason="the extra `robust` is not installed (Python 3.12)")


def nudged(photo: Image.Image, target: Image.Image, margin: float) -> Image.Image:
    """`photo` with the phash256 of `target`, or near it."""
    wanted = imagehash.phash(target, hash_size=16).hash
    pixels = np.asarray(photo, dtype=np.float64)
    frequencies = dctn(pixels.mean(axis=2), norm="ortho")
    low = frequencies[:16, :16].copy()
    median = np.median(low)
    wrong = (low > median) != wanted
    moved = np.where(wanted, median + margin, median - margin)
    change = np.zeros_like(frequencies)
    change[:16, :16] = np.where(wrong, moved - low, 0)
    return Image.fromarray(np.clip(pixels + idctn(change, norm="ortho")[..., None], 0, 255).astype(np.uint8))


def forged(images: Path) -> tuple[bytes, int]:
    """The photo of a cat with the code of the photo of a cup, and how many bits it misses by."""
    cat, cup = opened(images / "chelsea.jpg"), opened(images / "coffee.jpg")
    tries = [jpeg(nudged(cat, cup, margin), 95) for margin in (50, 100, 200, 400, 800)]
    distances = [imagehash.phash(_image(body), hash_size=16) - imagehash.phash(cup, hash_size=16) for body in tries]
    best = int(np.argmin(distances))
    return tries[best], int(distances[best])


def _image(body: bytes) -> Image.Image:
    import io

    return Image.open(io.BytesIO(body))


@pytest.mark.parametrize("settings", [WITHOUT, pytest.param(WITH, marks=needs_robust)])
def test_a_forged_code_never_says_found(settings: Settings, tmp_path: Path, images: Path) -> None:
    body, distance_bits = forged(images)
    assert distance_bits <= 31, "the forgery works against the code alone"
    originals = [(name, (images / name).read_bytes()) for name in ("coffee.jpg", "astronaut.jpg")]
    with Checker.open(corpus(tmp_path / "data", originals, settings), settings) as checker:
        found = named(checker.check(body, now=NOW))
    assert found["coffee.jpg"].kind is MatchKind.POSSIBLE
    assert found["coffee.jpg"].codes_disagree


@pytest.mark.parametrize("settings", [WITHOUT, pytest.param(WITH, marks=needs_robust)])
def test_the_photo_under_a_forged_code_is_found_as_what_it_is(settings: Settings, tmp_path: Path, images: Path) -> None:
    body, _ = forged(images)
    originals = [(name, (images / name).read_bytes()) for name in ("chelsea.jpg", "coffee.jpg")]
    with Checker.open(corpus(tmp_path / "data", originals, settings), settings) as checker:
        found = named(checker.check(body, now=NOW))
    kinds = {name: match.kind for name, match in found.items()}
    assert kinds["coffee.jpg"] is MatchKind.POSSIBLE
    assert kinds.get("chelsea.jpg") is not MatchKind.SAME, "its phash256 is another photo's now"
