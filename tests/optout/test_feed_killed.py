"""A sync that is cut short: nothing is half done, and what was fetched is not fetched again."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from feed_simulator import FeedServer, code, files_of, follow, make_log, opened, openings_asked, record

from checker.errors import RemoteError, VerificationError
from checker.optout.feed import verify_feed
from checker.optout.follow import sync


@pytest.fixture
def data(tmp_path: Path, now: datetime) -> Path:
    """A data folder whose log has four opt-outs."""
    make_log(tmp_path / "data", now, 4)
    return tmp_path / "data"


def test_openings_that_came_before_the_line_broke_are_not_fetched_again(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    with opened(data, now) as opt_outs:
        server = FeedServer(opt_outs, page_lines=1)
        server.unplugged_after = 6  # key, checkpoint, tile, bundle and two pages
        with pytest.raises(RemoteError):
            sync(tmp_path / "feed", server.source(), now=now)
        server.unplugged_after = None
        server.asked.clear()
        done = sync(tmp_path / "feed", server.source(), now=now)
    assert openings_asked(server) == ["from=2", "from=3", "from=4"]
    assert (done.openings_fetched, verify_feed(tmp_path / "feed").size) == (2, 4)


def test_what_was_erased_after_the_line_broke_is_not_kept(data: Path, tmp_path: Path, now: datetime) -> None:
    feed = tmp_path / "feed"
    with opened(data, now) as opt_outs:
        follow(data, feed, now)
        regretted = record(opt_outs, [code(50)], now)[0]
        server = FeedServer(opt_outs, page_lines=1)
        server.unplugged_after = 4  # checkpoint, tile, bundle, one page
        with pytest.raises(RemoteError):
            sync(feed, server.source(), now=now)
        fetched = (feed / ".sync/openings.ndjson").read_bytes()
        opt_outs.erase(regretted.withdraw_code, now=now)
        server.unplugged_after = None
        sync(feed, server.source(), now=now)
    assert fetched.count(b"\n") == 1
    assert all(fetched.strip() not in body for body in files_of(feed).values())
    assert verify_feed(feed).erased == {4}


def test_openings_that_a_liar_left_gaps_in_are_not_kept_for_the_next_sync(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    with opened(data, now) as opt_outs:
        server = FeedServer(opt_outs)
        lines = b"".join(opt_outs.log.openings(0, 4)).splitlines(keepends=True)
        server.changed = {"openings?from=0": lines[0] + lines[1] + lines[3]}
        with pytest.raises(VerificationError, match="leaf 2: it has no opening"):
            sync(tmp_path / "feed", server.source(), now=now)
        server.changed = {}
        assert sync(tmp_path / "feed", server.source(), now=now).openings_fetched == 4
    assert verify_feed(tmp_path / "feed").size == 4


@pytest.mark.parametrize("more_bytes", [1, 400, 497, 498, 600, 985, 986])
def test_a_file_that_was_appended_to_in_part_is_cut_and_completed(
    data: Path, tmp_path: Path, now: datetime, more_bytes: int
) -> None:
    feed, half = tmp_path / "feed", tmp_path / "half"
    follow(data, half, now)
    kept = (half / "openings.ndjson").stat().st_size
    with opened(data, now) as opt_outs:
        record(opt_outs, [code(50), code(51)], now)
    follow(data, feed, now)
    (half / "openings.ndjson").write_bytes((feed / "openings.ndjson").read_bytes()[: kept + more_bytes])
    with pytest.raises(VerificationError, match="run `hibs feed sync` again"):
        verify_feed(half)
    follow(data, half, now)
    assert files_of(half) == files_of(feed)


KILLED_AT_EACH_CHANGE = """
import os, shutil, sys, warnings
from datetime import datetime
from pathlib import Path
sys.path.insert(0, sys.argv[1])
warnings.simplefilter("ignore")  # numpy has threads, which a fork leaves behind; they are not needed here
from feed_simulator import follow
from checker.errors import CheckerError
from checker.optout.feed import verify_feed

data, base, now = Path(sys.argv[2]), Path(sys.argv[3]), datetime.fromisoformat(sys.argv[4])
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "shutil.rmtree", "shutil.copyfileobj")

def kill_at(change, feed):
    seen = 0
    def hook(event, args):
        nonlocal seen
        writes = event == "open" and str(feed) in str(args[0]) and args[1] and set(args[1]) & set("wa+")
        if writes or event in CHANGES and str(feed) in str(args[0]):
            seen += 1
            if seen == change:
                os._exit(9)
    sys.addaudithook(hook)
    follow(data, feed, now)
    os._exit(0)

change = 0
while True:
    change += 1
    feed = base.with_name(f"killed-{change}")
    shutil.copytree(base, feed) if base.exists() else None
    child = os.fork()
    if child == 0:
        kill_at(change, feed)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        found = str(verify_feed(feed).size)
    except CheckerError:
        found = "refused"
    follow(data, feed, now)
    print(status, found, verify_feed(feed).size, sorted(path.name for path in feed.iterdir()) == sorted(
        [".lock", "checkpoint", "openings.ndjson", "state.json", "tile"]))
    if status == 0:
        break
"""


def _killed(data: Path, feed: Path, now: datetime) -> list[list[str]]:
    """A sync killed at its first change of a file, at its second, and so on; each time another one follows.

    Returns:
        How it ended, what `verify` found after it, what after the next sync, and if only a feed's own files are left.
    """
    told = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EACH_CHANGE, Path(__file__).parent, data, feed, now.isoformat()],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [line.split() for line in told.splitlines()]


def test_a_delta_killed_anywhere_leaves_the_old_state_the_new_or_one_that_the_next_sync_completes(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    follow(data, tmp_path / "feed", now)
    with opened(data, now) as opt_outs:
        record(opt_outs, [code(50), code(51)], now)
    rows = _killed(data, tmp_path / "feed", now)
    assert len(rows) > 20
    assert rows[-1] == ["0", "6", "6", "True"]
    assert {row[0] for row in rows[:-1]} == {"9"}
    assert {tuple(row[2:]) for row in rows} == {("6", "True")}
    found = [row[1] for row in rows]
    assert set(found) == {"4", "refused", "6"}
    assert found == sorted(found, key=("4", "refused", "6").index), "first the old state, then the new one"


def test_an_erasure_killed_anywhere_leaves_a_folder_that_the_next_sync_completes(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    with opened(data, now) as opt_outs:
        regretted = record(opt_outs, [code(50)], now)[0]
        follow(data, tmp_path / "feed", now)
        erased = (tmp_path / "feed/openings.ndjson").read_bytes().splitlines()[4]
        record(opt_outs, [code(51)], now)
        opt_outs.erase(regretted.withdraw_code, now=now)
    rows = _killed(data, tmp_path / "feed", now)
    assert len(rows) > 20
    assert rows[-1] == ["0", "7", "7", "True"]
    assert {tuple(row[2:]) for row in rows} == {("7", "True")}
    assert {row[1] for row in rows} == {"5", "refused", "7"}
    for change in range(1, len(rows) + 1):
        assert all(erased not in body for body in files_of(tmp_path / f"killed-{change}").values())


def test_a_first_sync_killed_anywhere_leaves_no_feed_or_one_that_the_next_sync_completes(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    rows = _killed(data, tmp_path / "feed", now)
    assert len(rows) > 20
    assert rows[-1] == ["0", "4", "4", "True"]
    assert {tuple(row[2:]) for row in rows} == {("4", "True")}
    assert {row[1] for row in rows} == {"refused", "4"}
