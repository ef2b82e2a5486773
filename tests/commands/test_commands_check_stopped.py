"""A case whose server stops answering: what is said, what is kept, when a server is asked again."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from hibs_command import POLL_S, Hibs

from checker.client import Client
from checker.errors import RemoteProblemError

JOB = {
    "job": "0" * 32,
    "state": "waiting",
    "purpose": "complaint",
    "case": "AZ-2041",
    "rows": 3,
    "done": 0,
    "found": 0,
    "seconds_left": None,
    "coverage": None,
    "made_at": "2026-11-23T10:00:00Z",
    "gone_at": "2026-11-30T10:00:00Z",
}
STATS = {
    **{"images": 2, "images_findable": 2, "sightings": 2, "pages": 0, "sources": 1, "newest": None},
    "log": {"origin": "haveibeenscraped/00000000", "size": 0},
}
FACTS = {
    "GET /v1/stats": [(200, STATS)],
    "GET /v1/sources": [(200, {"sources": []})],
    "GET /v1/feed/key": [(404, {"type": "/problems/not-found"})],
}
REPORT = {"status": "checked", "reason": None, "matches": []}
COVERAGE = {"images": 2, "sources": 1, "newest": None, "checks": ["phash256"]}
PAGE = "<html>Bad gateway</html>"
"""What a proxy answers."""
Replies = Mapping[str, list[tuple[int, object]]]


class Scripted(BaseHTTPRequestHandler):
    """Answers each method and path from a list, one after the other, the last one for ever."""

    replies: Replies
    retry_after: str

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        left = self.replies[f"{self.command} {self.path.partition('?')[0]}"]
        status, document = left.pop(0) if len(left) > 1 else left[0]
        body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status >= 400 and self.retry_after:
            self.send_header("Retry-After", self.retry_after)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def scripted(replies: Replies, retry_after: str = "") -> Iterator[str]:
    """A server that answers so: its address."""
    handler = type("Handler", (Scripted,), {"replies": replies, "retry_after": retry_after})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(POLL_S,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def case(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list of three photos, and a key."""
    monkeypatch.setenv("HIBS_ROBUST", "off")
    for name in ("coffee", "chelsea", "rocket"):
        shutil.copy(images / f"{name}.jpg", tmp_path)
    (tmp_path / "case.csv").write_text("path\ncoffee.jpg\nchelsea.jpg\nrocket.jpg\n")
    (tmp_path / "bulk.key").write_text("hibs_" + "0" * 72)
    return tmp_path


def asked(address: str, *more: str) -> tuple[str, ...]:
    """A case at that server."""
    place = ("check", "--manifest", "case.csv", "--server", address, "--csv", "o.csv")
    return (*place, "--case", "AZ-2041", "--purpose", "complaint", *more)


def test_photos_that_were_read_and_sent_are_told_when_the_run_ends_and_when_it_goes_on(hibs: Hibs, case: Path) -> None:
    empty = (422, {"type": "/problems/invalid-request", "places": ["rows"]})
    job = f"/v1/bulk-lookups/{JOB['job']}"
    replies: dict[str, list[tuple[int, object]]] = {
        **{name: list(of) for name, of in FACTS.items()},
        "POST /v1/bulk-lookups": [empty, (202, JOB), empty],
        f"GET {job}": [(500, {"title": "broken"}), (200, JOB), (500, {"title": "broken"})],
    }
    with scripted(replies) as address:
        how_far = "0 of 3 photos are answered, 3 more are read, 1 list is sent"
        done = hibs(*asked(address, "--key-file", "bulk.key"), exit_code=2)
        assert f"{how_far}; all of that is kept in o.csv.journal, and the same command goes on" in done.stderr
        done = hibs(*asked(address, "--key-file", "bulk.key"), exit_code=2)
        assert f"resumed: {how_far}\n" in done.stderr


def test_a_server_that_was_never_reached_leaves_nothing_behind(hibs: Hibs, case: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = hibs(*asked(f"http://127.0.0.1:{port}"), exit_code=2)
    assert done.stderr == (
        f"hibs: cannot reach http://127.0.0.1:{port} (connection refused); check the address and that it is running\n"
    )
    assert not (case / "o.csv.journal").exists()


def test_a_server_that_asks_to_wait_for_long_is_quoted_and_nothing_is_left_behind(hibs: Hibs, case: Path) -> None:
    limited = {"type": "/problems/rate-limited", "detail": "Many look-ups came from you.", "next": "Wait."}
    with scripted({**FACTS, "POST /v1/lookups": [(429, limited)]}, "2705") as address:
        done = hibs(*asked(address), exit_code=2)
    assert done.stderr == (f"hibs: {address} answered 429: Many look-ups came from you; Wait; it asks to wait 46 min\n")
    assert not (case / "o.csv.journal").exists()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_page_of_a_proxy_counts_as_busy(status: int) -> None:
    waited: list[float] = []
    replies = [(status, PAGE), (200, {**REPORT, "coverage": COVERAGE})]
    with scripted({"POST /v1/lookups": replies}) as address:
        client = Client(address, pauses_s=(2.0, 5.0), pause=waited.append)
        assert client.look_up_picture(b"x").coverage.images == 2
    assert waited == [2.0]


@pytest.mark.parametrize(("status", "waited"), [(502, []), (503, [2.0]), (504, [])])
def test_what_a_server_may_have_recorded_is_not_sent_again(status: int, waited: list[float]) -> None:
    """A proxy that got no answer does not know what was done (RFC 9110 15.6.3, 15.6.5): two opt-outs, one code."""
    pauses: list[float] = []
    with scripted({"POST /v1/opt-outs": [(status, PAGE)]}) as address:
        client = Client(address, pauses_s=(2.0,), pause=pauses.append)
        with pytest.raises(RemoteProblemError, match=f"{status}: it, or a proxy before it, is busy or down"):
            client.opt_out([])
    assert pauses == waited
