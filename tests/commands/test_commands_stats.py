"""`hibs stats`: the figures of a folder, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from checker.commands.stats import _index_lines
from checker.commands.stats import stats as stats_command
from checker.documents import index_document
from checker.index.build import build
from checker.model import (
    PHASH256,
    CodeKind,
    Fingerprint,
    Locator,
    Picture,
    Sha256,
    Stance,
    Use,
    Variant,
    Verdict,
)
from checker.optout.entry import Evidence
from checker.optout.request import OptOuts
from checker.records.folder import DataFolder
from checker.records.interfaces import IndexState
from checker.settings import Settings
from checker.visits import Outcome, PictureSeen, Visit

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SSCD512 = CodeKind("sscd512", "1-240436cc531e", 512)
SILENT = Verdict(crawl=Stance.ALLOW, uses=dict.fromkeys(Use, Stance.UNSPECIFIED), findings=())
NO_INDEX = {"segments": 0, "bytes": 0, "built_at": None, "damaged": 0, "damaged_files": [], "pending_erasures": 0}


def hibs_stats(*arguments: str | Path) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(stats_command)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def half(fill: int) -> bytes:
    """A code with half of its bits set, as every real one has."""
    return bytes([fill] * 16) + bytes([fill ^ 0xFF] * 16)


def picture(fill: int, *more: Fingerprint) -> Picture:
    codes = (Fingerprint(PHASH256, half(fill)), *more)
    return Picture(Sha256(f"{fill:064x}"), 1000, 640, 480, "JPEG", codes, plain=False)


def filled(path: Path) -> Path:
    """Three pictures of two sources, one of them with no code; two codes of one of them, one of another kind."""
    part = Fingerprint(PHASH256, half(9), Variant.TRIMMED, (0.0, 0.0, 0.5, 0.5))
    with DataFolder.open(path, create=True) as folder:
        crawl = folder.store.source("our crawl", kind="crawl", now=NOON)
        archive = folder.store.source("holiday", kind="folder", now=NOON)
        page = Visit("https://blog.example/trip", "page", Outcome.DONE, NOON, verdict=SILENT)
        folder.store.record(page, source=crawl)
        pictures: Sequence[tuple[Picture, bool]] = (
            (picture(1, part), True),
            (picture(2, Fingerprint(SSCD512, bytes(64))), True),
            (picture(3), False),
        )
        for number, (one, servable) in enumerate(pictures):
            seen = PictureSeen(one, servable=servable)
            folder.store.record_file(seen, source=archive, locator=Locator(file=str(number)), now=NOON)
    return path


def test_a_folder_is_told_in_one_document(tmp_path: Path) -> None:
    told = hibs_stats("--data", filled(tmp_path / "data"), "--json")
    assert (told.exit_code, told.stderr) == (0, "")
    document = json.loads(told.stdout)
    sizes = document.pop("bytes")
    assert document == {
        "images": 3,
        "images_findable": 2,
        "sightings": 3,
        "pages": 1,
        "sources": 2,
        "newest": "2026-11-22T12:00:00Z",
        "opt_outs": 0,
        "log_size": 0,
        "index": [
            {"kind": "phash256", "version": "1", "codes": 3, "tail": 3, **NO_INDEX},
            {"kind": "sscd512", "version": "1-240436cc531e", "codes": 1, "tail": 1, **NO_INDEX},
        ],
    }
    assert sizes["registry.db"] == 0
    assert not (tmp_path / "data" / "registry.db").exists(), "a question makes no registry"
    assert sizes["corpus.db"] >= (tmp_path / "data" / "corpus.db").stat().st_size > 0


def test_a_folder_is_told_in_lines_for_people(tmp_path: Path) -> None:
    told = hibs_stats("--data", filled(tmp_path / "data"))
    assert told.exit_code == 0
    lines = [line for line in told.stdout.splitlines() if not line.startswith("corpus.db")]
    assert lines == [
        "pictures                3, 2 of them findable",
        "sightings               3",
        "pages                   1",
        "sources                 2",
        "newest                  2026-11-22T12:00:00Z",
        "opt-outs                0 in force, log of 0",
        "registry.db             0 bytes",
        "phash256 1              3 codes, searched from the database",
        "sscd512 1-240436cc531e  1 code, searched from the database",
    ]


def test_opt_outs_count_while_they_are_in_force(tmp_path: Path) -> None:
    data = filled(tmp_path / "data")
    with OptOuts.open(data, Settings(), now=NOON) as opt_outs:
        first, _ = (
            opt_outs.record([[Fingerprint(PHASH256, half(fill))]], uses=[Use.ALL], evidence=Evidence.CODE, now=NOON)
            for fill in (4, 5)
        )
        opt_outs.withdraw(first.withdraw_code, now=NOON)
        document = json.loads(hibs_stats("--data", data, "--json").stdout)
        assert (document["opt_outs"], document["log_size"]) == (2, 2), "a withdrawal takes days"
        opt_outs.settle(NOON + timedelta(days=30))
    document = json.loads(hibs_stats("--data", data, "--json").stdout)
    assert (document["opt_outs"], document["log_size"]) == (1, 3)
    assert document["bytes"]["registry.db"] == (data / "registry.db").stat().st_size
    assert "1 in force, log of 3" in hibs_stats("--data", data).stdout


def test_a_corpus_in_which_nothing_was_seen_yet_says_so(tmp_path: Path) -> None:
    DataFolder.open(tmp_path, create=True).close()
    told = hibs_stats("--data", tmp_path)
    assert told.exit_code == 0
    assert [line.split("  ")[-1].strip() for line in told.stdout.splitlines()][:5] == [
        "0, 0 of them findable",
        "0",
        "0",
        "0",
        "nothing was seen yet",
    ]
    assert json.loads(hibs_stats("--data", tmp_path, "--json").stdout)["index"] == []


@pytest.mark.parametrize("name", ["missing", "empty", "a-file", "a-file/below"])
def test_what_is_no_data_folder_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a-file").write_text("x")
    before = sorted(tmp_path.rglob("*"))
    told = hibs_stats("--data", tmp_path / name)
    assert (told.exit_code, told.stdout) == (2, "")
    (line,) = told.stderr.splitlines()
    assert line.startswith("hibs: ")
    assert str(tmp_path / name) in line
    assert sorted(tmp_path.rglob("*")) == before


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "corpus.db").write_bytes(b"this is a text, not a database at all" * 100)
    told = hibs_stats("--data", tmp_path, "--json")
    assert (told.exit_code, told.stdout) == (2, "")
    assert "corpus.db" in told.stderr


def test_an_index_is_told_with_what_is_damaged_and_what_waits() -> None:
    state = IndexState(
        codes=1_204_312,
        segments=2,
        tail=4312,
        upto=1_300_000,
        bytes=166_000_000,
        built_at=NOON,
        damaged=("s-1-2.seg",),
        pending_erasures=1,
    )
    assert _index_lines(index_document(PHASH256, state)) == [
        ("phash256 1", "1,204,312 codes: 2 segments of 166.0 MB built 2026-11-22T12:00:00Z, and 4,312 newer codes"),
        ("", "1 erased code still in its files, in no answer"),
        ("", "damaged: s-1-2.seg; `hibs index build` makes it anew"),
    ]
    document = index_document(PHASH256, replace(state, segments=1, tail=0, damaged=(), pending_erasures=0))
    assert _index_lines(document) == [
        ("phash256 1", "1,204,312 codes: 1 segment of 166.0 MB built 2026-11-22T12:00:00Z")
    ]
    assert (document["damaged"], document["damaged_files"], document["built_at"]) == (0, [], "2026-11-22T12:00:00Z")


def test_a_built_index_is_told_with_what_was_erased_since(tmp_path: Path) -> None:
    data = filled(tmp_path / "data")
    with DataFolder.open(data, create=False) as folder:
        build(folder, Settings(), now=NOON)
        folder.store.erase([1], now=NOON)
    first, _ = json.loads(hibs_stats("--data", data, "--json").stdout)["index"]
    files = sum(path.stat().st_size for path in (data / "index" / "phash256.1").glob("*-*"))
    assert first == {
        "kind": "phash256",
        "version": "1",
        "codes": 1,
        "segments": 1,
        "tail": 0,
        "bytes": files,
        "built_at": "2026-11-22T12:00:00Z",
        "damaged": 0,
        "damaged_files": [],
        "pending_erasures": 2,
    }
