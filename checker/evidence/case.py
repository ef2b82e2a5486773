"""Why a case is asked about: a reference of the asker's own and a purpose of a closed list.

Both go into every file of the case, so that whoever reads it sees why it was made. Neither says who the claimants are.
"""

from __future__ import annotations

from dataclasses import dataclass

from checker.audit.cases import Purpose, is_placeholder
from checker.errors import InputError

REFERENCE_LETTERS_MAX = 80


@dataclass(frozen=True, slots=True)
class Case:
    """Reference and purpose."""

    reference: str
    """ "2026-117"; empty: none was given."""
    purpose: Purpose | None


def read_case(reference: str | None, purpose: str | None, *, required: bool) -> Case:
    """Check what the command was given.

    Args:
        required: both have to be there, because another machine is asked.
    Raises:
        InputError: one is missing, is a placeholder, or is not of its form.
    """
    if required and (not reference or not purpose):
        raise InputError(
            "a case that a server is asked about has --case (your own reference, like 2026-117) and --purpose "
            f"({', '.join(Purpose)}); they show later why it was asked"
        )
    text = (reference or "").strip()
    if text and (len(text) > REFERENCE_LETTERS_MAX or not text.isprintable()):
        raise InputError(f"--case is at most {REFERENCE_LETTERS_MAX} printable letters, like 2026-117")
    if reference and (not text.strip(".-_/ ") or is_placeholder(text)):
        raise InputError("--case names nothing; give the reference under which you keep this case, like 2026-117")
    if purpose and purpose not in set(Purpose):
        raise InputError(f"--purpose is one of {', '.join(Purpose)}")
    return Case(text, Purpose(purpose) if purpose else None)
