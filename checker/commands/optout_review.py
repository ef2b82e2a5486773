"""`hibs opt-out review` and `dispute`: for the person who runs the registry."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from checker.commands.optout_place import DATA, DATA_OPTION, JSON_OPTION, opened
from checker.console import answer, answer_json, command, one_line
from checker.errors import InputError

app = typer.Typer(invoke_without_command=True)
NUMBER = typer.Argument(metavar="NUMBER", help="Number of the opt-out.", show_default=False)
REASON = Annotated[str, typer.Option(metavar="TEXT", help="What its holder reads.", show_default=False)]


@app.callback()
@command
def review(context: typer.Context, data: DATA_OPTION = None, as_json: JSON_OPTION = False) -> None:
    """List the requests that are held or disputed, with how much each hides here.

    A held request hides here and is not in the list that others follow; release it or refuse it. To release a
    disputed one takes the dispute back. A held one that was withdrawn hides until that takes effect; refuse ends it.

    hibs opt-out review --data data/

    hibs opt-out review release 4F7K-20M9 --data data/

    hibs opt-out review refuse 4F7K-20M9 --reason "a logo of a company" --data data/
    """
    from checker.optout.reach import how_much
    from checker.optout.review import waiting

    if context.invoked_subcommand is not None:
        if data is not None or as_json:
            raise InputError(f"give the options of `{context.invoked_subcommand}` after it")
        return
    if data is None:
        raise InputError("say where the opt-outs are kept: --data DIR")
    with opened(data) as (opt_outs, now):
        found = waiting(opt_outs, now=now)
    if as_json:
        answer_json({"requests": [one.to_dict() for one in found]})
        return
    if not found:
        answer("Nothing waits for a person.")
    for one in found:
        status = one.to_dict()
        answer(one_line(f"{status['number']}  {status['state']}  recorded {status['recorded_at']}"))
        answer(
            one_line(
                f"  asks     {', '.join(status['uses'])}; pictures {status['pictures']}, evidence {status['evidence']}"
            )
        )
        for address in status["addresses"]:
            answer(one_line(f"  address  {address}"))
        answer(one_line(f"  near     {how_much(one.images, one.hosts)} of this collection"))
        if status["withdraw_at"]:
            answer(one_line(f"  until    {status['withdraw_at']}: its holder has withdrawn it"))
        else:
            answer(one_line(f"  because  {status['reason']}"))


@app.command()
@command
def release(number: Annotated[str, NUMBER], data: DATA, as_json: JSON_OPTION = False) -> None:
    """Let a held request into the list, or take the dispute of one back.

    hibs opt-out review release 4F7K-20M9 --data data/
    """
    from checker.optout.review import release as release_request

    with opened(data) as (opt_outs, now):
        found = release_request(opt_outs, number, now=now)
    _show(found.to_dict(), "its holder gets the receipt with `hibs opt-out receipt`", as_json=as_json)


@app.command()
@command
def refuse(number: Annotated[str, NUMBER], data: DATA, reason: REASON, as_json: JSON_OPTION = False) -> None:
    """End a request that is held, disputed or withdrawn: what it said is erased, and its holder reads the reason.

    hibs opt-out review refuse 4F7K-20M9 --reason "a logo of a company" --data data/
    """
    from checker.optout.review import refuse as refuse_request

    with opened(data) as (opt_outs, now):
        found = refuse_request(opt_outs, number, reason=reason, now=now)
    _show(found.to_dict(), "what it said is erased", as_json=as_json)


@command
def dispute(number: Annotated[str, NUMBER], data: DATA, reason: REASON, as_json: JSON_OPTION = False) -> None:
    """Note that somebody else claims the pictures of an opt-out. It goes on hiding here; followers are told.

    hibs opt-out dispute 4F7K-20M9 --reason "the photographer says it is hers" --data data/
    """
    from checker.optout.review import dispute as dispute_request

    with opened(data) as (opt_outs, now):
        found = dispute_request(opt_outs, number, reason=reason, now=now)
    _show(found.to_dict(), "`hibs opt-out review` lists it until it is decided", as_json=as_json)


def _show(found: dict[str, Any], what: str, *, as_json: bool) -> None:
    if as_json:
        answer_json(found)
    else:
        answer(one_line(f"{found['number']}  {found['state']}: {what}"))
