"""A feed folder proves itself; whatever is changed in it is refused, here and by a second verifier."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from feed_simulator import code, follow, opened, record, say
from hypothesis import given
from hypothesis import strategies as st

from checker.errors import VerificationError
from checker.optout.entry import (
    Entry,
    EntryType,
    Opening,
    Reference,
    parse_opening,
    write_opening,
)
from checker.optout.feed import VERIFY_AGE_MAX, read_state, verify_feed
from checker.optout.note import VerifierKey

SECOND = Path(__file__).with_name("independent_verifier.py")


@pytest.fixture(scope="module")
def second_verifier() -> ModuleType:
    """independent_verifier.py as a module."""
    spec = importlib.util.spec_from_file_location("independent_verifier", SECOND)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def whole_feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """258 opt-outs, then: 7 withdrawn (258), 8 disputed (259), 9 erased (260). Signed at 14:03 on 30 November."""
    folder = tmp_path_factory.mktemp("whole")
    start, now = (datetime.fromisoformat(f"2026-11-{day}T14:03:00+00:00") for day in (22, 30))
    with opened(folder / "data", start) as opt_outs:
        made = record(opt_outs, [code(seed) for seed in range(258)], start)
        opt_outs.withdraw(made[7].withdraw_code, now=start)
        opt_outs.settle(now)
        say(opt_outs, EntryType.DISPUTE, 8, now)
        opt_outs.erase(made[9].withdraw_code, now=now)
        opt_outs.log.sign(now)
    follow(folder / "data", folder / "feed", now)
    return folder / "feed"


@pytest.fixture
def feed(whole_feed: Path, tmp_path: Path) -> Path:
    """A copy to tamper with."""
    return shutil.copytree(whole_feed, tmp_path / "feed")


NOW = datetime.fromisoformat("2026-11-30T15:00:00+00:00")


@pytest.mark.parametrize("tree_size", [-1, True, "261", 1.5, None])
def test_a_size_that_is_no_whole_number_switches_nothing_off(feed: Path, tree_size: object) -> None:
    state = json.loads((feed / "state.json").read_text())
    (feed / "state.json").write_text(json.dumps({**state, "tree_size": tree_size}))
    with pytest.raises(VerificationError) as refused:
        verify_feed(feed)
    assert refused.value.part == "state"


def test_an_opening_without_its_line_feed_was_cut_off(feed: Path) -> None:
    openings = feed / "openings.ndjson"
    openings.write_bytes(openings.read_bytes().removesuffix(b"\n"))
    with pytest.raises(VerificationError, match="cut off"):
        verify_feed(feed)


def test_a_whole_feed_verifies_here_and_by_the_second_verifier(feed: Path, second_verifier: ModuleType) -> None:
    found = verify_feed(feed)
    assert found.counts() == {"opt-out": 257, "withdraw": 1, "dispute": 1, "erase": 1, "key": 0, "erased": 1}
    assert (found.size, found.erased, found.withdrawn, found.disputed) == (261, {9}, {7}, {8})
    assert second_verifier.verify(feed, NOW) == {
        "tree_size": 261,
        "root": found.root.hex(),
        "entries": {"opt-out": 257, "withdraw": 1, "dispute": 1, "erase": 1, "key": 0},
    }


def test_every_proved_entry_passes_by_once_in_the_order_of_the_log(feed: Path) -> None:
    passed: list[tuple[int, Entry]] = []
    found = verify_feed(feed, each=lambda index, entry: passed.append((index, entry)))
    assert [index for index, _ in passed] == [index for index in range(261) if index != 9]
    assert [entry for index, entry in passed if index in (258, 259, 260)] == [
        Reference(EntryType.WITHDRAW, 7),
        Reference(EntryType.DISPUTE, 8),
        Reference(EntryType.ERASE, 9),
    ]
    assert (found.ended, found.disputed) == ({7, 9}, {8})


def test_nothing_passes_by_that_is_not_proved(feed: Path) -> None:
    _lines(_replaced(b'"tdm",', b"", rehash=True))(feed)
    passed: list[int] = []
    with pytest.raises(VerificationError, match="leaf 3: "):
        verify_feed(feed, each=lambda index, _: passed.append(index))
    assert passed == [0, 1, 2]


def test_a_line_without_an_end_does_not_fill_the_memory(feed: Path) -> None:
    openings = feed / "openings.ndjson"
    lines = openings.read_bytes().splitlines(keepends=True)
    with openings.open("wb") as file:
        file.write(lines[0])
        file.truncate(2**30)  # a hole: a gigabyte of zero bytes that takes no space
    tracemalloc.start()
    try:
        with pytest.raises(VerificationError, match="leaf 1: line 2 of the openings is cut off"):
            verify_feed(feed)
        assert tracemalloc.get_traced_memory()[1] < 30 * 2**20
    finally:
        tracemalloc.stop()


def test_the_second_verifier_runs_alone_and_knows_nothing_of_the_program(feed: Path) -> None:
    imports = {
        line.split()[1].split(".")[0] for line in SECOND.read_text().splitlines() if line.startswith(("from ", "im"))
    }
    assert "checker" not in imports
    told = subprocess.run(
        [sys.executable, "-I", SECOND, feed, "2026-11-30T15:00:00Z"], check=True, capture_output=True, text=True
    )
    assert json.loads(told.stdout)["tree_size"] == 261
    (feed / "openings.ndjson").write_bytes(b"")
    told = subprocess.run(
        [sys.executable, "-I", SECOND, feed, "2026-11-30T15:00:00Z"], check=False, capture_output=True, text=True
    )
    assert (told.returncode, told.stderr) == (4, "leaf 0: neither opened nor erased, or both\n")


# --- tampering ---------------------------------------------------------------------------------------------------


def _flip(path: str, at: int) -> Callable[[Path], None]:
    def tamper(feed: Path) -> None:
        data = bytearray((feed / path).read_bytes())
        data[at] ^= 1
        (feed / path).write_bytes(data)

    return tamper


def _lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    def tamper(feed: Path) -> None:
        lines = (feed / "openings.ndjson").read_bytes().splitlines(keepends=True)
        (feed / "openings.ndjson").write_bytes(b"".join(change(lines)))

    return tamper


def _replaced(old: bytes, new: bytes, *, rehash: bool) -> Callable[[list[bytes]], list[bytes]]:
    """Change the entry of opening 3; with `rehash` its leaf is made to fit, as a forger would."""

    def change(lines: list[bytes]) -> list[bytes]:
        opening = parse_opening(lines[3])
        assert old in opening.entry
        line = write_opening(Opening(opening.index, opening.entry.replace(old, new), opening.salt))
        if not rehash:
            document = json.loads(line) | {"leaf": opening.leaf.hex()}
            line = json.dumps(document, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        return [*lines[:3], line, *lines[4:]]

    return change


def _resigned(feed: Path) -> None:
    """A checkpoint that a stranger signed in the log's name."""
    from checker.optout.note import SigningKey

    name, rest = (feed / "checkpoint").read_text().split("\n", 1)
    text = f"{name}\n{rest.partition(chr(10) * 2)[0]}\n"
    (feed / "checkpoint").write_bytes(SigningKey(name, bytes(32)).sign(text))


