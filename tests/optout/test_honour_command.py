"""`hibs honour`: every file is a row, only what may be kept goes over."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import typer
from feed_simulator import ALL, FeedServer, files_of, follow, make_log, opened
from honour_made import make_feed
from typer.testing import CliRunner, Result

from checker.commands import feed as feed_command
from checker.commands import fingerprint as fingerprint_command
from checker.commands import honour as honour_command
from checker.fingerprint import fingerprint_file
from checker.model import Unreadable
from checker.optout.entry import Evidence
from checker.optout.follow import sync
from checker.settings import Settings


def hibs(*arguments: str | Path) -> Result:
    """Run a command as `hibs` does, without the packages to the right of checker."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.add_typer(feed_command.app, name="feed")
    app.command("honour", cls=honour_command.HonourCommand)(honour_command.honour)
    app.command("fingerprint")(fingerprint_command.fingerprint)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def rows_of(told: Result) -> dict[str, tuple[str, str]]:
    """Decision and reason by file name, from the lines of --json."""
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    return {Path(row["path"]).name: (row["hibs_decision"], row["hibs_reason"]) for row in rows}


@pytest.fixture
def feed(tmp_path: Path, images: Path) -> Path:
    """A feed, synced now, in which chelsea.jpg is opted out by its picture and coins.jpg by its code."""
    now = datetime.now(UTC)
    with opened(tmp_path / "data", now) as opt_outs:
        for name, evidence in (("chelsea.jpg", Evidence.PICTURE), ("coins.jpg", Evidence.CODE)):
            picture = fingerprint_file(images / name, Settings())
            assert not isinstance(picture, Unreadable)
            opt_outs.record([picture.fingerprints], uses=ALL, evidence=evidence, now=now)
    follow(tmp_path / "data", tmp_path / "feed", now)
    return tmp_path / "feed"


@pytest.fixture
def source(tmp_path: Path, images: Path) -> Path:
    """Two to drop, two to keep, one for review, three that cannot be checked."""
    folder = tmp_path / "photos"
    (folder / "deep" / "er").mkdir(parents=True)
    for name, target in (
        ("chelsea.jpg", "cat.jpg"),
        ("coins.jpg", "deep/coins.jpg"),
        ("coffee.jpg", "deep/er/coffee.jpg"),
        ("rocket.jpg", "rocket.bin"),
    ):
        shutil.copy(images / name, folder / target)
    odd = images.parent / "odd"
    shutil.copy(odd / "white.png", folder / "white.png")
    shutil.copy(odd / "cut-off.jpg", folder / "cut-off.jpg")
    (folder / "notes.txt").write_text("bring milk")
    (folder / "linked.jpg").symlink_to(images / "coffee.jpg")
    return folder


EXPECTED = {
    "cat.jpg": ("drop", "near-entry"),
    "cut-off.jpg": ("not-checked", "unreadable"),
    "linked.jpg": ("not-checked", "unreadable"),
    "notes.txt": ("not-checked", "no-picture"),
    "rocket.bin": ("keep", "none"),
    "white.png": ("review", "plain"),
    "coins.jpg": ("drop", "near-entry"),
    "coffee.jpg": ("keep", "none"),
}


def test_every_file_is_a_row_with_a_reason_and_what_was_not_checked_ends_with_1(feed: Path, source: Path) -> None:
    told = hibs("honour", source, "--feed", feed, "--json")
    assert told.exit_code == 1
    assert list(rows_of(told).items()) == list(EXPECTED.items())


def test_a_person_reads_one_line_for_each_file_that_is_not_kept_and_a_sum(feed: Path, source: Path) -> None:
    told = hibs("honour", source, "--feed", feed, "--dry-run")
    assert told.stdout.splitlines() == [
        f"{source}/cat.jpg  drop  near-entry  entry 0, 0 bits (phash256)",
        f"{source}/cut-off.jpg  not-checked  unreadable: the picture is cut off: its end is missing; get a whole copy",
        f"{source}/linked.jpg  not-checked  unreadable: this is a link; honour what it points to",
        f"{source}/notes.txt  not-checked  no-picture: this file is not a picture; choose a JPEG, PNG, WebP or GIF",
        f"{source}/white.png  review  plain",
        f"{source}/deep/coins.jpg  drop  near-entry  entry 1, 0 bits (phash256)",
        "8 rows: keep 2, drop 2, review 1, not-checked 3; 5 pictures decoded; feed size 2, 2 opt-outs standing",
    ]
    assert "clean" not in (told.stdout + told.stderr).lower()


