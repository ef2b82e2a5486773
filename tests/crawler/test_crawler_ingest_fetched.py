"""`hibs ingest` of lists, as the server sees it: forms of lists, secrets of addresses, and runs that were stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from aiohttp import web
from local_web import LocalWeb, local_web
from typer.testing import CliRunner

from checker.model import Sighting
from checker.records.folder import DataFolder
from crawler.cli import ingest as command_body

NAMES = ("chelsea.jpg", "coffee.jpg", "rocket.jpg")


@pytest.fixture
def server(images: Path) -> Iterator[LocalWeb]:
    with local_web() as served:
        for name in NAMES:
            served.put(f"/{name}", (images / name).read_bytes(), "image/jpeg")
        yield served


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the second code, which none of this is about; the processes that are started inherit it."""
    monkeypatch.setenv("HIBS_ROBUST", "off")
    monkeypatch.chdir(tmp_path)


def given(server: LocalWeb, path: Path, *more: str) -> list[str]:
    return [str(path), "--data", "data", "--allow-address", server.opened, "--delay", "0", *more]


def ingest(server: LocalWeb, path: Path, *more: str) -> str:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command_body)
    done = CliRunner().invoke(app, given(server, path, *more))
    assert done.exit_code == 0, done.output
    return done.stdout


def start(server: LocalWeb, path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "checker", "ingest", *given(server, path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)


def sightings() -> list[Sighting]:
    with DataFolder.open(Path("data"), create=False) as folder:
        found = folder.store.sightings_of(range(100)).values()
    return sorted((one for of_image in found for one in of_image), key=lambda one: str(one.image_url))


def listed(server: LocalWeb, name: str = "l.txt") -> Path:
    """A list of the three pictures, in the form that its name asks for."""
    path = Path(name)
    urls = [server.url(f"/{picture}") for picture in NAMES]
    if path.suffix == ".parquet":
        table = {"ID": [7, 8, 9], "Url": urls, "TEXT": ["a cat", None, "a rocket"]}
        pq.write_table(pa.table(table), path, row_group_size=2)
    elif path.suffix == ".jsonl":
        rows = zip(urls, (7, 8, 9), ("a cat", None, "a rocket"), strict=True)
        lines = [{"url": url, "key": key, "caption": caption} for url, key, caption in rows]
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    else:
        path.write_text("".join(f"{url}\n" for url in urls))
    return path


@pytest.mark.parametrize("name", ["laion.parquet", "l.jsonl", "l.txt"])
def test_the_pictures_of_a_list_stand_at_its_rows(server: LocalWeb, name: str) -> None:
    ingest(server, listed(server, name))
    found = sightings()
    assert [one.image_url for one in found] == [server.url(f"/{picture}") for picture in NAMES]
    assert [(one.locator.file, one.locator.row) for one in found if one.locator] == [(name, 0), (name, 1), (name, 2)]
    if name != "l.txt":
        assert [one.caption for one in found] == ["a cat", None, "a rocket"]
        assert [one.locator.key for one in found if one.locator] == ["7", "8", "9"]


def test_what_the_site_says_now_counts_for_the_rows_of_a_list(server: LocalWeb, images: Path) -> None:
    server.put("/coffee.jpg", (images / "coffee.jpg").read_bytes(), "image/jpeg", X_Robots_Tag="noai")
    ingest(server, listed(server))
    said = [(one.verdict["crawl"], one.verdict["train-ai"]) for one in sightings()]
    assert said == [("allow", "unspecified"), ("allow", "deny"), ("allow", "unspecified")]


def test_a_second_run_asks_nobody_anything(server: LocalWeb) -> None:
    path = listed(server)
    ingest(server, path)
    server.requests.clear()
    lines = ingest(server, path).splitlines()
    assert lines == ["nothing left to fetch: every address was asked for before", "1 file read before and left out"]
    assert server.requests == []


def test_a_picture_that_is_known_already_is_sighted_without_being_fetched(server: LocalWeb) -> None:
    ingest(server, listed(server), "--source", "first")
    server.requests.clear()
    ingest(server, listed(server, "second.jsonl"), "--source", "second")
    assert server.requests == []
    assert [one.source.name for one in sightings()] == ["first", "second"] * 3


def test_the_secret_parts_of_an_address_are_asked_with_and_not_stored(server: LocalWeb) -> None:
    path = Path("l.txt")
    path.write_text(f"{server.url('/chelsea.jpg')}?w=1&X-Amz-Signature=abcdef#top\n")
    ingest(server, path)
    assert server.paths() == ["/chelsea.jpg?w=1&X-Amz-Signature=abcdef"]
    (found,) = sightings()
    assert found.image_url == f"{server.url('/chelsea.jpg')}?w=1"
    for file in Path("data").iterdir():
        assert not file.is_file() or b"abcdef" not in file.read_bytes(), file


# --- stopped ---------------------------------------------------------------------------------------------------


def hold_at(server: LocalWeb, path: str) -> tuple[Event, Event]:
    """Hold the first request for `path`: one event says that it came, the other lets it go on."""
    reached, go_on = Event(), Event()
    answer = server.handlers[path]

    async def hold(request: web.Request) -> web.StreamResponse:
        reached.set()
        await asyncio.to_thread(go_on.wait, 60)
        return await answer(request)

    server.handlers[path] = hold
    return reached, go_on


def test_after_kill_9_the_same_command_fetches_what_is_left(server: LocalWeb) -> None:
    path = listed(server)
    reached, go_on = hold_at(server, "/rocket.jpg")
    process = start(server, path)
    assert reached.wait(60)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    go_on.set()
    document = json.loads(ingest(server, path, "--json"))
    assert (document["files_unchanged"], document["listed"], document["fetched"]["failed"]) == (1, 0, {})
    assert server.paths().count("/rocket.jpg") == 2
    assert [one.image_url for one in sightings()] == [server.url(f"/{name}") for name in NAMES]


def test_ctrl_c_lets_the_request_under_way_end_and_the_same_command_goes_on(server: LocalWeb) -> None:
    path = listed(server)
    reached, go_on = hold_at(server, "/coffee.jpg")
    process = start(server, path)
    assert reached.wait(60)
    process.send_signal(signal.SIGINT)
    assert process.stderr
    assert "Ctrl-C again stops at once" in process.stderr.readline()
    go_on.set()
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, "2 pictures (2 new)" in out) == (0, True), errors
    assert "the same command goes on" in errors
    assert "1 picture (1 new)" in ingest(server, path)
    assert server.paths() == ["/chelsea.jpg", "/coffee.jpg", "/rocket.jpg"]
