"""`hibs opt-out`: say no, with a receipt; see how it stands; verify the receipt; take it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from checker.commands.fingerprint import read_pictures
from checker.commands.uses import parse_uses
from checker.console import ExitCode, answer, answer_json, command, one_line, say
from checker.errors import InputError, TooPlainError, VerificationError

if TYPE_CHECKING:
    from datetime import datetime

    from checker.model import Fingerprint, Use
    from checker.optout.request import OptOuts
    from checker.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Say no to the use of a photo, with a receipt that proves it.")

DATA_OPTION = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The data folder that keeps the opt-outs.", readable=False)
]
SERVER_OPTION = Annotated[str | None, typer.Option(metavar="URL", help="The server that keeps the opt-outs.")]
JSON_OPTION = Annotated[bool, typer.Option("--json", help="One JSON document.")]
PAPER = typer.Argument(metavar="R", help="Receipt file, withdraw file, number or withdraw code.", show_default=False)


@app.command()
@command
def add(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH...", help="Pictures, or folders.", readable=False)
    ] = None,
    data: DATA_OPTION = None,
    server: SERVER_OPTION = None,
    uses: Annotated[str, typer.Option(metavar="USE,...", help="What the no is about.")] = "all",
    codes: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Lines of `hibs fingerprint --json`, instead of pictures.", readable=False),
    ] = None,
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where receipt and withdraw file go.", readable=False)
    ] = Path(),
    as_json: JSON_OPTION = False,
) -> None:
    """Record one opt-out of all given pictures and write NUMBER.receipt.json and NUMBER.withdraw.txt.

    Only codes are kept and sent, never a picture. Uses: train-ai, train-genai, tdm, search, index, all.

    hibs opt-out add selfie.jpg --data data/

    hibs opt-out add photos/ --server https://optout.example --uses train-ai,train-genai
    """
    from checker.optout.gates import close_uses, gate_pictures
    from checker.optout.papers import papers

    settings, named = _settings(), close_uses(parse_uses("--uses", [uses]))
    _require_one_place(data, server)
    pictures, refused = _collect(paths or [], codes, settings)
    for line in refused:
        say(line)
    if not pictures and not refused:
        raise InputError(f"{codes} holds no code; make it with `hibs fingerprint --json`")
    if not pictures:
        raise TooPlainError(f"no picture of {len(refused)} can be opted out; nothing was recorded")
    pictures = list(gate_pictures(pictures))
    with papers(out) as folder:
        number, receipt, withdraw, held = _record(pictures, named, data, server, settings, by_codes=codes is not None)
        receipt_path, withdraw_path = folder.keep(number, receipt=receipt, withdraw=withdraw)
    if as_json:
        answer_json({"number": number, "receipt": str(receipt_path), "withdraw": str(withdraw_path), "held": held})
    else:
        what = "1 picture" if len(pictures) == 1 else f"{len(pictures)} pictures"
        answer(f"opted out {what}: number {number}, for {', '.join(named)}")
        answer(f"receipt   {receipt_path}  (proves it; may be shown)")
        answer(f"withdraw  {withdraw_path}  (takes it back; keep it to yourself)")
        if held:
            answer("It would hide so much that a person looks at it first.")
    if refused:
        raise typer.Exit(int(ExitCode.PARTLY))


@app.command()
@command
def status(
    paper: Annotated[str, PAPER], data: DATA_OPTION = None, server: SERVER_OPTION = None, as_json: JSON_OPTION = False
) -> None:
    """Show how an opt-out stands. A server asks for the withdraw file.

    hibs opt-out status 4F7K-20M9 --data data/
    """
    from checker.optout.papers import read_paper
    from checker.optout.remote_request import status_at
    from checker.remote import connect

    _require_one_place(data, server)
    asked = read_paper(paper)
    if server is not None:
        _show_status(status_at(connect(server), asked), as_json=as_json)
        return
    with _open(data) as (opt_outs, now):
        found = opt_outs.status(asked.number, asked.code, now=now)
    if found is None:
        raise InputError(f"{data} has no such opt-out; check number and code, and that it is this registry")
    _show_status(found.to_dict(), as_json=as_json)


@app.command()
@command
def withdraw(
    paper: Annotated[str, PAPER], data: DATA_OPTION = None, server: SERVER_OPTION = None, as_json: JSON_OPTION = False
) -> None:
    """Take an opt-out back. Needs the withdraw file or code, and takes effect after some days.

    hibs opt-out withdraw 4F7K-20M9.withdraw.txt --data data/
    """
    from checker.optout.papers import read_paper
    from checker.optout.remote_request import withdraw_at
    from checker.remote import connect

    _require_one_place(data, server)
    asked = read_paper(paper)
    if asked.code is None:
        raise InputError(
            f"{paper} names an opt-out and is not the code to it; withdrawing takes the file NUMBER.withdraw.txt"
        )
    if server is not None:
        _show_status(withdraw_at(connect(server), asked), as_json=as_json)
        return
    with _open(data) as (opt_outs, now):
        found = opt_outs.withdraw(asked.code, now=now)
    _show_status(found.to_dict(), as_json=as_json)


@app.command()
@command
def verify(
    receipt: Annotated[Path, typer.Argument(metavar="R", help="The receipt file.", show_default=False, readable=False)],
    key: Annotated[str | None, typer.Option(metavar="VKEY", help="The log's key, as it is published.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Take the key of this data folder.", readable=False)
    ] = None,
    as_json: JSON_OPTION = False,
) -> None:
    """Prove a receipt offline: nobody is asked, nothing is sent.

    hibs opt-out verify 4F7K-20M9.receipt.json --key example.org/log+1c2d3e4f+AXh...
    """
    from checker.model import utc_text
    from checker.optout.log import folder_key
    from checker.optout.papers import is_withdraw_file, read_file
    from checker.optout.receipt import verify_receipt

    if key is not None and data is not None:
        raise InputError("--key and --data exclude each other; leave one of them out")
    source = "argument" if key is not None else "data" if data is not None else "receipt"
    expected, body = folder_key(data) if data is not None else _checked_key(key), read_file(receipt)
    if is_withdraw_file(body):
        raise InputError(f"{receipt} is a withdraw file, which proves nothing and is secret; give NUMBER.receipt.json")
    try:
        held = verify_receipt(body, key=expected)
    except VerificationError as error:
        if as_json:
            answer_json({"verified": False, "part": error.part, "reason": str(error)})
        raise VerificationError(
            f"{receipt} does not verify, part {error.part}: {error}; take the file as it was written",
            part=error.part,
        ) from error
    if as_json:
        answer_json(
            {
                "number": held.receipt.number,
                "verified": True,
                "origin": held.receipt.origin,
                "key": held.receipt.key,
                "key_from": source,
                "index": held.receipt.index,
                "tree_size": held.receipt.tree_size,
                "signed_at": utc_text(held.checkpoint.time),
                "pictures": len(held.opt_out.pictures),
                "uses": [use.value for use in held.opt_out.uses],
            }
        )
        return
    answer(
        f"holds: opt-out {held.receipt.number} is entry {held.receipt.index} of {held.receipt.tree_size} in the log "
        f"{held.receipt.origin}, signed {utc_text(held.checkpoint.time)}"
    )
    answer(f"uses  {', '.join(held.opt_out.uses)}; pictures  {len(held.opt_out.pictures)}")
    answer(f"key   {held.receipt.key}")
    if source == "receipt":
        answer("The key is the receipt's own: compare it with what the operator publishes, or give it with --key.")
    answer("It proves that this was registered by then, not whose the picture is nor that anybody acted on it.")


# --- inside ----------------------------------------------------------------------------------------------------


def _checked_key(text: str | None) -> str | None:
    """A key as it was given: a mistyped one is the caller's mistake, and says nothing about the receipt."""
    from checker.optout.note import parse_verifier_key

    try:
        return parse_verifier_key(text).text if text is not None else None
    except VerificationError as error:
        raise InputError(f"--key: {error}; take it as the log's operator publishes it") from error


