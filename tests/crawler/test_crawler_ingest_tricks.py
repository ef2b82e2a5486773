"""`hibs ingest` of a list of addresses that try to reach what is not public (check C16): no row connects anywhere.

What the interpreter connects to is heard from the interpreter itself. How each trick is read, and that no redirect to
one is followed, is in test_crawler_guard_tricks.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import typer
from aiohttp import web
from local_web import LocalWeb, local_web
from ssrf_tricks import NAMES, NO_ADDRESS, UNKNOWN_NAME, Trick, tricks
from test_crawler_guard_tricks import every_connection
from typer.testing import CliRunner

from crawler.cli import ingest

METADATA = "http://169.254.169.254/latest/meta-data/"
NO_WEB = ("file:///etc/passwd", "ftp://a.example/a.jpg", "/etc/passwd", "javascript:alert(1)", "data:image/png;base64,")


@pytest.fixture
def server() -> Iterator[LocalWeb]:
    with local_web() as served:
        yield served


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIBS_ROBUST", "off")
    monkeypatch.chdir(tmp_path)


FOREIGN, OWN = ("--contact", "me@example.org"), ("--delay", "0")


def listed(urls: list[str], server: LocalWeb, more: tuple[str, str] = FOREIGN) -> tuple[dict[str, object], list[str]]:
    """What `hibs ingest` of a list of them says, as a document and as lines."""
    Path("list.txt").write_text("".join(f"{url}\n" for url in urls), encoding="utf-8")
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(ingest)
    given = ["list.txt", "--data", "data", "--allow-address", server.opened, "--json", *more]
    with every_connection() as heard:
        done = CliRunner().invoke(app, given)
    assert done.exit_code == 1, done.output
    assert {what for event, what in heard if event == "socket.connect"} <= {("127.0.0.1", server.port)}
    assert [event for event, _ in heard if event != "socket.connect"] == [], "no name was looked up"
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document, done.stderr.splitlines()


def fits(trick: Trick) -> bool:
    """Is it one line of a list, and none that a name server would be asked about?"""
    try:
        name = urlsplit(trick.text).hostname
    except ValueError:
        name = None
    return len(trick.text.splitlines()) == 1 and trick.leads_to != UNKNOWN_NAME and name not in NAMES


def test_no_trick_of_a_list_connects_to_anything(server: LocalWeb) -> None:
    chosen = [trick for trick in tricks() if fits(trick)]
    assert len(chosen) > 250
    document, _ = listed([*(trick.text for trick in chosen), *NO_WEB], server)
    assert server.requests == []
    refused = sum(trick.leads_to == NO_ADDRESS for trick in chosen) + len(NO_WEB)
    assert document["failed"] == {"no-address": refused}
    assert document["listed"] == len(chosen) + len(NO_WEB) - refused
    fetched = document["fetched"]
    assert isinstance(fetched, dict)
    assert fetched["failed"] == {"blocked-address": document["queued"]}
    assert (document["recorded"], fetched["images"]) == (0, 0)


def test_a_redirect_inwards_is_not_followed_and_every_row_is_told(server: LocalWeb) -> None:
    async def inwards(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": METADATA})

    server.handlers["/moved.jpg"] = inwards
    rows = [server.url("/moved.jpg"), METADATA, "http://[::ffff:127.0.0.1]/a.jpg", "file:///etc/passwd"]
    document, told = listed(rows, server)
    assert server.paths() == ["/moved.jpg"]
    assert "list.txt row 3: the row has no http or https address that can be read" in told
    assert [line for line in told if line.endswith(": blocked-address")] == [
        *(f"{server.url('/moved.jpg')}: blocked-address", f"{METADATA}: blocked-address"),
        "http://[::ffff:7f00:1]/a.jpg: blocked-address",
    ]
    assert document["failed"] == {"no-address": 1}


def test_what_opens_something_is_in_no_file_of_the_folder(server: LocalWeb) -> None:
    """The rule itself is in test_crawler_addresses.py; this is the list of the check, row and redirect alike."""
    secret = f"http://u:pw-7c1f@127.0.0.1:{server.port}/x.jpg?token=abc-7c1f&w=3"

    async def moved(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": secret})

    server.handlers["/moved.jpg"] = moved
    _, told = listed([secret, server.url("/moved.jpg")], server, OWN)
    assert server.paths() == ["/x.jpg?token=abc-7c1f&w=3", "/moved.jpg", "/x.jpg?token=abc-7c1f&w=3"]
    assert not [line for line in told if "7c1f" in line], "nor in what is said"
    for file in (path for path in Path("data").rglob("*") if path.is_file()):
        assert b"7c1f" not in file.read_bytes(), file
