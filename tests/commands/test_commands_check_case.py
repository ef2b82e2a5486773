"""`hibs check` over a case: what is written, what is sent, what is refused."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from hibs_command import CHECKOUT, POLL_S, Hibs, hibs_in
from PIL import Image
from service_recorder import recording

from checker.client import Client
from checker.commands.check_ask import ask_server
from checker.console import safe_cell
from checker.errors import RemoteError
from checker.settings import Settings


@pytest.fixture
def listed(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two photos that are somewhere, one that is not, one that is plain, one that is missing; and their list."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HIBS_ROBUST", "off")
    (tmp_path / "Smith").mkdir()
    for name in ("coffee", "chelsea", "rocket"):
        (tmp_path / "Smith" / f"{name}.jpg").write_bytes((images / f"{name}.jpg").read_bytes())
    Image.new("RGB", (64, 64), "white").save(tmp_path / "Smith" / "white.png")
    rows = ["Smith/coffee.jpg,Jane Smith,@SUM(A1)", "Smith/chelsea.jpg,Ann Lee,", "Smith/rocket.jpg,Jane Smith,"]
    rows += ["Smith/white.png,<script>alert(1)</script>\u202e,", "Smith/gone.jpg,Ann Lee,"]
    (tmp_path / "case.csv").write_text("\n".join(["path,claimant,note", *rows]), encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two of the photos."""
    folder = tmp_path_factory.mktemp("collection")
    images = CHECKOUT / "fixtures" / "images"
    ingest = hibs_in(folder)
    ingest("ingest", images / "coffee.jpg", images / "chelsea.jpg", "--data", "d", "--source", "Example-400M")
    return folder / "d"


@pytest.fixture
def case(listed: Path, collection: Path) -> Path:
    """The list and its photos beside that data folder, a copy for each test."""
    shutil.copytree(collection, listed / "d")
    return listed


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_for_every_photo_and_sums_at_the_end(hibs: Hibs, case: Path) -> None:
    done = hibs("check", "--manifest", "case.csv", "--data", "d", "--csv", "case-out.csv", exit_code=1)
    assert done.stdout.splitlines()[-1].startswith(
        "3 checked, 2 found (for 2 of 3 claimants), 1 too plain to tell, 1 unreadable; looked in 2 pictures, newest "
    )
    rows = read_csv(case / "case-out.csv")
    assert [(row["path"], row["result"]) for row in rows] == [
        ("Smith/coffee.jpg", "same"),
        ("Smith/chelsea.jpg", "same"),
        ("Smith/rocket.jpg", "not-found"),
        ("Smith/white.png", "too-plain"),
        ("Smith/gone.jpg", "unreadable"),
    ]
    assert rows[0]["note"] == "'@SUM(A1)"
    assert (rows[0]["source"], rows[0]["file"], rows[0]["distance_bits"]) == ("Example-400M", "coffee.jpg", "0")
    assert (case / "case-out.csv").stat().st_mode & 0o777 == 0o600


def test_json_has_a_line_a_photo_in_the_order_of_the_list(hibs: Hibs, case: Path) -> None:
    done = hibs("check", "--manifest", "case.csv", "--data", "d", "--json", exit_code=1)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["path"] for row in rows] == [row["path"] for row in read_csv(case / "case.csv")]
    assert set(rows[0]) == {"path", "claimant", "status", "reason", "coverage", "matches"}
    assert "handle" not in rows[0]["matches"][0]


def test_a_photo_that_is_not_there_is_told_with_where_it_was_looked_for(hibs: Hibs, case: Path) -> None:
    (case / "case.csv").write_text("path\nSmith\\rocket.jpg\nSmith/none.jpg\nhttps://a.example/a.jpg\n")
    done = hibs("check", "--manifest", "case.csv", "--data", "d", "--csv", "o.csv", exit_code=1)
    assert done.stderr.splitlines()[:2] == [
        f"Smith/none.jpg: there is no such file; check the path (looked for {case}/Smith/none.jpg)",
        "https://a.example/a.jpg: this is an address and no file; save the photo on this machine and name its path",
    ]
    assert [row["result"] for row in read_csv(case / "o.csv")] == ["not-found", "unreadable", "unreadable"]
    assert str(case) not in (case / "o.csv").read_text(), "where this machine keeps the photos"