def _appended(name: str, text: str) -> Callable[[Path], None]:
    return lambda feed: (feed / name).write_bytes((feed / name).read_bytes() + text.encode()) and None


def _size_changed(feed: Path) -> None:
    (feed / "checkpoint").write_text((feed / "checkpoint").read_text().replace("\n261\n", "\n260\n"))


def _bundle_and_tile_changed(number: str, at: int) -> Callable[[Path], None]:
    """One leaf changed everywhere but under the signature."""

    def tamper(feed: Path) -> None:
        bundle = bytearray((feed / "tile/entries" / number).read_bytes())
        bundle[at * 34 + 2] ^= 1
        tile = bytearray((feed / "tile/0" / number).read_bytes())
        tile[at * 32 : (at + 1) * 32] = hashlib.sha256(b"\0" + bundle[at * 34 + 2 : (at + 1) * 34]).digest()
        (feed / "tile/entries" / number).write_bytes(bundle)
        (feed / "tile/0" / number).write_bytes(tile)

    return tamper


def _older_size_remembered(feed: Path) -> None:
    document = json.loads((feed / "state.json").read_text())
    (feed / "state.json").write_text(json.dumps(document | {"tree_size": 300}))


def _added_beyond(lines: list[bytes]) -> list[bytes]:
    opening = parse_opening(lines[-1])
    return [*lines, write_opening(Opening(261, opening.entry, opening.salt))]


