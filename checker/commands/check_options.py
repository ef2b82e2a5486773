"""The arguments and options of `hibs check`, as its help tells them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PATHS = Annotated[
    list[Path] | None,
    typer.Argument(metavar="PATH", help="Photos, or folders of photos.", show_default=False, readable=False),
]
DATA = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data folder to look in.", show_default=False, readable=False),
]
SERVER = Annotated[
    str | None,
    typer.Option("--server", metavar="URL", help="Service to ask; only photo codes are sent.", show_default=False),
]
PRIVATE = Annotated[
    bool,
    typer.Option("--private", help="Compare on this machine: says only whether something this close is there."),
]
SAVED = Annotated[
    Path | None,
    typer.Option(
        "--list", metavar="FILE", help="With --private: a list saved before.", show_default=False, readable=False
    ),
]
MANIFEST = Annotated[
    Path | None,
    typer.Option(
        "--manifest",
        metavar="FILE",
        help="A list of photos (CSV, TSV) with the columns path, claimant, note, receipt; all of them stay here.",
        show_default=False,
        readable=False,
    ),
]
CASE = Annotated[
    str | None, typer.Option("--case", metavar="C", help="Your own reference of the case.", show_default=False)
]
PURPOSE = Annotated[
    str | None,
    typer.Option(
        "--purpose",
        metavar="P",
        help="access-request, erasure-request, complaint, research, journalism, takedown or child-protection.",
        show_default=False,
    ),
]
KEY_FILE = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        metavar="F",
        help="With --server: a key of scope bulk. Codes are sent in lists, with --case and --purpose.",
        show_default=False,
        readable=False,
    ),
]
REASON = Annotated[
    str | None,
    typer.Option(
        "--reason",
        metavar="R",
        help="With --key-file, what addresses are needed for: write-to-host, inform-person, secure-evidence or "
        "count-hosts. Without it none are told.",
        show_default=False,
    ),
]
CSV = Annotated[
    Path | None,
    typer.Option("--csv", metavar="F", help="Write a table for a spreadsheet.", show_default=False, readable=False),
]
REPORT = Annotated[
    Path | None,
    typer.Option("--report", metavar="F", help="Write a page that prints.", show_default=False, readable=False),
]
PARQUET = Annotated[
    Path | None,
    typer.Option("--parquet", metavar="F", help="Write the table as Parquet.", show_default=False, readable=False),
]
EVIDENCE = Annotated[
    Path | None,
    typer.Option(
        "--evidence",
        metavar="DIR",
        help="Write all of it into a new folder and sign it; see `hibs evidence verify`.",
        show_default=False,
        readable=False,
    ),
]
AS_JSON = Annotated[bool, typer.Option("--json", help="One JSON document a photo, one a line.")]
FAIL_ON_MATCH = Annotated[
    bool, typer.Option("--fail-on-match", help="Exit 3 when a copy was found; a possible one is none.")
]
