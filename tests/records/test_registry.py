"""registry.db: one transaction or nothing, a gapless log, counters for all processes, and what a reader may cache."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlite_utils.utils import sqlite3

from checker.errors import DataError, NewerDataError
from checker.model import PHASH256, CodeKind, Fingerprint
from checker.records import registry as registry_module
from checker.records.database import Durability, open_database
from checker.records.registry import LogRow, OptOutRow, Registry
from checker.records.registry_schema import REGISTRY

NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)
DAY = date(2026, 11, 22)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    opened = Registry.open(tmp_path / "registry.db")
    yield opened
    opened.close()


def log_row(index: int) -> LogRow:
    return LogRow(index=index, leaf=bytes([index]) * 32, entry=b"entry", salt=b"salt")


def add(registry: Registry, number: str, index: int, *, bits: bytes, state: str = "recorded") -> None:
    row = OptOutRow(
        number=number,
        index=index,
        state=state,
        evidence="code",
        uses=("tdm",),
        pictures=1,
        withdraw_hash=number.encode(),
        recorded_at=NOW,
    )
    with registry.writing() as writer:
        writer.add_log_entry(log_row(index), [(0, index, bytes(32))])
        writer.add_opt_out(row, [[Fingerprint(kind=PHASH256, bits=bits)]])


def test_the_database_is_readable_by_its_owner_alone_and_never_forgets(registry: Registry, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "registry.db").stat().st_mode) == 0o600
    # TRUNCATE keeps no WAL in which erased bytes live on; 2 is FULL.
    settings = [registry._rows(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "secure_delete")]
    assert settings == ["truncate", 2, 1]


def test_what_is_inside_one_transaction_is_kept_together_or_not_at_all(registry: Registry) -> None:
    with pytest.raises(RuntimeError), registry.writing() as writer:
        writer.add_log_entry(log_row(0), [(0, 0, bytes(32))])
        raise RuntimeError
    assert registry.log_size() == 0
    with pytest.raises(DataError, match="lacks the hash"):
        registry.node(0, 0)


def test_entries_and_nodes_are_read_back(registry: Registry) -> None:
    with registry.writing() as writer:
        assert writer.log_size() == 0
        writer.add_log_entry(log_row(0), [(0, 0, b"a" * 32)])
        assert writer.log_size() == 1
        writer.add_log_entry(log_row(1), [(0, 1, b"b" * 32), (1, 0, b"c" * 32)])
        assert writer.node(1, 0) == b"c" * 32
    assert registry.log_rows(0, 10) == (log_row(0), log_row(1))
    assert registry.log_rows(1, 1) == (log_row(1),)
    assert registry.nodes(0, 0, 10) == (b"a" * 32, b"b" * 32)


def test_an_index_is_used_once(registry: Registry) -> None:
    add(registry, "A", 0, bits=bytes(32))
    with pytest.raises(Exception, match="UNIQUE"):
        add(registry, "B", 0, bits=bytes(32))
    assert registry.log_size() == 1
    assert registry.opt_out("B") is None


@pytest.mark.parametrize(
    ("state", "hides"),
    [
        ("recorded", True),
        ("held", True),
        ("disputed", True),
        ("withdrawing", True),
        ("withdrawn", False),
        ("erased", False),
    ],
)
def test_an_opt_out_hides_until_it_is_withdrawn_or_erased(registry: Registry, state: str, hides: bool) -> None:
    add(registry, "A", 0, bits=b"\x0f" * 32, state=state)
    assert registry.hidden_codes(PHASH256) == ((b"\x0f" * 32,) if hides else ())
    assert registry.hidden_codes(CodeKind(name="phash256", version="2", bits=256)) == ()


def test_a_move_happens_once(registry: Registry) -> None:
    add(registry, "A", 0, bits=bytes(32))
    with registry.writing() as writer:
        assert writer.move("A", old="recorded", new="withdrawing", withdraw_at=NOW)
        assert not writer.move("A", old="recorded", new="withdrawing")
    row = registry.opt_out("A")
    assert row is not None
    assert (row.state, row.withdraw_at) == ("withdrawing", NOW)
    assert registry.opt_out_by_code(b"A") == row
    assert registry.withdrawals_due(NOW) == (row,)


def test_forgetting_leaves_leaf_and_state(registry: Registry) -> None:
    add(registry, "A", 0, bits=b"\x0f" * 32)
    with registry.writing() as writer:
        writer.forget("A", 0)
    assert registry.log_rows(0, 1) == (LogRow(index=0, leaf=bytes(32), entry=None, salt=None),)
    assert registry.hidden_codes(PHASH256) == ()
    assert registry.opt_out("A") is not None


def test_a_reader_sees_that_anybody_committed(registry: Registry, tmp_path: Path) -> None:
    other = Registry.open(tmp_path / "registry.db")
    before = registry.version(), other.version()
    assert (registry.version(), other.version()) == before
    add(other, "A", 0, bits=bytes(32))
    assert registry.version() != before[0]
    assert other.version() != before[1]
    other.close()


def test_one_counter_for_all_processes_ends_at_the_limit(registry: Registry, tmp_path: Path) -> None:
    other = Registry.open(tmp_path / "registry.db")
    taken = []
    for opened in (registry, other, registry, other):
        with opened.writing() as writer:
            taken.append(writer.count_up("somebody", day=DAY, amount=8, limit=20))
    assert taken == [True, True, False, False]
    with registry.writing() as writer:
        assert writer.count_up("somebody", day=DAY, amount=4, limit=20)
        assert not writer.count_up("somebody", day=DAY, amount=1, limit=20)
        assert not writer.count_up("somebody else", day=DAY, amount=21, limit=20)
        assert writer.count_up("somebody", day=date(2026, 11, 23), amount=20, limit=20)
    assert registry._rows("SELECT DISTINCT day FROM day_count") == [("2026-11-23",)]
    other.close()


@pytest.fixture
def elsewhere(registry: Registry, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Another process that writes and does not end."""
    other = open_database(tmp_path / "registry.db", REGISTRY, durability=Durability.NEVER_FORGETS)
    other.conn.execute("BEGIN IMMEDIATE")
    yield other.conn
    other.close()


def test_whoever_waits_to_write_keeps_nobody_from_reading(
    registry: Registry, elsewhere: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_module, "BUSY_TIMEOUT_MS", 60_000)
    begun = threading.Event()

    def write(index: int) -> None:
        begun.set()
        add(registry, f"{index}", index, bits=bytes(32))

    with ThreadPoolExecutor(3) as pool:
        writes = [pool.submit(write, index) for index in range(3)]
        assert begun.wait(60)
        assert registry.log_size() == 0
        assert not any(one.done() for one in writes)
        elsewhere.execute("ROLLBACK")
        for one in writes:
            one.result()
    assert registry.log_size() == 3


@pytest.mark.usefixtures("elsewhere")
def test_many_who_wait_to_write_give_up_together(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "BUSY_TIMEOUT_MS", 50)
    with ThreadPoolExecutor(3) as pool:
        for one in [pool.submit(add, registry, f"{index}", index, bits=bytes(32)) for index in range(3)]:
            with pytest.raises(DataError, match=r"registry\.db: database is locked"):
                one.result()
    assert registry.log_size() == 0


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    database = open_database(path, REGISTRY, durability=Durability.NEVER_FORGETS)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(NewerDataError):
        Registry.open(path)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(DataError):
        Registry.open(path)
    with pytest.raises(DataError):
        Registry.open(tmp_path / "missing" / "registry.db")
