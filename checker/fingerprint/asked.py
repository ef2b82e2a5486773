"""What is asked with: the same parts as are stored (`stored`), in eight orientations, and the pixels to verify by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from checker.fingerprint.alignment import GREY_SIDE_PX
from checker.fingerprint.cosine import CODE_BYTES, codes_of, coefficients, turn_pixels, turned, turned_rows
from checker.fingerprint.hashes import is_balanced, is_flat, is_plain, phash256
from checker.fingerprint.rectangle import Rectangle
from checker.fingerprint.robust import RobustModel
from checker.fingerprint.stored import SAME_CONTENT, crop_of
from checker.fingerprint.views import View, content_of, contents, grey_image, platform_crops, pressed, seen
from checker.model import Box, Fingerprint, Pixels, Variant
from checker.report import Orientation

CODES_MAX = 64
"""As many as one look-up may ask the whole index with (docs/decisions.md, 16)."""
_SUREST = (Variant.WHOLE, Variant.TRIMMED, Variant.INNER)
_CROP_TURNS = (Orientation.AS_IS, Orientation.MIRRORED)
QUARTERS = (Orientation.AS_IS, Orientation.TURNED_90, Orientation.TURNED_180, Orientation.TURNED_270)
"""The descriptor was trained to take a mirrored picture for the same, so four turns stand for eight orientations."""


@dataclass(frozen=True, slots=True, eq=False)
class AskedCode:
    """One of the codes that a picture is looked up by."""

    bits: bytes
    orientation: Orientation
    """How the picture was turned before it was coded, so: how a copy lies that has this code."""
    variant: Variant = Variant.WHOLE
    crop: Box | None = None
    """The part of the asked picture that was coded; None: all of it."""
    box: Rectangle | None = None
    """The same in pixels of the view. None: the code came without a picture."""


class Question:
    """A picture to be looked up. Holds its pixels, so it lives no longer than the answer takes."""

    def __init__(self, pixels: Pixels, model: RobustModel | None) -> None:
        self._pixels = pixels
        self._grey = grey_image(pixels)
        self._views = contents(pixels, self._grey)
        self._model = model

    @cached_property
    def codes(self) -> tuple[AskedCode, ...]:
        """phash256 codes, at most 64: every content in eight orientations, platform crops as they are and mirrored."""
        whole = self._views[0].box
        surest = [view for view in self._views if view.variant in _SUREST]
        guesses = [view for view in self._views if view.variant not in _SUREST]
        content = self.content
        labels = [(view, turn) for view in surest for turn in Orientation]
        labels += [(view, turn) for view in platform_crops(self._grey, self.whole) for turn in _CROP_TURNS]
        labels += [(view, turn) for view in guesses for turn in Orientation]
        if content is not self.whole:
            labels += [(view, turn) for view in platform_crops(self._grey, content) for turn in _CROP_TURNS]
        views = {id(view): view for view, _ in labels}
        flat = {key for key, view in views.items() if is_flat(view.grey64)}
        labels = [(view, turn) for view, turn in labels if id(view) not in flat][:CODES_MAX]
        plain = {key: coefficients(view.grey64) for key, view in views.items() if key not in flat}
        bits = codes_of(np.array([turned(plain[id(view)], turn) for view, turn in labels]))
        return tuple(
            AskedCode(row.tobytes(), turn, view.variant, crop_of_any(view, whole), view.box)
            for row, (view, turn) in zip(bits, labels, strict=True)
            if is_balanced(row)
        )

    @cached_property
    def robust(self) -> tuple[AskedCode, ...]:
        """sscd512 codes: the whole, the content in four turns. Empty without the extra."""
        if self._model is None:
            return ()
        view, whole, content = seen(self._pixels), self._views[0], self.content
        apart = whole.box.overlap(content.box) <= SAME_CONTENT  # as `stored` decides which parts get a code
        labels = [(content if apart else whole, turn) for turn in QUARTERS]
        if apart:
            labels.insert(0, (whole, Orientation.AS_IS))
        pictures = [
            np.ascontiguousarray(turn_pixels(view[v.box.top : v.box.bottom, v.box.left : v.box.right], turn))
            for v, turn in labels
        ]
        return tuple(
            AskedCode(bits, turn, v.variant, crop_of(v, whole.box), v.box)
            for bits, (v, turn) in zip(self._model.codes(pictures), labels, strict=True)
        )

    @cached_property
    def plain(self) -> bool:
        """Is there too little in it to tell it from other pictures? Then it is not looked up."""
        return is_plain(self._pixels, phash256(self._pixels))

    @property
    def content(self) -> View:
        """The photo itself, without what stands around it."""
        return content_of(self._views)

    @property
    def whole(self) -> View:
        """All of the picture."""
        return self._views[0]

    def grey(self, box: Rectangle, *, tilt_degrees: float = 0.0) -> npt.NDArray[np.uint8]:
        """A part in grey, (128, 128), for `alignment.Windows`; tilted counter-clockwise about its middle."""
        image = self._grey
        if tilt_degrees:
            image = image.crop((box.left, box.top, box.right, box.bottom))
            image = image.rotate(tilt_degrees, Image.Resampling.BILINEAR)
            box = Rectangle(0, 0, box.width, box.height)
        return pressed(image, box, GREY_SIDE_PX)


class TurnedCode(Sequence[AskedCode]):
    """A phash256 code that came without its picture, in its eight orientations. Made one by one: most are not asked."""

    __slots__ = ("_rows",)

    def __init__(self, rows: npt.NDArray[np.uint8]) -> None:
        """`rows`: (8, 32), in the order of `Orientation`."""
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> AskedCode: ...
    @overload
    def __getitem__(self, place: slice) -> list[AskedCode]: ...
    def __getitem__(self, place: int | slice) -> AskedCode | list[AskedCode]:
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        return AskedCode(self._rows[place].tobytes(), _TURNS[place])


_TURNS = tuple(Orientation)


def turned_codes(codes: Sequence[Fingerprint]) -> list[TurnedCode]:
    """The eight orientations of phash256 codes that came without their pictures; see `cosine.turned_bits`."""
    rows = np.frombuffer(b"".join(code.bits for code in codes), dtype=np.uint8).reshape(-1, CODE_BYTES)
    return [TurnedCode(of_code) for of_code in turned_rows(rows)]


def crop_of_any(view: View, whole: Rectangle) -> Box | None:
    """As `crop_of`; a part that is as good as the whole counts as the whole."""
    return None if view.box.overlap(whole) > 0.97 else view.box.fractions(whole.width, whole.height)
