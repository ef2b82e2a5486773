"""The log never forks: keys, the high-water mark, crashes, two writers, an old backup; and what followers read."""

from __future__ import annotations

import base64
import random
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from registry_child import code
from second_opinion import second_opinion

from checker.errors import DataError, InputError, LogBehindError
from checker.model import Use
from checker.optout.entry import Evidence, parse_opening
from checker.optout.log import folder_key, require_whole_folder
from checker.optout.note import open_checkpoint, parse_signing_key, parse_verifier_key
from checker.optout.receipt import verify_receipt
from checker.optout.request import OptOuts
from checker.optout.tree import Tile, bundles_of, root, tiles_of
from checker.settings import Settings

CHILD = Path(__file__).with_name("registry_child.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def opt_outs(folder: Path, settings: Settings, now: datetime) -> Iterator[OptOuts]:
    with OptOuts.open(folder, settings, now=now, origin="log.example/opt-outs") as opened:
        yield opened


def record(opt_outs: OptOuts, count: int, now: datetime) -> list[bytes]:
    draw = random.Random(opt_outs.log.size)
    return [
        opt_outs.record([[code(draw)]], uses=[Use.ALL], evidence=Evidence.PICTURE, now=now).receipt_bytes
        for _ in range(count)
    ]


def child(folder: Path, count: int, seed: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(CHILD), str(folder), str(count), str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


# --- keys ------------------------------------------------------------------------------------------------------


def test_the_key_is_readable_by_its_owner_alone_and_in_no_database(
    opt_outs: OptOuts, folder: Path, now: datetime
) -> None:
    record(opt_outs, 2, now)
    opt_outs.close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "log.key").stat().st_mode) == 0o600
    text = (folder / "log.key").read_text().strip()
    seed = parse_signing_key(text).seed
    for file in folder.glob("registry.db*"):
        body = file.read_bytes()
        assert seed not in body
        assert seed.hex().encode() not in body
        assert text.split("+", 4)[4].encode() not in body
    assert folder_key(folder) == opt_outs.log.vkey


def test_a_key_that_others_can_read_is_refused(
    opt_outs: OptOuts, folder: Path, settings: Settings, now: datetime
) -> None:
    (folder / "log.key").chmod(0o644)
    with pytest.raises(DataError, match="chmod 600"):
        OptOuts.open(folder, settings, now=now)


@pytest.mark.parametrize("lost", ["log.key", "checkpoint"])
def test_a_log_that_lost_its_key_or_its_mark_is_not_begun_anew(
    opt_outs: OptOuts, folder: Path, settings: Settings, now: datetime, lost: str
) -> None:
    record(opt_outs, 1, now)
    (folder / lost).unlink()
    with pytest.raises(DataError, match=rf"{lost} is missing"):
        OptOuts.open(folder, settings, now=now)
    assert not (folder / lost).exists()


def test_a_folder_that_lost_its_registry_is_not_used(tmp_path: Path, settings: Settings, now: datetime) -> None:
    folder = tmp_path / "data"
    require_whole_folder(tmp_path)
    with OptOuts.open(folder, settings, now=now) as opt_outs:
        record(opt_outs, 1, now)
    require_whole_folder(folder)
    (folder / "registry.db").unlink()
    with pytest.raises(LogBehindError, match=r"registry\.db is missing"):
        require_whole_folder(folder)


def test_a_mark_of_another_key_is_refused(opt_outs: OptOuts, tmp_path: Path, settings: Settings, now: datetime) -> None:
    OptOuts.open(tmp_path / "other", settings, now=now).close()
    shutil.copy(tmp_path / "other" / "log.key", tmp_path / "data" / "log.key")
    with pytest.raises(DataError, match=r"was not signed with log\.key"):
        OptOuts.open(tmp_path / "data", settings, now=now)


def test_a_log_keeps_its_name(opt_outs: OptOuts, folder: Path, settings: Settings, now: datetime) -> None:
    with OptOuts.open(folder, settings, now=now, origin="another") as again:
        assert again.log.origin == "log.example/opt-outs"
    with pytest.raises(InputError, match="cannot be called"):
        OptOuts.open(folder / "new", settings, now=now, origin="a name")


# --- never fork ------------------------------------------------------------------------------------------------


def test_a_new_log_has_a_signed_checkpoint_of_nothing(opt_outs: OptOuts) -> None:
    head = open_checkpoint(opt_outs.log.checkpoint(), [parse_verifier_key(opt_outs.log.vkey)])
    assert (head.origin, head.size) == ("log.example/opt-outs", 0)
    # RFC 6962 2.1: the hash of an empty list is that of an empty string.
    assert head.root.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_an_older_copy_of_the_database_signs_nothing(tmp_path: Path, settings: Settings, now: datetime) -> None:
    folder = tmp_path / "data"
    with OptOuts.open(folder, settings, now=now) as opt_outs:
        record(opt_outs, 2, now)
    shutil.copy(folder / "registry.db", tmp_path / "backup.db")
    with OptOuts.open(folder, settings, now=now) as opt_outs:
        record(opt_outs, 3, now)
    signed = (folder / "checkpoint").read_bytes()
    shutil.copy(tmp_path / "backup.db", folder / "registry.db")
    with pytest.raises(LogBehindError, match="holds 2 entries, but 5 were signed"):
        OptOuts.open(folder, settings, now=now + timedelta(days=1))
    assert (folder / "checkpoint").read_bytes() == signed


