"""`hibs serve`, as it is started and stopped."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest_plugins = ("api_service",)
COMMAND = "import typer, api.cli; app = typer.Typer(); app.command()(api.cli.serve); app()"


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("HIBS_")}
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**own, **environment},
    )


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    return process.returncode, err


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_answers_and_stops_cleanly(corpus: Path, stop: signal.Signals) -> None:
    process = start("--data", str(corpus), "--port", "0")
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    try:
        assert line.startswith("open http://127.0.0.1:")
        with urllib.request.urlopen(f"{line.removeprefix('open ')}/readyz") as answer:
            assert answer.status == 200
        limits = Path(f"/proc/{process.pid}/limits").read_text(encoding="utf-8")
        assert re.search(r"Max core file size +0 +0 ", limits), "a core file would hold the photos in memory"
    finally:
        process.send_signal(stop)
        code, err = end(process)
    assert code == 0
    assert err == "", "no path, no address and nothing else is logged"


def test_the_end_waits_for_nobody_who_was_refused(corpus: Path) -> None:
    """A connection is heard out for a while after its last answer; not when the service ends."""
    process = start("--data", str(corpus), "--port", "0")
    assert process.stdout is not None
    host, _, port = process.stdout.readline().strip().removeprefix("open http://").partition(":")
    unread = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n"
    with ExitStack() as stack:
        for sent in (b"no HTTP\r\n\r\n", unread, unread.replace(b"GET", b"PATCH").replace(b"1.1", b"1.0")):
            line = stack.enter_context(socket.create_connection((host, int(port)), timeout=30))
            line.sendall(sent)
            assert line.recv(9) == b"HTTP/1.1 "
        process.send_signal(signal.SIGTERM)
        assert end(process) == (0, ""), "uvicorn logs what it has to cut off after its time"


def test_a_port_in_use_is_one_sentence(corpus: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, err = end(start("--data", str(corpus), "--port", str(port)))
    assert code == 2
    assert err == (
        f"hibs: cannot listen on 127.0.0.1 port {port}: Address already in use; "
        "choose another with --port, or --port 0 for any\n"
    )


def test_beyond_this_machine_somebody_has_to_be_named(corpus: Path) -> None:
    code, err = end(start("--data", str(corpus), "--host", "0.0.0.0", "--port", "0", HIBS_OPERATOR="Example e.V."))
    assert code == 2
    assert "HIBS_CONTACT=mail@example.org" in err
    assert "HIBS_OPERATOR" not in err
    assert err.count("\n") == 1


def test_a_missing_data_folder_is_one_sentence(tmp_path: Path) -> None:
    code, err = end(start("--data", str(tmp_path / "nothing"), "--port", "0"))
    assert code == 2
    assert "is no data folder" in err
    assert err.count("\n") == 1