def _erased_kept(lines: list[bytes]) -> list[bytes]:
    """Not the erased opening itself, which is gone, but another one in its place."""
    opening = parse_opening(lines[8])
    return [*lines[:9], write_opening(Opening(9, opening.entry, opening.salt)), *lines[9:]]


TAMPERINGS = {
    "flipped tile byte": (_flip("tile/0/000", 3 * 32), "leaf 3: "),
    "flipped byte of a partial tile": (_flip("tile/0/001.p/5", 64), "leaf 258: "),
    "flipped byte of a tile of level 1": (_flip("tile/1/000.p/1", 0), "tile/1/000.p/1"),
    "flipped leaf": (_flip("tile/entries/000", 17 * 34 + 2), "leaf 17: "),
    "flipped length of a leaf": (_flip("tile/entries/000", 17 * 34), "tile/entries/000"),
    "leaf and tile changed together": (_bundle_and_tile_changed("000", 3), "tile/1/000.p/1 does not match"),
    "last leaf and tile changed together": (_bundle_and_tile_changed("001.p/5", 4), "do not give the root"),
    "missing tile": (lambda feed: (feed / "tile/0/000").unlink(), "tile/0/000 is missing"),
    "missing bundle": (lambda feed: (feed / "tile/entries/001.p/5").unlink(), "tile/entries/001.p/5 is missing"),
    "changed size": (_size_changed, "signature"),
    "signed by a stranger": (_resigned, "signed by"),
    "an older size was accepted": (_older_size_remembered, "rollback"),
    "removed opening": (_lines(lambda lines: lines[:17] + lines[18:]), "leaf 18: it has no opening"),
    "removed last opening": (_lines(lambda lines: lines[:-1]), "leaf 9: it has no opening"),
    "no openings": (lambda feed: (feed / "openings.ndjson").write_bytes(b""), "leaf 0: it has no opening"),
    "changed uses, leaf as it was": (_lines(_replaced(b'"tdm",', b"", rehash=False)), "leaf 3: "),
    "changed uses, leaf made to fit": (_lines(_replaced(b'"tdm",', b"", rehash=True)), "leaf 3: "),
    "changed code": (_lines(_replaced(b'"hex":"', b'"hex":"00', rehash=True)), "leaf 3: "),
    "reordered openings": (_lines(lambda lines: [lines[1], lines[0], *lines[2:]]), "leaf 0: "),
    "doubled opening": (_lines(lambda lines: [lines[0], *lines]), "leaf 0: "),
    "opening beyond the log": (_lines(_added_beyond), "leaf 261: "),
    "another opening for an erased leaf": (_lines(_erased_kept), "leaf 9: "),
    "opening replaced by a blank": (_lines(lambda lines: [*lines[:5], b"{}\n", *lines[6:]]), "leaf 5: "),
    "empty line between openings": (_lines(lambda lines: [*lines[:5], b"\n", *lines[5:]]), "leaf 5: "),
    "malformed signature line of a stranger": (_appended("checkpoint", "\u2014 stranger AAAA\n"), "malformed"),
    "one leaf too many": (_appended("tile/entries/001.p/5", "\0 " + 32 * "x"), "tile/entries/001.p/5"),
    "openings cut off": (_lines(lambda lines: [*lines[:-1], lines[-1][:50]]), "leaf 260: "),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_refused_and_the_place_is_named(feed: Path, second_verifier: ModuleType, name: str) -> None:
    tamper, words = TAMPERINGS[name]
    tamper(feed)
    with pytest.raises(VerificationError) as refused:
        verify_feed(feed)
    assert words in str(refused.value)
    assert refused.value.exit_code == 4
    with pytest.raises(second_verifier.RefusedError):
        second_verifier.verify(feed, NOW)


def test_an_erased_opening_that_was_kept_is_refused(tmp_path: Path, now: datetime, second_verifier: ModuleType) -> None:
    with opened(tmp_path / "data", now) as opt_outs:
        regretted = record(opt_outs, [code(1)], now)[0]
        kept = b"".join(opt_outs.log.openings(0, 1))
        opt_outs.erase(regretted.withdraw_code, now=now)
    follow(tmp_path / "data", tmp_path / "feed", now)
    openings = tmp_path / "feed" / "openings.ndjson"
    openings.write_bytes(kept + openings.read_bytes())
    with pytest.raises(VerificationError, match="leaf 0: it was erased and its opening is still here"):
        verify_feed(tmp_path / "feed")
    with pytest.raises(second_verifier.RefusedError):
        second_verifier.verify(tmp_path / "feed", now)


@given(st.binary(max_size=80) | st.just(b"[" * 100_000))
def test_a_state_file_of_anything_else_is_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / "state.json").write_bytes(data)
    with pytest.raises(VerificationError, match="move the folder away"):
        read_state(folder)


