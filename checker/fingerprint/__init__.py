"""What a picture is: decoding within bounds, perceptual hashes, distance.

The package is callable: `from checker import fingerprint` and then `fingerprint(picture)` is `library.fingerprint`.
Python gives a package and a name inside `checker` one and the same attribute, so the package itself has to answer.
"""

from __future__ import annotations

import sys
from types import ModuleType

from checker.fingerprint import library
from checker.fingerprint.asked import Question
from checker.fingerprint.decode import Decoder, InProcessDecoder
from checker.fingerprint.hashes import distance_bits, is_plain, parse_code, phash256, popcount
from checker.fingerprint.pictures import Depth, fingerprint_bytes, fingerprint_file, picture_files, question_of
from checker.model import Picture, Unreadable
from checker.settings import Settings

__all__ = [
    "Decoder",
    "Depth",
    "InProcessDecoder",
    "Question",
    "distance_bits",
    "fingerprint_bytes",
    "fingerprint_file",
    "is_plain",
    "parse_code",
    "phash256",
    "picture_files",
    "popcount",
    "question_of",
]


class _CallablePackage(ModuleType):
    """Python lets a module name another class for itself (data model, "Customizing module attribute access")."""

    def __call__(self, source: library.Source, *, settings: Settings | None = None) -> Picture | Unreadable:
        """See `library.fingerprint`."""
        return library.fingerprint(source, settings=settings)


sys.modules[__name__].__class__ = _CallablePackage
