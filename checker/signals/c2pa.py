"""Read the training and data mining assertion of C2PA manifests: what a manifest store says -> findings.

    cawg.training-mining    CAWG 1.1; entries cawg.data_mining, cawg.ai_inference, cawg.ai_training,
                            cawg.ai_generative_training
    c2pa.training-mining    C2PA 1.3 and 1.4; the same with the prefix c2pa., in 1.4 without the map `entries`

`data_mining` speaks of `tdm`, `ai_training` (of models that do not generate) of `train-ai`, `ai_generative_training` of
`train-genai`; `ai_inference` and keys of others are evidence. `constrained` is a condition: not allowed until cleared.
The active manifest speaks for the file. From the manifests that it calls its parent (`parentOf`), and theirs, refusals
and conditions are inherited, never permissions; what was merely put into the picture (`componentOf`, `inputTo`) is not.

A refusal that was taken out leaves doubt: redacted by a manifest that descends from it, gone, or no longer what was
signed. Metadata assertions may repeat plus:DataMining; there it refuses and permits nothing (our choice).

Permissions count only where the store is Valid or Trusted, and under their exact names. Refusals are read tolerantly
and are kept where it is Invalid: who breaks the signature of a refusal does not get rid of it.

Source: CAWG training and data mining assertion 1.1, 2025-05-16; C2PA 1.4, 19.23; C2PA 2.2, 6.8 (redaction) and 15.2
(status codes of validation); CAWG metadata assertion 1.0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from checker.model import Finding, Stance, Use
from checker.signals.plus import read_data_mining
from checker.signals.statements import (
    TRAINING,
    Statement,
    clipped,
    closed,
    findings_of,
    strongest,
    uniform,
    with_contained,
)

VERSION = "CAWG training and data mining 1.1"
OLD_VERSION = "C2PA 1.4"
ASSERTIONS_MAX = 200
"""Of one manifest; more leave doubt. Real ones have one."""
MANIFESTS_MAX = 200

_USES = (Use.TDM, *TRAINING)
_LABEL = re.compile(r"(cawg|c2pa)\.training-mining((?:\.v|__)[0-9]+)*", re.IGNORECASE)
_METADATA_LABEL = re.compile(
    r"(?:(?:cawg|c2pa|stds)\.metadata|stds\.iptc(?:\.photo-metadata)?)(?:(?:\.v|__)[0-9]+)*", re.IGNORECASE
)
_DATA_MINING = re.compile(r"(?:.*[:/#])?datamining", re.IGNORECASE)
"""A key of JSON-LD: its prefix is the writer's choice."""
_ENTRIES: Mapping[str, Use | None] = {
    "data_mining": Use.TDM,
    "ai_training": Use.TRAIN_AI,
    "ai_generative_training": Use.TRAIN_GENAI,
    "ai_inference": None,
}
_REFUSALS = {"notallowed": Stance.DENY, "constrained": Stance.CONDITIONAL}


@dataclass(frozen=True, slots=True)
class _Manifest:
    label: str
    members: Mapping[str, Any]
    inherited: bool


def read_store(store: Mapping[str, Any], *, place: str) -> tuple[Finding, ...]:
    """Read a manifest store as c2pa's `Reader.json()` gives it. Never raises, whatever its members are.

    Args:
        store: `active_manifest`, `manifests` by label with `assertions` and `ingredients`, `validation_state`.
        place: where in the file it was found: "JPEG APP11 JUMBF".
    Returns:
        Empty: no assertion speaks of training or mining. A store without a readable active manifest, and a parent
        whose manifest is missing, leave `tdm` and both training uses in doubt.
    """
    verified = store.get("validation_state") in ("Valid", "Trusted")
    manifests, problems = _lineage(store)
    if _taken_out(store, manifests):
        problems.append("a training and data mining assertion was redacted, is missing or was changed")
    findings = [not_read(place, problem, malformed=True) for problem in problems]
    for manifest in manifests:
        where = f"{place}, parent manifest {manifest.label}" if manifest.inherited else place
        findings += _read_manifest(manifest, where, verified=verified)
    return tuple(findings)


