"""API keys: made once, kept as a hash, ended by time or by hand."""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from checker.commands import keys as command
from checker.errors import InputError
from checker.keys import KeyHolder, Scope, create_key, revoke_key, verify_key
from checker.records.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    opened = Registry.open(tmp_path / "registry.db")
    yield opened
    opened.close()


def test_a_key_has_prefix_bits_and_checksum(registry: Registry, now: datetime) -> None:
    body = bytes(range(32))
    text = create_key(registry, name="ngo", scopes=[Scope.FEED], now=now, random_bytes=lambda size: body[:size])
    assert text == f"hibs_{body.hex()}{hashlib.sha256(body).hexdigest()[:8]}"
    other = create_key(registry, name="lab", scopes=[Scope.FEED], now=now)
    assert re.fullmatch(r"hibs_[0-9a-f]{72}", other)


def test_a_key_opens_its_scopes_and_no_other(registry: Registry, now: datetime) -> None:
    text = create_key(registry, name="ngo", scopes=[Scope.BULK, Scope.FEED], now=now)
    holder = KeyHolder(name="ngo", scopes=frozenset({Scope.BULK, Scope.FEED}), expires_at=now + timedelta(days=365))
    assert verify_key(registry, text, scope=Scope.FEED, now=now) == holder
    assert verify_key(registry, text, scope=None, now=now) == holder
    assert verify_key(registry, text, scope=Scope.ADMIN, now=now) is None


def test_a_key_ends_by_time_and_by_hand(registry: Registry, now: datetime, tmp_path: Path) -> None:
    text = create_key(registry, name="ngo", scopes=[Scope.FEED], now=now, days=30)
    other_process = Registry.open(tmp_path / "registry.db")
    assert verify_key(other_process, text, scope=Scope.FEED, now=now + timedelta(days=30, seconds=-1))
    assert verify_key(other_process, text, scope=Scope.FEED, now=now + timedelta(days=30)) is None
    revoke_key(registry, name="ngo", now=now)
    assert verify_key(other_process, text, scope=Scope.FEED, now=now) is None
    with pytest.raises(InputError, match="no key named ngo"):
        revoke_key(registry, name="ngo", now=now)
    other_process.close()


@pytest.mark.parametrize("change", ["", "x", "hibs_", "last", "middle", "upper"])
def test_what_is_no_key_opens_nothing(registry: Registry, now: datetime, change: str) -> None:
    text = create_key(registry, name="ngo", scopes=[Scope.FEED], now=now)
    wrong = {
        "last": text[:-1] + ("0" if text[-1] != "0" else "1"),
        "middle": text[:20] + ("0" if text[20] != "0" else "1") + text[21:],
        "upper": text.upper(),
    }.get(change, change)
    assert verify_key(registry, wrong, scope=None, now=now) is None


@pytest.mark.parametrize(
    ("name", "scopes", "days"),
    [
        ("", [Scope.FEED], 365),
        ("a\nb", [Scope.FEED], 365),
        ("ngo", [], 365),
        ("ngo", [Scope.FEED], 0),
        ("a" * 81, [Scope.FEED], 1),
    ],
)
def test_what_cannot_be_a_key_is_refused(
    registry: Registry, now: datetime, name: str, scopes: list[Scope], days: int
) -> None:
    with pytest.raises(InputError):
        create_key(registry, name=name, scopes=scopes, now=now, days=days)
    assert registry.key_rows() == ()


def test_a_name_is_used_once(registry: Registry, now: datetime) -> None:
    create_key(registry, name="ngo", scopes=[Scope.FEED], now=now)
    with pytest.raises(InputError, match="already"):
        create_key(registry, name="ngo", scopes=[Scope.BULK], now=now)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command.app, [str(argument) for argument in arguments])


def test_the_command_prints_a_key_once_and_stores_its_hash_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    bulk = ("--purposes", "complaint", "--case-pattern", "AZ-####")
    made = run("create", "--name", "Data team", "--scopes", "feed,bulk", *bulk, "--data", data)
    assert made.exit_code == 0, made.stderr
    text = made.stdout.strip()
    assert stat.S_IMODE((data / "registry.db").stat().st_mode) == 0o600
    stored = b"".join(path.read_bytes() for path in data.iterdir())
    assert text.encode() not in stored
    assert bytes.fromhex(text[5:69]) not in stored
    assert hashlib.sha256(text.encode()).digest() in stored

    rows = json.loads(run("list", "--data", data, "--json").stdout)
    assert [(row["name"], row["scopes"], row["revoked_at"]) for row in rows] == [("Data team", ["bulk", "feed"], None)]
    assert "Data team" in run("list", "--data", data).stdout
    assert run("revoke", "Data team", "--data", data).exit_code == 0
    assert "revoked" in run("list", "--data", data).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "--name", "a", "--scopes", "all"),
        ("create", "--name", "\x07", "--scopes", "feed"),
        ("list",),
        ("revoke", "a"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    refused = run(*arguments, "--data", tmp_path / "data")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("hibs: ")
