"""The file `log.key`: read back as it was written, and refused where it is none of ours."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.errors import DataError
from checker.optout.log_keys import LogKey, read_keys, write_keys
from checker.optout.note import SigningKey, sign_note

ORIGIN = "log.example/opt-outs"
KEYS = [SigningKey(ORIGIN, bytes([number]) * 32) for number in range(3)]
DATES = "since 2026-11-22T14:03:00Z added 1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "nothing",
        f"{KEYS[0].text} until 2026-12-22T14:03:00Z\n",
        f"{KEYS[0].verifier.text} until 2026-12-22T14:03:00Z retired 2\n",
        f"{KEYS[0].text}\n{KEYS[0].text} {DATES}\n",
        f"{KEYS[0].text}\n{SigningKey('log.example/other', bytes(32)).text} {DATES}\n",
        f"{KEYS[0].text} until 2026-12-22T14:03:00Z retired 2\n{KEYS[1].text} {DATES}\n",
        f"{KEYS[0].text}\n\n{KEYS[1].text} {DATES}\n",
        f"{KEYS[0].text}\n{KEYS[1].text} {DATES}\n{KEYS[2].text} {DATES}\n",
        f"{KEYS[0].text} until tomorrow\n{KEYS[1].text} {DATES}\n",
        f"{KEYS[0].verifier.text}\n{KEYS[1].text} {DATES}\n",
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_without_a_word_of_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "log.key").touch(mode=0o600)
    (tmp_path / "log.key").write_text(text)
    with pytest.raises(DataError, match="restore it") as refused:
        read_keys(tmp_path)
    assert all(key.text.split("+")[-1] not in str(refused.value) for key in KEYS)


@given(st.text(st.sampled_from("PRIVATEKEY+ \nabc012=") | st.characters(), max_size=200))
def test_no_text_makes_the_reader_fail_otherwise(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("keys")
    (folder / "log.key").touch(mode=0o600)
    (folder / "log.key").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(DataError):
        read_keys(folder)


MOMENTS = st.integers(1_800_000_000, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(st.lists(st.tuples(MOMENTS, st.integers(0, 2**53)), max_size=3), st.booleans())
def test_keys_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[datetime, int]], under_way: bool
) -> None:
    made = [SigningKey(ORIGIN, bytes([number]) * 32) for number in range(len(changes) + 1)]
    keys = []
    for number, key in enumerate(made):
        since, added = changes[number - 1] if number else (None, None)
        until, retired = changes[number] if number < len(changes) else (None, None)
        signs = number == len(changes) or (under_way and number == len(changes) - 1)
        keys.append(LogKey(key.verifier, key if signs else None, since, added, until, None if signs else retired))
    folder = tmp_path_factory.mktemp("keys")
    write_keys(folder, keys)
    assert read_keys(folder) == tuple(keys)


def test_a_note_has_a_key_and_one_text() -> None:
    with pytest.raises(ValueError, match="has a key"):
        sign_note("text\n", [])
    with pytest.raises(ValueError, match="line feed"):
        sign_note("text", KEYS)
