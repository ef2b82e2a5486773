"""A key of the log takes over from another: both sign for a while, the log says so, and a crash costs nothing."""

from __future__ import annotations

import base64
import json
import random
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hibs_command import Hibs
from registry_child import code
from second_opinion import second_opinion

from checker.errors import DataError, InputError, VerificationError
from checker.model import Use
from checker.optout.entry import Entry, Evidence, KeyChange, KeyState, parse_entry
from checker.optout.log import folder_keys
from checker.optout.log_keys import read_keys
from checker.optout.note import note_signers, open_checkpoint, parse_verifier_key
from checker.optout.receipt import VerifiedReceipt, verify_receipt
from checker.optout.request import OptOuts
from checker.optout.tree import root
from checker.settings import Settings

CHILD = Path(__file__).with_name("registry_child.py")
ORIGIN = "log.example/opt-outs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def opt_outs(folder: Path, settings: Settings, now: datetime) -> Iterator[OptOuts]:
    with OptOuts.open(folder, settings, now=now, origin=ORIGIN) as opened:
        yield opened


def say_no(opt_outs: OptOuts, now: datetime) -> bytes:
    draw = random.Random(opt_outs.log.size)
    recorded = opt_outs.record([[code(draw)]], uses=[Use.ALL], evidence=Evidence.PICTURE, now=now)
    assert recorded.receipt_bytes is not None
    return recorded.receipt_bytes


def entry_at(opt_outs: OptOuts, index: int) -> Entry:
    (row,) = opt_outs.registry.log_rows(index, 1)
    assert row.entry is not None
    return parse_entry(row.entry)


def vkeys(folder: Path) -> list[str]:
    return [key.verifier.text for key in folder_keys(folder)]


def verifies(note: bytes, vkey: str) -> bool:
    try:
        open_checkpoint(note, [parse_verifier_key(vkey)])
    except VerificationError:
        return False
    return True


# --- both sign -------------------------------------------------------------------------------------------------


def test_a_reader_of_the_old_key_and_one_of_the_new_verify_the_same_checkpoint(
    opt_outs: OptOuts, folder: Path, now: datetime
) -> None:
    say_no(opt_outs, now)
    old = opt_outs.log.vkey
    new = opt_outs.log.rotate(now).verifier.text
    assert old != new
    assert vkeys(folder) == [old, new]
    say_no(opt_outs, now)
    note = opt_outs.log.checkpoint()
    for vkey in (old, new):
        head = open_checkpoint(note, [parse_verifier_key(vkey)])
        assert (head.origin, head.size) == (ORIGIN, 3)
        other = second_opinion("note")
        assert other.verify_note(other.parse_note(note), [other.parse_vkey(vkey)])
    # C2SP signed-note: several signature lines, here of two keys of one name.
    assert [line.split(" ")[1] for line in note.decode().splitlines()[-2:]] == [ORIGIN, ORIGIN]


def test_the_log_says_that_the_new_key_came(opt_outs: OptOuts, now: datetime) -> None:
    say_no(opt_outs, now)
    new = opt_outs.log.rotate(now)
    assert new.added == 1
    assert entry_at(opt_outs, 1) == KeyChange(new.verifier.text, KeyState.ADDED)
    assert opt_outs.log.size == 2


def test_both_sign_until_the_day_and_then_the_new_one_alone(opt_outs: OptOuts, folder: Path, now: datetime) -> None:
    old, new = opt_outs.log.vkey, opt_outs.log.rotate(now).verifier.text
    before = opt_outs.checkpoint(now + timedelta(days=30, minutes=-1))
    assert verifies(before, old)
    after = opt_outs.checkpoint(now + timedelta(days=30))
    assert not verifies(after, old)
    assert verifies(after, new)
    assert entry_at(opt_outs, 1) == KeyChange(old, KeyState.RETIRED)
    assert opt_outs.log.size == 2
    again = opt_outs.checkpoint(now + timedelta(days=31))
    assert open_checkpoint(again, [parse_verifier_key(new)]).size == 2, "it is said once"
    assert vkeys(folder) == [old, new], "what it signed is valid for ever, so its public half stays"


