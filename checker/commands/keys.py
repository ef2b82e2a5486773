"""`hibs keys`: who may do more than anybody may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checker.console import answer, answer_json, command, say
from checker.errors import DataError, InputError

if TYPE_CHECKING:
    from datetime import datetime

    from checker.records.registry import Registry

app = typer.Typer(no_args_is_help=True, help="Keys for the API: make, list, revoke.")

DATA_OPTION = Annotated[Path, typer.Option(metavar="DIR", help="The data folder.", show_default=False, readable=False)]
NAME_OPTION = Annotated[str, typer.Option(metavar="N", help="Who holds it.", show_default=False)]
JSON_OPTION = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.command()
@command
def create(
    name: NAME_OPTION,
    scopes: Annotated[str, typer.Option(metavar="SCOPE,...", help="bulk, feed, honour, admin.", show_default=False)],
    data: DATA_OPTION,
    days: Annotated[int, typer.Option(metavar="N", help="Days until it expires.")] = 365,
    as_json: JSON_OPTION = False,
) -> None:
    """Make a key and print it, this once: only a hash of it is kept.

    hibs keys create --name "Dataset team" --scopes feed --data data/ > feed.key
    """
    from checker.keys import Scope, create_key, revoke_key

    named = set()
    for scope in (part.strip().lower() for part in scopes.split(",")):
        try:
            named.add(Scope(scope))
        except ValueError as error:
            raise InputError(f"--scopes names {scope!r}, which is no scope; known are {', '.join(Scope)}") from error
    with _open(data, create=True) as (registry, now):
        text = create_key(registry, name=name, scopes=named, now=now, days=days)
        try:
            if as_json:
                answer_json({"name": name, "scopes": sorted(named), "key": text})
            else:
                answer(text)
        except OSError as error:
            revoke_key(registry, name=name, now=now)  # nobody will ever know it
            raise DataError(
                f"the key of {name} could not be written out ({error.strerror}) and was revoked; make another"
            ) from error
    say(f"the key of {name} is shown only now; send it with `Authorization: Bearer KEY`")


@app.command("list")
@command
def list_keys(data: DATA_OPTION, as_json: JSON_OPTION = False) -> None:
    """List the keys that were made, without the keys themselves.

    hibs keys list --data data/
    """
    from checker.model import utc_text

    with _open(data) as (registry, now):
        rows = registry.key_rows()
    if as_json:
        answer_json(
            [
                {
                    "name": row.name,
                    "scopes": list(row.scopes),
                    "created_at": utc_text(row.created_at),
                    "expires_at": utc_text(row.expires_at),
                    "revoked_at": utc_text(row.revoked_at) if row.revoked_at else None,
                }
                for row in rows
            ]
        )
        return
    for row in rows:
        end = f"revoked {utc_text(row.revoked_at)}" if row.revoked_at else f"until {utc_text(row.expires_at)}"
        expired = "" if row.revoked_at or row.expires_at > now else ", expired"
        answer(f"{row.name}  {', '.join(row.scopes)}  {end}{expired}")


@app.command()
@command
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `hibs keys list` shows it.", show_default=False)],
    data: DATA_OPTION,
) -> None:
    """End a key, at once and for good.

    hibs keys revoke "Dataset team" --data data/
    """
    from checker.keys import revoke_key

    with _open(data) as (registry, now):
        revoke_key(registry, name=name, now=now)
    answer(f"revoked the key of {name}")


@contextmanager
def _open(data: Path, *, create: bool = False) -> Iterator[tuple[Registry, datetime]]:
    from datetime import UTC, datetime

    from checker.records.folder import is_file, make_private_folder
    from checker.records.registry import REGISTRY_FILE, Registry

    if not create and not is_file(data / REGISTRY_FILE):
        raise DataError(f"{data} holds no keys (it has no {REGISTRY_FILE}); check the path")
    make_private_folder(data)
    registry = Registry.open(data / REGISTRY_FILE)
    try:
        yield registry, datetime.now(UTC)
    finally:
        registry.close()
