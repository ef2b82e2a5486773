"""`hibs check --private`: compared here, what was sent is counted, and a server that lies breaks nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from hibs_command import CHECKOUT, POLL_S, Hibs, hibs_in
from PIL import Image, ImageOps

from checker.client import Client
from checker.errors import RemoteError
from checker.fingerprint import fingerprint_file
from checker.fingerprint.asked import AskedCode
from checker.index.halves import half_codes
from checker.model import PHASH256, Picture
from checker.private_check.asking import AskedHalves
from checker.private_check.rows import rows_of_server
from checker.report import Orientation
from checker.settings import Settings

COMMAND = "import typer, api.cli; app = typer.Typer(); app.command()(api.cli.serve); app()"
STEP = 16_384


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for each test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "hibs" / "private"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that holds coffee.jpg and chelsea.jpg."""
    folder = tmp_path_factory.mktemp("private")
    images = CHECKOUT / "fixtures" / "images"
    hibs_in(folder)("ingest", images / "coffee.jpg", images / "chelsea.jpg", "--data", "d")
    return folder / "d"


@pytest.fixture
def data(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "d"))


@pytest.fixture
def serve(data: Path) -> Iterator[Callable[..., str]]:
    """Start the service over the data folder; its address."""
    running = []

    def start(**environment: str) -> str:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "--data", str(data), "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        running.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip().removeprefix("open ").rstrip("/")

    yield start
    for process in running:
        process.terminate()
        process.communicate(timeout=30)


def test_one_line_a_photo_without_places_and_marked_as_private(hibs: Hibs, data: Path, images: Path) -> None:
    done = hibs("check", images / "coffee.jpg", images / "rocket.jpg", "--data", data, "--private", "--json")
    found, missing = map(json.loads, done.stdout.splitlines())
    assert set(found) == {"path", "status", "reason", "coverage", "matches", "private", "shown"}
    assert [set(match) for match in found["matches"]] == [{"kind", "orientation", "crop", "codes"}]
    assert (found["matches"][0]["kind"], found["matches"][0]["orientation"]) == ("same", "as-is")
    assert found["matches"][0]["codes"]["phash256-half"] <= 4
    assert found["private"] is True
    assert missing["matches"] == []
    assert missing["coverage"]["images"] == 2
    assert missing["coverage"]["checks"] == ["phash256-half"]
    assert found["shown"] == missing["shown"] == {"sketches": 0, "bits": 0}


def test_a_no_says_what_cannot_be_seen(hibs: Hibs, data: Path, images: Path) -> None:
    lines = hibs("check", images / "rocket.jpg", "--data", data, "--private").stdout.splitlines()
    assert "not found by the private check in 2 pictures from 1 source" in lines[0]
    assert lines[0].endswith("(not found is no proof)")
    assert "cannot see crops of more than some percent" in lines[1]


@pytest.mark.parametrize(
    ("edit", "kind", "orientation"),
    [
        (lambda photo: photo.resize((200, 133)), "same", "as-is"),
        (ImageOps.mirror, "edited", "mirrored"),
        (lambda photo: photo.rotate(180), "same", "as-is"),  # the half cannot tell
        (lambda photo: photo.rotate(-90, expand=True), "edited", "turned-90"),
        (lambda photo: ImageOps.expand(photo, 40, "white"), "same", "as-is"),
    ],
    ids=["smaller", "mirrored", "upside-down", "turned", "framed"],
)
def test_copies_are_found_on_this_machine(
    hibs: Hibs,
    data: Path,
    images: Path,
    tmp_path: Path,
    edit: Callable[[Image.Image], Image.Image],
    kind: str,
    orientation: str,
) -> None:
    edit(Image.open(images / "coffee.jpg").convert("RGB")).save(tmp_path / "asked.png")
    row = json.loads(hibs("check", "asked.png", "--data", data, "--private", "--json").stdout)
    assert [(match["kind"], match["orientation"]) for match in row["matches"]] == [(kind, orientation)]


