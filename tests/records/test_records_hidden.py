"""What people opted out hides every picture that shows it, as a whole or in a part, from the next question on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from checker.model import PHASH256, CodeKind, Fingerprint, Picture, Sha256, Variant
from checker.records.folder import DataFolder
from checker.records.registry import REGISTRY_FILE, LogRow, OptOutRow, Registry

NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
ASKED = b"\x0f" * 32
SEVEN_AWAY = b"\x7f\xff" + b"\x0f" * 30
"""3 bits of the first byte and 4 of the second."""
ELSEWHERE = b"\xf0" * 32
SSCD512 = CodeKind("sscd512", "1-240436cc531e", 512)


def opt_out(folder: DataFolder, *, number: str = "A", state: str = "recorded") -> None:
    row = OptOutRow(
        number=number,
        index=0,
        state=state,
        evidence="picture",
        uses=("tdm",),
        pictures=1,
        withdraw_hash=number.encode(),
        recorded_at=NOW,
    )
    with closing(Registry.open(folder.path / REGISTRY_FILE)) as registry, registry.writing() as writer:
        writer.add_log_entry(LogRow(index=0, leaf=bytes(32), entry=b"entry", salt=b"salt"), [])
        writer.add_opt_out(row, [[Fingerprint(PHASH256, ASKED)]])


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


def test_a_withdrawn_opt_out_hides_no_longer(folder: DataFolder) -> None:
    opt_out(folder)
    shows = picture(Fingerprint(PHASH256, ASKED))
    assert folder.hides(shows, distance_bits_max=31)
    with closing(Registry.open(folder.path / REGISTRY_FILE)) as registry, registry.writing() as writer:
        assert writer.move("A", old="recorded", new="withdrawn")
    assert not folder.hides(shows, distance_bits_max=31)
