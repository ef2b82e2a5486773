"""A person who said no: who heard of it, who says that it acted, where new copies appear, and taking it back."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hibs_command import POLL_S, Hibs, serving
from PIL import Image


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """A site of these files: its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: the test's output is pytest's."""


@pytest.fixture
def page(tmp_path: Path, images: Path) -> Path:
    """A page that shows one photo, smaller than its owner has it."""
    (tmp_path / "site").mkdir()
    with Image.open(images / "coffee.jpg") as photo:
        photo.resize((photo.width // 2, photo.height // 2)).save(tmp_path / "site" / "cup.jpg", quality=80)
    (tmp_path / "site" / "index.html").write_text('<p>Breakfast</p><img src="cup.jpg" alt="a cup">')
    return tmp_path / "site"


def test_the_holder_sees_who_heard_who_acted_and_new_copies(
    hibs: Hibs, images: Path, recorded: Path, page: Path, tmp_path: Path
) -> None:
    key = hibs("keys", "create", "--name", "Example e.V.", "--scopes", "feed,honour", "--data", "data").stdout
    (tmp_path / "key").write_text(re.search(r"hibs_\S+", key)[0])  # type: ignore[index]

    with serving(tmp_path, "data") as server:
        made = json.loads(hibs("opt-out", "add", images / "coffee.jpg", "--server", server, "--json").stdout)
        assert made["held"] is False
        assert (tmp_path / made["page"]).read_text().count(made["number"]) > 1
        hibs("opt-out", "verify", made["receipt"])
        assert "Example e.V.: not heard from" in hibs("opt-out", "status", made["withdraw"], "--server", server).stdout

        hibs("feed", "sync", server, "feed", "--key-file", "key")
        status = hibs("opt-out", "status", made["withdraw"], "--server", server).stdout
        assert re.search(r"Example e\.V\.: received on .* 20\d\d$", status, flags=re.MULTILINE)

        hibs("honour", "site", "--feed", "feed", "--report", "report.json", exit_code=1)
        hibs("honour", "state", "report.json", "--server", server, "--key-file", "key")
        status = hibs("opt-out", "status", made["withdraw"], "--server", server).stdout
        assert "states that it acted up to entry 0 on" in status
        assert "removed" not in status

    with site(page) as address:
        hibs("crawl", f"http://{address}/", "--allow-address", address, "--delay", "0", "--data", "data")
    seen = json.loads(hibs("opt-out", "status", made["withdraw"], "--data", "data", "--json").stdout)
    assert [one["image_url"] for one in seen["sightings"] if one["new"]] == [f"http://{address}/cup.jpg"]
    assert seen["new"] == 1

    # Nobody else is told where, and a number alone tells nobody more than the log does.
    others = json.loads(hibs("check", page / "cup.jpg", "--data", "data", "--json").stdout)
    assert f"{address}/cup.jpg" not in json.dumps(others)
    assert "sightings" not in json.loads(hibs("opt-out", "status", made["number"], "--data", "data", "--json").stdout)

    assert "withdrawing" in hibs("opt-out", "withdraw", made["withdraw"], "--data", "data").stdout


def test_what_is_erased_is_gone_here_and_at_followers(hibs: Hibs, images: Path, recorded: Path, tmp_path: Path) -> None:
    made = json.loads(hibs("opt-out", "add", images / "coffee.jpg", "--data", "data", "--json").stdout)
    hibs("feed", "sync", "--data", "data", "feed")
    hibs("opt-out", "erase", made["withdraw"], "--data", "data")
    hibs("feed", "sync", "--data", "data", "feed")
    hibs("feed", "verify", "feed")
    assert made["number"] not in (tmp_path / "feed" / "openings.ndjson").read_text()
    hibs("opt-out", "verify", made["receipt"])
    found = json.loads(hibs("check", images / "coffee.jpg", "--data", "data", "--json").stdout)
    assert {match["where"] for match in found["matches"]} == {"shown"}
