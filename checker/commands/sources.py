"""`hibs sources`: what a data folder's pictures come from, and who to write to about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checker.console import answer, answer_json, command, count_of, one_line

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
    from checker.records.sources import source_document

    with DataFolder.open(data, create=False) as folder:
        found = folder.store.sources()
    for facts in found:
        if as_json:
            answer_json(source_document(facts))
        else:
            for line in _lines(facts):
                answer(one_line(line))
    if not found and not as_json:
        answer("nothing was crawled or ingested here yet")


def _lines(facts: SourceFacts) -> list[str]:
    """Name, kind and figures, then what was said of it."""
    from checker.model import utc_text

    details, source = facts.details, facts.source
    version = f", version {details.version}" if details.version else ""
    listed = "" if facts.listed is None else f" of {count_of(facts.listed, 'listed row')}"
    gone = f", {facts.gone:,} gone since" if facts.gone else ""
    seen = f", last seen {utc_text(facts.last_seen)[:10]}" if facts.last_seen else ""
    said = (("run by", details.run_by), ("contact", details.contact), ("objections to", details.opt_out))
    return [
        f"{source.name} ({source.kind}{version}): {count_of(facts.images, 'picture')}, "
        f"{count_of(facts.sightings, 'sighting')}{listed}{gone}{seen}",
        *(f"    {label} {value}" for label, value in said if value),
    ]
