"""`hibs serve`: API and pages over one data folder."""

from __future__ import annotations

import re
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checker.console import ExitCode, answer, command

if TYPE_CHECKING:
    from api.metrics import Counters
    from checker.settings import Settings


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
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer; one a core is enough.")] = 1,
    proxy: Annotated[
        list[str] | None,
        typer.Option("--proxy", metavar="CIDR", help="A reverse proxy whose X-Forwarded-For is believed; repeatable."),
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Serve counts for Prometheus on 127.0.0.1 at this port.")
    ] = None,
) -> None:
    """Serve the API and the pages.

    Others are served only with HIBS_OPERATOR and HIBS_CONTACT set, which the pages show.

    hibs serve --data data/

    hibs serve --data data/ --workers 2 --proxy 127.0.0.1 --allow-host photos.example.org
    """
    import os

    from api.accepting import Shares, bind
    from api.proxies import Proxies
    from api.workers import Supervisor, Worker
    from checker.settings import Settings

    settings = Settings.from_environment(os.environ)
    host = host.removeprefix("[").removesuffix("]")  # as it stands in an address
    _require_operator(settings, host)
    names = (host, *map(_name_in_host, allow_host or ()))
    proxies = Proxies.parse(proxy or ())
    counters = _counters(workers) if metrics_port else None
    listener = bind(host, port)
    shares = Shares(workers)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{listener.getsockname()[1]}"

    def work(worker: Worker) -> bool:
        from api.app import Serving, create_app
        from api.metrics import Metrics
        from api.rates import Rate
        from api.server import run

        is_first = worker.slot == 0
        count = partial(counters.count, worker.slot) if counters else None
        rate = Rate(settings.look_ups_burst_max, settings.look_ups_per_hour_max)
        serving = Serving(proxies=proxies, look_ups=rate, workers=workers, is_first=is_first, count=count)
        app = create_app(data, settings, allowed_hosts=names, serving=serving)
        with ExitStack() as open_ones:
            if counters and metrics_port and is_first:
                open_ones.enter_context(Metrics(counters, metrics_port, workers=workers))
            share = shares.of(worker.slot)
            return run(app, listener, listening=worker.ready, share=share, parent_fd=worker.parent_fd)

    told = partial(answer, f"open {url}")
    try:
        clean = work(Worker(0, told, None)) if workers == 1 else Supervisor(workers, work, told).run()
    finally:
        listener.close()
    if not clean:
        raise typer.Exit(int(ExitCode.STOPPED))


def _counters(workers: int) -> Counters:
    from api.metrics import Counters

    return Counters(workers)


def _name_in_host(text: str) -> str:
    """What browsers write into `Host` for `--allow-host`, which may be the address that people copied.

    Returns:
        Name or address in lower case, without scheme, port, brackets and root dot.
    Raises:
        InputError: no request could ever name it.
    """
    from api.guards import host_name
    from checker.errors import InputError

    bare = text.rpartition("://")[2].removesuffix("/")
    name = host_name(f"[{bare}]" if bare.count(":") > 1 and "[" not in bare else bare) or ""
    if not re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*", name):
        raise InputError(
            f"--allow-host {text!r} is no name that a browser could ask for; write it alone, without path and "
            "patterns (photos.example.org), and other letters than a to z in the form xn--"
        )
    return name.removesuffix(".")


def _require_operator(settings: Settings, host: str) -> None:
    """Nobody serves others, beyond this machine, without a name.

    Raises:
        InputError: naming the lines that are missing.
    """
    from api.guards import is_loopback
    from checker.errors import InputError

    missing = [
        line
        for line, value in (
            ('HIBS_OPERATOR="your name or organisation"', settings.operator),
            ("HIBS_CONTACT=mail@example.org", settings.contact),
        )
        if not value
    ]
    if missing and not is_loopback(host):
        raise InputError(
            "listening beyond this machine needs somebody to turn to; set "
            + " and ".join(missing)
            + " in the environment, or leave --host at 127.0.0.1"
        )
