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
    new_scope: Annotated[
        bool, typer.Option("--new-scope", help="Go on in this folder with other start addresses or depth.")
    ] = False,
    max_pages_per_host: Annotated[
        int | None, typer.Option(help="Pages to queue of one host.", show_default="no limit")
    ] = None,
    max_images_per_host: Annotated[
        int | None, typer.Option(help="Pictures to queue of one host.", show_default="no limit")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve figures for Prometheus at this port of 127.0.0.1.", show_default=False)
    ] = None,
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
    from crawler.crawl import Run, run_command
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
        host_pages_max=defaults.host_pages_max if max_pages_per_host is None else max_pages_per_host,
        host_images_max=defaults.host_images_max if max_images_per_host is None else max_images_per_host,
    )
    plan = make_plan(urls, settings=settings, opened=allow_address or (), delay_s=delay)
    how = Run(refresh=refresh, new_scope=new_scope, as_json=as_json, metrics_port=metrics_port)
    raise typer.Exit(int(run_command(plan, pictures, data, how)))


@command
def ingest(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Folders, pictures, archives and lists of addresses.")
    ],
    data: _DataOption,
    source: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the collection.", show_default="the folder's name")
    ] = None,
    source_version: Annotated[str | None, typer.Option(metavar="VERSION", help="Its version.")] = None,
    run_by: Annotated[str | None, typer.Option(metavar="WHO", help="Who made it, or keeps it.")] = None,
    contact_of_source: Annotated[
        str | None, typer.Option(metavar="MAIL-OR-URL", help="Where they can be reached.")
    ] = None,
    opt_out_address: Annotated[
        str | None, typer.Option(metavar="MAIL-OR-URL", help="Where they take objections.")
    ] = None,
    source_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The same from a file, JSON or TOML.", show_default=False)
    ] = None,
    url_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="The column of a table that holds addresses.")
    ] = None,
    image_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="The column of a Parquet file that holds pictures.")
    ] = None,
    contact: Annotated[
        str | None,
        typer.Option(metavar="MAIL-OR-URL", help="Lists only: who site owners can write to (or HIBS_CONTACT)."),
    ] = None,
    delay: Annotated[
        float | None, typer.Option(help="Lists only: least pause between two requests to a host.", show_default="1")
    ] = None,
    allow_address: Annotated[
        list[str] | None, typer.Option(metavar="HOST:PORT", help="Lists only: open this one local address, for tests.")
    ] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Read again what was read before.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON document.")] = False,
) -> None:
    """Record the pictures of folders and archives: their codes and where they lie, not the pictures.

    Read are folders, tar (webdataset, img2dataset), WARC, Parquet with pictures; and lists of addresses (Parquet, CSV,
    TSV, TXT, JSON Lines), whose pictures are fetched from their sites as politely as a crawl does. The same command
    goes on where it was stopped; what was read is not read again.

    Examples:

      hibs ingest dataset/ --data found/ --source "dataset, first release"

      hibs ingest laion.parquet --data found/ --contact me@example.org
    """
    import os

    from checker.datasets.columns import Named
    from checker.settings import Settings
    from crawler.archives.source_facts import SourceFacts, check_facts, read_facts
    from crawler.ingest import IngestOrder, run_command

    settings = Settings.from_environment(os.environ)
    facts = check_facts(SourceFacts(source, source_version, run_by, contact_of_source, opt_out_address))
    order = IngestOrder(
        paths=tuple(paths),
        facts=facts.over(read_facts(source_file)) if source_file else facts,
        named=Named(url=url_column, image=image_column),
        again=refresh,
        contact=settings.contact if contact is None else contact,
        opened=tuple(allow_address or ()),
        delay_s=delay,
    )
    raise typer.Exit(int(run_command(order, settings, data, as_json=as_json)))