def not_read(place: str, reason: str, *, malformed: bool = False) -> Finding:
    """The finding for a manifest that could not be had (unreachable) or read (malformed)."""
    return Finding(
        signal="c2pa",
        place=clipped(place),
        raw=clipped(reason),
        uses=uniform(Stance.UNSPECIFIED, _USES),
        version=VERSION,
        malformed=malformed,
        unreachable=not malformed,
    )


def _lineage(store: Mapping[str, Any]) -> tuple[list[_Manifest], list[str]]:
    """The active manifest and all that it descends from, each once, and what went wrong on the way."""
    manifests = store.get("manifests")
    active = store.get("active_manifest")
    if not isinstance(manifests, Mapping) or not isinstance(active, str):
        return [], ["the manifest store names no active manifest"]
    found: dict[str, _Manifest] = {}
    problems: list[str] = []
    waiting = [active]
    while waiting:
        label = waiting.pop()
        if label in found:
            continue
        members = manifests.get(label)
        if not isinstance(members, Mapping) or len(found) == MANIFESTS_MAX:
            problems.append("a manifest that this file descends from is missing or one too many")
            if len(problems) > MANIFESTS_MAX:
                break
            continue
        found[label] = _Manifest(label, members, inherited=label != active)
        parents, unreadable = _parents(members)
        waiting += parents
        if unreadable:
            problems.append("the ingredients of a manifest cannot be read")
    return list(found.values()), list(dict.fromkeys(problems))


def _parents(manifest: Mapping[str, Any]) -> tuple[list[str], bool]:
    ingredients = manifest.get("ingredients")
    if not isinstance(ingredients, list):
        return [], ingredients is not None
    parents: list[str] = []
    for ingredient in ingredients:
        if not isinstance(ingredient, Mapping):
            return parents, True
        label = ingredient.get("active_manifest")
        # A parent without a manifest has said nothing.
        if _text(ingredient.get("relationship")).lower() == "parentof" and label is not None:
            if not isinstance(label, str):
                return parents, True
            parents.append(label)
    return parents, False


def _read_manifest(manifest: _Manifest, place: str, *, verified: bool) -> Iterator[Finding]:
    assertions = manifest.members.get("assertions")
    if not isinstance(assertions, list):
        if assertions is not None:
            yield not_read(place, "the assertions of a manifest cannot be read", malformed=True)
        return
    ours = (one for one in assertions if isinstance(one, Mapping) and _is_ours(one))
    for assertion in islice(ours, ASSERTIONS_MAX):
        label = _text(assertion["label"])
        if _METADATA_LABEL.fullmatch(label):
            yield from _read_metadata(label, assertion.get("data"), place)
            continue
        statement = read_assertion(label, assertion.get("data"), verified=verified)
        if manifest.inherited:
            refused = {use: stance for use, stance in statement.uses.items() if stance is not Stance.ALLOW}
            statement = replace(statement, uses=refused)
        note = "" if verified else " (not verified: permissions do not count)"
        yield from findings_of(
            statement,
            signal="c2pa",
            place=clipped(f"{place} {label}"),
            raw=_shown(assertion.get("data"), 400) + note,
            version=OLD_VERSION if label.lower().startswith("c2pa.") else VERSION,
        )
    if next(ours, None) is not None or not all(isinstance(one, Mapping) for one in assertions):
        yield not_read(place, "the assertions of a manifest cannot all be read", malformed=True)


def _is_ours(assertion: Mapping[str, Any]) -> bool:
    label = _text(assertion.get("label"))
    if _METADATA_LABEL.fullmatch(label):
        return any(isinstance(value, str | Mapping | list) for value in _mining_values(assertion.get("data")))
    return _LABEL.fullmatch(label) is not None


def _mining_values(data: Any) -> list[Any]:
    return (
        [value for key, value in data.items() if _DATA_MINING.fullmatch(_text(key))] if isinstance(data, dict) else []
    )


