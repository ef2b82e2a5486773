"""`hibs honour state`: tell the server of a list what was filtered by it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from checker.commands.service import service
from checker.console import answer, answer_json, one_line, say
from checker.errors import InputError, RemoteError, RemoteProblemError

if TYPE_CHECKING:
    from checker.client import Client

REPORT_BYTES_MAX = 256 * 2**20
"""A report holds at most 100,000 rows (docs/honour.md), of a kilobyte where keys and addresses are long."""
_ACTIONS = ("keep", "drop", "review", "not-checked")
_WRONG = {
    "feed_size": "its list is shorter than the one of the report; was the report made with the list of this server?",
    "root": "the report was made with another list; state it at the server that the feed came from",
    "report_digest": "this report was stated before with other numbers",
}


def state(report: Path, server: str, key_file: Path, as_json: bool) -> None:
    """Send feed size, root, rows in, rows out and the digest of a report; the report itself stays here.

    Args:
        report: JSON of `hibs honour --report`.
        server: where the feed came from.
        key_file: holds a key of scope honour.
        as_json: print the server's answer instead of sentences.
    Raises:
        InputError: the report cannot be read, does not add up, or the key file holds no key.
        RemoteError: the server did not take it.
    """
    from checker.optout.feed_source import read_key_file

    if not server.startswith(("https://", "http://")):
        raise InputError(f"{server} is no address of a server; it begins with https://")
    document, digest = _read(report)
    said = _statement(report, document, digest)
    told = _kept(service(server, key=read_key_file(key_file)), said)
    if document.get("mode") == "dry-run":
        say("the report is of a dry run, which leaves nothing out by itself: what it names must be left out by you")
    if as_json:
        answer_json(told)
        return
    answer(one_line(f"{told['operator']} {told['states']}"))
    answer(f"sent to {one_line(server)}, which shows it to everybody:")
    answer(f"  list    size {said['feed_size']:,}, root {said['root']}")
    answer(f"  rows    {said['rows_in']:,} in, {said['rows_out']:,} kept")
    answer(f"  report  SHA-256 {digest}; keep {one_line(report)} as it is")


def _read(report: Path) -> tuple[dict[str, Any], str]:
    """The document of a report and the SHA-256 of its bytes."""
    import hashlib
    import json

    try:
        with report.open("rb") as file:
            data = file.read(REPORT_BYTES_MAX + 1)
    except OSError as error:
        raise InputError(f"cannot read the report {report}: {error.strerror}; check the path") from error
    try:
        if len(data) > REPORT_BYTES_MAX:
            raise ValueError("it is too large")
        document = json.loads(data)
        if not isinstance(document, dict):
            raise ValueError("it is no object")
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{report} is no report in JSON; give the file that `hibs honour --report F.json` wrote"
        ) from error
    return document, hashlib.sha256(data).hexdigest()


def _statement(report: Path, document: dict[str, Any], digest: str) -> dict[str, Any]:
    """What is sent.

    Raises:
        InputError: a number is missing or they do not add up.
    """
    from collections import Counter

    try:
        feed, counts, rows = document["feed"], document["counts"], document.get("rows")
        by_action = {action: _whole(counts[action]) for action in _ACTIONS}
        size, root, rows_in = _whole(feed["size"]), feed["root"], _whole(counts["rows"])
        by_reason = {
            action: sum(_whole(count) for count in document.get("reasons", {}).get(action, {}).values())
            for action in _ACTIONS
        }
        listed = Counter(row["hibs_decision"] for row in rows) if rows is not None else None
        if not isinstance(root, str):
            raise ValueError("its root is no text")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{report} lacks feed and counts as a report has them; give the file that `hibs honour --report` wrote"
        ) from error
    adds_up = sum(by_action.values()) == rows_in
    adds_up &= "reasons" not in document or by_reason == by_action
    adds_up &= listed is None or listed == Counter(by_action)
    if not adds_up:
        raise InputError(f"the numbers of {report} do not add up, so it was changed; nothing was sent, honour again")
    if size == 0:
        raise InputError(f"{report} was made with an empty list, so there is nothing to state")
    return {"feed_size": size, "root": root, "rows_in": rows_in, "rows_out": by_action["keep"], "report_digest": digest}


def _kept(client: Client, said: dict[str, Any]) -> dict[str, Any]:
    """The statement as the server keeps it.

    Raises:
        RemoteError: it refused, or its answer is not of what was sent.
    """
    from checker.client.asking import told

    try:
        document = told(client.state(**said))
    except RemoteProblemError as error:
        why = _WRONG.get(error.places[0]) if error.places else None
        if why is None:
            raise
        raise RemoteError(f"{client.name} refused ({error.status}): {why}") from error
    if {name: document[name] for name in said} != said:
        raise RemoteError(f"{client.name} answered with another statement than was sent; tell whoever runs it")
    return document


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("a count is no whole number")
    return value
