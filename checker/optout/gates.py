"""What is refused before anything is recorded: codes that no real picture has, no use, too much at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from checker.addresses import is_address
from checker.errors import InputError, NotACodeError
from checker.model import PHASH256, ROBUST_BITS, ROBUST_NAME, Fingerprint, Use, Variant
from checker.optout.entry import (
    ADDRESSES_MAX,
    CODES_PER_PICTURE_MAX,
    ENTRY_BYTES_MAX,
    USES,
    Evidence,
    OptOut,
    write_entry,
)
from checker.optout.tokens import read_withdraw_code

_SHOWN_LETTERS_MAX = 100
_ENTRY_KINDS = (PHASH256.name, ROBUST_NAME)


def gate_pictures(pictures: Sequence[Sequence[Fingerprint]]) -> tuple[tuple[Fingerprint, ...], ...]:
    """The codes of each picture as an entry lists them.

    An entry names whole pictures, by both kinds of code where both were made: a follower that has both can tell a
    forged code from a copy. The codes of parts that `fingerprint` makes along with them are left out: what a follower
    has is met by its own parts.

    Raises:
        InputError: there is no picture. NotACodeError: one has no code, or one that no real picture has.
    """
    if not pictures:
        raise InputError("there is no picture to opt out; give at least one")
    for codes in pictures:
        for code in codes:
            _gate_code(code)
        if not any(code.kind == PHASH256 for code in entry_codes(codes)):
            raise NotACodeError(
                f"a picture comes without a {PHASH256.name} code of the whole; make it with `hibs fingerprint`"
            )
    return tuple(entry_codes(codes) for codes in pictures)


def entry_codes(codes: Sequence[Fingerprint]) -> tuple[Fingerprint, ...]:
    """The codes of one picture as an entry lists them: those of the whole, by kind, version and bits, none twice."""
    whole = (code for code in codes if code.variant is Variant.WHOLE and code.kind.name in _ENTRY_KINDS)
    unique = {(code.kind.name, code.kind.version, code.bits): Fingerprint(code.kind, code.bits) for code in whole}
    return tuple(unique[key] for key in sorted(unique))


def _gate_code(code: Fingerprint) -> None:
    """Refuse what cannot come from a picture with detail.

    phash256 compares with the median, so half of the bits are set in every real picture; white, black and gradients
    have next to none, and one opt-out of a white square would opt out every flat picture.
    """
    if code.kind.name == ROBUST_NAME or (code.kind == PHASH256 and code.variant is not Variant.WHOLE):
        if code.kind.bits != (ROBUST_BITS if code.kind.name == ROBUST_NAME else PHASH256.bits):
            raise NotACodeError(f"a code of kind {code.kind.name} with {code.kind.bits} bits is none")
        return  # its bits say nothing by themselves, or it is left out of the entry
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


def gate_addresses(addresses: Collection[str], evidence: Evidence) -> tuple[str, ...]:
    """The addresses as an entry lists them: sorted, none twice. Whether the evidence holds was looked at before.

    Raises:
        InputError: they come without evidence of their hosts, one is not in its one spelling, or they are too many.
    """
    if addresses and evidence is not Evidence.HOST_FILE:
        raise InputError("a host can be opted out only with a file or a DNS record on it; see `hibs opt-out host`")
    if wrong := [address for address in addresses if not is_address(address)]:
        raise InputError(f"{wrong[0][:_SHOWN_LETTERS_MAX]!r} is no address; write it like example.org/photos/")
    if len(addresses) > ADDRESSES_MAX:
        raise InputError(f"{len(addresses)} addresses are more than one opt-out can hold ({ADDRESSES_MAX})")
    return tuple(sorted(set(addresses)))


def gate_withdraw_code(code: str) -> str:
    """A withdraw code that was made beforehand, in its one spelling.

    Raises:
        InputError: it is none.
    """
    read = read_withdraw_code(code)
    if read is None:
        raise InputError("what was given is no whole withdraw code; take the file as it was written")
    return read


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