def _read_metadata(label: str, data: Any, place: str) -> Iterator[Finding]:
    """plus:DataMining in the JSON-LD of a metadata assertion: a text, a reference, or a list of them."""
    values = [one for value in _mining_values(data) for one in (value if isinstance(value, list) else [value])]
    texts = [_text(value.get("@id", value.get("@value")) if isinstance(value, Mapping) else value) for value in values]
    for text in dict.fromkeys(texts[:ASSERTIONS_MAX]):
        yield from findings_of(
            read_data_mining(text, about_file=False),
            signal="c2pa",
            place=clipped(f"{place} {label} plus:DataMining"),
            raw=text,
            version=VERSION,
        )


def _taken_out(store: Mapping[str, Any], manifests: Iterable[_Manifest]) -> bool:
    """Does the store itself tell of a training and data mining assertion that is not there as it was signed?"""
    told: list[Any] = []
    for manifest in manifests:
        redactions = manifest.members.get("redactions")
        told += redactions[:ASSERTIONS_MAX] if isinstance(redactions, list) else []
    statuses = store.get("validation_status")
    for status in statuses[:ASSERTIONS_MAX] if isinstance(statuses, list) else []:
        if isinstance(status, Mapping) and _text(status.get("code")).startswith("assertion."):
            told.append(status.get("url"))
    return any(_LABEL.fullmatch(_text(uri).rpartition("/")[2]) for uri in told)


def read_assertion(label: str, data: Any, *, verified: bool) -> Statement:
    """Read one training and data mining assertion.

    Args:
        label: as it stands; its prefix decides which names a permission must have.
        data: the content, of any shape; a map of entries, with `entries` around it or without.
        verified: False: the store does not validate, so nothing is permitted and no permission limits a refusal.
    Source: CAWG 1.1, assertion definition; C2PA 1.4, 19.23.
    """
    if not isinstance(data, Mapping):
        return Statement(malformed=True, doubted=frozenset(_USES))
    entries = data.get("entries", data)
    malformed = not isinstance(entries, Mapping)
    members = [*entries.items()] if isinstance(entries, Mapping) else []
    exact_keys = _exact_keys(label) if verified else frozenset()
    if entries is not data:  # an entry may stand beside `entries` as well; such a one is no permission
        members += [(f"{_text(key)} ".upper(), value) for key, value in data.items() if key != "entries"]
    named: dict[Use, Stance] = {}
    unreadable: set[Use] = set(_USES) if malformed else set()
    for key, entry in members:
        use = _use_of(_text(key))
        if use is None:
            continue
        stance = _stance_of(entry, exact=key in exact_keys)
        if stance is None:
            unreadable.add(use)
        elif stance is not Stance.UNSPECIFIED:
            named[use] = strongest((stance, named.get(use, Stance.UNSPECIFIED)))
    doubted = with_contained(unreadable) - set(named)
    return Statement(closed(named), malformed=bool(unreadable), doubted=doubted or frozenset(unreadable))


def _exact_keys(label: str) -> frozenset[str]:
    """The keys under which a permission counts: those of the document that the label belongs to."""
    prefix = label[:5]
    return frozenset(prefix + name for name in _ENTRIES) if prefix in ("cawg.", "c2pa.") else frozenset()


def _use_of(key: str) -> Use | None:
    """None: evidence only, of an entry that is none of the six uses or is nobody's but the writer's."""
    prefix, _, name = key.strip().lower().partition(".")
    return _ENTRIES.get(name) if prefix in ("cawg", "c2pa") else None


def _stance_of(entry: Any, *, exact: bool) -> Stance | None:
    """UNSPECIFIED: a permission that does not count. None: it cannot be read."""
    word = entry.get("use") if isinstance(entry, Mapping) else entry
    if not isinstance(word, str):
        return None
    if word == "allowed" and isinstance(entry, Mapping):
        return Stance.ALLOW if exact else Stance.UNSPECIFIED
    return _REFUSALS.get(word.strip().lower())


def _text(value: Any) -> str:
    """Empty for what is no text: a nested value may be too deep to be written out."""
    return value if isinstance(value, str) else ""


def _shown(data: Any, characters_max: int) -> str:
    """The entries as JSON, with their constraints in them."""
    try:
        return json.dumps(data, ensure_ascii=False)[:characters_max]
    except (TypeError, ValueError, RecursionError):
        return "entries that cannot be shown"