def test_one_of_each_is_told_as_one(images: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    shutil.copy(images / "chelsea.jpg", tmp_path / "one")
    told = hibs("honour", tmp_path / "one", "--feed", make_feed(tmp_path, images, ["chelsea"]))
    assert told.stdout.splitlines()[-1] == (
        "1 row: keep 0, drop 1, review 0, not-checked 0; 1 picture decoded; feed size 1, 1 opt-out standing"
    )


def test_a_folder_that_was_checked_whole_ends_with_0(feed: Path, source: Path) -> None:
    for name in ("cut-off.jpg", "linked.jpg", "notes.txt"):
        (source / name).unlink()
    assert hibs("honour", source, "--feed", feed).exit_code == 0


def test_only_what_may_be_kept_goes_over_byte_for_byte(feed: Path, source: Path, tmp_path: Path) -> None:
    told = hibs("honour", source, "--feed", feed, "--out", tmp_path / "kept", "--report", tmp_path / "honour.json")
    assert told.exit_code == 1
    assert files_of(tmp_path / "kept") == {
        "deep/er/coffee.jpg": (source / "deep/er/coffee.jpg").read_bytes(),
        "rocket.bin": (source / "rocket.bin").read_bytes(),
    }
    report = json.loads((tmp_path / "honour.json").read_text())
    assert report["counts"] == {"rows": 8, "keep": 2, "drop": 2, "review": 1, "not-checked": 3}
    assert report["feed"]["size"] == 2
    assert len(report["feed"]["root"]) == 64
    assert [row["hibs_decision"] for row in report["rows"]] == [action for action, _ in EXPECTED.values()]
    assert pq.read_table(tmp_path / "kept.decisions" / "files.parquet").to_pylist() == report["rows"]
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_dry_run_writes_nothing(feed: Path, source: Path, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*"))
    hibs("honour", source, "--feed", feed)
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("photos/kept", "lies inside"),
        ("photos", "would overwrite"),
        ("full", "not empty"),
        ("f.txt", "not empty"),
    ],
)
def test_a_destination_that_would_mix_with_other_files_is_refused(
    feed: Path, source: Path, tmp_path: Path, where: str, words: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "f.txt").write_text("mine")
    before = files_of(tmp_path)
    told = hibs("honour", source, "--feed", feed, "--out", tmp_path / where)
    assert told.exit_code == 2
    assert words in told.stderr
    assert files_of(tmp_path) == before


def test_a_report_inside_the_source_is_refused(feed: Path, source: Path) -> None:
    told = hibs("honour", source, "--feed", feed, "--report", source / "honour.json")
    assert (told.exit_code, "lies inside" in told.stderr) == (2, True)


def test_several_sources_keep_their_names_in_the_destination(feed: Path, images: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(images / "coffee.jpg", tmp_path / name / "same.jpg")
    told = hibs("honour", tmp_path / "a", tmp_path / "b", "--feed", feed, "--out", tmp_path / "kept")
    assert told.exit_code == 0
    assert list(files_of(tmp_path / "kept")) == ["a/same.jpg", "b/same.jpg"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["photos/cat.jpg"], "this is no folder, tar, Parquet or list"),
        (["nowhere"], "there is no such folder"),
        (["photos", "photos/deep"], "inside another source"),
        (["photos", "photos"], "inside another source"),
        (["empty"], "holds no file"),
    ],
)
def test_sources_that_cannot_be_honoured_get_a_sentence(
    feed: Path, source: Path, tmp_path: Path, given: list[str], words: str
) -> None:
    (tmp_path / "empty").mkdir()
    told = hibs("honour", *(tmp_path / name for name in given), "--feed", feed)
    assert told.exit_code == 2
    assert words in told.stderr


