"""`hibs honour`: what an operator must leave out, by the opt-out feed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from checker.commands.uses import parse_uses
from checker.console import ExitCode, answer, answer_json, command, count_of, one_line, say
from checker.errors import InputError

if TYPE_CHECKING:
    from checker.datasets.parts import Part
    from checker.model import Use
    from checker.optout.honour import OptOutTable
    from checker.settings import Settings


SOURCES = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCE...",
        help="Folders, tars, Parquet, lists of addresses, or codes of `hibs fingerprint --out`.",
        readable=False,
    ),
]
FEED_OPTION = Annotated[
    Path, typer.Option("--feed", metavar="DIR", help="A folder that `hibs feed sync` keeps.", readable=False)
]
DRY_RUN_OPTION = Annotated[
    bool, typer.Option("--dry-run", help="Copy nothing; so it is without --out, too. --report is written all the same.")
]
OUT_OPTION = Annotated[
    Path | None,
    typer.Option("--out", metavar="DEST", help="Write what may be kept anew into this folder.", readable=False),
]
REPORT_OPTION = Annotated[
    list[Path] | None,
    typer.Option(
        "--report",
        metavar="F",
        help="Write feed, counts and rows: as a page where F ends in .html, else as JSON; may be repeated.",
        readable=False,
    ),
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
        "--codes",
        metavar="CODES",
        help="What `hibs fingerprint --out` made (or its --json lines): not decoded again.",
        readable=False,
    ),
]
AGE_OPTION = Annotated[
    int | None,
    typer.Option(
        "--max-feed-age", metavar="DAYS", min=1, max=3650, help="Accept a feed signed up to DAYS days ago (default: 7)."
    ),
]
URL_COLUMN_OPTION = Annotated[
    str | None, typer.Option("--url-column", metavar="NAME", help="The column with addresses, if its name is unusual.")
]
IMAGE_COLUMN_OPTION = Annotated[
    str | None, typer.Option("--image-column", metavar="NAME", help="The column with pictures, if its name is unusual.")
]


class HonourCommand(TyperCommand):
    """`hibs honour SOURCE...`, and beside it `hibs honour state REPORT` (a folder of that name is ./state)."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Hand `state` over to its own command."""
        if args[:1] == ["state"]:
            return _state_command().make_context(f"{info_name} state", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


def _state_command() -> Any:
    app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None, add_completion=False)
    app.command("state")(state)
    return typer.main.get_command(app)


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
    url_column: URL_COLUMN_OPTION = None,
    image_column: IMAGE_COLUMN_OPTION = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line a row.")] = False,
) -> None:
    """Decide for every row: keep, drop, review or not-checked, each with its reason.

    `hibs honour state REPORT --server URL` tells the log's server that you did; see `hibs honour state --help`.

    Examples:

      hibs honour shards/ --feed feed/

      hibs honour shards/ --feed feed/ --out kept/ --report honour.json --report honour.html

      hibs honour shards/ --feed feed/ --codes codes/ --use train-ai
    """
    import os
    from datetime import UTC, datetime

    from checker.datasets.columns import Named
    from checker.fingerprint.sandbox import SandboxDecoder
    from checker.optout.parts.run import Asked, honour_all
    from checker.progress import Progress
    from checker.settings import Settings

    if dry_run and out is not None:
        raise InputError("--dry-run and --out exclude each other; leave one of them out")
    settings, uses = Settings.from_environment(os.environ), parse_uses("--use", use) if use else None
    table = _fresh_table(feed, settings, uses, max_feed_age)
    age_max = max_feed_age or settings.feed_age_days_max
    asked = Asked(tuple(sources), feed, Named(url_column, image_column), codes, out, tuple(report or ()), age_max)
    with SandboxDecoder(settings) as decoder, Progress() as progress:
        each = _printer(progress.show_rows, as_json=as_json)
        done = honour_all(asked, table, settings, decoder=decoder, each=each, now=datetime.now(UTC))
        seconds = progress.seconds
    (say if as_json else answer)(_summary(done, seconds))
    if table.not_compared:
        hold = "holds" if table.not_compared == 1 else "hold"
        say(f"{count_of(table.not_compared, 'opt-out')} {hold} codes that this version does not compare; update hibs")
    if table.other_uses:
        are = "is about other uses than {} and does" if table.other_uses == 1 else "are about other uses than {} and do"
        say(f"{table.other_uses:,} of the opt-outs {are.format(', '.join(table.uses))} not count")
    if out is None:
        say("dry run: nothing was copied; --out DEST writes the rows to keep")
    if done["counts"]["not-checked"]:
        raise typer.Exit(int(ExitCode.PARTLY))


