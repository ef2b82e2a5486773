"""`hibs opt-out host`: whoever controls a host opts out what stands there, or a part of it.

Run twice: first it says what the host has to publish, then it looks whether the host does, and records.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from checker.commands.uses import parse_uses
from checker.console import answer, answer_json, command, one_line
from checker.errors import InputError

if TYPE_CHECKING:
    from checker.optout.claims import Claim, Published

_SHOWN_RECORDS_MAX = 3
_SHOWN_CHARACTERS_MAX = 300


@command
def host(
    addresses: Annotated[
        list[str], typer.Argument(metavar="ADDRESS...", help="Hosts, or beginnings of paths there.", show_default=False)
    ],
    data: Annotated[Path, typer.Option(metavar="DIR", help="The data folder that keeps the opt-outs.", readable=False)],
    uses: Annotated[str, typer.Option(metavar="USE,...", help="What the no is about.")] = "all",
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where claim, receipt and withdraw file go.", readable=False)
    ] = Path(),
    allow_address: Annotated[
        list[str] | None, typer.Option(metavar="HOST:PORT", help="Open a local address; asked by plain http.")
    ] = None,
    dns_server: Annotated[str, typer.Option(metavar="HOST:PORT", hidden=True)] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Opt out hosts, or parts of them, that you control. Run it twice.

    The first run writes HOST.claim.txt and prints the line that each host has to publish, as a file or as a DNS TXT
    record. Once it is there, the same command again finds it and records the opt-out.

    An address covers exactly that host, by http and https: example.org/photos/ all below it, example.org/ all of it.
    Subdomains are hosts of their own.

    hibs opt-out host example.org/photos/ --data data/
    """
    import secrets

    from checker.optout.claims import begin_claim, claim_file, host_reader, unproved

    claim, waited = begin_claim(addresses, parse_uses("--uses", [uses]), out, secrets.token_bytes)
    path = claim_file(claim, out)
    published: Mapping[str, tuple[Published, ...]] = {}
    if waited:
        published = host_reader()(claim.hosts, allow_addresses=allow_address or (), dns_server=dns_server)
    missing = unproved(claim, published)
    if not missing:
        _record(claim, data, out, as_json=as_json)
        path.unlink(missing_ok=True)  # its code is in the withdraw file now
        return
    if as_json:
        answer_json(
            {"recorded": False, "claim": str(path), "publish": [_asked(claim, name, published) for name in missing]}
        )
    else:
        for name in missing:
            _show(claim, name, published)
    if waited:
        raise InputError(
            f"no record was found at {', '.join(missing)}; nothing was recorded: publish what is shown and run the "
            "same command again"
        )
    if not as_json:
        answer(f"claim  {path}  (keep it to yourself; the same command again needs it)")
        answer("Nothing is recorded yet: publish the record and run the same command again.")


def _record(claim: Claim, data: Path, out: Path, *, as_json: bool) -> None:
    import os
    from datetime import UTC, datetime

    from checker.optout.entry import Evidence
    from checker.optout.papers import papers
    from checker.optout.request import OptOuts
    from checker.optout.tokens import withdraw_text
    from checker.settings import Settings

    settings, now = Settings.from_environment(os.environ), datetime.now(UTC)
    with OptOuts.open(data, settings, now=now) as opt_outs, papers(out) as folder:
        known = opt_outs.status(None, claim.code, now=now)
        if known is None:
            made = opt_outs.record(
                (),
                uses=claim.uses,
                evidence=Evidence.HOST_FILE,
                now=now,
                addresses=claim.addresses,
                withdraw_code=claim.code,
                keep=folder.withdraw_kept,
            )
            number = made.number
        else:  # it was recorded, and this command stopped before its papers were written
            number = known.number
            with folder.withdraw_kept(number, withdraw_text(number, claim.code, days=settings.withdraw_after_days)):
                pass
        receipt, page = folder.keep_receipt(opt_outs.receipt(claim.code, now=now), status_address=None)
    withdraw = out / f"{number}.withdraw.txt"
    if as_json:
        papers_made = {"receipt": str(receipt), "page": str(page), "withdraw": str(withdraw)}
        named = {"addresses": list(claim.addresses), "uses": list(claim.uses)}
        answer_json({"recorded": True, "number": number, **papers_made, "held": False, **named})
        return
    answer(f"opted out {', '.join(claim.addresses)}: number {number}, for {', '.join(claim.uses)}")
    answer(f"receipt   {receipt}  (proves it; may be shown)")
    answer(f"page      {page}  (the same to read and print)")
    answer(f"withdraw  {withdraw}  (shows how it stands and takes it back; keep it to yourself)")


def _asked(claim: Claim, name: str, published: Mapping[str, tuple[Published, ...]]) -> dict[str, Any]:
    from checker.optout.claims import dns_name, file_address

    found = [
        {"place": one.place, "records": list(one.records[:_SHOWN_RECORDS_MAX]), "trouble": one.trouble or None}
        for one in published.get(name, ())
    ]
    return {
        "host": name,
        "record": claim.record(name),
        "file": file_address(name),
        "dns": dns_name(name),
        "found": found,
    }


def _show(claim: Claim, name: str, published: Mapping[str, tuple[Published, ...]]) -> None:
    from checker.optout.claims import TXT_STRING_BYTES, dns_name, file_address

    record, in_dns = claim.record(name), dns_name(name)
    answer(f"{name} has to publish this line:")
    answer(f"    {record}")
    answer(f"in {file_address(name)}" + (f" or as a DNS TXT record at {in_dns}" if in_dns else ""))
    if in_dns and len(record) > TXT_STRING_BYTES:
        answer(f"(in DNS as several strings of one record, each of at most {TXT_STRING_BYTES} characters)")
    for one in published.get(name, ()):
        what = one.trouble or (", ".join(one.records[:_SHOWN_RECORDS_MAX]) or "no record of an opt-out")
        answer(one_line(f"  {one.place}: {what}"[:_SHOWN_CHARACTERS_MAX]))