def test_a_database_with_another_history_signs_nothing(tmp_path: Path, settings: Settings, now: datetime) -> None:
    for name in ("data", "other"):
        with OptOuts.open(tmp_path / name, settings, now=now) as opt_outs:
            record(opt_outs, 3, now)
    shutil.copy(tmp_path / "other" / "registry.db", tmp_path / "data" / "registry.db")
    with pytest.raises(LogBehindError, match="other entries than were signed"):
        OptOuts.open(tmp_path / "data", settings, now=now)


def test_what_was_committed_and_not_signed_is_signed_at_the_next_start(
    opt_outs: OptOuts, folder: Path, settings: Settings, now: datetime
) -> None:
    record(opt_outs, 1, now)
    mark = opt_outs.log.checkpoint()
    record(opt_outs, 1, now)
    (folder / "checkpoint").write_bytes(mark)  # as if killed between commit and signature
    with OptOuts.open(folder, settings, now=now) as again:
        assert again.log.size == 2


def test_a_log_that_rests_is_signed_again_after_an_hour(opt_outs: OptOuts, now: datetime) -> None:
    record(opt_outs, 1, now)
    first = opt_outs.log.checkpoint()
    assert opt_outs.checkpoint(now + timedelta(minutes=59)) == first
    assert opt_outs.checkpoint(now + timedelta(minutes=60)) != first
    head = opt_outs.log.head()
    assert (head.size, head.time) == (1, now + timedelta(minutes=60))


def test_receipts_survive_kill_9_and_the_size_never_falls(tmp_path: Path, settings: Settings, now: datetime) -> None:
    folder, receipts, size = tmp_path / "data", [], 0
    for round_no in range(4):
        process = child(folder, 1000, round_no)
        assert process.stdout
        receipts += [base64.b64decode(process.stdout.readline()) for _ in range(round_no + 1)]
        process.kill()
        process.communicate()
        with OptOuts.open(folder, settings, now=now) as opt_outs:
            assert opt_outs.log.size >= max(size, len(receipts))
            size = opt_outs.log.size
            for receipt in receipts:
                held = verify_receipt(receipt, key=opt_outs.log.vkey)
                # The tree of today begins with the tree of the receipt: nothing was signed twice.
                assert root(held.checkpoint.size, opt_outs.registry.node) == held.checkpoint.root


def test_two_processes_number_one_log_without_a_gap(tmp_path: Path, settings: Settings, now: datetime) -> None:
    folder = tmp_path / "data"
    children = [child(folder, 15, seed) for seed in (1, 2)]  # they also make the folder at the same time
    lines = [line for process in children for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in children] == [0, 0]
    with OptOuts.open(folder, settings, now=now) as opt_outs:
        held = [verify_receipt(base64.b64decode(line), key=opt_outs.log.vkey) for line in lines]
        assert sorted(one.receipt.index for one in held) == list(range(30))
        assert opt_outs.log.size == 30
        for one in held:
            assert root(one.checkpoint.size, opt_outs.registry.node) == one.checkpoint.root


# --- what followers read ---------------------------------------------------------------------------------------


class Served:
    """The log's tiles as the other implementation asks for them."""

    def __init__(self, opt_outs: OptOuts) -> None:
        self._log = opt_outs.log

    def read_tile(self, level: int, index: int, width: int | None) -> bytes | None:
        return self._log.tile(level, index, width or 256)

    def read_entry_bundle(self, index: int, width: int | None) -> bytes | None:
        return self._log.entries(index, width or 256)


def test_another_implementation_audits_the_whole_log(opt_outs: OptOuts, now: datetime) -> None:
    draw = random.Random(7)
    with opt_outs.registry.writing() as writer:  # many entries at once; 260 so that there are two levels of tiles
        from checker.optout.entry import EntryType, Reference

        for index in range(260):
            opt_outs.log.append(writer, Reference(EntryType.DISPUTE, draw.randrange(index + 1)))
    opt_outs.log.sign(now)
    head = opt_outs.log.head()
    assert head.size == 260
    report = second_opinion("verified").audit_tiles(Served(opt_outs), 260, head.root)
    assert report.size == 260
    assert second_opinion("tiles").tree_root_from_tiles(Served(opt_outs), 260) == head.root
    assert [len(opt_outs.log.tile(t.level, t.index, t.width)) for t in tiles_of(260)] == [8192, 128, 32]
    assert [t.width for t in bundles_of(260)] == [256, 4]


@pytest.mark.parametrize("tile", [Tile(0, 0, 3), Tile(1, 0, 1), Tile(0, 1, 1), Tile(64, 0, 1), Tile(0, -1, 1)])
def test_what_the_signed_log_has_not_is_not_served(opt_outs: OptOuts, now: datetime, tile: Tile) -> None:
    record(opt_outs, 2, now)
    with pytest.raises(InputError, match="no such tile"):
        opt_outs.log.tile(tile.level, tile.index, tile.width)


def test_openings_come_in_order_and_only_of_signed_entries(opt_outs: OptOuts, now: datetime) -> None:
    receipts = [verify_receipt(receipt).receipt for receipt in record(opt_outs, 5, now)]
    lines = list(opt_outs.log.openings(1, 3))
    assert [parse_opening(line).index for line in lines] == [1, 2, 3]
    assert [parse_opening(line).entry for line in lines] == [receipt.entry for receipt in receipts[1:4]]
    assert list(opt_outs.log.openings(5, 100)) == []
    assert len(list(opt_outs.log.openings(0, 100))) == 5
