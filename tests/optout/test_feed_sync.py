"""Following a log: only what is new is fetched, and no other history is ever accepted."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from feed_simulator import FeedServer, code, files_of, follow, make_log, opened, record

from checker.errors import InputError, RemoteError, VerificationError
from checker.optout.feed import verify_feed
from checker.optout.feed_source import read_key_file
from checker.optout.follow import sync


@pytest.fixture
def data(tmp_path: Path, now: datetime) -> Path:
    """A data folder whose log has four opt-outs."""
    make_log(tmp_path / "data", now, 4)
    return tmp_path / "data"


@pytest.fixture(scope="module")
def log_of_258(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that is two entries longer than a tile is wide; copied by those who write to it."""
    folder = tmp_path_factory.mktemp("log") / "data"
    make_log(folder, datetime.fromisoformat("2026-11-22T14:03:00+00:00"), 258)
    return folder


def test_a_first_sync_without_a_pin_trusts_the_key_that_the_source_names_and_tells(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    with opened(data, now) as opt_outs:
        done = sync(tmp_path / "feed", FeedServer(opt_outs).source(), now=now)
        vkey = opt_outs.log.vkey
    assert (done.first_use, done.old_size, done.size, done.key) == (True, 0, 4, vkey)
    lines = (tmp_path / "feed" / "openings.ndjson").read_bytes()
    assert json.loads((tmp_path / "feed" / "state.json").read_text()) == {
        "v": 1,
        "origin": vkey.partition("+")[0],
        "key": vkey,
        "source": "http://feed.test",
        "tree_size": 4,
        "synced_at": "2026-11-22T14:03:00Z",
        "openings_bytes": len(lines),
        "openings_sha256": hashlib.sha256(lines).hexdigest(),
        "arrivals": [[4, "2026-11-22"]],
        "log_keys": [],
    }
    assert verify_feed(tmp_path / "feed").counts()["opt-out"] == 4


def test_a_pinned_key_is_the_only_one_that_may_sign(data: Path, tmp_path: Path, now: datetime) -> None:
    make_log(tmp_path / "other", now, 1)
    with opened(data, now) as ours, opened(tmp_path / "other", now) as other:
        assert not sync(tmp_path / "pinned", FeedServer(ours).source(), now=now, pin=ours.log.vkey).first_use
        with pytest.raises(VerificationError, match="not signed by"):
            sync(tmp_path / "feed", FeedServer(ours).source(), now=now, pin=other.log.vkey)
        assert not (tmp_path / "feed" / "state.json").exists()
        with pytest.raises(VerificationError, match="not the key given"):
            sync(tmp_path / "pinned", FeedServer(ours).source(), now=now, pin=other.log.vkey)
        with pytest.raises(VerificationError, match="not signed by"):
            sync(tmp_path / "pinned", FeedServer(other).source(), now=now)


def test_a_delta_fetches_only_tiles_that_grew_and_openings_that_are_new(
    log_of_258: Path, tmp_path: Path, now: datetime
) -> None:
    shutil.copytree(log_of_258, tmp_path / "data")
    with opened(tmp_path / "data", now) as opt_outs:
        server = FeedServer(opt_outs)
        sync(tmp_path / "feed", server.source(), now=now)
        assert server.asked == [
            "/v1/feed/key",
            "/v1/feed/checkpoint",
            "/v1/feed/tile/0/000",
            "/v1/feed/tile/0/001.p/2",
            "/v1/feed/tile/1/000.p/1",
            "/v1/feed/tile/entries/000",
            "/v1/feed/tile/entries/001.p/2",
            "/v1/feed/openings?from=0",
            "/v1/feed/openings?from=258",
        ]
        record(opt_outs, [code(1001), code(1002), code(1003)], now)
        server.asked.clear()
        done = sync(tmp_path / "feed", server.source(), now=now)
    assert server.asked == [
        "/v1/feed/checkpoint",
        "/v1/feed/tile/0/001.p/5",
        "/v1/feed/tile/entries/001.p/5",
        "/v1/feed/openings?from=258",
        "/v1/feed/openings?from=261",
    ]
    assert (done.old_size, done.size, done.tiles_fetched, done.openings_fetched) == (258, 261, 2, 3)
    assert verify_feed(tmp_path / "feed").size == 261
    tiles = {str(path.relative_to(tmp_path / "feed")) for path in (tmp_path / "feed" / "tile").rglob("*")}
    assert "tile/0/001.p/5" in tiles
    assert "tile/0/001.p/2" not in tiles, "an outgrown tile is removed"


def test_nothing_new_fetches_the_checkpoint_alone(data: Path, tmp_path: Path, now: datetime) -> None:
    with opened(data, now) as opt_outs:
        server = FeedServer(opt_outs)
        sync(tmp_path / "feed", server.source(), now=now)
        server.asked.clear()
        sync(tmp_path / "feed", server.source(), now=now)
    assert server.asked == ["/v1/feed/checkpoint"]


def test_a_full_tile_stands_in_for_a_partial_one_that_is_not_served_any_more(
    log_of_258: Path, tmp_path: Path, now: datetime
) -> None:
    make_log(tmp_path / "data", now, 0)
    shutil.copytree(log_of_258, tmp_path / "data", dirs_exist_ok=True)
    with opened(tmp_path / "data", now) as opt_outs:
        early = FeedServer(opt_outs)
        sync(tmp_path / "feed", early.source(), now=now)
        behind = opt_outs.log.checkpoint()
        record(opt_outs, [code(seed) for seed in range(2000, 2254)], now)  # 512: the second tile is full
        server = FeedServer(opt_outs)
        server.checkpoints = [behind]
        server.gone = {"tile/0/001.p/2", "tile/entries/001.p/2"}
        done = sync(tmp_path / "fresh", server.source(), now=now)
    assert done.size == 258
    assert verify_feed(tmp_path / "fresh").size == 258
    assert "/v1/feed/tile/0/001" in server.asked


def test_openings_come_page_by_page(data: Path, tmp_path: Path, now: datetime) -> None:
    with opened(data, now) as opt_outs:
        server = FeedServer(opt_outs, page_lines=3)
        sync(tmp_path / "feed", server.source(), now=now)
    assert [path for path in server.asked if "openings" in path] == [
        "/v1/feed/openings?from=0",
        "/v1/feed/openings?from=3",
        "/v1/feed/openings?from=4",
    ]
    assert verify_feed(tmp_path / "feed").size == 4


def test_the_feed_key_is_sent_for_openings_only(data: Path, tmp_path: Path, now: datetime) -> None:
    with opened(data, now) as opt_outs:
        server = FeedServer(opt_outs)
        sync(tmp_path / "feed", server.source(), now=now)
    assert server.authorized == [path for path in server.asked if "openings" in path]


def test_without_a_key_the_sentence_says_what_is_wanted(data: Path, tmp_path: Path, now: datetime) -> None:
    with opened(data, now) as opt_outs, pytest.raises(RemoteError, match="--key-file"):
        sync(tmp_path / "feed", FeedServer(opt_outs).source(key=None), now=now)


def test_a_key_file_holds_one_key_and_its_contents_are_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hibs_abc\n")
    assert read_key_file(tmp_path / "key") == "hibs_abc"
    (tmp_path / "key").write_text("a password\n")
    with pytest.raises(InputError) as refused:
        read_key_file(tmp_path / "key")
    assert "password" not in str(refused.value)


def test_two_logs_of_one_key_that_differ_in_the_fifth_leaf_are_a_fork(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    for name, entries in (("a", [50]), ("b", [60]), ("c", [70, 71, 72])):
        shutil.copytree(data, tmp_path / name)
        with opened(tmp_path / name, now) as opt_outs:
            record(opt_outs, [code(seed) for seed in entries], now)
    feed = tmp_path / "feed"
    follow(tmp_path / "a", feed, now)
    before = files_of(feed)
    for other in ("b", "c"):  # of the same size, and of a larger one
        with pytest.raises(VerificationError, match="fork") as refused:
            follow(tmp_path / other, feed, now)
        assert refused.value.exit_code == 4
        after = files_of(feed)
        assert after.pop("checkpoint.conflict") == (tmp_path / other / "checkpoint").read_bytes()
        assert after == before
    assert verify_feed(feed).size == 5


def test_two_checkpoints_of_one_size_and_two_roots_are_a_fork_without_any_tile(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    shutil.copytree(data, tmp_path / "other")
    for name, seed in (("data", 50), ("other", 60)):
        with opened(tmp_path / name, now) as opt_outs:
            record(opt_outs, [code(seed)], now)
    follow(data, tmp_path / "feed", now)
    with opened(tmp_path / "other", now) as opt_outs:
        server = FeedServer(opt_outs)
        with pytest.raises(VerificationError, match="fork"):
            sync(tmp_path / "feed", server.source(), now=now)
    assert server.asked == ["/v1/feed/checkpoint"]


def test_an_older_state_of_the_log_is_a_rollback(data: Path, tmp_path: Path, now: datetime) -> None:
    shutil.copytree(data, tmp_path / "yesterday")
    with opened(data, now) as opt_outs:
        record(opt_outs, [code(50)], now)
    feed = tmp_path / "feed"
    follow(data, feed, now)
    before = files_of(feed)
    with pytest.raises(VerificationError, match="rollback"):
        follow(tmp_path / "yesterday", feed, now)
    after = files_of(feed)
    assert after.pop("checkpoint.conflict") == (tmp_path / "yesterday" / "checkpoint").read_bytes()
    assert after == before


def test_a_folder_put_back_to_an_older_checkpoint_still_knows_the_larger_size(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    feed = tmp_path / "feed"
    shutil.copytree(data, tmp_path / "yesterday")
    follow(data, feed, now)
    behind = (feed / "checkpoint").read_bytes()
    with opened(data, now) as opt_outs:
        record(opt_outs, [code(50)], now)
    follow(data, feed, now)
    (feed / "checkpoint").write_bytes(behind)
    with pytest.raises(VerificationError, match="rollback"):
        follow(tmp_path / "yesterday", feed, now)
    follow(data, feed, now)
    assert verify_feed(feed).size == 5


def test_an_older_signature_over_the_same_tree_does_not_replace_the_newer(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    with opened(data, now) as opt_outs:
        early = opt_outs.log.checkpoint()
        opt_outs.log.sign(now + timedelta(hours=2))
        server = FeedServer(opt_outs)
        sync(tmp_path / "feed", server.source(), now=now)
        server.checkpoints = [early]
        done = sync(tmp_path / "feed", server.source(), now=now)
    assert done.signed_at == verify_feed(tmp_path / "feed").signed_at == now + timedelta(hours=2)


def test_erased_openings_are_deleted_here(data: Path, tmp_path: Path, now: datetime) -> None:
    feed = tmp_path / "feed"
    with opened(data, now) as opt_outs:
        regretted = record(opt_outs, [code(50)], now)[0]
        follow(data, feed, now)
        salt_and_entry = (feed / "openings.ndjson").read_bytes().splitlines()[4]
        opt_outs.erase(regretted.withdraw_code, now=now)
    done = follow(data, feed, now)
    assert (done.openings_erased, done.size) == (1, 6)
    assert all(salt_and_entry not in body for body in files_of(feed).values())
    assert verify_feed(feed).erased == {4}


def test_an_opening_erased_while_a_sync_runs_is_explained_by_the_next_checkpoint(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    with opened(data, now) as opt_outs:
        regretted = record(opt_outs, [code(50)], now)[0]
        before = opt_outs.log.checkpoint()
        opt_outs.erase(regretted.withdraw_code, now=now)
        server = FeedServer(opt_outs)
        server.checkpoints = [before]
        done = sync(tmp_path / "feed", server.source(), now=now)
    assert done.size == 6
    assert verify_feed(tmp_path / "feed").erased == {4}


def test_a_server_cannot_leave_somebody_out(data: Path, tmp_path: Path, now: datetime) -> None:
    with opened(data, now) as opt_outs:
        server = FeedServer(opt_outs)
        lines = b"".join(opt_outs.log.openings(0, 4)).splitlines(keepends=True)
        server.changed = {"openings?from=0": lines[0] + lines[1] + lines[3]}
        with pytest.raises(VerificationError, match="leaf 2: it has no opening, and no erase entry names it"):
            sync(tmp_path / "feed", server.source(), now=now)
    assert not (tmp_path / "feed" / "checkpoint").exists()
