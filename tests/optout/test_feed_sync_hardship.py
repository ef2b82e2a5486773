"""A follower that is killed, damaged, or shown what does not hold: the folder stays whole and the next sync goes on."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from feed_simulator import FeedServer, code, files_of, follow, make_log, opened, record

from checker.errors import InputError, RemoteError, VerificationError
from checker.optout.feed import verify_feed
from checker.optout.follow import sync


@pytest.fixture
def data(tmp_path: Path, now: datetime) -> Path:
    """A data folder whose log has four opt-outs."""
    make_log(tmp_path / "data", now, 4)
    return tmp_path / "data"


@pytest.mark.parametrize("path", ["tile/0/000.p/4", "tile/entries/000.p/4"])
def test_tiles_that_do_not_give_the_signed_root_are_refused(
    data: Path, tmp_path: Path, now: datetime, path: str
) -> None:
    with opened(data, now) as opt_outs:
        server = FeedServer(opt_outs)
        server.changed = {path: b"\x00\x20" + bytes(32 * 4 + 6) if "entries" in path else bytes(32 * 4)}
        with pytest.raises(VerificationError) as refused:
            sync(tmp_path / "feed", server.source(), now=now)
    assert refused.value.part in ("bundle", "tile", "root")
    assert not (tmp_path / "feed" / "checkpoint").exists()


def test_a_damaged_folder_is_healed_and_nobody_is_accused(data: Path, tmp_path: Path, now: datetime) -> None:
    feed = tmp_path / "feed"
    follow(data, feed, now)
    whole = files_of(feed)
    (feed / "tile/0/000.p/4").write_bytes(bytes(128))
    (feed / "openings.ndjson").write_bytes(b"not json\n")
    follow(data, feed, now)
    assert files_of(feed) == whole


def test_a_broken_line_leaves_the_folder_as_it_was_and_the_next_sync_goes_on(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    feed = tmp_path / "feed"
    follow(data, feed, now)
    with opened(data, now) as opt_outs:
        record(opt_outs, [code(50)], now)
        server = FeedServer(opt_outs)
        server.unplugged_after = 2
        with pytest.raises(RemoteError):
            sync(feed, server.source(), now=now)
        assert verify_feed(feed).size == 4
        server.unplugged_after = None
        server.asked.clear()
        sync(feed, server.source(), now=now)
    assert "/v1/feed/tile/0/000.p/5" not in server.asked, "it was fetched before the line broke"
    assert verify_feed(feed).size == 5


KILLED_AT_EACH_RENAME = """
import os, shutil, sys, warnings
from datetime import datetime
from pathlib import Path
sys.path.insert(0, sys.argv[1])
warnings.simplefilter("ignore")  # numpy has threads, which a fork leaves behind; they are not needed here
from feed_simulator import follow
from checker.errors import VerificationError
from checker.optout.feed import verify_feed

data, base, now = Path(sys.argv[2]), Path(sys.argv[3]), datetime.fromisoformat(sys.argv[4])

def kill_at(rename, feed):
    seen = 0
    def hook(event, args):
        nonlocal seen
        if event == "os.rename" and str(feed) in str(args[0]):
            seen += 1
            if seen == rename:
                os._exit(9)
    sys.addaudithook(hook)
    follow(data, feed, now)
    os._exit(0)

rename = 0
while True:
    rename += 1
    feed = base.with_name(f"killed-{rename}")
    shutil.copytree(base, feed)
    child = os.fork()
    if child == 0:
        kill_at(rename, feed)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        found = str(verify_feed(feed).size)
    except VerificationError:
        found = "refused"
    follow(data, feed, now)
    print(status, found, verify_feed(feed).size)
    if status == 0:
        break
"""


def test_a_sync_killed_at_any_rename_leaves_the_old_state_or_one_that_the_next_sync_completes(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    follow(data, tmp_path / "feed", now)
    with opened(data, now) as opt_outs:
        regretted = record(opt_outs, [code(50)], now)[0]
        record(opt_outs, [code(51)], now)
        opt_outs.erase(regretted.withdraw_code, now=now)
    told = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EACH_RENAME, Path(__file__).parent, data, tmp_path / "feed", now.isoformat()],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    rows = [line.split() for line in told if line]
    assert len(rows) > 6
    assert rows[-1] == ["0", "7", "7"]
    assert all(row[0] == "9" and row[1] in ("4", "refused") and row[2] == "7" for row in rows[:-1])
    # Until files begin to move into place, the old state is whole.
    assert rows[0][1] == rows[1][1] == rows[2][1] == "4"


def test_a_folder_of_other_files_is_not_taken_over(data: Path, tmp_path: Path, now: datetime) -> None:
    (tmp_path / "feed").mkdir()
    (tmp_path / "feed" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        follow(data, tmp_path / "feed", now)
    assert files_of(tmp_path / "feed") == {"thesis.txt": b"mine"}


def test_two_syncs_do_not_work_in_one_folder(data: Path, tmp_path: Path, now: datetime) -> None:
    follow(data, tmp_path / "feed", now)
    with (tmp_path / "feed" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another sync"):
            follow(data, tmp_path / "feed", now)


def test_a_checkpoint_older_than_two_days_is_taken_and_called_stale(data: Path, tmp_path: Path, now: datetime) -> None:
    with opened(data, now) as opt_outs:
        source = FeedServer(opt_outs).source()
        assert not sync(tmp_path / "feed", source, now=now + timedelta(hours=48)).stale
        assert sync(tmp_path / "feed", source, now=now + timedelta(hours=49)).stale
        assert sync(tmp_path / "feed", source, now=now - timedelta(hours=1)).stale, "it comes from the future"
