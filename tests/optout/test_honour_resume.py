"""A run of `hibs honour --out` that was killed goes on, and ends with the bytes of one that was not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from feed_simulator import files_of
from honour_made import hibs, make_feed, make_shard

CHILD = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from checker.datasets.columns import NOTHING_NAMED
from checker.fingerprint import InProcessDecoder
from checker.optout.honour import read_table
from checker.optout.parts.run import Asked, honour_all
from checker.settings import Settings

source, feed, kept, gate, parts = sys.argv[1:]
seen = []

def each(part, batch):
    seen.append(part)
    if len(seen) == int(parts):
        Path(gate).write_bytes(b"")
        time.sleep(60)

settings = Settings()
asked = Asked((Path(source),), Path(feed), NOTHING_NAMED, out=Path(kept))
honour_all(asked, read_table(Path(feed), settings), settings, decoder=InProcessDecoder(settings), each=each,
           now=datetime.now(UTC))
"""


def start_and_kill(source: Path, feed: Path, kept: Path, *, in_part: int) -> None:
    """A run that is killed while it is in its `in_part`th part."""
    gate = kept.with_name("gate")
    os.mkfifo(gate)
    command = [sys.executable, "-c", CHILD, *map(str, (source, feed, kept, gate, in_part))]
    with subprocess.Popen(command) as child:
        gate.read_bytes()  # returns when the child is there
        child.send_signal(signal.SIGKILL)
    gate.unlink()


@pytest.fixture
def source(tmp_path: Path, images: Path) -> Path:
    """Loose files, two shards of img2dataset, and one that holds other pictures."""
    shards = make_shard(make_shard(tmp_path / "shards", images), images, "00001")
    for name in ("coffee", "chelsea"):
        (shards / f"{name}.jpg").write_bytes((images / f"{name}.jpg").read_bytes())
    return shards


@pytest.fixture
def feed(tmp_path: Path, images: Path) -> Path:
    return make_feed(tmp_path, images)


def both(kept: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Copies and decisions."""
    return files_of(kept), files_of(kept.with_name(f"{kept.name}.decisions"))


@pytest.mark.parametrize("in_part", [1, 2, 3])
def test_a_run_that_was_killed_leaves_nothing_that_looks_finished_and_goes_on_to_the_same_bytes(
    feed: Path, source: Path, tmp_path: Path, in_part: int
) -> None:
    start_and_kill(source, feed, tmp_path / "kept", in_part=in_part)
    assert not (tmp_path / "kept").exists()
    assert not (tmp_path / "kept.decisions").exists()
    done = {path.name: path.stat().st_mtime_ns for path in (tmp_path / ".kept.partial" / "data").rglob("*.tar")}
    told = hibs("honour", source, "--feed", feed, "--out", tmp_path / "kept", "--report", tmp_path / "r.json")
    assert told.exit_code == 0
    hibs("honour", source, "--feed", feed, "--out", tmp_path / "at-once", "--report", tmp_path / "r2.json")
    assert both(tmp_path / "kept") == both(tmp_path / "at-once")
    assert len(done) == max(in_part - 2, 0), "the loose files are the first part"
    assert all((tmp_path / "kept" / name).stat().st_mtime_ns == changed for name, changed in done.items())
    reports = [json.loads((tmp_path / name).read_text()) for name in ("r.json", "r2.json")]
    assert [report.pop("made_at") is None for report in reports] == [False, False]
    for report in reports:
        report["feed"].pop("age_hours")
    assert reports[0] == reports[1]
    assert not (tmp_path / ".kept.partial").exists()


def test_a_run_that_was_killed_between_its_last_renames_goes_on(feed: Path, source: Path, tmp_path: Path) -> None:
    hibs("honour", source, "--feed", feed, "--out", tmp_path / "at-once")
    for moved in (("decisions",), ("decisions", "data")):
        start_and_kill(source, feed, tmp_path / "kept", in_part=3)
        for name, to in zip(moved, ("kept.decisions", "kept"), strict=False):
            (tmp_path / ".kept.partial" / name).rename(tmp_path / to)
        assert hibs("honour", source, "--feed", feed, "--out", tmp_path / "kept").exit_code == 0
        assert both(tmp_path / "kept") == both(tmp_path / "at-once")
        for name in ("kept", "kept.decisions"):
            (tmp_path / name).rename(tmp_path / f"{name}-{len(moved)}")


def test_what_was_done_under_another_feed_is_done_again(feed: Path, source: Path, images: Path, tmp_path: Path) -> None:
    start_and_kill(source, feed, tmp_path / "kept", in_part=3)
    make_feed(tmp_path, images, ["coffee"])
    told = hibs("honour", source, "--feed", feed, "--out", tmp_path / "kept", "--json")
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert {row["hibs_feed_size"] for row in rows} == {3}
    assert not (tmp_path / "kept" / "coffee.jpg").exists()
    hibs("honour", source, "--feed", feed, "--out", tmp_path / "at-once")
    assert both(tmp_path / "kept") == both(tmp_path / "at-once")


def test_a_part_whose_input_or_output_is_another_one_by_now_is_done_again(
    feed: Path, source: Path, images: Path, tmp_path: Path
) -> None:
    start_and_kill(source, feed, tmp_path / "kept", in_part=3)
    (tmp_path / ".kept.partial" / "data" / "00000.tar").write_bytes(b"half of it")
    (source / "rocket.jpg").write_bytes((images / "rocket.jpg").read_bytes())
    assert hibs("honour", source, "--feed", feed, "--out", tmp_path / "kept").exit_code == 0
    hibs("honour", source, "--feed", feed, "--out", tmp_path / "at-once")
    assert both(tmp_path / "kept") == both(tmp_path / "at-once")
    assert (tmp_path / "kept" / "rocket.jpg").is_file()


def test_two_runs_do_not_fill_one_destination(feed: Path, source: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    command = [sys.executable, "-c", CHILD, *map(str, (source, feed, tmp_path / "kept", gate, 1))]
    with subprocess.Popen(command) as child:
        gate.read_bytes()
        told = hibs("honour", source, "--feed", feed, "--out", tmp_path / "kept")
        child.kill()
    assert (told.exit_code, "another run is filling" in told.stderr) == (2, True)


def test_a_source_that_changes_while_it_is_read_is_refused(feed: Path, source: Path, tmp_path: Path) -> None:
    changing = CHILD.replace("    seen.append(part)\n", "    (Path(source) / 'new.jpg').write_bytes(b'new')\n")
    command = [sys.executable, "-c", changing, *map(str, (source, feed, tmp_path / "kept", "no gate", -1))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "changed while it was read; run the command again" in done.stderr
    assert not (tmp_path / "kept").exists()
