"""The private check asked a thousand times, and its half codes guessed at ten thousand times (checks C2 and C22)."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from api_service import TestClient
from bulk_lists import NDJSON, PLACE, WHY, lines, make_key, until
from relay import Relay, relaying
from test_api_private import HALF, SKETCH_BITS, add_codes, rows_of
from test_api_serve import end, start

from checker.client import Client
from checker.fingerprint.asked import AskedCode
from checker.fingerprint.background import background
from checker.index.halves import half_codes
from checker.model import PHASH256
from checker.private_check.asking import AskedHalves
from checker.private_check.rows import rows_of_server
from checker.report import Orientation

pytest_plugins = ("api_service",)
CHECKS, CODES_OF_ONE = 1000, 6
CROWD = 1500
"""So many pictures around one sketch: answers about it are longer than others."""


GUESSED, GUESSES = 100, 100


def real_codes(count: int) -> list[bytes]:
    """Of as many photos, all different."""
    codes = background(PHASH256)
    assert codes is not None
    rows = np.ascontiguousarray(codes).view(np.uint8).reshape(-1, 32)
    assert len(rows) >= count
    return [row.tobytes() for row in rows[:: len(rows) // count][:count]]


# --- what somebody on the line sees ----------------------------------------------------------------------------


def photos() -> list[AskedHalves]:
    """A thousand, each with six codes, as one has with its turns and shapes."""
    codes = real_codes(CHECKS)
    asked = []
    for first in range(CHECKS):
        mine = [codes[(first + step) % CHECKS] for step in range(CODES_OF_ONE)]
        asked.append(
            AskedHalves(tuple(AskedCode(bits, Orientation.AS_IS) for bits in mine), half_codes(b"".join(mine)))
        )
    return asked


def with_its_sketch(code: bytes, rng: random.Random) -> bytes:
    """Another code of the same sketch, with 128 bits set as well."""
    bits = np.unpackbits(np.frombuffer(code, dtype=np.uint8))
    free = [position for position in range(1, 256) if position not in SKETCH_BITS]
    bits[free] = rng.sample(bits[free].tolist(), len(free))
    return np.packbits(bits).tobytes()


@pytest.fixture
def crowded(corpus: Path) -> Path:
    """A collection in which the cell of the first of the photos is full and most are empty."""
    rng = random.Random(21)
    first = real_codes(CHECKS)[0]
    add_codes(corpus, [with_its_sketch(first, rng) for _ in range(CROWD)])
    return corpus


def asked_by(photos: list[AskedHalves], relay: Relay, now: datetime) -> list[int]:
    """How many sketches each of these photos showed."""
    server = f"http://{relay.place}"
    source, _ = rows_of_server(Client(server), server, None, now=now)
    return [len(source.rows_for(photo).sketches) for photo in photos]


@pytest.mark.parametrize("rows_max", ["1", "200000"], ids=["by sketch", "whole list"])
def test_a_thousand_private_checks_have_few_sizes_and_are_in_no_log(crowded: Path, rows_max: str) -> None:
    process = start("--data", str(crowded), "--port", "0", HIBS_PRIVATE_LIST_ROWS_MAX=rows_max)
    assert process.stdout is not None
    try:
        place = process.stdout.readline().strip().removeprefix("open http://")
        with relaying(place) as relay:
            shown = asked_by(photos(), relay, datetime.now(UTC))
            requests, answers = relay.requests(), relay.answers()
    finally:
        process.terminate()
        code, err = end(process)
    assert len(shown) == CHECKS
    whole = rows_max != "1"
    assert max(shown) == (0 if whole else 4)
    assert len(requests) == len(answers)
    sizes = {len(answer) for answer in answers if answer.startswith(b"HTTP/1.1 200 ")}
    assert len(sizes) == 1 if whole else 2 <= len(sizes) <= 4
    assert (code, err) == (0, "")
    for file in (path for path in crowded.rglob("*") if path.is_file()):
        assert b"/private/sketches/" not in file.read_bytes(), file


# --- a public half and a guess at the rest ---------------------------------------------------------------------


def completed(row: bytes, rng: np.random.Generator) -> bytes:
    """A code with this half and a random other half, so that 128 bits are set in all."""
    bits: npt.NDArray[np.uint8] = np.zeros(256, dtype=np.uint8)
    bits[HALF] = np.unpackbits(np.frombuffer(row, dtype=np.uint8))
    others = np.setdiff1d(np.arange(256), HALF)
    bits[rng.choice(others, 128 - int(bits.sum()), replace=False)] = 1
    return np.packbits(bits).tobytes()


@pytest.fixture
def now() -> datetime:
    """The worker that answers lists is a process of its own and goes by the real clock."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def hundred(corpus: Path) -> list[bytes]:
    codes = real_codes(GUESSED)
    add_codes(corpus, codes)
    return codes


def test_ten_thousand_guesses_at_whole_codes_find_nothing(
    hundred: list[bytes], service: TestClient, corpus: Path, now: datetime
) -> None:
    """A list of codes, as whoever has a key could send it; the answers are those of single look-ups."""
    _, rows = rows_of(service.get("/v1/private/list").content)
    assert len(rows) >= GUESSED
    rng = np.random.default_rng(3)
    guesses = [completed(row, rng) for row in rows[:GUESSED] for _ in range(GUESSES)]
    asked = [{"codes": {"phash256": {"version": "1", "hex": code.hex()}}} for code in [*guesses, *hundred]]
    key = make_key(corpus, now, "NGO")
    made = service.post(f"{PLACE}{WHY}", content=lines(*asked), headers={**NDJSON, **key})
    place = str(made.json()["status"])
    until(lambda: service.get(place, headers=key).json()["state"] == "done")
    answers = [json.loads(line) for line in service.get(f"{place}/results", headers=key).text.splitlines()]
    found = [bool(answer["matches"]) for answer in answers]
    assert len(found) == GUESSED * GUESSES + GUESSED
    assert not any(found[: GUESSED * GUESSES]), "no half is completed"
    assert all(found[GUESSED * GUESSES :]), "whole codes are found"