def _printer(show: Callable[[str, int], None], *, as_json: bool) -> Callable[[Part, Any], None]:
    """Prints every row as JSON, or those that are not kept as lines for a person."""
    from checker.optout.parts.decided import rows_of

    rows = 0

    def each(part: Part, batch: Any) -> None:
        nonlocal rows
        rows += batch.num_rows
        for row in rows_of(batch, kept=as_json):
            if as_json:
                answer_json(row)
            else:
                answer(one_line(_row_line(row)))
        show(str(part.path), rows)

    return each


def _row_line(row: dict[str, Any]) -> str:
    """One row for a person: where, decision, reason, and what decided."""
    place = row["path"]
    if row["row"] is not None:
        place += f" row {row['row']}" + (f" ({row['key']})" if row["key"] else "")
    line = f"{place}  {row['hibs_decision']}  {row['hibs_reason']}"
    if row["detail"] is not None:
        return f"{line}: {row['detail']}"
    if row["hibs_entry"] is None:
        return line
    if row["hibs_distance_bits"] is None:
        return f"{line}  entry {row['hibs_entry']}"
    return f"{line}  entry {row['hibs_entry']}, {row['hibs_distance_bits']} bits ({row['hibs_code']})"


def _summary(done: dict[str, Any], seconds: float) -> str:
    """The last line for a person; the four numbers add up to the first."""
    counts, feed = done["counts"], done["feed"]
    actions = ", ".join(f"{name} {counts[name]:,}" for name in ("keep", "drop", "review", "not-checked"))
    known = sum(done["known"].values())
    by_codes = f" ({known:,} known, {counts['rows'] / seconds:,.0f} rows/s)" if known else ""
    return (
        f"{count_of(counts['rows'], 'row')}: {actions}; {count_of(done['decoded'], 'picture')} decoded{by_codes}; "
        f"feed size {feed['size']:,}, {count_of(feed['opt_outs'], 'opt-out')} standing"
    )


def _fresh_table(feed: Path, settings: Settings, uses: frozenset[Use] | None, max_age_days: int | None) -> OptOutTable:
    """The opt-outs of a feed that verifies and is young enough."""
    from datetime import UTC, datetime, timedelta

    from checker.optout.feed import stale_sentence
    from checker.optout.honour import read_table

    table = read_table(feed, settings, uses=uses)
    now, age_max = datetime.now(UTC), timedelta(days=max_age_days or settings.feed_age_days_max)
    if table.is_stale(now=now, age_max=age_max):
        raise InputError(stale_sentence(table.signed_at, now=now, folder=feed))
    return table


@command
def state(
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="JSON of `hibs honour --report`.", readable=False)],
    server: Annotated[str, typer.Option("--server", metavar="URL", help="The server that the feed came from.")],
    key_file: Annotated[
        Path, typer.Option("--key-file", metavar="F", help="Holds a key of scope honour.", readable=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """State that you honoured the feed: its size and root, rows in, rows out, and the report's digest. No row is sent.

    Example:

      hibs honour state honour.json --server https://hibs.example --key-file honour.key
    """
    from checker.commands.honour_state import state as send

    send(report, server, key_file, as_json)
