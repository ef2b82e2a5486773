"""`hibs opt-out status`, `withdraw`, `erase`, `receipt`: what the holder of an opt-out can do afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from checker.commands.optout_place import (
    DATA_OPTION,
    JSON_OPTION,
    OUT_OPTION,
    PAPER,
    SECRET_PAPER,
    SERVER_OPTION,
    opened,
    require_one_place,
    status_page,
)
from checker.commands.service import service
from checker.console import answer, answer_json, command, one_line
from checker.errors import InputError

if TYPE_CHECKING:
    from checker.optout.papers import Paper

_SHOWN_MAX = 20
"""Sightings on a terminal; `--json` has more of them."""


@command
def status(
    paper: Annotated[str, PAPER], data: DATA_OPTION = None, server: SERVER_OPTION = None, as_json: JSON_OPTION = False
) -> None:
    """Show how an opt-out stands. With the withdraw file also where its pictures were seen, and what operators say.

    A number alone, or a receipt, shows what is public. A server asks for the withdraw file.

    hibs opt-out status 4F7K-20M9.withdraw.txt --data data/
    """
    from checker.optout.holder import holder_view
    from checker.optout.papers import read_paper
    from checker.optout.remote_request import status_at

    require_one_place(data, server)
    asked = read_paper(paper)
    if server is not None:
        _show(status_at(service(server), asked), as_json=as_json)
        return
    with opened(data) as (opt_outs, now):
        found = opt_outs.status(asked.number, asked.code, now=now)
        if found is None:
            raise InputError(f"{data} has no such opt-out; check number and code, and that it is this registry")
        of_holder = asked.code is not None
        document = holder_view(opt_outs, found, now=now).to_dict() if of_holder else found.to_dict()
    _show(document, as_json=as_json)


@command
def withdraw(
    paper: Annotated[str, SECRET_PAPER],
    data: DATA_OPTION = None,
    server: SERVER_OPTION = None,
    as_json: JSON_OPTION = False,
) -> None:
    """Take an opt-out back. Needs the withdraw file or code, and takes effect after some days.

    hibs opt-out withdraw 4F7K-20M9.withdraw.txt --data data/
    """
    from checker.optout.remote_request import withdraw_at

    require_one_place(data, server)
    asked, code = _read_secret(paper, "withdrawing")
    if server is not None:
        _show(withdraw_at(service(server), asked), as_json=as_json)
        return
    with opened(data) as (opt_outs, now):
        found = opt_outs.withdraw(code, now=now)
    _show(found.to_dict(), as_json=as_json)


@command
def erase(
    paper: Annotated[str, SECRET_PAPER],
    data: DATA_OPTION = None,
    server: SERVER_OPTION = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Also erase what the data folder has of the pictures; only with --data.")
    ] = False,
    as_json: JSON_OPTION = False,
) -> None:
    """Delete what an opt-out says: its codes, addresses and uses, here and at those who follow the list.

    Then nothing is left to know its pictures by, so they can be found and recorded again. To keep them out, keep the
    opt-out. A leaf of 32 bytes stays in the log, and the receipt goes on proving that it was there.

    hibs opt-out erase 4F7K-20M9.withdraw.txt --data data/
    """
    from checker.optout.holder import forget_pictures
    from checker.optout.remote_request import erase_at

    require_one_place(data, server)
    asked, code = _read_secret(paper, "erasing")
    forgotten = 0
    if server is not None:
        if forget:
            raise InputError("--forget works on a data folder; ask whoever runs the server to run it there")
        found = erase_at(service(server), asked)
    else:
        with opened(data) as (opt_outs, now):
            held = opt_outs.status(asked.number, code, now=now)
            if forget and held:
                forgotten = forget_pictures(opt_outs, held, now=now)
            found = opt_outs.erase(code, now=now).to_dict()
    _show(found | ({"pictures_erased": forgotten} if forget else {}), as_json=as_json)
    if not as_json:
        answer("Its pictures can be found again: nothing is left there to know them by.")
        if found["index"] is None:
            answer("It never was in the list, so nobody who follows it had it.")
        else:
            answer("Those who follow the list delete it at their next sync.")
        if forget:
            pictures = "1 picture" if forgotten == 1 else f"{forgotten} pictures"
            answer(f"Erased what was seen of {pictures}; the files of an index change within a day.")


@command
def receipt(
    paper: Annotated[str, SECRET_PAPER],
    data: DATA_OPTION = None,
    server: SERVER_OPTION = None,
    out: OUT_OPTION = Path(),
    as_json: JSON_OPTION = False,
) -> None:
    """Write the receipt of an opt-out again: one that was lost, or of a request that was held and is released.

    hibs opt-out receipt 4F7K-20M9.withdraw.txt --data data/
    """
    from checker.optout.papers import papers
    from checker.optout.remote_request import receipt_at

    require_one_place(data, server)
    asked, code = _read_secret(paper, "a receipt")
    with papers(out) as folder:
        if server is not None:
            made = receipt_at(service(server), asked)
        else:
            with opened(data) as (opt_outs, now):
                made = opt_outs.receipt(code, now=now)
        path, page = folder.keep_receipt(made, status_address=status_page(server))
    if as_json:
        answer_json({"number": made.number, "receipt": str(path), "page": str(page)})
        return
    answer(f"receipt   {path}  (proves it; may be shown)")
    answer(f"page      {page}  (the same to read and print)")


def _read_secret(paper: str, what: str) -> tuple[Paper, str]:
    """What a person came with, and its code."""
    from checker.optout.papers import read_paper

    asked = read_paper(paper)
    if asked.code is None:
        raise InputError(
            f"{paper} names an opt-out and is not the code to it; {what} takes the file NUMBER.withdraw.txt"
        )
    return asked, asked.code


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        answer_json(found)
        return
    answer(one_line(f"{found['number']}  {found['state']}"))
    entry = "not in the log" if found["index"] is None else f"entry {found['index']} of the log"
    answer(one_line(f"recorded  {found['recorded_at']}, {entry}"))
    if found["state"] != "erased":
        answer(one_line(f"uses      {', '.join(found['uses'])}; pictures  {found['pictures']}"))
    for address in found.get("addresses", ()):
        answer(one_line(f"address   {address}"))
    if found["withdraw_at"]:
        words = "from" if found["state"] == "withdrawn" else "with effect from"
        answer(one_line(f"withdrawn {words} {found['withdraw_at']}"))
    if found.get("reason"):
        answer(one_line(f"reason    {found['reason']}"))
    if found["state"] == "held":
        answer("A person looks at it before others are told. It hides its pictures here all the same.")
    if "sightings" in found and found["state"] != "erased":
        _show_sightings(found)
        for word in found.get("operators", ()):
            answer(one_line(f"operator  {word.get('operator')}: {word.get('says')}"))
        if found.get("alerts"):
            answer(one_line(f"alerts    {found['alerts']}  (new copies, for a feed reader; keep it to yourself)"))


def _show_sightings(found: dict[str, Any]) -> None:
    """Where the pictures were seen, as we saw it: no line claims more than that."""
    sightings, new = found["sightings"], found.get("new", 0)
    if not sightings:
        answer("seen      nowhere in what was looked at here; that is no proof that there are no copies")
        return
    times = "once" if found.get("sightings_all") == 1 else f"{found.get('sightings_all')} times"
    answer(one_line(f"seen      {times}" + (f", {new} of them new since your opt-out" if new else "")))
    for seen in sightings[:_SHOWN_MAX]:
        locator = seen.get("locator") or {}
        place = seen.get("image_url") or locator.get("file") or seen.get("page_url") or "somewhere in the source"
        page = f"  on {seen['page_url']}" if seen.get("page_url") else ""
        mark = "new  " if seen.get("new") else "     "
        answer(one_line(f"  {mark}{seen.get('look')}: {place}{page}  ({(seen.get('source') or {}).get('name')})"))
    if len(sightings) > _SHOWN_MAX:
        answer(f"  and more; --json has {len(sightings)} of them")
