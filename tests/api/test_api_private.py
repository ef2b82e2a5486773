"""/v1/private: the same bytes for everybody, of fixed sizes, without ids, kept for a day, in no log."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path

import imagehash
import numpy as np
import pytest
from api_service import IMAGES, JPEG, SEEN, Clock, Opener, TestClient
from PIL import Image
from starlette.testclient import TestClient as Client

from checker.model import PHASH256, Fingerprint, Locator, Picture, Sha256
from checker.records.folder import DataFolder
from checker.settings import Settings
from checker.visits import PictureSeen

pytest_plugins = ("api_service",)
BY_SKETCH = Settings(private_list_rows_max=1)
STEP = 16 * 1024
SKETCH_BITS = [10, 23, 27, 40, 44, 53, 55, 70, 85, 102, 113, 130, 145, 147, 162, 213]
"""docs/private.md, section 2."""


def rows_of(body: bytes) -> tuple[dict[str, object], list[bytes]]:
    """Header and rows, read as docs/private.md says and not by our own reader."""
    line, _, rest = body.partition(b"\n")
    header = json.loads(line)
    count = header["rows"]
    assert rest[count * 16 :].strip(b"\0") == b"", "after the rows there are zeros"
    return header, [rest[at * 16 : at * 16 + 16] for at in range(count)]


def half_of(name: str) -> bytes:
    """The 128 bits of even row + column, by imagehash alone. Its bits differ from the stored ones in a few."""
    grid = imagehash.phash(Image.open(IMAGES / name), hash_size=16).hash
    return np.packbits([grid[r, c] for r in range(16) for c in range(16) if (r + c) % 2 == 0]).tobytes()


def differ(a: bytes, b: bytes) -> int:
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()


def sketch_of(code: bytes) -> int:
    bits = np.unpackbits(np.frombuffer(code, dtype=np.uint8))
    return int("".join(str(bits[at]) for at in SKETCH_BITS), 2)


def balanced(rng: random.Random) -> bytes:
    """A code as a picture has it: 128 bits set, the first of them always."""
    bits = [1, *rng.sample([1] * 127 + [0] * 128, 255)]
    return np.packbits(bits).tobytes()


def add_codes(corpus: Path, codes: list[bytes]) -> None:
    with DataFolder.open(corpus, create=True) as folder:
        source = folder.store.source("codes", kind="folder", now=SEEN)
        for code in codes:
            sha256 = Sha256(code.hex())
            picture = Picture(sha256, 1, 1, 1, "PNG", (Fingerprint(PHASH256, code),), plain=False)
            seen = PictureSeen(picture, servable=True)
            folder.store.record_file(seen, source=source, locator=Locator(file=sha256), now=SEEN)


def test_the_list_is_a_line_of_json_and_half_a_code_for_each_picture(service: TestClient) -> None:
    answer = service.get("/v1/private/list")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert len(answer.content) == STEP
    header, rows = rows_of(answer.content)
    assert header == {
        "version": 1,
        "kind": "phash256",
        "kind_version": "1",
        "mask": "aaaa5555" * 8,
        "sketch_bits": SKETCH_BITS,
        "spread_bits": 2,
        "rows": 2,
        "built_at": "2026-11-22T14:03:00Z",
        "next_at": "2026-11-23T00:00:00Z",
        "coverage": {"images": 2, "sources": 2, "newest": "2026-11-20T12:00:00Z"},
    }
    assert rows == sorted(rows)
    for name in ("chelsea.jpg", "rocket.jpg"):
        assert min(differ(half_of(name), row) for row in rows) <= 8


def test_no_row_tells_an_id_and_no_id_opens_anything(service: TestClient) -> None:
    assert {service.get(f"/v1/images/{number}").status_code for number in range(1, 301)} == {404}


def test_everybody_gets_the_same_bytes_until_midnight(open_service: Opener, corpus: Path, clock: Clock) -> None:
    first, second = (open_service(corpus, address=a) for a in ("203.0.113.7", "2001:db8::1"))
    answer = first.get("/v1/private/list", headers={"User-Agent": "one", "Accept-Language": "de"})
    add_codes(corpus, [balanced(random.Random(1))])
    clock.now += timedelta(hours=9, minutes=56)
    later = second.get("/v1/private/list")
    assert later.content == answer.content
    assert later.headers["ETag"] == answer.headers["ETag"]
    clock.now += timedelta(minutes=1)
    tomorrow = first.get("/v1/private/list")
    assert rows_of(tomorrow.content)[0]["rows"] == 3
    assert tomorrow.headers["ETag"] != answer.headers["ETag"]


def test_it_may_be_kept_until_the_next_list_and_asked_for_again_by_its_tag(service: TestClient, clock: Clock) -> None:
    answer = service.get("/v1/private/list")
    tag = answer.headers["ETag"]
    assert re.fullmatch('"[0-9a-f]{32}"', tag), "a strong one (RFC 9110 8.8.3)"
    assert answer.headers["Cache-Control"] == "public, max-age=35820"  # 14:03 to midnight
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = service.get("/v1/private/list", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert service.get("/v1/private/list", headers={"If-None-Match": '"other"'}).status_code == 200
    clock.now = clock.now.replace(hour=0, minute=0, second=0)
    assert service.get("/v1/private/list").headers["Cache-Control"] == "public, max-age=86400"


def test_head_says_how_much_it_would_be(service: TestClient) -> None:
    answer = service.head("/v1/private/list")
    assert (answer.status_code, answer.headers["Content-Length"], answer.content) == (200, str(STEP), b"")


def test_what_was_hidden_is_gone_a_day_later(service: TestClient, chelsea: bytes, clock: Clock) -> None:
    before = service.get("/v1/private/list").content
    assert service.post("/v1/opt-outs", content=chelsea, headers=JPEG).status_code == 201
    assert service.get("/v1/private/list").content == before, "not at once: what goes at once could be told apart"
    clock.now += timedelta(hours=24)
    header, rows = rows_of(service.get("/v1/private/list").content)
    assert header["rows"] == len(rows) == 1
    assert differ(half_of("chelsea.jpg"), rows[0]) > 31


def test_a_larger_collection_is_asked_by_sketch(open_service: Opener, corpus: Path) -> None:
    rng = random.Random(5)
    codes = [balanced(rng) for _ in range(400)]
    add_codes(corpus, codes)
    service = open_service(corpus, BY_SKETCH)
    refused = service.get("/v1/private/list")
    assert refused.status_code == 404
    assert refused.json()["type"] == "/problems/ask-otherwise"
    assert refused.json()["ask"] == "/v1/private/sketches/{hex4}"
    sketch = sketch_of(codes[7])
    answer = service.get(f"/v1/private/sketches/{sketch:04x}")
    header, rows = rows_of(answer.content)
    halves = {np.packbits(np.unpackbits(np.frombuffer(c, dtype=np.uint8))[HALF]).tobytes(): c for c in codes}
    near = [half for half, code in halves.items() if (sketch_of(code) ^ sketch).bit_count() <= 2]
    assert set(near) <= set(rows)
    photos = [half_of(name) for name in ("chelsea.jpg", "rocket.jpg")]
    assert all(min(differ(row, p) for p in photos) <= 8 for row in set(rows) - set(near))
    assert header["rows"] == len(rows)
    assert header["coverage"] == {"images": 402, "sources": 3, "newest": "2026-11-20T12:00:00Z"}


HALF = [16 * row + column for row in range(16) for column in range(16) if (row + column) % 2 == 0]


def test_answers_to_all_sketches_have_one_length(open_service: Opener, corpus: Path) -> None:
    rng = random.Random(6)
    add_codes(corpus, [balanced(rng) for _ in range(100)])
    service = open_service(corpus, BY_SKETCH)
    answers = [service.get(f"/v1/private/sketches/{rng.randrange(1 << 16):04x}") for _ in range(100)]
    assert {len(answer.content) for answer in answers} == {STEP}
    assert {answer.headers["Cache-Control"] for answer in answers} == {"public, max-age=35820, immutable"}
    assert len({answer.headers["ETag"] for answer in answers}) == 1
    known = {"If-None-Match": answers[0].headers["ETag"]}
    assert service.get("/v1/private/sketches/0000", headers=known).status_code == 304


def test_a_small_collection_lets_nobody_show_a_sketch(service: TestClient) -> None:
    refused = service.get("/v1/private/sketches/0a3f")
    assert refused.status_code == 404
    assert refused.json()["type"] == "/problems/ask-otherwise"
    assert refused.json()["ask"] == "/v1/private/list"


@pytest.mark.parametrize(
    "sketch", ["0A3F", "a3f", "00a3f", "0a3g", "-001", "%30a3f0", "0a3f/", "\u0661\u0661\u0661\u0661"]
)
def test_a_sketch_has_one_spelling(open_service: Opener, corpus: Path, sketch: str) -> None:
    refused = open_service(corpus, BY_SKETCH).get(f"/v1/private/sketches/{sketch}")
    assert refused.status_code == 404
    assert refused.json()["type"] == "/problems/not-found"


def test_parameters_are_refused(service: TestClient) -> None:
    """Or anybody could ask past every cache."""
    assert service.get("/v1/private/list?x=1").status_code == 422


def test_an_empty_collection_has_no_list_and_gets_one_with_its_first_picture(
    open_service: Opener, tmp_path: Path
) -> None:
    with DataFolder.open(tmp_path / "empty", create=True):
        pass
    service = open_service(tmp_path / "empty")
    refused = service.get("/v1/private/list")
    assert refused.status_code == 503
    assert refused.json()["type"] == "/problems/corpus-empty"
    add_codes(tmp_path / "empty", [balanced(random.Random(3))])
    assert rows_of(service.get("/v1/private/list").content)[0]["rows"] == 1


def test_half_a_code_and_a_guess_find_nothing(service: Client) -> None:
    """A public half, completed at random to 128 set bits, is no code that a look-up knows."""
    rng = random.Random(8)
    _, rows = rows_of(service.get("/v1/private/list").content)
    other = [position for position in range(256) if position not in set(HALF)]
    for row in rows:
        known = np.unpackbits(np.frombuffer(row, dtype=np.uint8))
        for _ in range(100):
            bits = np.zeros(256, dtype=np.uint8)
            bits[HALF] = known
            bits[rng.sample(other, 128 - int(known.sum()))] = 1
            codes = {"codes": {"phash256": {"version": "1", "hex": np.packbits(bits).tobytes().hex()}}}
            answer = service.post("/v1/lookups", json=codes)
            assert (answer.status_code, answer.json()["matches"]) == (200, [])


def test_no_sketch_stands_in_anything_that_a_server_writes(corpus: Path, tmp_path: Path) -> None:
    add_codes(corpus, [balanced(random.Random(9))])
    command = "import typer, api.cli; app = typer.Typer(); app.command()(api.cli.serve); app()"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "--data", str(corpus), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"HIBS_PRIVATE_LIST_ROWS_MAX": "1", "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
    )
    try:
        assert process.stdout is not None
        server = process.stdout.readline().strip().removeprefix("open ").rstrip("/")
        end = time.monotonic() + 30
        status, retry = asked(f"{server}/v1/private/sketches/c0de")
        while status == 503:  # the first list of the day is made beside the answers
            assert retry == "5"
            assert time.monotonic() < end
            status, retry = asked(f"{server}/v1/private/sketches/c0de")
        assert status == 200
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert "c0de" not in out
    assert err == ""
    assert not [p for p in corpus.rglob("*") if p.is_file() and b"sketches/c0de" in p.read_bytes()]


def asked(url: str) -> tuple[int, str | None]:
    """Status and Retry-After."""
    try:
        with urllib.request.urlopen(url) as answer:
            return int(answer.status), None
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Retry-After"]
