"""`hibs audit` and `hibs keys`: what they print, and with which code they end."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from checker.commands import audit as audit_command
from checker.commands import keys as keys_command
from checker.records.registry import Registry


def keys(*arguments: object) -> Result:
    return CliRunner().invoke(keys_command.app, [str(argument) for argument in arguments])


def audit(*arguments: object) -> Result:
    return CliRunner().invoke(audit_command.app, [str(argument) for argument in arguments])


def test_a_changed_row_ends_the_command_with_4_and_its_number(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number, name in enumerate(("one", "two"), 1):
        assert keys("create", "--name", name, "--scopes", "feed", "--data", data).exit_code == 0
        if number == 1:
            assert audit("verify", "--data", data).stdout.startswith("1 act holds, signed at ")
    held = audit("verify", "--data", data)
    assert held.exit_code == 0, held.stderr
    assert held.stdout.startswith("2 acts hold, signed at ")
    with closing(Registry.open(data / "registry.db")) as registry, registry.writing() as writer:
        writer._rows("UPDATE audit SET case_ref='x' WHERE rowid=1")
    broken = audit("verify", "--data", data)
    assert (broken.exit_code, broken.stdout) == (4, "")
    assert "row 1 (its text is another one) of the table audit was changed" in broken.stderr
    assert broken.stderr.count("\n") == 1


def test_export_gives_what_is_needed_to_compute_each_leaf(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = ("--scopes", "bulk", "--purposes", "complaint,takedown", "--case-pattern", "AZ-####")
    assert keys("create", "--name", "NGO", *made, "--data", data).exit_code == 0
    row = json.loads(audit("export", "--data", data, "--json").stdout)
    assert (row["index"], row["act"], row["holder"], row["subject"]) == (0, "key-made", "NGO", "bulk")
    assert set(map(len, (row["salt"], row["commitment"], row["leaf"]))) == {64}
    assert audit("export", "--data", data).stdout.endswith("key-made  NGO  bulk\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--scopes", "bulk"),
        ("--scopes", "bulk", "--purposes", "curiosity", "--case-pattern", "AZ-####"),
        ("--scopes", "bulk", "--purposes", "complaint", "--case-pattern", "AZ"),
        ("--scopes", "feed", "--purposes", "complaint", "--case-pattern", "AZ-####"),
        ("--scopes", "feed", "--expires", "2001-01-01"),
        ("--scopes", "feed", "--expires", "soon"),
    ],
)
def test_a_key_that_cannot_be_is_refused_in_one_sentence(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    refused = keys("create", "--name", "NGO", *arguments, "--data", tmp_path / "data")
    assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)


def test_a_bulk_key_is_listed_with_what_it_is_for(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = (
        "--scopes",
        "bulk",
        "--purposes",
        "takedown,complaint",
        "--case-pattern",
        "AZ-####",
        "--expires",
        "2199-01-01",
    )
    assert keys("create", "--name", "NGO", *made, "--data", data).exit_code == 2, "more than ten years"
    assert keys("create", "--name", "NGO", *made[:-2], "--data", data).exit_code == 0
    assert "for complaint, takedown, cases AZ-####" in keys("list", "--data", data).stdout
    row = json.loads(keys("list", "--data", data, "--json").stdout)[0]
    assert (row["purposes"], row["case_pattern"]) == (["complaint", "takedown"], "AZ-####")
    assert audit("verify", "--data", tmp_path / "none").exit_code == 2
