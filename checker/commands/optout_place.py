"""What the commands of `hibs opt-out` share: where the opt-outs are kept, and opening that place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checker.errors import InputError

if TYPE_CHECKING:
    from datetime import datetime

    from checker.optout.request import OptOuts
    from checker.settings import Settings

DATA_OPTION = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The data folder that keeps the opt-outs.", readable=False)
]
DATA = Annotated[
    Path,
    typer.Option(metavar="DIR", help="The data folder that keeps the opt-outs.", show_default=False, readable=False),
]
SERVER_OPTION = Annotated[str | None, typer.Option(metavar="URL", help="The server that keeps the opt-outs.")]
OUT_OPTION = Annotated[Path, typer.Option(metavar="DIR", help="Where receipt and withdraw file go.", readable=False)]
JSON_OPTION = Annotated[bool, typer.Option("--json", help="One JSON document.")]
PAPER = typer.Argument(metavar="R", help="Receipt file, withdraw file, number or withdraw code.", show_default=False)
SECRET_PAPER = typer.Argument(metavar="W", help="Withdraw file, or withdraw code.", show_default=False)


def settings_of_environment() -> Settings:
    """The limits of this installation."""
    import os

    from checker.settings import Settings

    return Settings.from_environment(os.environ)


@contextmanager
def opened(data: Path | None, *, create: bool = False) -> Iterator[tuple[OptOuts, datetime]]:
    """The opt-outs of a data folder, and what time it is."""
    from datetime import UTC, datetime

    from checker.optout.request import OptOuts

    assert data is not None  # `require_one_place`
    now = datetime.now(UTC)
    with OptOuts.open(data, settings_of_environment(), now=now, create=create) as opt_outs:
        yield opt_outs, now


def require_one_place(data: Path | None, server: str | None) -> None:
    """Refuse both places, and none."""
    if (data is None) == (server is None):
        raise InputError("say where the opt-outs are kept: either --data DIR or --server URL")


def status_page(server: str | None) -> str | None:
    """The page of a server on which a holder asks how it stands."""
    return f"{server.rstrip('/')}/receipts" if server else None
