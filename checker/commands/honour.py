"""`hibs honour`: what an operator must leave out, by the opt-out feed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from checker.console import ExitCode, answer, answer_json, command, say


@command
def honour(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Folders of pictures.")],
    feed: Annotated[Path, typer.Option(metavar="DIR", help="A folder that `hibs feed sync` keeps.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing. So it is without --out, too.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="DEST", help="Copy what may be kept into this folder.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="F.json", help="Write feed, counts and all rows.")] = None,
    codes: Annotated[
        Path | None, typer.Option(metavar="CODES", help="Lines of `hibs fingerprint --json`: not decoded again.")
    ] = None,
    max_feed_age: Annotated[
        int | None, typer.Option(metavar="DAYS", min=1, help="Accept a feed signed up to DAYS days ago (default: 7).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a file.")] = False,
) -> None:
    """Decide for every file: keep, drop, review or not-checked, each with its reason.

    Examples:

      hibs honour photos/ --feed feed/

      hibs honour photos/ --feed feed/ --out kept/ --report honour.json
    """
    import os
    from collections import Counter
    from contextlib import ExitStack
    from datetime import UTC, datetime, timedelta

    from checker.errors import InputError
    from checker.optout import part
    from checker.optout.feed import stale_sentence, verify_feed
    from checker.optout.honour import Action, opt_out_table
    from checker.settings import Settings

    if dry_run and out is not None:
        raise InputError("--dry-run and --out exclude each other; leave one of them out")
    settings = Settings.from_environment(os.environ)
    verified = verify_feed(feed)
    now, age_max = datetime.now(UTC), timedelta(days=max_feed_age or settings.feed_age_days_max)
    if verified.is_stale(now=now, age_max=age_max):
        raise InputError(stale_sentence(verified.signed_at, now=now, folder=feed))
    table = opt_out_table(verified, settings)
    known = part.read_codes(codes) if codes is not None else None
    rows = part.honour_files(table, sources, settings, codes=known)
    about_feed = {"size": table.feed_size, "root": table.feed_root, "origin": verified.origin}
    actions: Counter[Action] = Counter()
    decoded = 0
    with ExitStack() as written:
        keep = written.enter_context(part.destination(out, sources)) if out is not None else None
        paper = written.enter_context(part.report(report, sources, about_feed)) if report is not None else None
        for row in rows:
            actions[row.decision.action] += 1
            decoded += row.decoded
            if as_json:
                answer_json(row.to_dict())
            elif row.decision.action is not Action.KEEP:
                answer(part.row_line(row))
            if keep is not None:
                keep.add(row)
            if paper is not None:
                paper.add(row)
        counts = part.counts_of(actions)
        if paper is not None:
            paper.end(counts)
    (say if as_json else answer)(part.summary_line(counts, table, decoded=decoded))
    if table.not_compared:
        say(f"{table.not_compared:,} opt-outs hold codes that this version does not compare; update hibs")
    if out is None:
        say("dry run: nothing was copied; --out DEST copies the files to keep")
    if actions[Action.NOT_CHECKED]:
        raise typer.Exit(int(ExitCode.PARTLY))
