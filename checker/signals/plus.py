"""Read the data mining term of PLUS: one value of the property -> a statement.

The same values stand in XMP packets (`embedded`) and in the metadata assertions of C2PA manifests (`c2pa`).

Source: IPTC Photo Metadata Standard 2025.1 (Data Mining since 2023.1); the PLUS LDF vocabulary.
"""

from __future__ import annotations

import re

from checker.model import Stance, Use
from checker.signals.statements import TRAINING, Statement, uniform

_USES = (Use.TDM, *TRAINING)
_DOUBT = Statement(malformed=True, doubted=frozenset(_USES))
_REFUSED = uniform(Stance.DENY, _USES)
_CONDITIONAL = uniform(Stance.CONDITIONAL, _USES)
_MEANINGS: dict[str, dict[Use, Stance]] = {
    "DMI-UNSPECIFIED": {},
    "DMI-ALLOWED": uniform(Stance.ALLOW, _USES),
    "DMI-PROHIBITED": _REFUSED,
    "DMI-PROHIBITED-AIMLTRAINING": uniform(Stance.DENY, TRAINING),
    "DMI-PROHIBITED-GENAIMLTRAINING": {Use.TRAIN_GENAI: Stance.DENY},
    "DMI-PROHIBITED-EXCEPTSEARCHENGINEINDEXING": _REFUSED | {Use.SEARCH: Stance.ALLOW},
    "DMI-PROHIBITED-SEECONSTRAINT": _CONDITIONAL,
    "DMI-PROHIBITED-SEEEMBEDDEDRIGHTSEXPR": _CONDITIONAL,
    "DMI-PROHIBITED-SEELINKEDRIGHTSEXPR": _CONDITIONAL,
}
_EXACT = re.compile(r"(?:https?://ns\.useplus\.org/ldf/vocab/)?(DMI-[A-Z-]+)")
_PROHIBITED = re.compile(r"DMI-PROHIBITED[A-Z-]*")


def read_data_mining(value: str, *, about_file: bool = True) -> Statement:
    """Read one value of plus:DataMining: a URI of the PLUS vocabulary, or its last part alone.

    Args:
        about_file: False: it stands deeper in the packet and may speak of an ingredient, so it permits nothing.
    Returns:
        A prohibition with an unknown ending, or with other words around it, is the general one, and malformed. Any
        other unknown value says nothing and leaves `tdm` and training in doubt.
    """
    exact = _EXACT.fullmatch(value)
    uses = _MEANINGS.get(exact[1]) if exact else None
    if uses is not None and about_file:
        return Statement(uses)
    key = re.split(r"[/#]", value.strip().rstrip("/"))[-1].upper()
    prohibitions = _PROHIBITED.findall(value.upper())
    if uses is None and not prohibitions:
        return _DOUBT
    if uses is None and prohibitions != [key]:
        key = "not one prohibition alone"
    refused = {use: stance for use, stance in _MEANINGS.get(key, _REFUSED).items() if stance is not Stance.ALLOW}
    known = key in _MEANINGS
    return Statement(refused, malformed=not known, doubted=frozenset() if known else frozenset(_USES))
