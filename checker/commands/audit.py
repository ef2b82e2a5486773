"""`hibs audit`: what was done with keys, checked and told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checker.console import answer, answer_json, command, one_line
from checker.errors import DataError

if TYPE_CHECKING:
    from checker.audit.verify import Audited
    from checker.records.audit import AuditRow
    from checker.records.registry import Registry

app = typer.Typer(no_args_is_help=True, help="What was done with keys: verify the log of it, print it.")

DATA_OPTION = Annotated[Path, typer.Option(metavar="DIR", help="The data folder.", show_default=False, readable=False)]
JSON_OPTION = Annotated[bool, typer.Option("--json", help="JSON.")]


@app.command()
@command
def verify(
    data: DATA_OPTION,
    key: Annotated[str, typer.Option(metavar="KEY", help="The audit key, where you noted it elsewhere.")] = "",
    as_json: JSON_OPTION = False,
) -> None:
    """Check every row against what was signed; exit 4 names a row that was changed.

    hibs audit verify --data data/
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from checker.audit.verify import verify_audit

    with _registry(data) as registry:
        found = verify_audit(data, registry, now=datetime.now(UTC), pinned=key or None)
    if as_json:
        answer_json(asdict(found))
    elif not found.key:
        answer("nothing was done with keys here yet")
    else:
        answer(verified_words(found))
        answer(f"key {found.key}")


@app.command()
@command
def export(data: DATA_OPTION, as_json: JSON_OPTION = False) -> None:
    """Print every act, oldest first; with --json one object a line, with what is needed to compute its leaf.

    hibs audit export --data data/ --json > audit.ndjson
    """
    from checker.records.audit import audit_rows

    with _registry(data) as registry:
        for row in audit_rows(registry):
            if as_json:
                answer_json(_document(row))
            else:
                answer(one_line(_line(row)))


def verified_words(found: Audited) -> str:
    """What was found, in a sentence."""
    words = "1 act holds" if found.signed == 1 else f"{found.signed} acts hold"
    words += f", signed at {found.signed_at}"
    if found.erased:
        words += f", {found.erased} of them without {'its' if found.erased == 1 else 'their'} text, which was old"
    if later := found.acts - found.signed:
        words += f"; {later} more {'is' if later == 1 else 'are'} not signed yet"
    return words


def _document(row: AuditRow) -> dict[str, str | int | None]:
    from checker.audit.entry import leaf_of

    return {
        "index": row.index,
        "at": row.at,
        "act": row.act,
        "holder": row.holder,
        "purpose": row.purpose,
        "case": row.case_ref,
        "subject": row.subject,
        "amount": row.amount,
        "salt": row.salt.hex() if row.salt else None,
        "commitment": row.commitment.hex(),
        "leaf": leaf_of(row).hex(),
    }


def _line(row: AuditRow) -> str:
    if row.salt is None:
        return f"{row.index}  {row.at}  {row.act}  (text erased)"
    case = f"  {row.purpose}, case {row.case_ref}" if row.purpose else ""
    subject = f"  {row.subject}" if row.subject else ""
    return f"{row.index}  {row.at}  {row.act}  {row.holder}{case}{subject}{f'  {row.amount}' if row.amount else ''}"


@contextmanager
def _registry(data: Path) -> Iterator[Registry]:
    """Opened without asking whether it is whole: that is what `verify` is for."""
    from checker.records.folder import is_file
    from checker.records.registry import REGISTRY_FILE, Registry

    if not is_file(data / REGISTRY_FILE):
        raise DataError(f"{data} has no audit log (it has no {REGISTRY_FILE}); check the path")
    registry = Registry.open(data / REGISTRY_FILE)
    try:
        yield registry
    finally:
        registry.close()