def test_a_server_s_list_is_taken_once_a_day_and_shows_nothing(
    hibs: Hibs, serve: Callable[..., str], images: Path, cache: Path
) -> None:
    server = serve()
    first = hibs("check", images / "coffee.jpg", "--server", server, "--private", "--json")
    assert len(json.loads(first.stdout)["matches"]) == 1
    assert "the whole list was taken, so nothing was sent of any photo" in first.stderr
    assert str(cache) in first.stderr
    assert f"1 request, 0 sketches of 16 bits sent, {STEP:,} bytes received" in first.stderr
    assert cache.stat().st_mode & 0o777 == 0o700
    assert [file.stat().st_mode & 0o777 for file in cache.iterdir()] == [0o600]
    second = hibs("check", images / "coffee.jpg", "--server", server, "--private", "--json")
    assert second.stdout == first.stdout
    assert "0 requests, 0 sketches of 16 bits sent, 0 bytes received" in second.stderr


def test_a_kept_list_that_was_altered_is_taken_anew(
    hibs: Hibs, serve: Callable[..., str], images: Path, cache: Path
) -> None:
    server = serve()
    hibs("check", images / "coffee.jpg", "--server", server, "--private")
    (file,) = cache.iterdir()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    done = hibs("check", images / "coffee.jpg", "--server", server, "--private")
    assert "FOUND by the private check" in done.stdout
    assert "1 request, " in done.stderr


def test_a_cache_that_cannot_be_written_keeps_nothing_and_stops_nothing(
    hibs: Hibs, serve: Callable[..., str], images: Path, cache: Path
) -> None:
    cache.parent.parent.write_text("a file in the way")
    done = hibs("check", images / "coffee.jpg", "--server", serve(), "--private")
    assert "FOUND by the private check" in done.stdout
    assert "it is kept" not in done.stderr


def test_a_large_collection_sees_four_sketches_a_photo_and_they_are_counted(
    hibs: Hibs, serve: Callable[..., str], images: Path, cache: Path
) -> None:
    photos = (images / "coffee.jpg", images / "rocket.jpg")
    done = hibs("check", *photos, "--server", serve(HIBS_PRIVATE_LIST_ROWS_MAX="1"), "--private", "--json")
    found, missing = map(json.loads, done.stdout.splitlines())
    assert found["shown"] == missing["shown"] == {"sketches": 4, "bits": 64}
    assert (len(found["matches"]), len(missing["matches"])) == (1, 0)
    assert re.search(r"9 requests, 8 sketches of 16 bits sent, 131,\d\d\d bytes received", done.stderr)
    assert not cache.exists(), "answers to sketches tell what was asked about"


def test_a_saved_list_needs_no_line(hibs: Hibs, serve: Callable[..., str], images: Path, tmp_path: Path) -> None:
    with urlopen(f"{serve()}/v1/private/list") as answer:
        (tmp_path / "saved").write_bytes(answer.read())
    done = hibs("check", images / "coffee.jpg", "--list", "saved", "--private", "--fail-on-match", exit_code=3)
    assert "FOUND by the private check" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--private",), "either --data DIR or --server URL or --list FILE"),
        (("--private", "--data", "d", "--list", "x"), "either --data DIR or --server URL or --list FILE"),
        (("--list", "x"), "add --private"),
        (("--private", "--list", "x"), "the list x cannot be read"),
        (("--private", "--list", "."), "cannot be read"),
        (("--private", "--list", "white.png"), "is no private list"),
        (("--private", "--data", "nowhere"), "nowhere is no data folder"),
        (("--private", "--server", "http://127.0.0.1:1"), "127.0.0.1:1"),
    ],
)
def test_unusable_input_is_one_sentence_and_exit_2(
    hibs: Hibs, data: Path, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "white.png")
    done = hibs("check", "white.png", *arguments, exit_code=2)
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_plain_and_broken_pictures_are_rows_and_show_nothing(
    hibs: Hibs, serve: Callable[..., str], tmp_path: Path
) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "white.png")
    (tmp_path / "broken.jpg").write_text("no picture")
    server = serve(HIBS_PRIVATE_LIST_ROWS_MAX="1")
    done = hibs("check", "white.png", "broken.jpg", "--server", server, "--private", "--json", exit_code=1)
    plain, broken = map(json.loads, done.stdout.splitlines())
    assert (plain["status"], broken["status"]) == ("too-plain", "unreadable")
    assert "0 sketches of 16 bits sent" in done.stderr