def test_the_page_shows_a_command_that_a_shell_takes(hibs: Hibs, case: Path) -> None:
    (case / "case.csv").rename(case / "Jane's case.csv")
    hibs("check", "--manifest", "Jane's case.csv", "--data", "d", "--report", "case.html", exit_code=1)
    shown = re.search(r"<dt>Command</dt><dd class=\"mono\">(.*?)</dd>", (case / "case.html").read_text())
    assert shown
    command = ["hibs", "check", "--manifest", "Jane's case.csv", "--data", "d"]
    assert shlex.split(html.unescape(shown[1])) == command


def test_no_two_exhibits_have_one_number(hibs: Hibs, case: Path) -> None:
    (case / "case.csv").write_text("path,claimant\nSmith/coffee.jpg,photo\nSmith/chelsea.jpg,\nSmith/coffee.jpg,Ann\n")
    hibs("check", "--manifest", "case.csv", "--data", "d", "--csv", "o.csv")
    assert [row["exhibit"] for row in read_csv(case / "o.csv")] == ["photo-1", "photo-2", "Ann-1"]


def test_the_page_shows_what_strangers_wrote_as_text(hibs: Hibs, case: Path) -> None:
    hibs("check", "--manifest", "case.csv", "--data", "d", "--report", "case.html", exit_code=1)
    page = (case / "case.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in page
    assert "default-src &#39;none&#39;" in page


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("=1+2", "'=1+2"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1", "'＝1"),
        ("a=1", "a=1"),
        ("a\u202eb\x1b", "a\\u202eb\\u001b"),
        (None, ""),
        (-3, "-3"),
    ],
)
def test_no_cell_begins_as_a_formula(cell: object, safe: str) -> None:
    assert safe_cell(cell) == safe
    text = io.StringIO(newline="")
    csv.writer(text).writerow([safe_cell(cell), "x"])
    assert next(csv.reader(io.StringIO(text.getvalue(), newline=""))) == [safe, "x"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--manifest", "case.csv", "--server", "http://127.0.0.1:1"), "has --case (your own reference"),
        (("--manifest", "case.csv", "--server", "http://127.0.0.1:1", "--case", "2026-117"), "and --purpose"),
        (("--manifest", "case.csv", "--data", "d", "--case", "n/a"), "--case names nothing"),
        (("--manifest", "case.csv", "--data", "d", "--purpose", "curiosity"), "--purpose is one of access-request"),
        (("--manifest", "case.csv", "Smith", "--data", "d"), "either --manifest or photos"),
        (("--manifest", "none.csv", "--data", "d"), "cannot read the manifest none.csv"),
        (("--manifest", "case.csv", "--data", "d", "--private"), "leave out --private"),
        (("--manifest", "case.csv", "--data", "d", "--csv", "no/where.csv"), "there is no folder no"),
        (("--manifest", "case.csv", "--data", "d", "--evidence", "Smith"), "give --evidence a new folder"),
        (("--data", "d"), "say what to look for"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence_and_exit_2(
    hibs: Hibs, listed: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    done = hibs("check", *arguments, exit_code=2)
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_moment_that_is_none_is_refused(hibs: Hibs, listed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    done = hibs("check", "--manifest", "case.csv", "--data", "d", "--csv", "o.csv", exit_code=2)
    assert "SOURCE_DATE_EPOCH" in done.stderr


def test_a_journal_of_another_question_is_refused(hibs: Hibs, case: Path) -> None:
    (case / "o.csv.journal").write_text('{"v":1,"run":{"list":"other"},"began":{"snapshot":""}}\n')
    done = hibs("check", "--manifest", "case.csv", "--data", "d", "--csv", "o.csv", exit_code=2)
    assert "o.csv.journal is of another run" in done.stderr
    (case / "o.csv.journal").write_text("my diary\n")
    done = hibs("check", "--manifest", "case.csv", "--data", "d", "--csv", "o.csv", exit_code=2)
    assert "no journal" in done.stderr
    assert (case / "o.csv.journal").read_text() == "my diary\n"


def test_withheld_places_are_counted_and_never_named(hibs: Hibs, case: Path, images: Path) -> None:
    hibs("opt-out", "add", images / "coffee.jpg", "--data", "d")
    hibs("check", "--manifest", "case.csv", "--data", "d", "--evidence", "out", exit_code=1)
    report = json.loads((case / "out" / "report.json").read_text())
    assert report["photos"][0]["result"] == "same"
    assert report["photos"][0]["matches"][0]["where"] == "withheld"
    assert report["counts"]["withheld"] == 1
    assert report["snapshot"]["log"]["size"] == 1
    assert (case / "out" / "checkpoint").read_bytes() == (case / "d" / "checkpoint").read_bytes()
    row = read_csv(case / "out" / "matches.csv")[0]
    assert (row["where"], row["withheld_places"], row["file"]) == ("withheld", "1", "")


def test_another_state_of_the_collection_is_another_snapshot(hibs: Hibs, case: Path, images: Path) -> None:
    ids = []
    for name in ("a", "b", "c"):
        if name == "c":
            hibs("ingest", images / "brick.jpg", "--data", "d")
        hibs("check", "Smith/rocket.jpg", "--data", "d", "--evidence", name)
        ids.append(json.loads((case / name / "report.json").read_text())["snapshot"]["id"])
    assert ids[0] == ids[1] != ids[2]


# --- a server --------------------------------------------------------------------------------------------------


@pytest.fixture
def recorded(case: Path) -> Iterator[tuple[str, list[bytes]]]:
    """The address of a service behind a recorder, and what was sent to it."""
    with recording(case, "d") as address_and_said:
        yield address_and_said


def test_codes_leave_and_nothing_that_says_whose_they_are(
    hibs: Hibs, case: Path, recorded: tuple[str, list[bytes]]
) -> None:
    address, said = recorded
    asked = ("check", "--manifest", "case.csv", "--server", address, "--case", "2026-117", "--purpose", "complaint")
    hibs(*asked, "--evidence", "out", exit_code=1)
    looked_up = [text for text in said if text.startswith(b"POST /v1/lookups ")]
    assert len(looked_up) == 3  # the plain photo and the missing one have nothing to be sent
    for text in said:
        for secret in (b"Smith", b"Jane", b"Ann", b"coffee", b"case.csv", b"2026-117", b"complaint", b"SUM"):
            assert secret not in text
    report = json.loads((case / "out" / "report.json").read_text())
    assert report["sent"] == {"to": address, "photos": 3, "kinds": ["phash256 1"]}
    assert [photo["result"] for photo in report["photos"]] == ["same", "same", "not-found", "too-plain", "unreadable"]
    assert report["snapshot"]["images_findable"] == 2
    sent = [json.loads(text.partition(b'{"codes": ')[2][:-1]) for text in looked_up]  # several at once, in any order
    assert report["photos"][0]["codes"] in sent
    hibs("evidence", "verify", "out")


class Answering(BaseHTTPRequestHandler):
    """Answers look-ups from a list, one after the other, the last one for ever."""

    answers: list[tuple[int, object]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, document = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def answering(*answers: tuple[int, object]) -> Iterator[str]:
    """A server that answers so: its address."""
    handler = type("Handler", (Answering,), {"answers": list(answers)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(POLL_S,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


BUSY = (503, {"type": "/problems/busy", "title": "busy"})
NONE = {"status": "checked", "reason": None, "matches": []}
COVERAGE = {"images": 2, "sources": 1, "newest": None, "checks": ["phash256"]}


def test_a_busy_server_is_asked_again(images: Path, settings: Settings) -> None:
    waited: list[float] = []
    body = (images / "coffee.jpg").read_bytes()
    with (
        answering(BUSY, (429, {"type": "/problems/rate-limited"}), (200, {**NONE, "coverage": COVERAGE})) as address,
        ask_server(Client(address, pauses_s=(2.0, 5.0, 10.0), pause=waited.append), settings) as ask,
    ):
        assert ask(body, None).report["coverage"] == COVERAGE
    assert waited == [2.0, 5.0]


def test_a_server_that_stays_busy_ends_the_run(images: Path, settings: Settings) -> None:
    waited: list[float] = []
    with (
        answering(BUSY) as address,
        ask_server(Client(address, pauses_s=(2.0, 5.0), pause=waited.append), settings) as ask,
        pytest.raises(RemoteError, match="answered 503: busy"),
    ):
        ask((images / "coffee.jpg").read_bytes(), None)
    assert waited == [2.0, 5.0]
