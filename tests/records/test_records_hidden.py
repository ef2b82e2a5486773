"""What people opted out hides every picture that shows it, as a whole or in a part, from the next question on."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from checker.fingerprint import fingerprint_file
from checker.fingerprint.cosine import turned_bits
from checker.model import PHASH256, CodeKind, Fingerprint, Picture, Sha256, Variant
from checker.records import hidden as hidden_module
from checker.records.folder import DataFolder
from checker.records.registry import REGISTRY_FILE, LogRow, OptOutRow, Registry
from checker.settings import Settings

NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
ASKED = b"\x0f" * 32
SEVEN_AWAY = b"\x7f\xff" + b"\x0f" * 30
"""3 bits of the first byte and 4 of the second."""
ELSEWHERE = b"\xf0" * 32
SSCD512 = CodeKind("sscd512", "1-240436cc531e", 512)


def opt_out(
    folder: DataFolder,
    *,
    number: str = "A",
    state: str = "recorded",
    code: bytes = ASKED,
    index: int = 0,
    addresses: Sequence[str] = (),
) -> None:
    row = OptOutRow(
        number=number,
        index=index,
        state=state,
        evidence="picture",
        uses=("tdm",),
        pictures=1,
        withdraw_hash=number.encode(),
        recorded_at=NOW,
    )
    with closing(Registry.open(folder.path / REGISTRY_FILE)) as registry, registry.writing() as writer:
        writer.add_log_entry(LogRow(index=index, leaf=bytes(32), entry=b"entry", salt=b"salt"), [])
        writer.add_opt_out(row, [] if addresses else [[Fingerprint(PHASH256, code)]], addresses)


def move(folder: DataFolder, number: str, state: str) -> None:
    with closing(Registry.open(folder.path / REGISTRY_FILE)) as registry, registry.writing() as writer:
        assert writer.move(number, old="recorded", new=state)


def picture(*codes: Fingerprint) -> Picture:
    return Picture(Sha256("a" * 64), 1000, 640, 480, "JPEG", codes, plain=False)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with DataFolder.open(tmp_path / "data", create=True) as opened:
        yield opened


@pytest.mark.parametrize("variant", list(Variant))
def test_a_picture_is_hidden_when_any_part_of_it_was_opted_out(folder: DataFolder, variant: Variant) -> None:
    others = [Fingerprint(PHASH256, ELSEWHERE, other) for other in Variant if other is not variant]
    shows = picture(*others, Fingerprint(PHASH256, SEVEN_AWAY, variant))
    assert not folder.hides(shows, distance_bits_max=31)
    opt_out(folder)
    assert folder.hides(shows, distance_bits_max=31)
    assert folder.hides(shows, distance_bits_max=7)
    assert not folder.hides(shows, distance_bits_max=6)
    assert not folder.hides(picture(*others), distance_bits_max=31)


def test_codes_of_the_second_kind_and_pictures_without_a_code_hide_nothing(folder: DataFolder) -> None:
    opt_out(folder)
    assert not folder.hides(picture(Fingerprint(SSCD512, ASKED * 2)), distance_bits_max=31)
    assert not folder.hides(picture(), distance_bits_max=31)


def test_one_code_and_several_are_asked_for_alike(folder: DataFolder) -> None:
    opt_out(folder)
    assert folder.hidden.near(SEVEN_AWAY, distance_bits_max=7)
    assert not folder.hidden.near(ELSEWHERE, distance_bits_max=31)
    assert folder.hidden.near_any([ELSEWHERE, SEVEN_AWAY], distance_bits_max=7)
    assert not folder.hidden.near_any([ELSEWHERE, ELSEWHERE], distance_bits_max=31)
    assert not folder.hidden.near_any([], distance_bits_max=31)


@pytest.mark.parametrize("at_once", [1, 20, 100, 1 << 18], ids=["one", "some", "more", "all"])
def test_many_pictures_are_told_as_each_by_itself(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(hidden_module, "_COMPARED_AT_ONCE", at_once)
    draw = random.Random(8)
    hidden = [draw.randbytes(32) for _ in range(2)]
    for index, code in enumerate(hidden):
        opt_out(folder, number=str(index), code=code, index=index)
    turned = [int.from_bytes(bits) for code in hidden for bits in turned_bits(code)]

    def moved() -> bytes:
        flips = sum(1 << place for place in draw.sample(range(256), draw.randrange(60)))
        return (draw.choice(turned) ^ flips).to_bytes(32)

    pictures = [[moved() for _ in range(draw.randrange(4))] for _ in range(50)]
    near = [
        any((int.from_bytes(code) ^ one).bit_count() <= 31 for code in codes for one in turned) for codes in pictures
    ]
    assert {True, False} == set(near)
    assert folder.hidden.near_each(pictures, distance_bits_max=31) == near


def test_a_withdrawn_opt_out_hides_no_longer(folder: DataFolder) -> None:
    opt_out(folder)
    shows = picture(Fingerprint(PHASH256, ASKED))
    assert folder.hides(shows, distance_bits_max=31)
    move(folder, "A", "withdrawn")
    assert not folder.hides(shows, distance_bits_max=31)


def test_an_opt_out_of_another_process_hides_from_the_next_question_on(folder: DataFolder, images: Path) -> None:
    shown = fingerprint_file(images / "coffee.jpg", Settings())
    assert isinstance(shown, Picture)
    assert folder.hides(shown, distance_bits_max=31) == ()
    command = [*(sys.executable, "-P", "-m", "checker", "opt-out", "add", str(images / "coffee.jpg"), "--json")]
    places = [*("--data", str(folder.path), "--out", str(folder.path.parent / "papers"))]
    told = subprocess.run([*command, *places], capture_output=True, check=True, timeout=120)
    assert folder.hides(shown, distance_bits_max=31) == (json.loads(told.stdout)["number"],)


def test_opt_outs_are_told_apart_and_their_codes_are_read_once(folder: DataFolder) -> None:
    opt_out(folder, number="A", code=ASKED, index=0)
    assert folder.hides(picture(Fingerprint(PHASH256, ASKED)), distance_bits_max=31) == ("A",)
    opt_out(folder, number="B", code=SEVEN_AWAY, index=1)
    opt_out(folder, number="C", code=ELSEWHERE, index=2)
    assert folder.hides(picture(Fingerprint(PHASH256, SEVEN_AWAY)), distance_bits_max=31) == ("A", "B")
    assert folder.hides(picture(Fingerprint(PHASH256, SEVEN_AWAY)), distance_bits_max=6) == ("B",)
    both = picture(Fingerprint(PHASH256, ASKED), Fingerprint(PHASH256, ELSEWHERE, Variant.INNER))
    assert folder.hides(both, distance_bits_max=6) == ("A", "C")
    move(folder, "A", "withdrawn")
    assert folder.hides(both, distance_bits_max=6) == ("C",)
    opt_out(folder, number="D", code=ASKED, index=3)
    assert folder.hides(both, distance_bits_max=6) == ("C", "D")
    assert len(folder.hidden.turned_codes()) == 8 * 3


def test_addresses_hide_what_stands_below_them_by_http_and_https(folder: DataFolder) -> None:
    nothing = picture(Fingerprint(PHASH256, ELSEWHERE))
    assert not folder.hidden_addresses.any()
    opt_out(folder, number="A", index=0, addresses=["example.org/mine"])
    opt_out(folder, number="B", index=1, addresses=["blog.example/", "example.org/mine"])
    assert folder.hidden_addresses.any()
    urls = ("http://example.org/mine/a.jpg?w=1", None)
    assert folder.hides(nothing, distance_bits_max=0, urls=urls) == ("A", "B")
    assert folder.hides(nothing, distance_bits_max=0, urls=("x:y", "https://blog.example/")) == ("B",)
    assert folder.hides(nothing, distance_bits_max=0, urls=("https://example.org/miner", "no address", None)) == ()
    assert folder.hidden_addresses.hiding(["https://cdn.example/a.jpg", "https://blog.example/post"])
    move(folder, "B", "erased")
    assert not folder.hidden_addresses.hiding(["https://cdn.example/a.jpg", "https://blog.example/post"])
    assert folder.hidden_addresses.hiding(["https://example.org/mine", None])


def test_hidden_codes_are_turned_as_single_ones_are(folder: DataFolder) -> None:
    codes = [bytes(random.Random(seed).randbytes(32)) for seed in range(5)]
    for index, one in enumerate(codes):
        opt_out(folder, number=str(index), code=one, index=index)
    assert folder.hidden.turned_codes() == sorted(turned for one in codes for turned in turned_bits(one))
