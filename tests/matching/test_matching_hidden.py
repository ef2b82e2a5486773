"""Who says no to a photo says no to its edited copies: they are found, and nobody else learns where."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from matching.corpora import NOW, WITHOUT, bordered, corpus, jpeg, named, opened, screenshotted
from PIL import Image

from checker.fingerprint import fingerprint_file
from checker.lookup import Checker
from checker.model import Picture, Use
from checker.optout.entry import Evidence
from checker.optout.request import OptOuts

COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": lambda photo: photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "a quarter turned": lambda photo: photo.transpose(Image.Transpose.ROTATE_90),
    "bordered": bordered,
    "screenshotted": screenshotted,
}


@pytest.mark.parametrize("copy", COPIES)
def test_an_edited_copy_of_an_opted_out_photo_is_withheld(copy: str, tmp_path: Path, images: Path) -> None:
    body = jpeg(COPIES[copy](opened(images / "coffee.jpg")))
    data = corpus(tmp_path / "data", [("copy.jpg", body)], WITHOUT)
    with Checker.open(data, WITHOUT) as checker:
        assert list(named(checker.check(body, now=NOW))) == ["copy.jpg"]
        photo = fingerprint_file(images / "coffee.jpg", WITHOUT)
        assert isinstance(photo, Picture)
        with OptOuts.open(data, WITHOUT, now=NOW) as opt_outs:
            opt_outs.record([photo.fingerprints], uses=[Use.ALL], evidence=Evidence.PICTURE, now=NOW)
        (match,) = checker.check(body, now=NOW).matches
    assert match.sightings == ()
    assert match.withheld is not None
