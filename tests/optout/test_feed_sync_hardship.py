"""A follower that is killed, damaged, or shown what does not hold: the folder stays whole and the next sync goes on."""

from __future__ import annotations

import fcntl
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
