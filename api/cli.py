"""`hibs serve`: API and pages over one data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from checker.console import ExitCode, answer, command


@command
def serve(
    data: Annotated[Path, typer.Option("--data", help="Data folder, as `hibs crawl` or `hibs ingest` made it.")],
    host: Annotated[
        str, typer.Option(help="Address to listen on. Beyond this machine it needs an operator.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any that is free.")] = 8000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="A name this service is reached by; may be repeated."),
    ] = None,
) -> None:
    """Serve the API and the pages.

    Others are served only with HIBS_OPERATOR and HIBS_CONTACT set, which the pages show.

    hibs serve --data data/

    hibs serve --data data/ --host 0.0.0.0 --allow-host photos.example.org
    """
    import os

    from api.app import create_app
    from api.guards import is_loopback
    from api.server import bind, run
    from checker.settings import Settings

    settings = Settings.from_environment(os.environ)
    if not is_loopback(host):
        _require_operator(settings.operator, settings.contact)
    listener = bind(host, port)
    try:
        app = create_app(data, settings, allowed_hosts=(host, *(allow_host or ())))
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{listener.getsockname()[1]}"
        clean = run(app, listener, listening=lambda: answer(f"open {url}"))
    finally:
        listener.close()
    if not clean:
        raise typer.Exit(int(ExitCode.STOPPED))


def _require_operator(operator: str, contact: str) -> None:
    """Nobody serves others without a name.

    Raises:
        InputError: naming the lines that are missing.
    """
    from checker.errors import InputError

    missing = [
        line
        for line, value in (
            ('HIBS_OPERATOR="your name or organisation"', operator),
            ("HIBS_CONTACT=mail@example.org", contact),
        )
        if not value
    ]
    if missing:
        raise InputError(
            "listening beyond this machine needs somebody to turn to; set "
            + " and ".join(missing)
            + " in the environment, or leave --host at 127.0.0.1"
        )
