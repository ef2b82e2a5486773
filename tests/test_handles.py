"""Handles: opaque, for a day, not to be made up."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from checker.errors import DataError
from checker.handles import KEY_FILE, Handles

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
BOX = Handles(bytes(range(32)))


@pytest.mark.parametrize("image_id", [0, 1, 2**40])
def test_a_handle_opens_to_its_picture_for_a_day(image_id: int) -> None:
    handle = BOX.make(image_id, now=NOON)
    assert len(handle) == 22
    assert BOX.open(handle, now=NOON + timedelta(hours=24)) == image_id


def test_a_day_and_an_hour_later_it_opens_no_more() -> None:
    assert BOX.open(BOX.make(7, now=NOON), now=NOON + timedelta(hours=25, seconds=1)) is None


def test_neighbouring_pictures_have_unlike_handles() -> None:
    one, two = BOX.make(1, now=NOON), BOX.make(2, now=NOON)
    assert sum(a == b for a, b in zip(one, two, strict=True)) < 8


def test_any_changed_character_opens_nothing() -> None:
    handle = BOX.make(7, now=NOON)
    alphabet = string.ascii_letters + string.digits + "-_"
    for place, right in enumerate(handle):
        for wrong in set(alphabet) - {right}:
            assert BOX.open(handle[:place] + wrong + handle[place + 1 :], now=NOON) is None


@pytest.mark.parametrize("text", ["", "7", "x" * 22, "x" * 100, "ä" * 22, "../../etc/passwd"])
def test_what_is_no_handle_opens_nothing(text: str) -> None:
    assert BOX.open(text, now=NOON) is None


def test_another_installation_s_handle_opens_nothing() -> None:
    assert Handles(bytes(32)).open(BOX.make(7, now=NOON), now=NOON) is None


def test_all_processes_on_a_folder_share_one_private_key(tmp_path: Path) -> None:
    handle = Handles.of_folder(tmp_path).make(7, now=NOON)
    assert Handles.of_folder(tmp_path).open(handle, now=NOON) == 7
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_a_damaged_key_is_named(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"short")
    with pytest.raises(DataError, match=KEY_FILE):
        Handles.of_folder(tmp_path)
