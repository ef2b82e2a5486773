"""`hibs sources`: what a folder's pictures come from, for people and for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import typer
from typer.testing import CliRunner, Result

from checker.commands.sources import sources as sources_command
from checker.model import PHASH256, Fingerprint, Locator, Picture, Sha256, SourceDetails
from checker.records.folder import DataFolder
from checker.visits import PictureSeen

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def hibs_sources(*arguments: str | Path) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(sources_command)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def filled(path: Path) -> Path:
    """One archive of which everything was said and two pictures are known, one crawl of which nothing is."""
    details = SourceDetails("2", "Example e.V.", "data@example.org", "https://example.org/no")
    with DataFolder.open(path, create=True) as folder:
        archive = folder.store.source("Example-400M", kind="archive", now=NOON, details=details)
        for number in (1, 2):
            code = Fingerprint(PHASH256, bytes([number] * 16) + bytes([number ^ 0xFF] * 16))
            one = Picture(Sha256(f"{number:064x}"), 1000, 640, 480, "JPEG", (code,), plain=False)
            seen = PictureSeen(picture=one, servable=True)
            folder.store.record_file(seen, source=archive, locator=Locator(file="0.tar", row=number), now=NOON)
        folder.store.source("gallery.example", kind="crawl", now=NOON)
    return path


def test_a_source_is_told_with_who_made_it(tmp_path: Path) -> None:
    done = hibs_sources("--data", filled(tmp_path / "data"))
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Example-400M (archive, version 2): 2 pictures, 2 sightings, last seen 2026-11-22",
        "    run by Example e.V.",
        "    contact data@example.org",
        "    objections to https://example.org/no",
        "gallery.example (crawl): 0 pictures, 0 sightings",
    ]


def test_programs_get_a_document_a_source(tmp_path: Path) -> None:
    done = hibs_sources("--data", filled(tmp_path / "data"), "--json")
    first, second = map(json.loads, done.stdout.splitlines())
    assert first == {
        **{"id": "1", "name": "Example-400M", "kind": "archive", "version": "2", "run_by": "Example e.V."},
        **{"contact": "data@example.org", "opt_out": "https://example.org/no", "images": 2, "sightings": 2},
        **{"gone": 0, "listed": None},
        **{"first_seen": "2026-11-22T12:00:00Z", "last_seen": "2026-11-22T12:00:00Z"},
    }
    assert (second["name"], second["version"], second["last_seen"]) == ("gallery.example", None, None)


def test_an_empty_folder_says_so_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path / "data", create=True):
        pass
    assert hibs_sources("--data", tmp_path / "data").stdout == "nothing was crawled or ingested here yet\n"
    done = hibs_sources("--data", tmp_path / "none")
    assert (done.exit_code, "is no data folder" in done.stderr) == (2, True)


def test_what_a_stranger_called_a_source_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path / "data", create=True) as folder:
        folder.store.source("x\x1b]0;title\x07\ny", kind="folder", now=NOON)
    done = hibs_sources("--data", tmp_path / "data")
    assert len(done.stdout.splitlines()) == 1
    assert "\x1b" not in done.stdout