def test_the_secret_half_of_a_retired_key_is_deleted_and_none_is_in_a_database(
    opt_outs: OptOuts, folder: Path, now: datetime
) -> None:
    opt_outs.log.rotate(now)
    seeds = [key.signing.seed for key in read_keys(folder) if key.signing]
    assert len(seeds) == 2
    opt_outs.checkpoint(now + timedelta(days=30))
    opt_outs.close()
    bodies = {path.name: path.read_bytes() for path in folder.iterdir()}
    spellings = [[seed, seed.hex().encode(), base64.b64encode(b"\x01" + seed)] for seed in seeds]
    holding = [{name for name, body in bodies.items() if any(one in body for one in each)} for each in spellings]
    assert holding == [set(), {"log.key"}]
    assert stat.S_IMODE((folder / "log.key").stat().st_mode) == 0o600


def test_a_third_key_has_to_wait_until_the_first_is_gone(opt_outs: OptOuts, folder: Path, now: datetime) -> None:
    opt_outs.log.rotate(now, days=10)
    with pytest.raises(InputError, match="until 2026-12-02T14:03:00Z"):
        opt_outs.log.rotate(now + timedelta(days=9))
    third = opt_outs.log.rotate(now + timedelta(days=10)).verifier.text
    note = opt_outs.log.checkpoint()
    assert [verifies(note, vkey) for vkey in vkeys(folder)] == [False, True, True]
    assert vkeys(folder)[2] == third


def test_a_process_that_runs_signs_with_the_key_that_another_one_made(
    opt_outs: OptOuts, folder: Path, settings: Settings, now: datetime
) -> None:
    old = opt_outs.log.vkey
    with OptOuts.open(folder, settings, now=now) as other:
        new = other.log.rotate(now).verifier.text
    assert opt_outs.log.vkey == new
    say_no(opt_outs, now)
    assert all(verifies(opt_outs.log.checkpoint(), vkey) for vkey in (old, new))


def test_a_receipt_names_one_key_and_carries_its_signature_alone(
    opt_outs: OptOuts, folder: Path, now: datetime
) -> None:
    first = say_no(opt_outs, now)
    new = opt_outs.log.rotate(now).verifier.text
    second = say_no(opt_outs, now)
    third_at = now + timedelta(days=30)
    old, _ = vkeys(folder)
    assert opt_outs.log.vkey == new
    third = say_no(opt_outs, third_at)
    held = [verify_receipt(receipt, key=vkey) for receipt, vkey in ((first, old), (second, new), (third, new))]
    assert [one.checkpoint.size for one in held] == [1, 3, 5]
    for one in held:
        assert len(note_signers(one.receipt.checkpoint.encode())) == 1
        assert isinstance(verify_receipt(one.receipt.to_bytes(), key=tuple(vkeys(folder))), VerifiedReceipt)
    with pytest.raises(VerificationError) as refused:
        verify_receipt(second, key=old)
    assert refused.value.part == "key"


# --- crashes ---------------------------------------------------------------------------------------------------


def test_a_key_whose_entry_a_crash_took_is_announced_at_the_next_start(
    opt_outs: OptOuts, folder: Path, tmp_path: Path, settings: Settings, now: datetime
) -> None:
    """The file was replaced, the transaction was not committed: the database and the mark are those from before."""
    say_no(opt_outs, now)
    for name in ("registry.db", "checkpoint"):
        shutil.copy(folder / name, tmp_path / name)
    new = opt_outs.log.rotate(now).verifier.text
    opt_outs.close()
    for name in ("registry.db", "checkpoint"):
        shutil.copy(tmp_path / name, folder / name)
    late = now + timedelta(days=40)
    with OptOuts.open(folder, settings, now=late) as again:
        assert entry_at(again, 1) == KeyChange(new, KeyState.ADDED)
        assert again.log.size == 2
        assert [verifies(again.log.checkpoint(), vkey) for vkey in vkeys(folder)] == [True, True]
        assert folder_keys(folder)[0].until == late + timedelta(days=30), "nobody could know of it before"


def test_a_retirement_that_a_crash_took_is_said_at_the_next_start(
    opt_outs: OptOuts, folder: Path, tmp_path: Path, settings: Settings, now: datetime
) -> None:
    old = opt_outs.log.vkey
    opt_outs.log.rotate(now)
    for name in ("registry.db", "checkpoint"):
        shutil.copy(folder / name, tmp_path / name)
    opt_outs.checkpoint(now + timedelta(days=30))
    opt_outs.close()
    for name in ("registry.db", "checkpoint"):
        shutil.copy(tmp_path / name, folder / name)
    with OptOuts.open(folder, settings, now=now + timedelta(days=31)) as again:
        assert entry_at(again, 1) == KeyChange(old, KeyState.RETIRED)
        assert again.log.size == 2


