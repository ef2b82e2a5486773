"""`hibs demo`: a small web, a crawl, the whole story, then the service. No internet.

Every line that the story shows was printed by a command that a user runs: the demo starts `hibs crawl`,
`hibs check`, ... as child processes, shows what each was called with, and adds headings only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from checker.console import ExitCode, answer, command
from checker.errors import InputError


@command
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Tell the story and stop, without starting the service.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(help="Port of the service; 0 = any (default: 8000, or any when taken).")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Keep the data in this folder.", show_default=False)
    ] = None,
) -> None:
    """Show everything on this machine: a small web, a crawl, a check, an opt-out, a filtered folder.

    Examples:

      hibs demo

      hibs demo --once --data demo/
    """
    import tempfile

    from api.demo.ports import pick_port
    from api.demo.sites import DemoWeb
    from api.demo.story import Story, lay_out_desk, serve

    if data is not None and data.exists():
        raise InputError(
            f"{data} exists, and the demo begins with nothing; give a new path, or `hibs serve --data {data}`"
        )
    chosen = None if once else pick_port(port)
    with tempfile.TemporaryDirectory(prefix="hibs-demo-") as scratch:
        desk = Path(scratch)
        lay_out_desk(desk)
        folder = (data or desk / "data").absolute()
        with DemoWeb() as web:
            told = Story(web, desk=desk, data=folder).tell()
            if not told:
                raise typer.Exit(int(ExitCode.PARTLY))
            if chosen is not None:
                serve(web, desk=desk, data=folder, port=chosen)
    if data is not None:
        answer(f"the data is in {data}")
