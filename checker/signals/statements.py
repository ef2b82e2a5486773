"""One statement, closed: what a signal says of each use once its words are spread to the uses they contain.

`tdm` contains both training uses, `train-ai` contains `train-genai`, `all` contains everything. A refusal of the
larger use refuses the smaller ones as well, except those that the same statement names itself. A permission does not
spread. Tolerant reading may create refusals only, so what could not be read is kept apart: a statement's `doubted`
uses end up in a finding of their own that is marked malformed and holds no permission.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from checker.model import Finding, Stance, Use

RAW_CHARACTERS_MAX = 500

TRAINING = (Use.TRAIN_AI, Use.TRAIN_GENAI)

_STRENGTH = {Stance.UNSPECIFIED: 0, Stance.ALLOW: 1, Stance.CONDITIONAL: 2, Stance.DENY: 3}

_CONTAINED: Mapping[Use, tuple[Use, ...]] = {
    Use.ALL: (Use.TDM, Use.TRAIN_AI, Use.TRAIN_GENAI, Use.SEARCH, Use.INDEX),
    Use.TDM: TRAINING,
    Use.TRAIN_AI: (Use.TRAIN_GENAI,),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """What one place says, before it is known where that place was."""

    uses: Mapping[Use, Stance] = field(default_factory=dict)
    """Closed; a use that is absent was not spoken of."""
    malformed: bool = False
    doubted: frozenset[Use] = frozenset()
    """Uses that the unreadable part may have been about; empty although malformed: any use."""


def strongest(stances: Iterable[Stance]) -> Stance:
    """The stance that wins: deny > conditional > allow > unspecified. Nothing said: unspecified."""
    return max(stances, key=_STRENGTH.__getitem__, default=Stance.UNSPECIFIED)


def merged(statements: Iterable[Mapping[Use, Stance]]) -> dict[Use, Stance]:
    """Combine statements use by use, the strongest stance winning."""
    together: dict[Use, Stance] = {}
    for statement in statements:
        for use, stance in statement.items():
            together[use] = strongest((stance, together.get(use, Stance.UNSPECIFIED)))
    return together


def closed(named: Mapping[Use, Stance]) -> dict[Use, Stance]:
    """Spread refusals and conditions to the uses that the named ones contain.

    Args:
        named: exactly the uses that the statement names itself; these keep their stance.
    """
    spread: dict[Use, Stance] = dict(named)
    for use, stance in named.items():
        if stance in (Stance.DENY, Stance.CONDITIONAL):
            for contained in _CONTAINED.get(use, ()):
                if contained not in named:
                    spread[contained] = strongest((stance, spread.get(contained, Stance.UNSPECIFIED)))
    return spread


def with_contained(uses: Iterable[Use]) -> frozenset[Use]:
    """These uses and all that they contain."""
    named = frozenset(uses)
    return named.union(*(_CONTAINED.get(use, ()) for use in named))


def uniform(stance: Stance, uses: Iterable[Use]) -> dict[Use, Stance]:
    """The same stance on each of these uses."""
    return dict.fromkeys(uses, stance)


def findings_of(
    statement: Statement, *, signal: str, place: str, raw: str, version: str, scope: str = ""
) -> tuple[Finding, ...]:
    """Turn a statement into the findings that stand in a verdict: what was read, then what could not be."""
    read = Finding(
        signal=signal, place=place, raw=clipped(raw), uses=dict(statement.uses), version=version, scope=clipped(scope)
    )
    if not statement.malformed:
        return (read,)
    doubt = Finding(
        signal=signal,
        place=place,
        raw=clipped(raw),
        uses=uniform(Stance.UNSPECIFIED, (use for use in Use if use in statement.doubted)),
        version=version,
        scope=clipped(scope),
        malformed=True,
    )
    return (read, doubt) if statement.uses else (doubt,)


def without_permissions(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The same findings, for a place that can refuse but not permit: what they allow is dropped."""
    for finding in findings:
        yield replace(finding, uses={use: stance for use, stance in finding.uses.items() if stance is not Stance.ALLOW})


def clipped(text: str) -> str:
    """The first 500 characters, fit to be stored and printed: bytes that were no UTF-8 become "?"."""
    return text[:RAW_CHARACTERS_MAX].encode("utf-8", "replace").decode("utf-8")
