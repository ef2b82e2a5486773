"""Every limit and choice in one frozen object: argument, then environment (`HIBS_*`), then the default below.

A limit's unit is in its name. A malformed or unknown `HIBS_*` value stops the start, because a setting that was
mistyped and silently ignored is found out only when it was needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from checker.errors import InputError


@dataclass(frozen=True, slots=True)
class Settings:
    """What may be set for one installation."""

    contact: str = ""
    """E-mail address or page of whoever runs this; sent with every request of the crawler, shown on the pages."""
    operator: str = ""
    """Name of whoever runs this, shown on the pages."""
    log_origin: str = ""
    """Name of a log that is made now, without spaces and plus signs: `example.org/opt-outs`. A log keeps the name that
    it has. Empty: `haveibeenscraped/` and 8 random hex digits."""
    picture_bytes_max: int = 20 * 2**20
    """Largest picture read, in bytes. HMA takes 10 MiB by default, TinEye 20 MB."""
    picture_pixels_max: int = 50_000_000
    """Largest picture decoded, in pixels: above a 48-megapixel camera, below Pillow's 89 million."""
    png_webp_gif_pixels_max: int = 24_000_000
    """The same for formats that cannot be decoded at a reduced size: a PNG costs some 20 times a JPEG of as many
    pixels, and a WebP with transparency of this size takes 480 MiB of `decode_memory_bytes_max`."""
    decode_workers: int = 2
    """Processes that decode at once; see `decode_memory_bytes_max`."""
    decode_memory_bytes_max: int = 512 * 2**20
    """Memory that one of them may use for a picture, in bytes."""
    decode_seconds_max: int = 10
    """Time that one picture may take to decode. The costliest that pass the other limits took 2.6 s on two cores, two
    at once (49 megapixels of CMYK in 100 passes)."""
    robust: str = "auto"
    """The second code, sscd512 (extra `robust`): "auto" where it is installed, "on" (else refuse to start), "off"."""
    robust_model: str = ""
    """An ONNX file to use instead of the extra's model; needs its SHA-256."""
    robust_model_sha256: str = ""
    robust_threads: int = 1
    """Threads of one model run. More make one answer faster and many answers slower."""
    robust_batch: int = 1
    """Pictures of one shape that the model is given at once. On a CPU more are no faster, and take some 15 MB each."""
    stored_parts: str = "on"
    """Whether stored pictures are also coded in parts, by which cut, framed and mirrored copies are found: "on", or
    "off" for a fifth of the work and whole copies only."""
    stored_crops_images_max: int = 200_000
    """Up to this many pictures, stored ones get a code for each platform shape as well: six more codes a picture."""
    private_list_rows_max: int = 200_000
    """Up to this many rows the private check is answered by the whole list, 16 bytes a row, which shows nothing of the
    asker; above, 16 bits of a code have to be named (docs/private.md). A change counts from the next day's list on."""
    retention_days: int = 0
    """`hibs crawl --refresh` deletes what it saw itself and could not confirm for so long. 0: nothing is deleted."""
    match_distance_bits_max: int = 31
    """phash256 codes this near are copies; the nearest of 179,700 unrelated pairs lay 84 apart (decision 4)."""
    opt_out_distance_bits_max: int = 31
    """The same radius for hiding a picture and for `honour`."""
    feed_age_days_max: int = 7
    """`honour` refuses a feed that was signed longer ago: what was asked since is not in it."""
    bulk_kept_days: int = 7
    """How long a bulk look-up is kept with its codes and answers (docs/bulk.md), in days from when it was sent."""
    withdraw_after_days: int = 7
    """A withdrawal takes effect after this time, so that a stolen code can be noticed."""
    registry_keys: str = ""
    """File of keys for the registries of others that `hibs signals --registry` asks (docs/registries.md)."""
    opt_outs_per_day_max: int = 20
    """Photos that one network address may opt out in a day over HTTP."""
    opt_outs_of_all_per_day_max: int = 2_000
    """Photos that all addresses together may opt out in a day over HTTP; what comes after is held, not refused."""
    look_ups_burst_max: int = 300
    """Look-ups that one network address may make at once, after a rest, over HTTP."""
    look_ups_per_hour_max: int = 3_600
    """Look-ups that one network address may make in an hour, on and on."""
    hold_hosts_max: int = 20
    """An opt-out near pictures of this collection on more hosts is held until a person has looked."""
    hold_images_max: int = 200
    """The same for more pictures."""

    def __post_init__(self) -> None:
        """Also what a program sets has to be one of the words that there are.

        Raises:
            InputError: it is another.
        """
        for name, words in _CHOICES.items():
            if (said := getattr(self, name)) not in words:
                raise InputError(f"HIBS_{name.upper()} is one of {', '.join(words)}, not {said[:40]!r}")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Read `HIBS_CONTACT`, `HIBS_PICTURE_BYTES_MAX`, ... and leave the rest at the defaults.

        Blanks around a value are no part of it.

        Raises:
            InputError: an unknown `HIBS_` name, a word that is none of a setting's, a contact by which nobody is
                reached, or a number that is none or lies outside of its bounds.
        """
        known = {f"HIBS_{f.name.upper()}": f.name for f in fields(cls)}
        values: dict[str, str | int] = {}
        for name, text in environ.items():
            if not name.startswith("HIBS_"):
                continue
            if name not in known:
                raise InputError(f"the environment sets {name}, which is no setting; known are {', '.join(known)}")
            values[known[name]] = _value(name, text, getattr(_DEFAULTS, known[name]))
        return cls(**values)  # type: ignore[arg-type]  # each value has the type of its default


def _value(name: str, text: str, default: str | int) -> str | int:
    if isinstance(default, str):
        text = text.strip()
        if name == "HIBS_CONTACT" and text and not is_contact(text):
            raise InputError(
                f"HIBS_CONTACT is a mail address or the address of a page (https://...), not {text[:40]!r}"
            )
        return text
    most = next((most for end, most in _MOST.items() if name.endswith(end)), 10**9)
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
    least = min(1, default)  # where 0 is the default, it means something
    if not digits or not least <= int(text) <= most:
        raise InputError(f"{name} must be a whole number from {least} to {most}, not {text[:40]!r}")
    return int(text)


def is_contact(text: str) -> bool:
    """Is it an e-mail address or the address of a page, so that somebody could be reached by it?"""
    return bool(_CONTACT.fullmatch(text))


_CONTACT = re.compile(r"(mailto:)?[!-'*-?A-Z^-~]+@[\w.-]+\.\w+|https?://[!-'*-~]+", re.ASCII)
"""No blanks, brackets or line ends: the crawler writes it into a header field's comment (RFC 9110 5.6.5)."""
_CHOICES = {"robust": ("auto", "on", "off"), "stored_parts": ("on", "off")}
_MOST = {
    "_BYTES_MAX": 2**31,
    "_PIXELS_MAX": 89_478_485,
    "_BITS_MAX": 83,
    "_SECONDS_MAX": 600,
    "_WORKERS": 256,
    "_THREADS": 256,
    "_BATCH": 1024,
    "_DAYS": 3650,
    "_DAYS_MAX": 3650,
}
"""Largest values by the end of the name. Pixels: where Pillow begins to refuse. Bits: below the nearest unrelated pair
that was met, 84 apart; further out everything would be a copy of everything."""
_DEFAULTS = Settings()
