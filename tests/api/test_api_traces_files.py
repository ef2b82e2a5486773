"""A service writes into its data folder and nowhere else, also of what is large, hostile or broken (check C23).

Nothing that is named for temporary files exists here, so a library that spools a body would fail. While a body is half
sent, the files that every process has open are looked at. What the answers and the logs hold is in test_api_traces.py.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from api_service import IMAGES
from PIL import Image

pytest_plugins = ("api_service",)
MARK = b"canary-5e80c3aa"
COMMAND = "import typer, api.cli; app = typer.Typer(); app.command()(api.cli.serve); app()"
UPLOAD_BYTES = 15 * 2**20
NO_FILE = re.compile(r"(socket|pipe):\[\d+\]|anon_inode:.*|/dev/(null|urandom)")
MEMORY_BYTES_MAX = 8 * 2**20
"""Of a decode worker: the upload does not fit, so its reader ends in the middle of it. A small photo does."""


def marked_photo() -> bytes:
    """A photo that nobody has, with the mark in its EXIF."""
    with Image.open(IMAGES / "coffee.jpg") as coffee:
        photo = coffee.convert("RGB").rotate(7).crop((40, 40, 300, 260))
    exif = Image.Exif()
    exif[0x010E] = MARK.decode()  # ImageDescription
    out = io.BytesIO()
    photo.save(out, "JPEG", exif=exif)
    return out.getvalue()


def large(photo: bytes) -> bytes:
    """The same with comments of 64 KiB, each with the mark, up to 15 MiB."""
    comment = b"\xff\xfe\xff\xff" + MARK.ljust(65_533, b".")
    return photo[:2] + comment * (UPLOAD_BYTES // len(comment)) + photo[2:]


@dataclass
class Served:
    process: subprocess.Popen[bytes]
    place: str
    data: Path
    home: Path

    def post(self, body: bytes, media_type: str) -> tuple[int, bytes]:
        connection = HTTPConnection(self.place, timeout=60)
        connection.request("POST", "/v1/lookups", body, {"Content-Type": media_type})
        answer = connection.getresponse()
        told = answer.read()
        connection.close()
        return answer.status, told

    def processes(self) -> list[int]:
        """The service and its decode workers."""
        pid = self.process.pid
        listed = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
        return [pid, *(int(number) for line in listed for number in line.split())]

    def open_files(self) -> set[str]:
        """What all of them have open."""
        return {os.readlink(link) for pid in self.processes() for link in Path(f"/proc/{pid}/fd").iterdir()}


@pytest.fixture
def served(corpus: Path, tmp_path: Path) -> Iterator[Served]:
    home = tmp_path / "home"
    home.mkdir()
    own = {name: value for name, value in os.environ.items() if not name.startswith(("HIBS_", "XDG_"))}
    nowhere = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), "/nonexistent")
    crashing = {"HIBS_DECODE_MEMORY_BYTES_MAX": str(MEMORY_BYTES_MAX)}
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "--data", str(corpus), "--port", "0"],
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**own, **nowhere, **crashing, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert process.stdout is not None
    try:
        yield Served(process, process.stdout.readline().decode().strip().removeprefix("open http://"), corpus, home)
    finally:
        process.kill()
        process.communicate()


def test_nothing_of_a_large_a_crashing_and_a_broken_body_is_in_any_file(served: Served) -> None:
    photo = marked_photo()
    answers = [
        served.post(photo, "image/jpeg"),
        served.post(large(photo), "image/jpeg"),
        served.post(b'{"codes": "%s"' % MARK, "application/json"),
        served.post(photo, "image/jpeg"),
    ]
    assert [status for status, _ in answers] == [200, 422, 422, 200]
    assert b"rogram that reads pictures failed on this one" in answers[1][1], "its reader died of it"
    assert not [told for _, told in answers if MARK in told]
    served.process.terminate()
    out, err = served.process.communicate(timeout=30)
    assert MARK not in out + err
    assert list(served.home.rglob("*")) == [], "nothing beside the data folder"
    assert not [path for path in served.data.rglob("*") if path.is_file() and MARK in path.read_bytes()]


def test_while_a_body_is_half_sent_no_file_outside_of_the_data_folder_is_open(served: Served) -> None:
    photo = marked_photo()
    served.post(photo, "image/jpeg")  # so that a decode worker runs
    body = large(photo)
    connection = HTTPConnection(served.place, timeout=60)
    connection.putrequest("POST", "/v1/lookups")
    connection.putheader("Content-Type", "image/jpeg")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    connection.send(body[: len(body) // 2])  # more than the system's buffers: the service has taken most of it
    if os.geteuid() == 0:
        inside = f"{served.data}/"
        files = {name for name in served.open_files() if not NO_FILE.fullmatch(name)}
        assert {name for name in files if not name.startswith(inside)} == set()
        assert len(served.processes()) == 2
    else:
        with pytest.raises(PermissionError):  # no other process of the user may look into it
            served.open_files()
    for pid in served.processes():
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits), "a core file would hold the photo"
    connection.send(body[len(body) // 2 :])
    assert connection.getresponse().status == 422
    connection.close()
    assert list(served.home.rglob("*")) == []
