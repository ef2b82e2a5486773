"""`hibs sources`: what a data folder's pictures come from, and who to write to about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from checker.console import answer, answer_json, command, one_line

if TYPE_CHECKING:
    from checker.records.store import SourceFacts


@command
def sources(
    data: Annotated[Path, typer.Option(metavar="DIR", help="The data folder.", show_default=False, readable=False)],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a source.")] = False,
) -> None:
    """Say what was crawled or ingested into a data folder: how much, when, who made it, where they take objections.

    hibs sources --data data/
    """
    from checker.records.folder import DataFolder

    with DataFolder.open(data, create=False) as folder:
        found = folder.store.sources()
    for facts in found:
        if as_json:
            answer_json(_document(facts))
        else:
            for line in _lines(facts):
                answer(one_line(line))
    if not found and not as_json:
        answer("nothing was crawled or ingested here yet")


def _document(facts: SourceFacts) -> dict[str, Any]:
    """As `GET /v1/sources` has it, and what was said of the source."""
    from checker.model import utc_text

    details = facts.details
    return {
        "id": facts.source.id,
        "name": facts.source.name,
        "kind": facts.source.kind,
        "version": details.version,
        "run_by": details.run_by,
        "contact": details.contact,
        "opt_out": details.opt_out,
        "images": facts.images,
        "sightings": facts.sightings,
        "first_seen": utc_text(facts.first_seen),
        "last_seen": utc_text(facts.last_seen) if facts.last_seen else None,
    }


def _lines(facts: SourceFacts) -> list[str]:
    """Name, kind and figures, then what was said of it."""
    from checker.model import utc_text

    details, source = facts.details, facts.source
    version = f", version {details.version}" if details.version else ""
    seen = f", last seen {utc_text(facts.last_seen)[:10]}" if facts.last_seen else ""
    said = (("run by", details.run_by), ("contact", details.contact), ("objections to", details.opt_out))
    return [
        f"{source.name} ({source.kind}{version}): {_many(facts.images, 'picture')}, "
        f"{_many(facts.sightings, 'sighting')}{seen}",
        *(f"    {label} {value}" for label, value in said if value),
    ]


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
