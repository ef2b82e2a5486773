"""Read one TDM·AI declaration: JSON that binds preferences to an ISCC, a code computed from the content itself.

    {"iscc": "ISCC:...", "all": "false", "search": "true"}

1. The keys are all, train-ai, train-genai, search, and ai-use, which is about feeding a model at answer time and kept
   as evidence. A refusal covers what its key contains, except keys that the declaration names itself; so `all` refuses
   searching and indexing too (the documentation contradicts itself there, and the stronger reading is taken).
2. A permission of `all` reaches `tdm` and both training uses unless they are named, never `search`; one of train-ai
   reaches train-genai.
3. "true", "y" and JSON's true permit, exactly so written. Refusals are read in any case and spelling of their keys.
4. A key that stands twice, another value, another version or an intent that nobody defined: refusals stay,
   permissions do not, and the rest is in doubt.

Permissions count only from a declaration whose signature somebody has verified. Signatures are not checked here, nor
is it known here which content an ISCC belongs to: matching codes and following `reference` are left to the caller.

Source: liccium/tdmai, "JSON format for usage declarations" and its schema (2025-11-04), which follow the vocabulary of
draft-ietf-aipref-vocab-02; ISO 24138:2024. The schema writes "supersede", the text "supercede": both are read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checker.model import Finding, Stance, Use
from checker.signals.statements import TRAINING, Statement, clipped, closed, findings_of, with_contained

VERSION = "TDM-AI 2025-11-04"
DECLARATION_BYTES_MAX = 65_536
"""A declaration has a dozen short members; the longest examples, policy text included, stay under 2 KiB."""

_KEYS: Mapping[str, Use] = {
    "all": Use.ALL,
    "train-ai": Use.TRAIN_AI,
    "train-genai": Use.TRAIN_GENAI,
    "search": Use.SEARCH,
}
_REFUSALS = frozenset({"false", "n", "no", "0"})
_INTENTS = frozenset({"activate", "update", "supersede", "supercede"})
_INHERITED = ((Use.TRAIN_AI, (Use.TRAIN_GENAI,)), (Use.ALL, (Use.TDM, *TRAINING)))


@dataclass(frozen=True, slots=True)
class Declaration:
    """A declaration, read. Whether it reaches a picture is for whoever compares codes to say."""

    iscc: str
    """As written, at most 500 characters; empty: none was given."""
    reference: str
    """Identifier of the declaration that this one replaces; empty: none."""
    statement: Statement
    """As declared, permissions included."""
    raw: str


class _Members:
    """A JSON object that keeps duplicate members."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs

    def all(self, name: str) -> list[Any]:
        return [value for key, value in self.pairs if key == name]

    def text(self, name: str) -> str:
        """The member where it stands once and is text; otherwise empty."""
        values = self.all(name)
        return values[0] if len(values) == 1 and isinstance(values[0], str) else ""


def parse_declaration(body: bytes) -> Declaration:
    """Read a declaration. Never raises: what is no JSON object leaves every use in doubt.

    Args:
        body: UTF-8, at most 64 KiB.
    """
    raw = clipped(body[:2000].decode("utf-8", "replace"))
    unread = Declaration("", "", Statement(malformed=True), raw)
    try:
        if len(body) > DECLARATION_BYTES_MAX:
            raise ValueError("too large")
        members = json.loads(body.removeprefix(b"\xef\xbb\xbf").decode("utf-8"), object_pairs_hook=_Members)
    except (ValueError, RecursionError):
        return unread
    if not isinstance(members, _Members):
        return unread
    statement = _statement(members)
    iscc = members.text("iscc").strip()
    if not iscc or not _known_form(members):
        refused = {use: stance for use, stance in statement.uses.items() if stance is not Stance.ALLOW}
        statement = Statement(refused, malformed=True)
    return Declaration(clipped(iscc), clipped(members.text("reference")), statement, raw)


def read_declaration(body: bytes, *, place: str, verified: bool = False) -> tuple[Finding, ...]:
    """Say what one declaration says of the content that its ISCC names. Never raises.

    Args:
        body: the declaration, as a registry or a file gave it.
        place: which registry or file that was.
        verified: whether its signature was verified and the declarer's name with it. Without that, permissions are
            left out: those uses are not spoken of.
    Returns:
        At least one finding; its scope is the ISCC.
    """
    declaration = parse_declaration(body)
    statement = declaration.statement
    if not verified:
        uses = {use: stance for use, stance in statement.uses.items() if stance is not Stance.ALLOW}
        statement = Statement(uses, malformed=statement.malformed, doubted=statement.doubted)
    return findings_of(
        statement, signal="tdm-ai", place=place, raw=declaration.raw, version=VERSION, scope=declaration.iscc
    )


def _statement(members: _Members) -> Statement:
    values: dict[Use, list[Stance]] = {}
    for key, value in members.pairs:
        # A refusal may spell its key in any way ("Train_AI"), a permission only as it is specified.
        use = _KEYS.get(key.strip().lower().replace("_", "-"))
        if use is not None:
            values.setdefault(use, []).append(_stance(value, exact=key in _KEYS))
    named: dict[Use, Stance] = {}
    unreadable: set[Use] = set()
    for use, stances in values.items():
        if len(stances) > 1 or Stance.UNSPECIFIED in stances:
            unreadable.add(use)
        if Stance.DENY in stances:
            named[use] = Stance.DENY
        elif use not in unreadable:
            named[use] = Stance.ALLOW
    doubted = with_contained(unreadable) - set(named)
    uses = closed(named)
    for larger, contained in _INHERITED:
        if named.get(larger) is Stance.ALLOW:
            for use in contained:
                if use not in doubted:
                    uses.setdefault(use, Stance.ALLOW)
    return Statement(uses, malformed=bool(unreadable), doubted=doubted or frozenset(unreadable))


def _stance(value: Any, *, exact: bool) -> Stance:
    """Unspecified: not to be read."""
    if value is True or value in ("true", "y"):
        return Stance.ALLOW if exact else Stance.UNSPECIFIED
    if value is False or (isinstance(value, str) and value.strip().lower() in _REFUSALS):
        return Stance.DENY
    return Stance.UNSPECIFIED


def _known_form(members: _Members) -> bool:
    """Whether the members that tell what kind of declaration this is are absent or as they were defined."""
    return _absent_or(members.all("intent"), _INTENTS) and _absent_or(members.all("version"), frozenset({"1.0"}))


def _absent_or(values: Sequence[Any], known: frozenset[str]) -> bool:
    return not values or (len(values) == 1 and isinstance(values[0], str) and values[0] in known)