def test_codes_made_before_spare_the_decoding_but_only_for_the_same_bytes(
    feed: Path, source: Path, tmp_path: Path
) -> None:
    made = hibs("fingerprint", source, "--json")
    (tmp_path / "codes.ndjson").write_text(made.stdout)
    shutil.copy(source / "cat.jpg", source / "deep" / "er" / "coffee.jpg")
    told = hibs("honour", source, "--feed", feed, "--codes", tmp_path / "codes.ndjson")
    assert f"{source}/deep/er/coffee.jpg  drop  near-entry  entry 0, 0 bits (phash256)" in told.stdout
    assert "; 1 picture decoded (" in told.stdout, "rocket.bin alone: `hibs fingerprint` passes over its name"
    (tmp_path / "codes.ndjson").write_text("PAR1")
    refused = hibs("honour", source, "--feed", feed, "--codes", tmp_path / "codes.ndjson")
    assert (refused.exit_code, "line 1" in refused.stderr) == (2, True)


def stale_feed(tmp_path: Path, days: int) -> Path:
    """A feed that was signed `days` days ago."""
    then = datetime.now(UTC) - timedelta(days=days)
    make_log(tmp_path / "old-data", then, 1)
    with opened(tmp_path / "old-data", then) as opt_outs:
        sync(tmp_path / "old-feed", FeedServer(opt_outs).source(), now=then)
    return tmp_path / "old-feed"


def test_a_feed_of_eight_days_is_refused_unless_told(source: Path, tmp_path: Path) -> None:
    old = stale_feed(tmp_path, 8)
    told = hibs("honour", source, "--feed", old)
    assert told.exit_code == 2
    assert "stale" in told.stderr
    assert told.stdout == ""
    assert hibs("honour", source, "--feed", old, "--max-feed-age", "9").exit_code == 1


def test_a_feed_that_does_not_hold_is_refused_with_4(feed: Path, source: Path) -> None:
    (feed / "openings.ndjson").write_bytes((feed / "openings.ndjson").read_bytes().splitlines(keepends=True)[0])
    told = hibs("honour", source, "--feed", feed)
    assert told.exit_code == 4
    assert "leaf 1" in told.stderr
    assert told.stdout == ""


def test_a_folder_that_is_no_feed_is_refused_with_2(source: Path) -> None:
    told = hibs("honour", source, "--feed", source)
    assert (told.exit_code, "no feed folder" in told.stderr) == (2, True)


def test_sync_and_verify_speak_to_people_and_to_programs(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    make_log(tmp_path / "data", now, 3)
    told = hibs("feed", "sync", "--data", tmp_path / "data", tmp_path / "feed")
    assert told.exit_code == 0
    assert "trusting" in told.stderr
    assert f"{tmp_path}/feed: size 3 (before: 0), root " in told.stdout
    told = hibs("feed", "sync", "--data", tmp_path / "data", tmp_path / "feed", "--json")
    assert (told.exit_code, told.stderr) == (0, "")
    document = json.loads(told.stdout)
    assert (document["old_size"], document["tree_size"], document["trusted_on_first_use"]) == (3, 3, False)
    told = hibs("feed", "verify", tmp_path / "feed")
    assert told.exit_code == 0
    assert told.stdout.splitlines()[0] == "size    3"
    assert told.stdout.splitlines()[1] == f"root    {document['root']}"
    assert told.stdout.splitlines()[3] == "entries opt-out 3, withdraw 0, dispute 0, erase 0, key 0, erased 0"
    told = hibs("feed", "verify", tmp_path / "feed", "--json")
    assert json.loads(told.stdout)["entries"]["opt-out"] == 3


def test_a_stale_feed_does_not_verify(tmp_path: Path) -> None:
    told = hibs("feed", "verify", stale_feed(tmp_path, 3))
    assert (told.exit_code, "stale: it was signed 3 days ago" in told.stderr, told.stdout) == (4, True, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["feed"], "give URL and DIR"),
        (["ftp://feed.test", "feed"], "no address of a server"),
        (["--data", "nowhere", "feed"], "holds no opt-outs"),
        (["a", "b", "c"], "give URL and DIR"),
    ],
)
def test_sync_says_what_it_needs(tmp_path: Path, arguments: list[str], words: str) -> None:
    told = hibs("feed", "sync", *arguments)
    assert told.exit_code == 2
    assert words in told.stderr