def _settings() -> Settings:
    import os

    from checker.settings import Settings

    return Settings.from_environment(os.environ)


@contextmanager
def _open(data: Path | None, *, create: bool = False) -> Iterator[tuple[OptOuts, datetime]]:
    from datetime import UTC, datetime

    from checker.optout.request import OptOuts

    assert data is not None  # `_require_one_place`
    now = datetime.now(UTC)
    with OptOuts.open(data, _settings(), now=now, create=create) as opt_outs:
        yield opt_outs, now


def _require_one_place(data: Path | None, server: str | None) -> None:
    if (data is None) == (server is None):
        raise InputError("say where the opt-outs are kept: either --data DIR or --server URL")


def _collect(
    paths: list[Path], codes: Path | None, settings: Settings
) -> tuple[list[tuple[Fingerprint, ...]], list[str]]:
    """The codes of every usable picture, none twice, and one sentence for each of the others."""
    from checker.model import Unreadable
    from checker.optout.part import code_lines

    if not paths and codes is None:
        raise InputError("no picture was given; name pictures, folders, or codes with --codes")
    pictures: dict[tuple[Fingerprint, ...], None] = {}
    refused: list[str] = []
    plain = "too little is in it to tell it from other pictures; not opted out"
    for path, picture in read_pictures(paths, settings) if paths else ():
        if isinstance(picture, Unreadable):
            refused.append(f"{one_line(path)}: {picture.detail}")
        elif picture.plain:
            refused.append(f"{one_line(path)}: {plain}")
        else:
            pictures[picture.fingerprints] = None
    for number, known in enumerate(code_lines(codes) if codes is not None else (), start=1):
        if isinstance(known, str):
            refused.append(f"{codes} line {number}: {one_line(known)} could not be read, so it has no code")
        elif known.plain:
            refused.append(f"{codes} line {number}: {plain}")
        else:
            pictures[known.fingerprints] = None
    return list(pictures), refused


def _record(
    pictures: list[tuple[Fingerprint, ...]],
    uses: tuple[Use, ...],
    data: Path | None,
    server: str | None,
    settings: Settings,
    *,
    by_codes: bool,
) -> tuple[str, bytes, str, bool]:
    from checker.optout.entry import Evidence
    from checker.optout.remote_request import record_at
    from checker.remote import connect

    if server is not None:
        receipt, text, held = record_at(connect(server), pictures, uses, days=settings.withdraw_after_days)
        return receipt.number, receipt.to_bytes(), text, held
    evidence = Evidence.CODE if by_codes else Evidence.PICTURE
    with _open(data, create=True) as (opt_outs, now):
        recorded = opt_outs.record(pictures, uses=uses, evidence=evidence, now=now)
    return recorded.receipt.number, recorded.receipt_bytes, recorded.withdraw_text, recorded.held


def _show_status(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        answer_json(found)
        return
    answer(one_line(f"{found['number']}  {found['state']}"))
    answer(f"recorded  {found['recorded_at']}, entry {found['index']} of the log")
    answer(f"uses      {', '.join(found['uses'])}; pictures  {found['pictures']}")
    if found["withdraw_at"]:
        answer(f"withdrawn {'from' if found['state'] == 'withdrawn' else 'with effect from'} {found['withdraw_at']}")