def test_two_days_after_its_signature_a_feed_is_stale(feed: Path, second_verifier: ModuleType) -> None:
    signed = datetime.fromisoformat("2026-11-30T14:03:00+00:00")
    found = verify_feed(feed)
    assert found.signed_at == signed
    for age, stale in ((-11, True), (-9, False), (48 * 60, False), (48 * 60 + 1, True)):
        moment = signed + timedelta(minutes=age)
        assert found.is_stale(now=moment, age_max=VERIFY_AGE_MAX) is stale
        if stale:
            with pytest.raises(second_verifier.RefusedError, match="stale"):
                second_verifier.verify(feed, moment)
        else:
            second_verifier.verify(feed, moment)


def test_the_worked_example_of_the_format_verifies_as_a_folder(tmp_path: Path, second_verifier: ModuleType) -> None:
    """The bytes of docs/feed.md, section 8, put into a folder by hand."""
    example = _worked_example()
    feed = tmp_path / "feed"
    leaves = [bytes.fromhex(line) for line in example["leaves"].split()]
    for path, data in {
        "tile/entries/000.p/2": b"".join(b"\x00\x20" + leaf for leaf in leaves),
        "tile/0/000.p/2": b"".join(hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves),
        "checkpoint": example["checkpoint"].encode(),
        "openings.ndjson": example["openings"].encode(),
        "state.json": json.dumps(
            {
                "v": 1,
                "origin": "log.example/opt-outs",
                "key": example["keys"].splitlines()[1],
                "source": "https://log.example",
                "tree_size": 2,
                "synced_at": "2026-11-22T14:10:00Z",
            }
        ).encode(),
    }.items():
        (feed / path).parent.mkdir(parents=True, exist_ok=True)
        (feed / path).write_bytes(data)
    found = verify_feed(feed)
    assert (found.size, found.ended, found.key) == (2, {0}, _example_key(example))
    assert second_verifier.verify(feed, NOW.replace(day=22))["tree_size"] == 2


def _worked_example() -> dict[str, str]:
    """The fenced blocks of docs/feed.md by their name."""
    text = (Path(__file__).parents[2] / "docs" / "feed.md").read_text(encoding="utf-8")
    blocks = (block.split("\n", 1) for block in text.split("```")[1::2])
    return {head.split()[1]: body for head, body in blocks if len(head.split()) == 2}


def _example_key(example: dict[str, str]) -> VerifierKey:
    raw = base64.b64decode(example["keys"].splitlines()[1].split("+", 2)[2])
    return VerifierKey("log.example/opt-outs", raw[1:])
