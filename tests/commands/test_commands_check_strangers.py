"""What strangers wrote into a collection stays text: in the terminal, in tables and in reports (check C20).

Everything hostile comes from a tar as anybody could publish one. The pages of a service are in test_pages_answers.py
and test_pages_browser.py.
"""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hibs_command import CHECKOUT, Hibs, hibs_in
from playwright.sync_api import sync_playwright

ADDRESSES = (
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    'https://a.example/"><img src=x onerror=alert(1)>.jpg',
    "https://a.example/\u202egpj.exe",
    "https://a.example/\x1b]0;x\x07.jpg",
    "https://a.example/[link=https://evil.test]here[/link].jpg",
    "file:///etc/passwd",
)
CAPTION = '=HYPERLINK("http://evil.test") <img src=x onerror=alert(1)> \u202e \x1b]0;x\x07 [link=https://evil.test]here[/link]'
KEY = '=HYPERLINK("x").jpg'
SOURCE = "[bold red]Nice[/] <img src=x onerror=alert(1)>"
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def sample(tar: tarfile.TarFile, name: str, body: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(body)
    tar.addfile(member, io.BytesIO(body))


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that holds coffee.jpg with all of that."""
    folder = tmp_path_factory.mktemp("strangers")
    photo = (CHECKOUT / "fixtures" / "images" / "coffee.jpg").read_bytes()
    with tarfile.open(folder / "00000.tar", "w") as tar:
        for number, url in enumerate(ADDRESSES):
            said = {"url": url, "caption": CAPTION, "key": KEY, "page_url": url, "status": "success"}
            sample(tar, f"{number}.jpg", photo)
            sample(tar, f"{number}.json", json.dumps(said).encode())
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HIBS_ROBUST", "off")  # which none of this is about
        hibs_in(folder)("ingest", "00000.tar", "--data", "d", "--source", SOURCE)
    return folder / "d"


@pytest.fixture
def case(collection: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That folder, and a list with one photo that has a name as hostile as the rest."""
    monkeypatch.setenv("HIBS_ROBUST", "off")
    shutil.copytree(collection, tmp_path / "d")
    shutil.copy(images / "coffee.jpg", tmp_path / KEY)
    with (tmp_path / "case.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "claimant"], [KEY, CAPTION.replace("\x1b", "")]])
    return tmp_path


def test_nothing_of_it_reaches_a_pipe_as_more_than_text(hibs: Hibs, case: Path) -> None:
    done = hibs("check", KEY, "--data", "d")
    said = done.stdout + done.stderr
    assert "a.example" in said
    assert not {"\x1b", "\x07", "\u202e"} & set(said)
    assert "\\u001b]0;x\\u0007" in said, "shown as what it is"
    assert "[link=https://evil.test]here[/link]" in said, "and not read as markup"
    document = json.loads(hibs("check", KEY, "--data", "d", "--json").stdout)
    (match,) = document["matches"]
    assert {sighting["caption"] for sighting in match["sightings"]} == {CAPTION}, (
        "programs get it whole, escaped by JSON"
    )


def test_a_terminal_gets_colours_at_the_most(case: Path) -> None:
    """Colours and styles are `ESC [ numbers m` (ECMA-48 8.3.117); titles, links and cursors are others."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-P", "-m", "checker", "check", KEY, "--data", "d"]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "400"}
    with subprocess.Popen(command, cwd=case, stdout=theirs, stderr=subprocess.PIPE, env=environment) as process:
        os.close(theirs)
        shown = bytearray()
        while piece := _read(ours):
            shown += piece
        process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == 0
    assert b"a.example" in shown
    plain = re.sub(rb"\x1b\[[0-9;]*m", b"", bytes(shown))
    assert b"\x1b" not in plain
    assert b"\x07" not in plain
    assert "\u202e".encode() not in plain


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux says so when the other end is closed
        return b""


def test_no_cell_of_a_table_is_a_formula(hibs: Hibs, case: Path) -> None:
    hibs("check", "--manifest", "case.csv", "--data", "d", "--csv", "out.csv")
    text = (case / "out.csv").read_text(encoding="utf-8-sig")
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    rows = list(csv.reader(io.StringIO(text, newline="")))
    cells = [cell for row in rows for cell in row]
    assert "'" + KEY in cells
    assert not [cell for cell in cells if cell[:1] in set("=+-@\t\r＝＋－＠")]


@pytest.mark.browser
def test_a_report_opens_nothing_asks_nothing_and_links_to_nothing(hibs: Hibs, case: Path) -> None:
    hibs("check", "--manifest", "case.csv", "--data", "d", "--report", "out.html")
    happened: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        page = browser.new_page()
        page.on("dialog", lambda dialog: (happened.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: happened.append(request.url))
        address = (case / "out.html").as_uri()
        page.goto(address)
        links = page.eval_on_selector_all("[href], [src]", "all => all.map(one => one.href || one.src)")
        shown = page.inner_text("body")
        browser.close()
    assert happened == [address], "no dialog, and no request but for the page"
    assert not [link for link in links if not link.startswith((address, "https://", "http://"))]
    assert "<img src=x onerror=alert(1)>" in shown
    assert "evil.test" in shown, "as text"
    assert not [link for link in links if "evil.test" in link]
