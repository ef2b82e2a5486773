"""Names that nobody means, outputs that end early, damaged databases: one sentence, and the agreed exit code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import typer
from hibs_command import POLL_S
from typer.testing import CliRunner, Result

from checker.commands import check as check_command
from checker.commands import fingerprint as fingerprint_command
from checker.commands import keys as keys_command

SPARSE_REPLIES = {
    "not JSON": b"<html>",
    "nested without end": b"[" * 100_000,
    "no report": b"{}",
    "matches that are numbers": b'{"status": "checked", "reason": null, "coverage": {}, "matches": [1]}',
    "no coverage": b'{"status": "checked", "reason": null, "coverage": null, "matches": []}',
    "an unknown status": b'{"status": "fine", "reason": null, "coverage": null, "matches": [{"kind": "possible"}]}',
}
ANOTHER_PATH = (
    b'{"path": "another.jpg", "status": "checked", "reason": null, "matches": [],'
    b' "coverage": {"images": 1, "sources": 1, "newest": null, "checks": []}}'
)


def hibs(*arguments: str | Path) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("check")(check_command.check)
    app.command("fingerprint")(fingerprint_command.fingerprint)
    app.add_typer(keys_command.app, name="keys")
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def run(arguments: list[str], *, folder: Path, **others: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "checker", *arguments],
        cwd=folder,
        text=True,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
        **others,  # type: ignore[call-overload]
    )


def sentence(told: Result, *, exit_code: int) -> str:
    """The one line that was said."""
    assert told.exit_code == exit_code, told.output
    (line,) = told.stderr.splitlines()
    return line


def test_a_name_that_is_too_long_is_a_row(images: Path) -> None:
    told = hibs("fingerprint", "a" * 300, images / "coffee.jpg")
    assert "File name too long" in sentence(told, exit_code=1)
    assert "coffee.jpg" in told.stdout
    assert "File name too long" in sentence(hibs("fingerprint", "a" * 300), exit_code=1)


def test_a_named_pipe_is_a_row_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "no ordinary file" in sentence(hibs("fingerprint", tmp_path / "pipe.jpg"), exit_code=1)


def test_a_folder_without_pictures_is_a_mistake_alone_and_a_message_among_others(images: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    assert "no picture there" in sentence(hibs("fingerprint", tmp_path), exit_code=2)
    told = hibs("fingerprint", tmp_path, images / "coffee.jpg")
    assert "holds no picture" in sentence(told, exit_code=0)


def test_a_picture_of_a_format_that_is_not_read_is_a_row_and_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "IMG_0001.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert "HEIC" in sentence(hibs("fingerprint", tmp_path), exit_code=1)


def test_a_line_feed_in_a_name_does_not_make_a_line_of_the_answer(images: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg  FOUND\nb.jpg  FOUND.jpg"
    shutil.copy(images / "coffee.jpg", path)
    told = hibs("fingerprint", path)
    assert len(told.stdout.splitlines()) == 1
    assert "FOUND\\u000ab.jpg" in told.stdout


def test_a_name_that_the_terminal_cannot_show_is_shown_as_its_code(images: Path, tmp_path: Path) -> None:
    shutil.copy(images / "coffee.jpg", tmp_path / "\U0001f600.jpg")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    told = run(["fingerprint", "\U0001f600.jpg"], folder=tmp_path, stdout=subprocess.PIPE, env=environment)
    assert (told.returncode, told.stderr) == (0, "")
    assert "\\U0001f600.jpg" in told.stdout


def test_an_empty_argument_is_refused_instead_of_taken_for_the_current_folder(tmp_path: Path) -> None:
    for arguments in (["fingerprint", ""], ["check", "x.jpg", "--data="]):
        told = run(arguments, folder=tmp_path, stdout=subprocess.PIPE)
        assert (told.returncode, told.stdout) == (2, "")
        assert told.stderr == "hibs: an argument is empty; is a variable of the shell unset?\n"


def test_a_reader_that_has_enough_ends_the_command_without_a_word(images: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    told = run(["fingerprint", "."], folder=images, stdout=writing)
    os.close(writing)
    assert (told.returncode, told.stderr) == (130, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_gets_a_sentence(images: Path) -> None:
    with Path("/dev/full").open("w") as full:
        told = run(["fingerprint", "coffee.jpg"], folder=images, stdout=full)
    assert told.returncode == 2
    assert told.stderr == "hibs: No space left on device; check path, space and permissions\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_key_that_could_not_be_written_out_is_revoked(tmp_path: Path) -> None:
    arguments = ["keys", "create", "--name", "lost", "--scopes", "feed", "--data", "d"]
    with Path("/dev/full").open("w") as full:
        told = run(arguments, folder=tmp_path, stdout=full)
    assert told.returncode == 2
    assert "was revoked" in told.stderr
    (row,) = json.loads(hibs("keys", "list", "--data", tmp_path / "d", "--json").stdout)
    assert row["revoked_at"] is not None


def test_an_unknown_scope_is_named_alone(tmp_path: Path) -> None:
    told = hibs("keys", "create", "--name", "n", "--scopes", "feed,all", "--data", tmp_path / "d")
    assert "--scopes names 'all'" in sentence(told, exit_code=2)


def test_a_database_damaged_in_the_middle_gets_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    assert hibs("keys", "create", "--name", "n", "--scopes", "feed", "--data", folder).exit_code == 0
    data = bytearray((folder / "registry.db").read_bytes())
    data[8192:] = b"\xa5" * (len(data) - 8192)
    (folder / "registry.db").write_bytes(data)
    line = sentence(hibs("keys", "list", "--data", folder), exit_code=2)
    assert f"cannot use the database {folder}/registry.db" in line


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, bytes]]]:
    """A service that answers everything with `reply["body"]`."""
    reply = {"body": b""}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(reply["body"])))
            self.end_headers()
            self.wfile.write(reply["body"])

        def log_message(self, *_: object) -> None: ...

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever, args=(POLL_S,))
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}", reply
    listening.shutdown()
    thread.join()
    listening.server_close()


def test_a_server_that_answers_something_else_gets_a_sentence(
    server: tuple[str, dict[str, bytes]], images: Path
) -> None:
    for body in SPARSE_REPLIES.values():
        server[1]["body"] = body
        told = hibs("check", images / "coffee.jpg", "--server", server[0])
        assert "is it a service of this kind?" in sentence(told, exit_code=2)
        assert told.stdout == ""


def test_a_server_cannot_say_which_photo_was_asked_about(server: tuple[str, dict[str, bytes]], images: Path) -> None:
    server[1]["body"] = ANOTHER_PATH
    told = hibs("check", images / "coffee.jpg", "--server", server[0], "--json")
    assert json.loads(told.stdout)["path"] == str(images / "coffee.jpg")