def test_a_crash_before_the_signature_costs_no_signature(
    opt_outs: OptOuts, folder: Path, settings: Settings, now: datetime
) -> None:
    mark = opt_outs.log.checkpoint()
    opt_outs.log.rotate(now)
    (folder / "checkpoint").write_bytes(mark)
    with OptOuts.open(folder, settings, now=now) as again:
        assert [verifies(again.log.checkpoint(), vkey) for vkey in vkeys(folder)] == [True, True]


def test_a_log_survives_kill_9_while_its_keys_change(tmp_path: Path, settings: Settings, now: datetime) -> None:
    folder, draw = tmp_path / "data", random.Random(12)
    known: list[str] = []
    receipts: list[bytes] = []
    for round_no in range(6):
        command = [sys.executable, str(CHILD), str(folder), "1000", str(round_no), "rotate"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            receipts += [base64.b64decode(process.stdout.readline()) for _ in range(draw.randrange(1, 4))]
            try:
                process.wait(timeout=draw.random() / 50)
            except subprocess.TimeoutExpired:
                process.kill()
        with OptOuts.open(folder, settings, now=now) as opt_outs:
            keys = opt_outs.log.keys()
            assert [key.verifier.text for key in keys][: len(known)] == known
            known = [key.verifier.text for key in keys]
            signers = note_signers(opt_outs.log.checkpoint())
            assert {key_id for _, key_id in signers} == {key.verifier.id for key in keys if key.signing}
            for key in keys:
                if key.added is not None:
                    assert entry_at(opt_outs, key.added) == KeyChange(key.verifier.text, KeyState.ADDED)
                if key.retired is not None:
                    assert entry_at(opt_outs, key.retired) == KeyChange(key.verifier.text, KeyState.RETIRED)
            for receipt in receipts:
                held = verify_receipt(receipt, key=tuple(known))
                assert root(held.checkpoint.size, opt_outs.registry.node) == held.checkpoint.root
    assert len(known) > 6


def test_an_older_copy_of_the_keys_signs_nothing(
    opt_outs: OptOuts, folder: Path, tmp_path: Path, settings: Settings, now: datetime
) -> None:
    shutil.copy(folder / "log.key", tmp_path / "backup.key")
    opt_outs.log.rotate(now)
    signed = opt_outs.log.checkpoint()
    shutil.copy(tmp_path / "backup.key", folder / "log.key")
    for attempt in (lambda: OptOuts.open(folder, settings, now=now), lambda: say_no(opt_outs, now)):
        with pytest.raises(DataError, match=r"a key that log\.key lacks"):
            attempt()
    assert opt_outs.log.checkpoint() == signed


# --- the commands ----------------------------------------------------------------------------------------------


def test_the_commands_rotate_and_list(hibs: Hibs, images: Path) -> None:
    hibs("opt-out", "add", images / "rocket.jpg", "--data", "data")
    (old,) = json.loads(hibs("keys", "log", "--data", "data", "--json").stdout)
    assert old | {"key": ""} == {
        "key": "",
        "signs": True,
        "since": None,
        "added": None,
        "until": None,
        "retired": None,
    }
    made = hibs("keys", "rotate-log", "--data", "data")
    assert "publish it" in made.stderr
    first, second = json.loads(hibs("keys", "log", "--data", "data", "--json").stdout)
    assert (first["key"], second["key"]) == (old["key"], made.stdout.strip())
    assert (second["added"], second["until"], second["since"]) == (1, None, second["since"])
    assert parse_utc_days(second["since"], first["until"]) == 30
    lines = hibs("keys", "log", "--data", "data").stdout.splitlines()
    assert lines == [
        f"{first['key']}  signs from the beginning until {first['until']}",
        f"{second['key']}  signs from {second['since']} (entry 1)",
    ]
    refused = hibs("keys", "rotate-log", "--data", "data", exit_code=2)
    assert refused.stderr == f"hibs: two keys sign this log until {first['until']}; make another one after that\n"


def parse_utc_days(since: str, until: str) -> int:
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).days


@pytest.mark.parametrize("command", [("log",), ("rotate-log",), ("rotate-log", "--days", "0")])
def test_a_folder_without_a_log_has_no_keys(hibs: Hibs, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "data").mkdir()
    refused = hibs("keys", *command, "--data", "data", exit_code=2)
    assert refused.stdout == ""
    assert refused.stderr
    assert list((tmp_path / "data").iterdir()) == []
