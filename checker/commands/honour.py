"""`hibs honour`: what an operator must leave out, by the opt-out feed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checker.commands.uses import parse_uses
from checker.console import ExitCode, answer, answer_json, command, one_line, say
from checker.errors import InputError

if TYPE_CHECKING:
    from checker.model import Use
    from checker.optout.honour import OptOutTable
    from checker.settings import Settings


SOURCES = Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="Folders of pictures.", readable=False)]
FEED_OPTION = Annotated[
    Path, typer.Option("--feed", metavar="DIR", help="A folder that `hibs feed sync` keeps.", readable=False)
]
DRY_RUN_OPTION = Annotated[
    bool, typer.Option("--dry-run", help="Copy nothing; so it is without --out, too. --report is written all the same.")
]
OUT_OPTION = Annotated[
    Path | None, typer.Option("--out", metavar="DEST", help="Copy what may be kept into this folder.", readable=False)
]
REPORT_OPTION = Annotated[
    Path | None, typer.Option("--report", metavar="F.json", help="Write feed, counts and all rows.", readable=False)
]
USE_OPTION = Annotated[
    list[str] | None,
    typer.Option(
        "--use",
        metavar="USE",
        help="What the pictures are for; may be repeated. Opt-outs about other uses do not count (default: all count).",
    ),
]
CODES_OPTION = Annotated[
    Path | None,
    typer.Option(
        "--codes", metavar="CODES", help="Lines of `hibs fingerprint --json`: not decoded again.", readable=False
    ),
]
AGE_OPTION = Annotated[
    int | None,
    typer.Option(
        "--max-feed-age", metavar="DAYS", min=1, max=3650, help="Accept a feed signed up to DAYS days ago (default: 7)."
    ),
]


@command
def honour(
    sources: SOURCES,
    feed: FEED_OPTION,
    dry_run: DRY_RUN_OPTION = False,
    out: OUT_OPTION = None,
    report: REPORT_OPTION = None,
    use: USE_OPTION = None,
    codes: CODES_OPTION = None,
    max_feed_age: AGE_OPTION = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a file.")] = False,
) -> None:
    """Decide for every file: keep, drop, review or not-checked, each with its reason.

    Examples:

      hibs honour photos/ --feed feed/

      hibs honour photos/ --feed feed/ --out kept/ --report honour.json

      hibs honour photos/ --feed feed/ --use train-ai
    """
    import os
    from collections import Counter
    from contextlib import ExitStack

    from checker.fingerprint.sandbox import SandboxDecoder
    from checker.optout import part
    from checker.optout.honour import Action
    from checker.settings import Settings

    if dry_run and out is not None:
        raise InputError("--dry-run and --out exclude each other; leave one of them out")
    if report is not None and codes is not None and report.resolve() == codes.resolve():
        raise InputError(f"--report would overwrite the codes in {codes}; choose another place")
    settings, uses = Settings.from_environment(os.environ), parse_uses("--use", use) if use else None
    table = _fresh_table(feed, settings, uses, max_feed_age)
    known = part.read_codes(codes) if codes is not None else None
    actions: Counter[Action] = Counter()
    decoded = 0
    with SandboxDecoder(settings) as decoder, ExitStack() as written:
        rows = part.honour_files(table, sources, settings, codes=known, decoder=decoder)
        keep = written.enter_context(part.destination(out, [*sources, feed])) if out else None
        paper = written.enter_context(part.report(report, [*sources, feed], part.about(table))) if report else None
        for row in rows:
            actions[row.decision.action] += 1
            decoded += row.decoded
            if as_json:
                answer_json(row.to_dict())
            elif row.decision.action is not Action.KEEP:
                answer(one_line(part.row_line(row)))
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
    if table.other_uses:
        say(f"{table.other_uses:,} of the opt-outs are about other uses than {', '.join(table.uses)} and do not count")
    if out is None:
        say("dry run: nothing was copied; --out DEST copies the files to keep")
    if actions[Action.NOT_CHECKED]:
        raise typer.Exit(int(ExitCode.PARTLY))


def _fresh_table(feed: Path, settings: Settings, uses: frozenset[Use] | None, max_age_days: int | None) -> OptOutTable:
    """The opt-outs of a feed that verifies and is young enough."""
    from datetime import UTC, datetime, timedelta

    from checker.optout.feed import stale_sentence, verify_feed
    from checker.optout.honour import opt_out_table

    verified = verify_feed(feed)
    now, age_max = datetime.now(UTC), timedelta(days=max_age_days or settings.feed_age_days_max)
    if verified.is_stale(now=now, age_max=age_max):
        raise InputError(stale_sentence(verified.signed_at, now=now, folder=feed))
    return opt_out_table(verified, settings, uses=uses)
