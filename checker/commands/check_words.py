"""What `hibs check` says about one photo to a person: found, edited, possible, or not found and in what.

It reads the rows of `hibs check --json`, so a server's answer and that of a data folder are told in the same words.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from checker.commands.odds import one_in
from checker.console import count_of

_CODE_BITS = (("phash256", 256), ("sscd512", 512))
"""Kinds of code with their bits. A match is measured by the first one that it has."""
_PLACES_SHOWN = 10
"""A much-copied photo has hundreds of places; a person reads the first, a program all."""

FOUND = {"same", "edited"}
_KINDS = {
    "same": "FOUND  the same photo",
    "edited": "FOUND  an edited copy",
    "possible": "possible copies (not counted as found)",
}


def answer_lines(row: dict[str, Any]) -> Iterator[str]:
    """The answer about one picture that was checked, for a person. Not found always comes with what was looked at."""
    path, coverage = row["path"], row["coverage"]
    possible = [match for match in row["matches"] if match["kind"] not in FOUND]
    if len(possible) == len(row["matches"]):
        newest = (coverage["newest"] or "")[:10]
        yield (
            f"{path}  not found in {count_of(coverage['images'], 'picture')} from "
            f"{count_of(coverage['sources'], 'source')}, newest {newest}  (not found is no proof)"
            f"{f'; {len(possible):,} possible' if possible else ''}"
        )
    for title, matches in _groups(row["matches"]):
        yield f"{path}  {title}: {', '.join((count_of(len(matches), 'picture'), *_distances(matches)))}"
        yield from (f"    {line}" for line in (_sureness(matches), *_where(matches)) if line)


def _groups(matches: list[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Matches of which the same can be said, under what is said: the same photo, edited copies, at the end possible."""
    groups: dict[tuple[int, str, bool], list[dict[str, Any]]] = {}
    for match in matches:
        how = _how(match) if match["kind"] == "edited" else ""
        key = (list(_KINDS).index(match["kind"]), _KINDS[match["kind"]] + how, bool(match["codes_disagree"]))
        groups.setdefault(key, []).append(match)
    for (_, title, _), group in sorted(groups.items(), key=lambda named: named[0][0]):
        yield title, group


def _how(match: dict[str, Any]) -> str:
    """What was done to an edited copy, as far as it is known."""
    degrees = match["orientation"].partition("turned-")[2]
    words = (
        "mirrored" if match["orientation"].startswith("mirrored") else "",
        f"turned {degrees} degrees clockwise" if degrees else "",
        _PARTS[bool(match["crop"]), bool(match["stored_crop"])],
    )
    said = ", ".join(filter(None, words))
    return f" ({said})" if said else ""


_PARTS = {
    (False, False): "",
    (True, False): "a part of your photo",
    (False, True): "your photo is a part of it",
    (True, True): "it shares a part with your photo",
}
"""By: is the copy a part of the asked photo only; is the asked photo a part of the copy only."""


def _distances(matches: list[dict[str, Any]]) -> Iterator[str]:
    """By each kind of code that measures some of the matches. Nothing where none is named."""
    for number, (kind, bits) in enumerate(_CODE_BITS):
        before = [name for name, _ in _CODE_BITS[:number]]
        found = [m["codes"][kind] for m in matches if kind in m["codes"] and not any(k in m["codes"] for k in before)]
        if found:
            span = "-".join(str(b) for b in dict.fromkeys((min(found), max(found))))
            yield f"{span} of {bits} bits differ"


def _sureness(matches: list[dict[str, Any]]) -> str:
    """How sure it is, in a sentence; empty of the same photo, where that is clear."""
    kind, expected = matches[0]["kind"], [match["expected_chance_matches"] for match in matches]
    if matches[0]["codes_disagree"]:
        return "its codes disagree, so look yourself"
    if kind == "possible":
        return "too little agrees to be sure, so look yourself"
    number = one_in(max(expected)) if kind == "edited" and None not in expected else None
    return f"chance of a coincidence in a collection of this size: below 1 in {number:,}" if number else ""


def _where(matches: list[dict[str, Any]]) -> Iterator[str]:
    if any(match["where"] == "opened" for match in matches):
        yield "where is told to you as the holder of its opt-out, and to nobody else:"
    held = [match["withheld"] for match in matches if match["where"] == "withheld"]
    if held:
        count = sum(h["count"] for h in held)
        first = min(h["first_seen_month"] for h in held)
        yield f"where is withheld: {count_of(count, 'place')}, first seen by us in {first}"
    sightings = [sighting for match in matches for sighting in match["sightings"]]
    for sighting in sightings[:_PLACES_SHOWN]:
        if sighting["locator"]:
            yield f"file {sighting['locator']['file']} of {sighting['source']['name']}"
        if sighting["image_url"]:
            page = f"  on {sighting['page_url']}" if sighting["page_url"] else ""
            caption = f'  "{sighting["caption"]}"' if sighting["caption"] else ""
            yield f"{sighting['image_url']}{page}{caption}"
        if not sighting["locator"] and not sighting["image_url"]:
            yield f"a place in {sighting['source']['name']} that is not told"
        first, last = sighting["first_seen"][:10], sighting["last_seen"][:10]
        by_file = sighting["verdict"] and sighting["source"]["kind"] in ("folder", "archive")
        who = "the file itself says" if by_file else "the site had said"
        yield f"  first seen by us {first}, last {last}; {who}: {_said(sighting['verdict'])}"
    if len(sightings) > _PLACES_SHOWN:
        yield f"and {len(sightings) - _PLACES_SHOWN} more places; --json lists all"


_SAID = (
    (("train-ai", "all"), "no AI training"),
    (("train-genai",), "no training of generative AI"),
    (("tdm",), "no automated analysis"),
    (("search", "index"), "no indexing"),
)


def _said(verdict: dict[str, str]) -> str:
    """A verdict in words; the strongest reading first. Doubt is named as doubt."""
    if not verdict:
        return "not asked (a collection, not a site)"
    words = [text for uses, text in _SAID if any(verdict.get(use) in ("deny", "conditional") for use in uses)]
    if "no AI training" in words and "no training of generative AI" in words:
        words.remove("no training of generative AI")
    if any(value == "unknown" for value in verdict.values()):
        words.append("something that could not be read")
    return ", ".join(words) or "nothing about AI or indexing"
