"""The commands `hibs crawl` and `hibs ingest`: signatures and help. What they do stands in `crawl` and `ingest`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from checker.console import command

_DataOption = Annotated[
    Path, typer.Option("--data", help="Data folder to record into; made when missing.", show_default=False)
]


@command
def crawl(
    urls: Annotated[list[str], typer.Argument(metavar="URL...", help="Start addresses (http, https).")],
    data: _DataOption,
    max_pages: Annotated[int | None, typer.Option(help="Pages to read in all.", show_default="10000")] = None,
    max_images: Annotated[int | None, typer.Option(help="Pictures to look at in all.", show_default="100000")] = None,
    max_depth: Annotated[
        int | None, typer.Option(help="Links to follow from a start address.", show_default="8")
    ] = None,
    delay: Annotated[
        float | None, typer.Option(help="Least pause between two requests to a host, in seconds.", show_default="1")
    ] = None,
    allow_address: Annotated[
        list[str] | None, typer.Option(metavar="HOST:PORT", help="Open this one local address, for tests.")
    ] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Visit again what was visited.")] = False,
    contact: Annotated[
        str | None,
        typer.Option(metavar="MAIL-OR-URL", help="Who site owners can write to (or HIBS_CONTACT).", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON document.")] = False,
) -> None:
    """Look at the pictures of a site, politely, and record what its publisher said about them.

    Pages on the hosts of the start addresses are read; pictures on them wherever they lie. robots.txt is always
    heeded. No picture is kept. Ctrl-C stops; the same command goes on.

    Examples:

      hibs crawl https://gallery.example/ --data found/ --contact me@example.org

      hibs crawl http://127.0.0.1:8001/ --data found/ --allow-address 127.0.0.1:8001 --delay 0
    """
    import os
    from dataclasses import replace

    from checker.settings import Settings
    from crawler.crawl import run_command
    from crawler.plan import make_plan
    from crawler.settings import CrawlSettings

    pictures = Settings.from_environment(os.environ)
    defaults = CrawlSettings()
    settings = replace(
        defaults,
        contact=pictures.contact if contact is None else contact,
        pages_max=defaults.pages_max if max_pages is None else max_pages,
        images_max=defaults.images_max if max_images is None else max_images,
        depth_max=defaults.depth_max if max_depth is None else max_depth,
    )
    plan = make_plan(urls, settings=settings, opened=allow_address or (), delay_s=delay)
    raise typer.Exit(int(run_command(plan, pictures, data, refresh=refresh, as_json=as_json)))


@command
def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Folders of pictures, or picture files.")],
    data: _DataOption,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the collection.", show_default="the folder's name")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON document.")] = False,
) -> None:
    """Record the pictures of a folder: their codes and where they lie, not the pictures.

    A second run adds nothing twice.

    Examples:

      hibs ingest dataset/ --data found/ --source "dataset, first release"
    """
    import os

    from checker.settings import Settings
    from crawler.ingest import run_command

    settings = Settings.from_environment(os.environ)
    raise typer.Exit(int(run_command(paths, settings, data, source_name=source, as_json=as_json)))
