"""`hibs opt-out`: say no, with a receipt; see how it stands; verify the receipt; take it back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checker.commands.fingerprint import read_pictures
from checker.commands.optout_host import host
from checker.commands.optout_later import erase, receipt, status, withdraw
from checker.commands.optout_place import (
    DATA_OPTION,
    JSON_OPTION,
    OUT_OPTION,
    SERVER_OPTION,
    opened,
    require_one_place,
    settings_of_environment,
    status_page,
)
from checker.commands.optout_review import app as review_app
from checker.commands.optout_review import dispute
from checker.commands.service import service
from checker.commands.uses import parse_uses
from checker.console import ExitCode, answer, answer_json, command, one_line, say
from checker.errors import InputError, TooPlainError, VerificationError

if TYPE_CHECKING:
    from checker.model import Fingerprint, Use
    from checker.optout.papers import Papers
    from checker.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Say no to the use of a photo, with a receipt that proves it.")


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
    out: OUT_OPTION = Path(),
    as_json: JSON_OPTION = False,
) -> None:
    """Record one opt-out of all given pictures; write NUMBER.receipt.json, NUMBER.receipt.html, NUMBER.withdraw.txt.

    Only codes are kept and sent, never a picture. What would hide suspiciously much is held until a person has looked,
    and gets its receipt then. Uses: train-ai, train-genai, tdm, search, index, all.

    hibs opt-out add selfie.jpg --data data/

    hibs opt-out add photos/ --server https://optout.example --uses train-ai,train-genai
    """
    from checker.optout.gates import close_uses, gate_pictures
    from checker.optout.papers import papers

    settings, named = settings_of_environment(), close_uses(parse_uses("--uses", [uses]))
    require_one_place(data, server)
    pictures, refused = _collect(paths or [], codes, settings)
    for line in refused:
        say(line)
    if not pictures and not refused:
        raise InputError(f"{codes} holds no code; make it with `hibs fingerprint --json`")
    if not pictures:
        raise TooPlainError(f"no picture of {len(refused)} can be opted out; nothing was recorded")
    pictures = list(gate_pictures(pictures))
    with papers(out) as folder:
        kept = _record(pictures, named, data, server, folder, by_codes=codes is not None)
    _tell(kept, pictures=len(pictures), uses=named, as_json=as_json)
    if refused:
        raise typer.Exit(int(ExitCode.PARTLY))


@app.command()
@command
def verify(
    receipt: Annotated[Path, typer.Argument(metavar="R", help="The receipt file.", show_default=False, readable=False)],
    key: Annotated[str | None, typer.Option(metavar="VKEY", help="The log's key, as it is published.")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Take the keys of this data folder.", readable=False)
    ] = None,
    as_json: JSON_OPTION = False,
) -> None:
    """Prove a receipt offline: nobody is asked, nothing is sent.

    hibs opt-out verify 4F7K-20M9.receipt.json --key example.org/log+1c2d3e4f+AXh...
    """
    from checker.model import utc_text
    from checker.optout.log import folder_keys
    from checker.optout.papers import is_withdraw_file, read_file
    from checker.optout.receipt import verify_receipt

    if key is not None and data is not None:
        raise InputError("--key and --data exclude each other; leave one of them out")
    source = "argument" if key is not None else "data" if data is not None else "receipt"
    expected: str | tuple[str, ...] | None = _checked_key(key)
    if data is not None:
        expected = tuple(one.verifier.text for one in folder_keys(data))
    body = read_file(receipt)
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
                "addresses": list(held.opt_out.addresses),
                "uses": [use.value for use in held.opt_out.uses],
            }
        )
        return
    answer(
        f"holds: opt-out {held.receipt.number} is entry {held.receipt.index} of {held.receipt.tree_size} in the log "
        f"{held.receipt.origin}, signed {utc_text(held.checkpoint.time)}"
    )
    answer(f"uses  {', '.join(held.opt_out.uses)}; pictures  {len(held.opt_out.pictures)}")
    for address in held.opt_out.addresses:
        answer(f"about {address}")
    answer(f"key   {held.receipt.key}")
    if source == "receipt":
        answer("The key is the receipt's own: compare it with what the operator publishes, or give it with --key.")
    answer("It proves that this was registered by then, not whose the picture is nor that anybody acted on it.")


app.command("status")(status)
app.command("receipt")(receipt)
app.command("withdraw")(withdraw)
app.command("erase")(erase)
app.command("host")(host)
app.add_typer(review_app, name="review")
app.command("dispute")(dispute)


# --- inside ----------------------------------------------------------------------------------------------------


def _tell(kept: _Kept, *, pictures: int, uses: tuple[Use, ...], as_json: bool) -> None:
    if as_json:
        answer_json(
            {
                "number": kept.number,
                "receipt": str(kept.receipt) if kept.receipt else None,
                "page": str(kept.page) if kept.page else None,
                "withdraw": str(kept.withdraw),
                "held": kept.receipt is None,
            }
        )
        return
    what = "1 picture" if pictures == 1 else f"{pictures} pictures"
    answer(f"opted out {what}: number {kept.number}, for {', '.join(uses)}")
    if kept.receipt:
        answer(f"receipt   {kept.receipt}  (proves it; may be shown)")
        answer(f"page      {kept.page}  (the same to read and print)")
    answer(f"withdraw  {kept.withdraw}  (shows how it stands and takes it back; keep it to yourself)")
    if kept.receipt is None:
        answer("It is held: a person looks at it before others are told. Here it hides from now on.")
        answer(f"When it is released, `hibs opt-out receipt {kept.withdraw}` writes the receipt.")


def _checked_key(text: str | None) -> str | None:
    """A key as it was given: a mistyped one is the caller's mistake, and says nothing about the receipt."""
    from checker.optout.note import parse_verifier_key

    try:
        return parse_verifier_key(text).text if text is not None else None
    except VerificationError as error:
        raise InputError(f"--key: {error}; take it as the log's operator publishes it") from error


def _collect(
    paths: list[Path], codes: Path | None, settings: Settings
) -> tuple[list[tuple[Fingerprint, ...]], list[str]]:
    """The codes of every usable picture, none twice, and one sentence for each of the others."""
    from checker.datasets.code_lines import code_lines
    from checker.model import Unreadable

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


@dataclass(frozen=True, slots=True)
class _Kept:
    """What an opt-out left on the disk."""

    number: str
    receipt: Path | None
    """None: it is held."""
    page: Path | None
    withdraw: Path


def _record(
    pictures: list[tuple[Fingerprint, ...]],
    uses: tuple[Use, ...],
    data: Path | None,
    server: str | None,
    folder: Papers,
    *,
    by_codes: bool,
) -> _Kept:
    from checker.optout.entry import Evidence
    from checker.optout.remote_request import record_at

    if server is not None:
        there = record_at(service(server), pictures, uses, days=settings_of_environment().withdraw_after_days)
        number, made = there.number, there.receipt
        folder.keep(number, receipt=None, withdraw=there.withdraw_text)
    else:
        evidence = Evidence.CODE if by_codes else Evidence.PICTURE
        with opened(data, create=True) as (opt_outs, now):
            here = opt_outs.record(pictures, uses=uses, evidence=evidence, now=now, keep=folder.withdraw_kept)
        number, made = here.number, here.receipt
    withdraw_path = folder.folder / f"{number}.withdraw.txt"
    if made is None:
        return _Kept(number, None, None, withdraw_path)
    return _Kept(number, *folder.keep_receipt(made, status_address=status_page(server)), withdraw_path)
