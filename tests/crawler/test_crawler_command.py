"""`hibs crawl` as a process of its own: exit codes, words, Ctrl-C, kill -9, and what the server's log shows."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
import typer
from aiohttp import web
from local_web import LocalWeb, local_web
from typer.testing import CliRunner

from checker.records.folder import DataFolder
from crawler.cli import crawl


@pytest.fixture
def server() -> Iterator[LocalWeb]:
    with local_web() as served:
        yield served


def arguments(server: LocalWeb, data: Path, *more: str) -> list[str]:
    start = server.url("/", "gallery.localhost")
    given = [start, "--data", str(data), "--allow-address", server.opened, "--delay", "0"]
    return [sys.executable, "-m", "crawler", *given, *more]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("HIBS_")}


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment())


def start(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())


def recorded(data: Path, pictures: int) -> None:
    """Wait until the crawl has recorded so many: it reads and writes while it goes on asking."""
    with DataFolder.open(data, create=False) as folder:
        until_s = time.monotonic() + 30
        while folder.store.counts().images < pictures:
            assert time.monotonic() < until_s


def put_gallery(server: LocalWeb, images: Path, count: int = 8) -> list[str]:
    names = sorted(path.name for path in images.glob("*.jpg"))[:count]
    server.put("/", "".join(f'<img src="/{name}" alt="{name}">' for name in names))
    for name in names:
        server.put(f"/{name}", (images / name).read_bytes(), "image/jpeg")
    return names


def test_a_site_is_crawled_and_the_second_time_nothing_is_left(server: LocalWeb, images: Path, tmp_path: Path) -> None:
    names = put_gallery(server, images, 3)
    server.put("/robots.txt", "User-agent: *\nDisallow: /private/\n", "text/plain")
    server.put("/", "".join(f'<img src="/{n}">' for n in names) + '<img src="/private/x.jpg"><img src="/no.jpg">')
    server.put("/no.jpg", (images / names[0]).read_bytes(), "image/jpeg", X_Robots_Tag="noindex")
    first = run(arguments(server, tmp_path / "data"))
    assert first.returncode == 0, first.stderr
    *details, last = first.stdout.splitlines()
    assert details == [
        f"1 picture not taken: robots.txt at gallery.localhost:{server.port}",
        f"1 picture not taken: x-robots-tag at gallery.localhost:{server.port}",
    ]
    assert last.startswith("1 page, 3 pictures (3 new), ")
    assert not any(path.startswith("/private/") for path in server.paths())
    assert server.most_at_once == 1
    assert server.requests[0][1]["User-Agent"] == "HaveIBeenScrapedBot/0.1.0"
    asked = len(server.requests)
    second = run(arguments(server, tmp_path / "data"))
    assert (second.returncode, len(second.stdout.splitlines())) == (0, 1)
    assert second.stdout.startswith("nothing left to do: 1 page and 3 pictures recorded")
    assert len(server.requests) == asked


def test_failed_addresses_give_exit_code_1_and_are_counted(server: LocalWeb, tmp_path: Path) -> None:
    server.put("/", '<img src="/gone.jpg"><img src="http://10.1.2.3/a.jpg"><img src="http://127.0.0.1:1/b.jpg">')
    done = run(arguments(server, tmp_path / "data", "--json"))
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document.pop("seconds") >= 0
    assert done.stderr.splitlines() == [
        "http://10.1.2.3/a.jpg: blocked-address",
        "http://127.0.0.1:1/b.jpg: blocked-address",
        f"{server.url('/gone.jpg', 'gallery.localhost')}: http-404",
    ]
    assert document == {
        "pages": 1,
        "images": 0,
        "new": 0,
        "disallowed": 0,
        "failed": {"blocked-address": 2, "http-404": 1},
        "parked": [],
        "waiting": 0,
    }


def test_a_redirect_to_a_private_address_is_blocked(server: LocalWeb, tmp_path: Path) -> None:
    async def leave(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data/"})

    server.handlers["/a.jpg"] = leave
    server.put("/", '<img src="/a.jpg">')
    done = run(arguments(server, tmp_path / "data"))
    assert done.returncode == 1
    assert "1 address failed: blocked-address" in done.stdout


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["ftp://a.example/"], "'ftp://a.example/' is no address of a page"),
        (["https://a.example/"], "set HIBS_CONTACT"),
        (["https://a.example/", "--contact", "me@example.org", "--delay", "0"], "--delay 0 is too short"),
        (["http://127.0.0.1:1/", "--allow-address", "nonsense"], "is not of the form HOST:PORT"),
    ],
)
def test_what_cannot_be_crawled_gets_one_sentence_and_exit_code_2(
    given: list[str], sentence: str, tmp_path: Path
) -> None:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(crawl)
    done = CliRunner(env={"HIBS_CONTACT": ""}).invoke(app, [*given, "--data", str(tmp_path / "data")])
    assert done.exit_code == 2
    assert sentence in done.stderr
    assert (len(done.stderr.splitlines()), done.stdout) == (1, "")
    assert not (tmp_path / "data").exists()


def test_after_kill_9_nothing_that_was_recorded_is_fetched_again(
    server: LocalWeb, images: Path, tmp_path: Path
) -> None:
    names = put_gallery(server, images)
    reached, go_on = _hold_at(server, f"/{names[4]}")
    process = start(arguments(server, tmp_path / "data"))
    assert reached.wait(30)
    recorded(tmp_path / "data", 4)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    go_on.set()
    before = server.paths()
    assert before == ["/", *(f"/{name}" for name in names[:5])]
    server.requests.clear()
    again = run(arguments(server, tmp_path / "data"))
    assert again.returncode == 0, again.stderr
    assert server.paths() == [f"/{name}" for name in names[4:]]
    with DataFolder.open(tmp_path / "data", create=False) as folder:
        assert folder.store.counts().images == len(names)


def test_ctrl_c_lets_the_request_under_way_end_and_the_same_command_goes_on(
    server: LocalWeb, images: Path, tmp_path: Path
) -> None:
    names = put_gallery(server, images)
    reached, go_on = _hold_at(server, f"/{names[4]}")
    process = start(arguments(server, tmp_path / "data"))
    assert reached.wait(30)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    assert "Ctrl-C again stops at once" in process.stderr.readline()
    go_on.set()
    out, errors = process.communicate(timeout=30)
    assert (process.returncode, "1 page, 5 pictures (5 new)" in out) == (0, True)
    assert "the same command goes on" in errors
    again = run(arguments(server, tmp_path / "data"))
    assert "0 pages, 3 pictures (3 new)" in again.stdout
    assert sorted(server.paths()) == sorted(["/", *(f"/{name}" for name in names)])


def test_a_second_ctrl_c_stops_at_once_with_130(server: LocalWeb, images: Path, tmp_path: Path) -> None:
    names = put_gallery(server, images)
    reached, go_on = _hold_at(server, f"/{names[2]}")
    process = start(arguments(server, tmp_path / "data"))
    assert reached.wait(30)
    recorded(tmp_path / "data", 2)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    go_on.set()
    assert process.returncode == 130
    assert errors.splitlines() == ["hibs: stopped"]
    again = run(arguments(server, tmp_path / "data"))
    assert "6 pictures (6 new)" in again.stdout


def test_two_crawls_in_one_folder_are_refused(server: LocalWeb, images: Path, tmp_path: Path) -> None:
    names = put_gallery(server, images, 2)
    reached, go_on = _hold_at(server, f"/{names[0]}")
    process = start(arguments(server, tmp_path / "data"))
    assert reached.wait(30)
    second = run(arguments(server, tmp_path / "data"))
    go_on.set()
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert second.returncode == 2
    assert "another crawl is at work" in second.stderr


def _hold_at(server: LocalWeb, path: str) -> tuple[Event, Event]:
    """Hold the first request for `path`: one event says that it came, the other lets it go on."""
    reached, go_on = Event(), Event()
    given = server.handlers[path]

    async def hold(request: web.Request) -> web.StreamResponse:
        reached.set()
        await asyncio.to_thread(go_on.wait, 30)
        return await given(request)

    server.handlers[path] = hold
    return reached, go_on