# --- servers that do not keep to docs/private.md ----------------------------------------------------------------


@pytest.fixture
def answering() -> Iterator[Callable[[int, str, bytes], str]]:
    """A server that answers everything alike; its address."""
    servers = []

    def start(status: int, media_type: str, body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.headers["If-None-Match"] == '"x"':
                    self.send_response(304)
                    self.end_headers()
                    return
                self.send_response(status)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", '"x"')
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(POLL_S,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


HEADER = {
    "version": 1,
    "kind": "phash256",
    "kind_version": "1",
    "mask": "aaaa5555" * 8,
    "sketch_bits": [10, 23, 27, 40, 44, 53, 55, 70, 85, 102, 113, 130, 145, 147, 162, 213],
    "spread_bits": 2,
    "rows": 50_000,
    "built_at": "2026-11-22T00:00:00Z",
    "next_at": "9999-01-01T00:00:00Z",
    "coverage": {"images": 9, "sources": 1, "newest": None},
}
PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("status", "media_type", "body", "sentence"),
    [
        (200, "application/octet-stream", b"\x00" * 100, "sent no private list"),
        (200, "text/html", b"<html>hello</html>\n", "sent no private list"),
        (200, "application/octet-stream", json.dumps(HEADER).encode() + b"\n", "cut off"),
        (404, PROBLEM, b'{"type": "/problems/not-found"}', "answered 404: no reason given"),
        (404, PROBLEM, b"[" * 100_000, "answered 404 and no JSON"),
        (503, PROBLEM, b'{"type": "/problems/index-loading"}', "still making its list"),
        (503, PROBLEM, b'{"type": "/problems/corpus-empty"}', "0 pictures yet"),
        (304, "text/plain", b"", "redirects elsewhere"),
        (404, PROBLEM, b'{"type": "/problems/ask-otherwise"}', "answered 404: no reason given"),
    ],
)
def test_an_answer_of_another_kind_is_one_sentence(
    answering: Callable[[int, str, bytes], str], now: datetime, status: int, media_type: str, body: bytes, sentence: str
) -> None:
    server = answering(status, media_type, body)
    asked = AskedHalves((AskedCode(bytes(range(32)), Orientation.AS_IS),), half_codes(bytes(range(32))))
    with pytest.raises(RemoteError, match=sentence) as refused:
        rows_of_server(Client(server, pauses_s=()), server, None, now=now)[0].rows_for(asked)
    assert server in str(refused.value)


def test_a_server_that_has_everything_is_bounded(
    hibs: Hibs, answering: Callable[[int, str, bytes], str], data: Path, images: Path
) -> None:
    """Fifty thousand rows near to the photo: a hundred are told."""
    picture = fingerprint_file(images / "coffee.jpg", Settings())
    assert isinstance(picture, Picture)
    code = picture.fingerprint(PHASH256)
    assert code is not None
    rows = np.repeat(half_codes(code.bits), 50_000, axis=0)
    server = answering(200, "application/octet-stream", json.dumps(HEADER).encode() + b"\n" + rows.tobytes())
    row = json.loads(hibs("check", images / "coffee.jpg", "--server", server, "--private", "--json").stdout)
    assert len(row["matches"]) == 100


def test_a_list_of_yesterday_is_asked_for_by_its_tag(
    answering: Callable[[int, str, bytes], str], cache: Path, now: datetime
) -> None:
    body = json.dumps({**HEADER, "rows": 1}).encode() + b"\n" + bytes(16)
    server = answering(200, "application/octet-stream", body)
    day_after = now + timedelta(days=1)
    _, first = rows_of_server(Client(server, pauses_s=()), server, cache, now=day_after)
    assert "the whole list was taken" in first
    source, second = rows_of_server(Client(server, pauses_s=()), server, cache, now=day_after)
    assert "has not changed" in second
    assert (source.traffic.requests, source.traffic.bytes_received) == (1, 0)
