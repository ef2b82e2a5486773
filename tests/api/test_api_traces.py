"""What somebody sent is nowhere afterwards: not in the data folder, not in a log, not in a temporary file, not in an
answer. Each request carries a mark of its own, and everything is searched for it in every form that it could take.
"""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from api_service import IMAGES
from PIL import Image

from checker.fingerprint import fingerprint_bytes
from checker.fingerprint.sandbox import SandboxDecoder
from checker.model import Picture
from checker.settings import Settings

pytest_plugins = ("api_service",)
MARK = "canary-7c1f09e2"
KNOWN = {
    *("checkpoint", "handle.key", "log.key", "log.lock", "look-ups.shared", "audit.lock"),
    *("corpus.db.lock", "corpus.db-shm", "corpus.db-wal"),
    *("registry.db", "registry.db.lock", "registry.db-journal"),
}
COMMAND = "import typer, api.cli; app = typer.Typer(); app.command()(api.cli.serve); app()"


def marked_photo(image: Path) -> bytes:
    """A photo that says the mark in its EXIF, comment and text, and is no photo of the collection."""
    picture = Image.open(image).convert("RGB").rotate(7).crop((40, 40, 300, 260))
    exif = Image.Exif()
    exif[0x010E] = MARK  # ImageDescription
    exif[0x013B] = MARK  # Artist
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif, comment=MARK.encode())
    assert out.getvalue().count(MARK.encode()) == 3
    return out.getvalue()


def form_of(photo: bytes) -> bytes:
    """The form of the start page, with the mark in the name of the file, and long enough for others to go to a disk."""
    head = f'--{MARK}\r\nContent-Disposition: form-data; name="photo"; filename="{MARK}.jpg"\r\n\r\n'
    tick = f'\r\n--{MARK}\r\nContent-Disposition: form-data; name="send"\r\n\r\nyes\r\n--{MARK}--\r\n'
    return head.encode() + photo + MARK.encode() * 100_000 + tick.encode()


def code_of(photo: bytes) -> str:
    with SandboxDecoder(Settings(robust="off")) as decoder:
        picture = fingerprint_bytes(photo, Settings(robust="off"), decoder=decoder)
    assert isinstance(picture, Picture)
    return picture.fingerprints[0].bits.hex()


def ask(url: str, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"{url}{path}", body, named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.read()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nothing_that_was_sent_is_found_anywhere_afterwards(corpus: Path, tmp_path: Path, workers: str) -> None:
    photo = marked_photo(IMAGES / "coffee.jpg")
    code = code_of(photo)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    before = {path.relative_to(corpus) for path in corpus.rglob("*")}
    own = {name: value for name, value in os.environ.items() if not name.startswith("HIBS_")}
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "--data", str(corpus), "--port", "0", "--workers", workers],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**own, "TMPDIR": str(temporary)},
    )
    assert process.stdout is not None
    url = process.stdout.readline().decode().strip().removeprefix("open ")
    jpeg, as_json = {"Content_Type": "image/jpeg"}, {"Content_Type": "application/json"}
    as_form = {"Content_Type": f"multipart/form-data; boundary={MARK}"}
    codes = json.dumps({"codes": {"phash256": {"version": "1", "hex": code}}}).encode()
    answers = [
        ask(url, "POST", "/v1/lookups", photo, **jpeg, X_Forwarded_For="198.51.100.77", User_Agent=MARK),
        ask(url, "POST", "/v1/lookups", photo, **jpeg, Accept="text/html"),
        ask(url, "POST", "/v1/lookups", photo[:2000], **jpeg),
        ask(url, "POST", "/v1/lookups", photo + MARK.encode() * 500_000, **jpeg),
        ask(url, "POST", "/v1/lookups", MARK.encode(), Content_Type="application/octet-stream"),
        ask(url, "POST", "/closer-look", form_of(photo), **as_form, Accept="text/html"),
        ask(url, "POST", "/de/closer-look", form_of(photo)[:-40], **as_form, Accept="text/html"),
        ask(url, "GET", f"/v1/alerts/{MARK}", User_Agent=MARK),
        ask(url, "POST", "/v1/lookups", codes, **as_json),
        ask(url, "POST", "/v1/lookups", codes[:-1], **as_json),
        ask(url, "POST", "/v1/lookups", json.dumps({MARK: MARK}).encode(), **as_json),
        ask(url, "POST", f"/v1/lookups?{MARK}={MARK}", codes, **as_json),
        ask(url, "POST", "/v1/opt-outs", json.dumps({"codes": MARK, "uses": [MARK]}).encode(), **as_json),
        ask(url, "GET", f"/v1/images/{MARK}"),
        ask(url, "GET", f"/{MARK}", Accept="text/html"),
        ask(url, "GET", f"/v1/opt-outs/{MARK}", Authorization=f"Receipt {MARK}"),
        ask(url, "GET", "/v1/feed/openings", Authorization=f"Bearer hibs_{MARK}"),
        ask(url, "GET", "/v1/stats", Host=f"{MARK}.example"),
    ]
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    everywhere = {path.name: path.read_bytes() for path in corpus.rglob("*") if path.is_file()}
    everywhere |= {"stdout": out, "stderr": err} | {f"answer {n}": body for n, body in enumerate(answers)}
    assert {name for name, held in everywhere.items() if any(form in held for form in forms(code))} == set()
    assert list(temporary.rglob("*")) == []
    new = {path.relative_to(corpus).as_posix() for path in corpus.rglob("*")} - {path.as_posix() for path in before}
    assert new <= KNOWN, "no file that the documents do not name"


def forms(code: str) -> list[bytes]:
    """The mark, the code and the address as text, as bytes and in base64."""
    bits = bytes.fromhex(code)
    return [
        *(MARK.encode(), MARK.encode("utf-16-le"), base64.b64encode(MARK.encode())[:-4]),
        *(code.encode(), code.upper().encode(), bits, base64.b64encode(bits)[:-2]),
        b"198.51.100.77",
        bytes([198, 51, 100, 77]),
    ]
