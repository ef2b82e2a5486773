"""What is refused before anything is recorded: codes that no real picture has, no use, too much at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from checker.errors import InputError, NotACodeError
from checker.model import PHASH256, ROBUST_NAME, Fingerprint, Use, Variant
from checker.optout.entry import (
    CODES_PER_PICTURE_MAX,
    ENTRY_BYTES_MAX,
    USES,
    OptOut,
    picture_codes,
    write_entry,
)


def gate_pictures(pictures: Sequence[Sequence[Fingerprint]]) -> tuple[tuple[Fingerprint, ...], ...]:
    """The codes of each picture as an entry lists them.

    An entry names whole pictures. The codes of parts and of the second kind that `fingerprint` makes along with them
    are left out: what a follower has is met by its own parts.

    Raises:
        InputError: there is no picture. NotACodeError: one has no code, or one that no real picture has.
    """
    if not pictures:
        raise InputError("there is no picture to opt out; give at least one")
    for codes in pictures:
        for code in codes:
            _gate_code(code)
        if not picture_codes(codes):
            raise NotACodeError(
                f"a picture comes without a {PHASH256.name} code of the whole; make it with `hibs fingerprint`"
            )
    return tuple(picture_codes(codes) for codes in pictures)


def _gate_code(code: Fingerprint) -> None:
    """Refuse what cannot come from a picture with detail.

    phash256 compares with the median, so half of the bits are set in every real picture; white, black and gradients
    have next to none, and one opt-out of a white square would opt out every flat picture.
    """
    if code.kind.name == ROBUST_NAME or (code.kind == PHASH256 and code.variant is not Variant.WHOLE):
        return  # left out of the entry
    if code.kind != PHASH256:
        raise NotACodeError(f"codes of kind {code.kind.name} version {code.kind.version} are not recorded here")
    bits_set = int.from_bytes(code.bits).bit_count()
    if bits_set != PHASH256.bits // 2:
        raise NotACodeError(
            f"no picture has this code: {bits_set} of its bits are set, a real one has {PHASH256.bits // 2}; "
            "make it with `hibs fingerprint`"
        )


def close_uses(uses: Collection[Use]) -> tuple[Use, ...]:
    """The uses as an entry lists them; `all` is all five.

    Raises:
        InputError: none is named.
    """
    if not uses:
        raise InputError(f"no use is named; name some of {', '.join(USES)}, or all")
    return USES if Use.ALL in uses else tuple(use for use in USES if use in uses)


def require_small(entry: OptOut) -> None:
    """Refuse what does not fit into one entry of the log.

    Raises:
        InputError: there are too many pictures, or too many codes of one.
    """
    try:
        write_entry(entry)
    except ValueError as error:  # all but the sizes was checked by the gates
        raise InputError(
            f"{len(entry.pictures)} pictures are more than one opt-out can hold ({ENTRY_BYTES_MAX} bytes, "
            f"{CODES_PER_PICTURE_MAX} codes a picture); opt them out in several"
        ) from error
