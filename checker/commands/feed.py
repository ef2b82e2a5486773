"""`hibs feed`: follow and prove an opt-out feed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from checker.console import answer, answer_json, command, say

app = typer.Typer(no_args_is_help=True, help="Follow and prove the opt-out feed.")

JSON_OPTION = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.command()
@command
def sync(
    places: Annotated[list[str], typer.Argument(metavar="[URL] DIR", help="The server (not with --data); the folder.")],
    data: Annotated[
        Path | None, typer.Option(metavar="DATA", help="Follow the log of this data folder.", readable=False)
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(metavar="F", help="File with the feed key for the server.", readable=False)
    ] = None,
    pin: Annotated[str | None, typer.Option(metavar="VKEY", help="The log's verifier key, for the first sync.")] = None,
    as_json: JSON_OPTION = False,
) -> None:
    """Bring DIR up to date, fetching only what is new. Refuses a log that forgot or changed what it signed before.

    Examples:

      hibs feed sync https://optout.example feed/ --key-file feed.key

      hibs feed sync --data data/ feed/
    """
    import os
    from datetime import UTC, datetime

    from checker.errors import InputError, VerificationError
    from checker.optout.feed import read_state, stale_sentence
    from checker.optout.feed_folder import require_pause
    from checker.optout.feed_source import open_source
    from checker.optout.follow import sync as sync_feed
    from checker.settings import Settings

    if len(places) != (2 if data is None else 1):
        raise InputError("give URL and DIR, or --data DATA and DIR")
    folder, now, settings = Path(places[-1]), datetime.now(UTC), Settings.from_environment(os.environ)
    with open_source(data or places[0], settings=settings, now=now, key_file=key_file) as source:
        if data is None:
            require_pause(read_state(folder), source.name, now)
        done = sync_feed(folder, source, now=now, pin=pin)
    if done.first_use:
        say(
            f"trusting {done.key} from now on, because {done.source} names it and nothing was pinned; "
            "compare it with what its operator publishes elsewhere"
        )
    for sentence in done.key_news:
        say(sentence)
    if as_json:
        answer_json(done.to_dict())
    else:
        answer(
            f"{folder}: size {done.size:,} (before: {done.old_size:,}), root {done.root.hex()}, "
            f"{done.tiles_fetched:,} tiles and {done.openings_fetched:,} openings fetched, "
            f"{done.openings_erased:,} openings erased"
        )
    if done.stale:
        raise VerificationError(stale_sentence(done.signed_at, now=now, folder=folder), part="checkpoint-time")


@app.command()
@command
def verify(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that `hibs feed sync` keeps.", readable=False)
    ],
    as_json: JSON_OPTION = False,
) -> None:
    """Prove DIR from its files alone: signature, age, tree, and that nobody's entry was left out.

    Examples:

      hibs feed verify feed/

      hibs feed verify feed/ --json
    """
    from datetime import UTC, datetime

    from checker.errors import VerificationError
    from checker.model import utc_text
    from checker.optout.feed import VERIFY_AGE_MAX, stale_sentence, verify_feed
    from checker.optout.feed_folder import CONFLICT_FILE
    from checker.optout.trust import KeyNews

    conflict = folder / CONFLICT_FILE
    told = {"conflict": str(conflict) if conflict.exists() else None}
    try:
        feed, now = verify_feed(folder), datetime.now(UTC)
        if feed.is_stale(now=now, age_max=VERIFY_AGE_MAX):
            raise VerificationError(stale_sentence(feed.signed_at, now=now, folder=folder), part="checkpoint-time")
    except VerificationError as error:
        if as_json:
            answer_json({"verified": False, "part": error.part, "reason": str(error), **told})
        raise
    if told["conflict"]:
        say(f"{conflict} holds a checkpoint that a sync refused; show both to others who follow this log")
    for sentence in KeyNews(feed.origin, feed.key_changes).sentences(feed.key):
        say(sentence)
    counts = feed.counts()
    if as_json:
        answer_json(
            {
                "verified": True,
                "tree_size": feed.size,
                "root": feed.root.hex(),
                "origin": feed.origin,
                "key": feed.key.text,
                "signed_at": utc_text(feed.signed_at),
                "entries": counts,
                **told,
            }
        )
        return
    answer(f"size    {feed.size:,}")
    answer(f"root    {feed.root.hex()}")
    answer(f"signer  {feed.key.text}, {utc_text(feed.signed_at)}")
    answer(f"entries {', '.join(f'{kind} {count:,}' for kind, count in counts.items())}")
