"""`hibs keys`: who may do more than anybody may; and the keys that sign the log."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from checker.console import answer, answer_json, command, say
from checker.errors import DataError, InputError

if TYPE_CHECKING:
    from datetime import datetime

    from checker.keys import CaseRules, Scope
    from checker.optout.log_keys import LogKey
    from checker.records.registry import Registry

app = typer.Typer(no_args_is_help=True, help="Keys for the API: make, list, revoke. Keys of the log: list, rotate.")

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
    expires: Annotated[
        str, typer.Option(metavar="DATE", help="Last day on which it is valid (2027-06-30), instead of --days.")
    ] = "",
    purposes: Annotated[
        str, typer.Option(metavar="PURPOSE,...", help="For the scope bulk: what its look-ups may be for.")
    ] = "",
    case_pattern: Annotated[
        str,
        typer.Option(metavar="FORM", help="For the scope bulk: form of case numbers, # a digit, @ a letter A to Z."),
    ] = "",
    as_json: JSON_OPTION = False,
) -> None:
    """Make a key and print it, this once: only a hash of it is kept.

    Purposes are access-request, erasure-request, complaint, research, journalism, takedown, child-protection.

    hibs keys create --name "Dataset team" --scopes feed --data data/ > feed.key

    hibs keys create --name NGO --scopes bulk --purposes complaint --case-pattern "AZ-####" --data data/ > bulk.key
    """
    from checker.keys import Scope, create_key, revoke_key

    named = _all_of(Scope, scopes, "--scopes")
    rules = _case_rules(named, purposes, case_pattern)
    with _open(data, create=True) as (registry, now):
        days = _days_until(expires, now) if expires else days
        text = create_key(registry, name=name, scopes=named, now=now, days=days, bulk=rules)
        try:
            if as_json:
                about = {"purposes": sorted(rules.purposes), "case_pattern": rules.pattern} if rules else {}
                answer_json({"name": name, "scopes": sorted(named), **about, "key": text})
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
    from checker.records.jobs import bulk_right

    with _open(data) as (registry, now):
        rows = registry.key_rows()
        rights = {row.name: right for row in rows if (right := bulk_right(registry, row.name))}
    if as_json:
        answer_json(
            [
                {
                    "name": row.name,
                    "scopes": list(row.scopes),
                    "purposes": sorted(rights[row.name].purposes) if row.name in rights else [],
                    "case_pattern": rights[row.name].case_pattern if row.name in rights else None,
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
        right = rights.get(row.name)
        why = f"  for {', '.join(sorted(right.purposes))}, cases {right.case_pattern}" if right else ""
        answer(f"{row.name}  {', '.join(row.scopes)}{why}  {end}{expired}")


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


@app.command("log")
@command
def list_log_keys(data: DATA_OPTION, as_json: JSON_OPTION = False) -> None:
    """List the verifier keys that the log ever had, oldest first: publish them, so that others can pin them.

    hibs keys log --data data/
    """
    from checker.optout.log import folder_keys

    keys = folder_keys(data)
    if as_json:
        answer_json([key.to_dict() for key in keys])
        return
    for key in keys:
        answer(f"{key.verifier.text}  {_key_dates(key)}")


@app.command()
@command
def rotate_log(
    data: DATA_OPTION,
    days: Annotated[int, typer.Option(metavar="N", min=7, max=365, help="Days in which both keys sign.")] = 30,
    as_json: JSON_OPTION = False,
) -> None:
    """Make a new key for the log. Both sign until the old one ends, so that followers can change over.

    Not for a key that others may have seen: docs/feed.md, "A key that others know".

    hibs keys rotate-log --data data/
    """
    import os
    from datetime import UTC, datetime

    from checker.optout.request import OptOuts
    from checker.settings import Settings

    now = datetime.now(UTC)
    with OptOuts.open(data, Settings.from_environment(os.environ), now=now, create=False) as opt_outs:
        new = opt_outs.log.rotate(now, days=days)
    if as_json:
        answer_json(new.to_dict())
    else:
        answer(new.verifier.text)
    say("the new key signs beside the old one from now on; publish it where people find the old one, and say that")
    say("followers should compare it and run `hibs feed sync ... --pin KEY`; `hibs keys log` shows the dates")


E = TypeVar("E", bound=StrEnum)


def _all_of(kind: type[E], text: str, option: str) -> set[E]:
    found = set()
    for name in (part.strip().lower() for part in text.split(",")):
        try:
            found.add(kind(name))
        except ValueError as error:
            raise InputError(f"{option} names {name!r}, which is not one of {', '.join(kind)}") from error
    return found


def _case_rules(scopes: Collection[Scope], purposes: str, pattern: str) -> CaseRules | None:
    """What a key of scope bulk may be used for. None: it has other scopes.

    Raises:
        InputError: one of the two is missing, or not known; or the key is of another scope.
    """
    from checker.audit.cases import Purpose
    from checker.keys import CaseRules, Scope

    if Scope.BULK not in scopes and not purposes and not pattern:
        return None
    if not purposes or not pattern:
        raise InputError(
            "a key of scope bulk says what it is for and how its holder numbers cases; give "
            f'--purposes with some of {", ".join(Purpose)}, and --case-pattern such as "AZ-####"'
        )
    return CaseRules(frozenset(_all_of(Purpose, purposes, "--purposes")), pattern)


def _days_until(text: str, now: datetime) -> int:
    """Days until the end of a day.

    Raises:
        InputError: it is no date, or one that is past.
    """
    from datetime import date

    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--expires is a date such as 2027-06-30, not {text[:40]!r}") from error
    days = (day - now.date()).days + 1
    if days < 1:
        raise InputError(f"--expires {text} is past; give a day to come")
    return days


def _key_dates(key: LogKey) -> str:
    from checker.model import utc_text

    since = "from the beginning" if key.since is None else f"from {utc_text(key.since)} (entry {key.added})"
    until = "" if key.until is None else f" until {utc_text(key.until)}"
    if key.retired is not None:
        return f"signed {since}{until}, retired (entry {key.retired})"
    return f"signs {since}{until}"


@contextmanager
def _open(data: Path, *, create: bool = False) -> Iterator[tuple[Registry, datetime]]:
    from datetime import UTC, datetime

    from checker.audit.log import AuditLog
    from checker.optout.log import require_whole_log
    from checker.records.folder import is_file, make_private_folder
    from checker.records.registry import REGISTRY_FILE, Registry

    if not create and not is_file(data / REGISTRY_FILE):
        raise DataError(f"{data} holds no keys (it has no {REGISTRY_FILE}); check the path")
    make_private_folder(data)
    registry = Registry.open(data / REGISTRY_FILE)
    try:
        now, audit = datetime.now(UTC), AuditLog(data, registry)
        require_whole_log(data, registry)
        audit.require_whole()
        yield registry, now
        audit.sign(now)
    finally:
        registry.close()
