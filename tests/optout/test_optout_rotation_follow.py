"""A follower when the log changes its key: it goes on, tells, and pins another key only by hand and only with proof."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from feed_simulator import FeedServer, code, files_of, opened, record, say
from hibs_command import Hibs

from checker.errors import VerificationError
from checker.optout.entry import EntryType, KeyChange, KeyState, Reference
from checker.optout.feed import read_state, verify_feed
from checker.optout.follow import sync
from checker.optout.note import SigningKey
from checker.optout.request import OptOuts
from checker.optout.trust import KeyNews


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    return tmp_path / "feed"


@pytest.fixture
def log(tmp_path: Path, now: datetime) -> Iterator[OptOuts]:
    with opened(tmp_path / "data", now) as opt_outs:
        record(opt_outs, [code(0), code(1)], now)
        yield opt_outs


def pinned(feed: Path) -> str:
    state = read_state(feed)
    assert state is not None
    return state.key.text


def test_a_follower_of_the_old_key_goes_on_and_is_told_at_every_sync(log: OptOuts, feed: Path, now: datetime) -> None:
    old = log.log.vkey
    assert sync(feed, FeedServer(log).source(), now=now).key_news == ()
    new = log.log.rotate(now).verifier.text
    for day in (1, 2):
        record(log, [code(day + 1)], now)
        done = sync(feed, FeedServer(log).source(), now=now)
        (told,) = done.key_news
        assert f"entry 2 says that {new} signs it too" in told
        assert pinned(feed) == done.key == old
    assert verify_feed(feed).key.text == old


def test_a_follower_that_begins_while_both_sign_pins_the_new_key(log: OptOuts, feed: Path, now: datetime) -> None:
    new = log.log.rotate(now).verifier.text
    done = sync(feed, FeedServer(log).source(), now=now)
    assert (done.key, done.key_news) == (new, ())
    later = now + timedelta(days=31)
    log.checkpoint(later)
    done = sync(feed, FeedServer(log).source(), now=later)
    assert (done.key, done.key_news, done.size) == (new, (), 4)


def test_the_new_key_is_pinned_by_hand_and_holds_when_the_old_one_is_gone(
    log: OptOuts, feed: Path, now: datetime
) -> None:
    sync(feed, FeedServer(log).source(), now=now)
    new = log.log.rotate(now).verifier.text
    sync(feed, FeedServer(log).source(), now=now)
    done = sync(feed, FeedServer(log).source(), now=now, pin=new)
    assert (done.key, done.key_news, done.first_use) == (new, (), False)
    later = now + timedelta(days=31)
    record(log, [code(9)], later)
    assert sync(feed, FeedServer(log).source(), now=later).size == 5
    assert verify_feed(feed).key.text == new == pinned(feed)


def test_the_new_key_is_pinned_after_the_old_one_went_by_what_the_folder_knew(
    log: OptOuts, feed: Path, now: datetime
) -> None:
    new = log.log.rotate(now).verifier.text
    old = log.log.keys()[0].verifier.text
    sync(feed, FeedServer(log).source(), now=now, pin=old)
    later = now + timedelta(days=31)
    log.checkpoint(later)
    before = files_of(feed)
    with pytest.raises(VerificationError, match="whether its key changed") as refused:
        sync(feed, FeedServer(log).source(), now=later)
    assert refused.value.part == "checkpoint-signature"
    assert files_of(feed) == before
    assert sync(feed, FeedServer(log).source(), now=later, pin=new).size == 4


def test_a_key_that_the_pinned_one_never_vouched_for_is_refused(log: OptOuts, feed: Path, now: datetime) -> None:
    sync(feed, FeedServer(log).source(), now=now)
    stranger = SigningKey(log.log.origin, bytes(32)).verifier.text
    new = log.log.rotate(now).verifier.text  # the folder has not heard of it yet
    before = files_of(feed)
    for key in (stranger, new):
        with pytest.raises(VerificationError, match="nothing that it signed says") as refused:
            sync(feed, FeedServer(log).source(), now=now, pin=key)
        assert (refused.value.part, refused.value.exit_code) == ("key", 4)
        assert files_of(feed) == before


def test_a_key_that_went_again_is_not_pinned(log: OptOuts, feed: Path, now: datetime) -> None:
    old = log.log.vkey
    log.log.rotate(now)
    sync(feed, FeedServer(log).source(), now=now)
    later = now + timedelta(days=31)
    log.checkpoint(later)
    sync(feed, FeedServer(log).source(), now=later)
    with pytest.raises(VerificationError) as refused:
        sync(feed, FeedServer(log).source(), now=later, pin=old)
    assert refused.value.part == "key"


def test_what_a_folder_knows_of_keys_outlasts_erasures_and_a_lost_memory(
    log: OptOuts, feed: Path, now: datetime
) -> None:
    sync(feed, FeedServer(log).source(), now=now)
    log.log.rotate(now)
    told = sync(feed, FeedServer(log).source(), now=now).key_news
    assert told
    say(log, EntryType.DISPUTE, 0, now)
    assert sync(feed, FeedServer(log).source(), now=now).key_news == told
    document = json.loads((feed / "state.json").read_bytes())
    for lost in ({}, {"log_keys": "none"}, {"log_keys": [[1, "added", "none"]]}):
        kept = {name: value for name, value in document.items() if name != "log_keys"}
        (feed / "state.json").write_text(json.dumps(kept | lost))
        assert sync(feed, FeedServer(log).source(), now=now).key_news == told


def test_keys_of_other_names_are_no_news() -> None:
    ours, next_one = (SigningKey("log.example/a", bytes([number]) * 32).verifier for number in (1, 2))
    other = SigningKey("log.example/b", bytes(32)).verifier
    news = KeyNews("log.example/a")
    news.see(3, KeyChange(other.text, KeyState.ADDED))
    news.see(4, Reference(EntryType.DISPUTE, 0))
    assert news.sentences(ours) == ()
    news.see(5, KeyChange(next_one.text, KeyState.ADDED))
    assert len(news.sentences(ours)) == 1
    assert news.sentences(next_one) == ()
    news.see(6, KeyChange(next_one.text, KeyState.RETIRED))
    assert news.standing() == {}


def test_the_commands_say_what_to_do(hibs: Hibs, images: Path) -> None:
    hibs("opt-out", "add", images / "rocket.jpg", "--data", "data")
    hibs("feed", "sync", "--data", "data", "feed")
    new = hibs("keys", "rotate-log", "--data", "data").stdout.strip()
    for command in (("sync", "--data", "data", "feed"), ("verify", "feed")):
        assert f"entry 1 says that {new} signs it too" in hibs("feed", *command).stderr
    hibs("feed", "sync", "--data", "data", "feed", "--pin", new)
    assert new in hibs("feed", "verify", "feed").stdout
