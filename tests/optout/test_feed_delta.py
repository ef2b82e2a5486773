"""A sync touches only what is new, and notices what was lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from feed_simulator import FeedServer, code, files_of, follow, make_log, opened, openings_asked, record
from hibs_command import Hibs

from checker.errors import InputError
from checker.model import utc_text
from checker.optout.feed import read_state, verify_feed
from checker.optout.feed_folder import require_pause
from checker.optout.follow import sync


@pytest.fixture
def data(tmp_path: Path, now: datetime) -> Path:
    """A data folder whose log has four opt-outs."""
    make_log(tmp_path / "data", now, 4)
    return tmp_path / "data"


def test_new_openings_are_appended_and_the_old_ones_are_not_written_again(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    feed = tmp_path / "feed"
    follow(data, feed, now)
    before, file = (feed / "openings.ndjson").read_bytes(), (feed / "openings.ndjson").stat().st_ino
    with opened(data, now) as opt_outs:
        record(opt_outs, [code(50)], now)
    done = follow(data, feed, now)
    assert done.openings_fetched == 1
    assert (feed / "openings.ndjson").stat().st_ino == file
    assert (feed / "openings.ndjson").read_bytes().startswith(before)
    assert verify_feed(feed).size == 5


def test_an_erasure_writes_the_openings_anew_and_leaves_the_rest_in_order(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    feed = tmp_path / "feed"
    with opened(data, now) as opt_outs:
        regretted = record(opt_outs, [code(50)], now)[0]
        follow(data, feed, now)
        before, file = (feed / "openings.ndjson").read_bytes(), (feed / "openings.ndjson").stat().st_ino
        opt_outs.erase(regretted.withdraw_code, now=now)
        record(opt_outs, [code(51)], now)
    done = follow(data, feed, now)
    after = (feed / "openings.ndjson").read_bytes().splitlines()
    assert (feed / "openings.ndjson").stat().st_ino != file
    assert after[:4] == before.splitlines()[:4]
    assert (len(after), done.openings_erased, verify_feed(feed).size) == (6, 1, 7)
    done = follow(data, feed, now)
    assert done.openings_erased == 0, "what is gone is gone once"


def _byte_changed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b'"salt":"', b'"salt":"A', 1)[:-1] + b"\n", *lines[3:]]


DAMAGES: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "a byte": (_byte_changed, "from=2"),
    "a line gone": (lambda lines: [*lines[:1], *lines[2:]], "from=1"),
    "a line twice": (lambda lines: [lines[0], *lines], "from=1"),
    "two lines changed about": (lambda lines: [lines[0], lines[2], lines[1], lines[3]], "from=1"),
    "another thing between": (lambda lines: [*lines[:3], b"\xff\x00\n", lines[3]], "from=3"),
    "the end gone": (lambda lines: [*lines[:3], lines[3][:40]], "from=3"),
    "everything gone": (lambda lines: [], "from=0"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_line_is_noticed_and_fetched_again_with_those_after_it(
    data: Path, tmp_path: Path, now: datetime, name: str
) -> None:
    damage, asked = DAMAGES[name]
    feed = tmp_path / "feed"
    with opened(data, now) as opt_outs:
        server = FeedServer(opt_outs)
        sync(feed, server.source(), now=now)
        whole = files_of(feed)
        openings = feed / "openings.ndjson"
        openings.write_bytes(b"".join(damage(openings.read_bytes().splitlines(keepends=True))))
        server.asked.clear()
        sync(feed, server.source(), now=now)
    assert openings_asked(server)[0] == asked
    assert files_of(feed) == whole


def test_damage_before_an_erased_entry_does_not_bring_it_back(data: Path, tmp_path: Path, now: datetime) -> None:
    feed = tmp_path / "feed"
    with opened(data, now) as opt_outs:
        regretted = record(opt_outs, [code(50)], now)[0]
        record(opt_outs, [code(51)], now)
        opt_outs.erase(regretted.withdraw_code, now=now)
    follow(data, feed, now)
    whole = files_of(feed)
    for line in range(6):  # the openings of 0-3, 5 and of the erase entry
        openings = feed / "openings.ndjson"
        lines = whole["openings.ndjson"].splitlines(keepends=True)
        openings.write_bytes(b"".join([*lines[:line], *lines[line + 1 :]]))
        follow(data, feed, now)
        assert files_of(feed) == whole
        assert verify_feed(feed).erased == {4}


def test_an_erased_opening_that_was_put_back_is_deleted_again(data: Path, tmp_path: Path, now: datetime) -> None:
    feed = tmp_path / "feed"
    with opened(data, now) as opt_outs:
        regretted = record(opt_outs, [code(50)], now)[0]
        follow(data, feed, now)
        kept = (feed / "openings.ndjson").read_bytes()
        opt_outs.erase(regretted.withdraw_code, now=now)
    follow(data, feed, now)
    whole = files_of(feed)
    erase_entry = whole["openings.ndjson"].splitlines(keepends=True)[-1]
    (feed / "openings.ndjson").write_bytes(kept + erase_entry)
    assert follow(data, feed, now).openings_erased == 1
    assert files_of(feed) == whole


@pytest.mark.parametrize("member", ["openings_bytes", "openings_sha256"])
@pytest.mark.parametrize("value", [None, -1, "x", 10**30, [], 1.5])
def test_what_a_folder_remembers_of_its_openings_saves_work_and_proves_nothing(
    data: Path, tmp_path: Path, now: datetime, member: str, value: object
) -> None:
    feed = tmp_path / "feed"
    follow(data, feed, now)
    whole = files_of(feed)
    state = json.loads(whole["state.json"])
    (feed / "state.json").write_text(json.dumps(state | {member: value}))
    assert verify_feed(feed).size == 4
    follow(data, feed, now)
    assert files_of(feed) == whole
    (feed / "state.json").write_text(json.dumps({name: state[name] for name in state if "openings" not in name}))
    follow(data, feed, now)
    assert files_of(feed) == whole, "a folder of a version that remembered nothing"


def test_a_whole_tile_in_staging_does_not_hide_a_damaged_one(data: Path, tmp_path: Path, now: datetime) -> None:
    """As a sync leaves it that was killed while it healed the folder."""
    feed = tmp_path / "feed"
    follow(data, feed, now)
    whole = files_of(feed)
    (feed / ".sync/tile/0/000.p").mkdir(parents=True)
    shutil.copy(feed / "tile/0/000.p/4", feed / ".sync/tile/0/000.p/4")
    (feed / "tile/0/000.p/4").write_bytes(bytes(128))
    follow(data, feed, now)
    assert files_of(feed) == whole


# --- not too often -----------------------------------------------------------------------------------------------


def test_a_server_is_not_asked_again_within_ten_seconds_of_its_answer(
    data: Path, tmp_path: Path, now: datetime
) -> None:
    with opened(data, now) as opt_outs:
        sync(tmp_path / "feed", FeedServer(opt_outs).source(), now=now)
    state = read_state(tmp_path / "feed")
    with pytest.raises(InputError, match="wait until 2026-11-22T14:03:10Z"):
        require_pause(state, "http://feed.test/", now + timedelta(seconds=9))
    require_pause(state, "http://feed.test", now + timedelta(seconds=10))
    require_pause(state, "http://feed.test", now - timedelta(days=1))  # the clock was put back
    require_pause(state, "http://other.test", now)
    require_pause(None, "http://feed.test", now)


@pytest.mark.parametrize("server", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000"])
def test_a_server_on_this_machine_may_be_asked_any_time(data: Path, tmp_path: Path, now: datetime, server: str) -> None:
    follow(data, tmp_path / "feed", now)
    state = read_state(tmp_path / "feed")
    assert state is not None
    require_pause(replace(state, source=server), server, now)


def test_the_command_says_when_to_come_back_and_asks_nobody(
    data: Path, tmp_path: Path, now: datetime, hibs: Hibs
) -> None:
    follow(data, tmp_path / "feed", now)
    state = json.loads((tmp_path / "feed/state.json").read_text())
    asked = {"source": "http://feed.invalid", "synced_at": utc_text(datetime.now(UTC))}
    (tmp_path / "feed/state.json").write_text(json.dumps(state | asked))
    told = hibs("feed", "sync", "http://feed.invalid/", "feed", exit_code=2)
    assert "http://feed.invalid was asked at" in told.stderr
    assert "wait until" in told.stderr
