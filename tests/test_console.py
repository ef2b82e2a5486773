"""What a terminal is shown, and the frozen exit codes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.console import ExitCode, count_of, one_line, printable
from checker.errors import InputError, NewerDataError, RemoteError, VerificationError
from checker.settings import Settings


def test_exit_codes_never_change() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0,
        "PARTLY": 1,
        "USAGE": 2,
        "MATCH": 3,
        "UNVERIFIED": 4,
        "STOPPED": 130,
    }


def test_errors_end_with_their_documented_exit_code() -> None:
    assert (InputError.exit_code, NewerDataError.exit_code, RemoteError.exit_code) == (2, 2, 2)
    assert VerificationError("x", part="checkpoint").exit_code == 4


@given(st.text())
def test_nothing_unprintable_reaches_a_terminal(text: str) -> None:
    assert all(c.isprintable() or c == "\n" for c in printable(text))


def test_letters_of_any_language_stay() -> None:
    assert printable("Zoë 東京 صورة") == "Zoë 東京 صورة"


def test_one_of_a_kind_is_told_as_one() -> None:
    assert [count_of(number, "picture") for number in (0, 1, 2, 1000)] == [
        *("0 pictures", "1 picture", "2 pictures", "1,000 pictures"),
    ]
    assert [count_of(number, "entry", "entries") for number in (0, 1, 2)] == ["0 entries", "1 entry", "2 entries"]


def test_settings_come_from_the_environment() -> None:
    settings = Settings.from_environment(
        {"HIBS_CONTACT": "me@example.org", "HIBS_PICTURE_BYTES_MAX": "1000", "PATH": ""}
    )
    assert (settings.contact, settings.picture_bytes_max) == ("me@example.org", 1000)
    assert settings.match_distance_bits_max == 31


@pytest.mark.parametrize("value", ["", "-1", "0", "many", "1.5"])
def test_a_number_that_is_none_stops_the_start(value: str) -> None:
    with pytest.raises(InputError, match="HIBS_PICTURE_BYTES_MAX"):
        Settings.from_environment({"HIBS_PICTURE_BYTES_MAX": value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HIBS_WITHDRAW_AFTER_DAYS", "3651"),
        ("HIBS_FEED_AGE_DAYS_MAX", "9" * 5000),
        ("HIBS_MATCH_DISTANCE_BITS_MAX", "84"),
        ("HIBS_PICTURE_PIXELS_MAX", "89478486"),
        ("HIBS_PICTURE_BYTES_MAX", "٣"),
    ],
)
def test_a_number_out_of_its_bounds_stops_the_start(name: str, value: str) -> None:
    with pytest.raises(InputError, match=f"{name} must be a whole number from 1 to"):
        Settings.from_environment({name: value})


@given(st.text())
def test_one_line_stays_one_line(text: str) -> None:
    assert one_line(text).isprintable()
