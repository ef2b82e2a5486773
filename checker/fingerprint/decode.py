"""Untrusted bytes to a bounded 64 x 64 grey picture and a small coloured view, or a stated reason why not.

The recipe is part of `phash256` version 1 and frozen, since no picture is kept and nothing could be coded again
(docs/decisions.md, 3). In order:

1. Format by content, from an allow-list. Size, pixel and cost limits (`bounds`) are asked before any decoding.
2. First frame. JPEG is decoded at the smallest of libjpeg's scales that keeps both sides at 512 px or more; in
   grey at once where no colour profile has to be applied.
3. Transparency over white. 16-bit grey loses its low byte. CMYK and palettes become RGB.
4. Without a profile (or with sRGB): grey, then 64 x 64 by Lanczos with `reducing_gap=3`.
   With another profile: 64 x 64 first, then to sRGB, then grey; on 4,096 pixels the profile costs nothing.
5. The EXIF turn, on the 64 x 64 picture.

The view, for what is searched inside of a picture, comes from the same decoding: a JPEG is then decoded to YCbCr, whose
Y is the grey of step 2 bit for bit, and the 640 px that are left of it become RGB.

Against `imagehash.phash(Image.open(f), hash_size=16)` this differs by 0.5 bits of 256 in the mean and 4 at most on
434 photos of 640 px, at 60 % of the time; on 10-megapixel photos by 1.3 and 6, at a quarter of the time.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, UnidentifiedImageError

from checker.fingerprint.bounds import too_costly
from checker.model import Pixels, Unreadable, UnreadableReason
from checker.settings import Settings

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
"""What browsers show and the web is made of. Each further format is attack surface (Pillow's security history)."""
DRAFT_SIDE_PX = 512
"""256 costs the same time and doubles the difference on large photos (mean 2.5 bits, 10 at most)."""
GREY_SIDE_PX = 64
"""What imagehash resizes to for `hash_size=16`: 16 x its high-frequency factor 4."""
REDUCING_GAP = 3.0
"""Pillow calls 3.0 close to a fair resampling; 2.0 differs by 0.8 bits in the mean instead of 0.5."""
VIEW_SIDE_PX_MAX = 640
"""Longest side of the view. A third of it still has the 224 px that copy descriptors are trained on."""
_STRIP_PX = 256
"""Rows of a transparent picture handled at a time."""

_EXIF_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF 2.32, tag 0x0112, to what undoes it."""


_PILLOW_ERRORS = (
    *(OSError, ValueError, SyntaxError, TypeError, AttributeError, LookupError, ArithmeticError, RuntimeError),
    *(AssertionError, EOFError, struct.error, zlib.error),
)
"""Pillow has no error type of its own for broken pictures; these are what its readers raise. An EXIF block of four
bytes, for one, is a `struct.error`."""


class Decoder(Protocol):
    """Turns bytes into pixels. Synchronous and thread-safe; never raises for bad input."""

    def decode(self, body: bytes, *, view: bool = False) -> Pixels | Unreadable:
        """Decode by the frozen recipe, within the limits of the settings; with `view` also the view (`Pixels.view`)."""
        ...


class InProcessDecoder:
    """Decodes in this process, by Pillow."""

    def __init__(self, settings: Settings) -> None:
        self._bytes_max = settings.picture_bytes_max
        self._settings = settings
        # Pillow warns of metadata that it reads only in part. That is for its authors; whoever gave the file sees a
        # result, or a reason.
        warnings.filterwarnings("ignore", module=r"PIL\.")

    def decode(self, body: bytes, *, view: bool = False) -> Pixels | Unreadable:
        """See `Decoder.decode`."""
        if refused := refuse_size(body, self._bytes_max):
            return refused
        if costly := too_costly(body):
            return Unreadable(UnreadableReason.TOO_LARGE, costly)
        try:
            with Image.open(io.BytesIO(body), formats=FORMATS) as image:
                return _too_many_pixels(image, self._settings) or _decode(image, view=view)
        except UnidentifiedImageError:
            return _unidentified(body)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            return Unreadable(UnreadableReason.TOO_LARGE, "the picture has far too many pixels; save it smaller")
        except MemoryError:
            return Unreadable(UnreadableReason.TOO_LARGE, "the picture needs too much memory; save it smaller")
        except _PILLOW_ERRORS as error:
            return _broken(error, body)


def decode_image(image: Image.Image, settings: Settings, *, view: bool = False) -> Pixels | Unreadable:
    """Steps 2 to 5 of the recipe, for a picture that somebody else opened; `image` stays as it was."""
    try:
        return _too_many_pixels(image, settings) or _decode(image.copy(), view=view)
    except (MemoryError, *_PILLOW_ERRORS) as error:
        return _broken(error, b"")


def refuse_size(body: bytes, bytes_max: int) -> Unreadable | None:
    """Why a file is not even looked at, by its size. None: nothing speaks against it."""
    if not body:
        return Unreadable(UnreadableReason.EMPTY, "the file is empty; choose another")
    if len(body) > bytes_max:
        return Unreadable(
            UnreadableReason.TOO_LARGE, f"the file has more than the {bytes_max:,} bytes allowed; save it smaller"
        )
    return None


def _too_many_pixels(image: Image.Image, settings: Settings) -> Unreadable | None:
    pixels_max, drafted = settings.picture_pixels_max, image.format in ("JPEG", "MPO")
    if image.format in FORMATS and not drafted:
        pixels_max = min(pixels_max, settings.png_webp_gif_pixels_max)
    if image.width * image.height <= pixels_max:
        return None
    of_format = f" for {image.format}" if pixels_max < settings.picture_pixels_max else ""
    return Unreadable(
        UnreadableReason.TOO_LARGE,
        f"the picture has {image.width} x {image.height} pixels, more than {pixels_max:,} in all{of_format}; "
        f"save it smaller{' or as JPEG' if of_format else ''}",
    )


def _decode(image: Image.Image, *, view: bool) -> Pixels:
    # A JPEG with further pictures behind it (telephones add depth maps) is "MPO" to Pillow, a JPEG to everybody else.
    image_format = "JPEG" if image.format == "MPO" else image.format or ""
    width, height = image.size
    profile = _foreign_profile(image)
    if image_format == "JPEG":
        colours = "RGB" if profile else "YCbCr" if view and _is_ycc(image) else "L"
        image.draft(colours, (DRAFT_SIDE_PX, DRAFT_SIDE_PX))
    opaque = _opaque(image)
    grey = _grey64_by_profile(opaque, profile) if profile else _shrink(_grey(opaque))
    seen = _view(opaque, profile) if view else None
    orientation = _orientation(image)  # not before: the EXIF of a PNG may stand behind its pixels
    if orientation in _TURNS:
        grey = grey.transpose(_TURNS[orientation])
        seen = seen and seen.transpose(_TURNS[orientation])
    if orientation >= 5:
        width, height = height, width
    return Pixels(
        grey64=np.asarray(grey, dtype=np.uint8),
        width=width,
        height=height,
        format=image_format,
        view=np.asarray(seen, dtype=np.uint8) if seen else None,
    )


def _is_ycc(image: Image.Image) -> bool:
    """Is this JPEG coded as luma and two colour differences? libjpeg's rule (jdapimin.c, default_decompress_parms).

    A JPEG of three bare colours is rare, and libjpeg cannot give it as YCbCr: its view stays grey.
    """
    components = [component[0] for component in getattr(image, "layer", ())]
    if len(components) != 3:
        return False
    if "jfif" in image.info:
        return True
    if "adobe_transform" in image.info:
        return bool(image.info["adobe_transform"])
    return components != [*b"RGB"]


def _grey(image: Image.Image) -> Image.Image:
    return image.getchannel("Y") if image.mode == "YCbCr" else image.convert("L")


def _view(opaque: Image.Image, profile: ImageCms.ImageCmsProfile | None) -> Image.Image:
    scale = min(1.0, VIEW_SIDE_PX_MAX / max(opaque.size))
    size = (max(1, round(opaque.width * scale)), max(1, round(opaque.height * scale)))
    small = opaque if size == opaque.size else opaque.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return (_to_srgb(small, profile) if profile else small).convert("RGB")


def _shrink(image: Image.Image) -> Image.Image:
    return image.resize((GREY_SIDE_PX, GREY_SIDE_PX), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)


def _opaque(image: Image.Image) -> Image.Image:
    """The picture as a browser would show it on white, in "L", "RGB", "CMYK" or "YCbCr"."""
    if image.mode.startswith("I"):
        return Image.fromarray(_high_byte(image))
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return _over_white(image)
    return image if image.mode in ("L", "RGB", "CMYK", "YCbCr") else image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    """Strip by strip: in one go it would hold the picture five times, 1 GB for 50 megapixels."""
    shown = Image.new("RGB", image.size)
    for top in range(0, image.height, _STRIP_PX):
        strip = image.crop((0, top, image.width, min(top + _STRIP_PX, image.height)))
        if "transparency" in image.info:
            strip.info["transparency"] = image.info["transparency"]
        layer = strip.convert("RGBA")
        shown.paste(Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB"), (0, top))
    return shown


def _high_byte(image: Image.Image) -> npt.NDArray[np.uint8]:
    values = np.asarray(image)
    high: npt.NDArray[np.uint8] = (np.clip(values, 0, 65_535).astype(np.uint32) >> 8).astype(np.uint8)
    return high


def _foreign_profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """The embedded colour profile where it has to be applied: it reads, is not sRGB, and fits the picture."""
    embedded = image.info.get("icc_profile")
    if not isinstance(embedded, bytes) or image.mode.startswith("I"):
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        description = ImageCms.getProfileDescription(profile)
        space = profile.profile.xcolor_space.strip()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        return None
    fits = {"RGB": ("RGB", "RGBA", "P", "PA"), "GRAY": ("L", "LA", "1"), "CMYK": ("CMYK",)}
    return None if "srgb" in description.lower() or image.mode not in fits.get(space, ()) else profile


def _grey64_by_profile(opaque: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    if profile.profile.xcolor_space.strip() == "GRAY":
        opaque = opaque.convert("L")
    return _to_srgb(_shrink(opaque), profile).convert("L")


def _to_srgb(small: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    if profile.profile.xcolor_space.strip() == "GRAY":
        small = small.convert("L")
    try:
        shown = ImageCms.profileToProfile(small, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except ImageCms.PyCMSError:
        return small
    return shown or small


def _orientation(image: Image.Image) -> int:
    """The turn that EXIF asks for. Not by `getexif()`, which takes XMP's word where EXIF has none; no browser does."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif") or b"")
        value = exif.get(_EXIF_ORIENTATION, 1)
    except _PILLOW_ERRORS:
        return 1  # damaged metadata says nothing about how the picture lies
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _unidentified(body: bytes) -> Unreadable:
    if body[4:8] == b"ftyp":
        return Unreadable(
            UnreadableReason.FORMAT_NOT_READ, "HEIC, AVIF and video are not read; save the picture as JPEG or PNG"
        )
    if body[:4] in (b"II*\0", b"MM\0*", b"8BPS", b"%PDF") or body[:2] == b"BM":
        return Unreadable(
            UnreadableReason.FORMAT_NOT_READ, "this format is not read; save the picture as JPEG, PNG, WebP or GIF"
        )
    if body.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8")) or _webp_size(body):
        return Unreadable(
            UnreadableReason.DAMAGED, "it begins like a picture and cannot be read; get an undamaged copy"
        )
    return Unreadable(UnreadableReason.NOT_A_PICTURE, "this file is not a picture; choose a JPEG, PNG, WebP or GIF")


def _broken(error: Exception, body: bytes) -> Unreadable:
    # A cut WebP is told by its header only; the decoder calls it broken.
    if "truncated" in str(error).lower() or isinstance(error, EOFError) or _webp_size(body) > len(body):
        return Unreadable(UnreadableReason.CUT_OFF, "the picture is cut off: its end is missing; get a whole copy")
    if "text chunk" in str(error).lower().replace("_", " "):  # Pillow allows 1 MiB for one, 64 for all
        return Unreadable(UnreadableReason.TOO_LARGE, "the picture holds too much metadata; save it without")
    return Unreadable(UnreadableReason.DAMAGED, "the picture is damaged and cannot be read; get an undamaged copy")


def _webp_size(body: bytes) -> int:
    """Bytes that a WebP file says it has (RFC 9649 2.3-2.4); 0: it is none."""
    if len(body) < 12 or body[:4] != b"RIFF" or body[8:12] != b"WEBP":
        return 0
    return int.from_bytes(body[4:8], "little") + 8
