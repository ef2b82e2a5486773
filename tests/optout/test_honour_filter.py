"""`OptOutFilter` decides as the command does, in any process, and never by a stale feed."""

from __future__ import annotations

import functools
import pickle
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from feed_simulator import ALL, code, flipped, follow, make_log, opened, record

from checker.errors import InputError, VerificationError
from checker.fingerprint import fingerprint_bytes
from checker.model import Unreadable
from checker.optout.entry import Evidence
from checker.optout.filter import OptOutFilter
from checker.settings import Settings


def same_moment(moment: datetime) -> datetime:
    """A clock that stands; with `functools.partial` it can be pickled."""
    return moment


@pytest.fixture
def feed(tmp_path: Path, now: datetime, images: Path) -> Path:
    """A feed of three codes and one photo."""
    make_log(tmp_path / "data", now, 3)
    with opened(tmp_path / "data", now) as opt_outs:
        picture = fingerprint_bytes((images / "chelsea.jpg").read_bytes(), Settings())
        assert not isinstance(picture, Unreadable)
        opt_outs.record([picture.fingerprints], uses=ALL, evidence=Evidence.PICTURE, now=now)
    follow(tmp_path / "data", tmp_path / "feed", now)
    return tmp_path / "feed"


def filter_at(feed: Path, moment: datetime) -> OptOutFilter:
    """A filter that takes the time to be `moment`."""
    return OptOutFilter(feed, clock=functools.partial(same_moment, moment))


def test_it_decides_by_bytes_and_by_codes(feed: Path, now: datetime, images: Path) -> None:
    decides = filter_at(feed, now)
    assert decides.decide(data=(images / "chelsea.jpg").read_bytes()).entry == 3
    assert decides.decide(data=(images / "coffee.jpg").read_bytes()).action == "keep"
    assert decides.decide(codes=[flipped(code(2), 5)]).to_dict()["hibs_distance_bits"] == 5
    assert decides.decide(data=b"not a picture").action == "not-checked"
    assert decides.feed_size == 4


def test_it_wants_bytes_or_codes(feed: Path, now: datetime) -> None:
    decides = filter_at(feed, now)
    for given in ({}, {"data": b"", "codes": [code(1)]}, {"codes": []}):
        with pytest.raises(InputError, match="either data="):
            decides.decide(**given)


def test_a_feed_older_than_its_limit_decides_nothing_any_more(feed: Path, now: datetime, images: Path) -> None:
    photo = (images / "chelsea.jpg").read_bytes()
    assert filter_at(feed, now + timedelta(days=7)).decide(data=photo).action == "drop"
    stale = filter_at(feed, now + timedelta(days=7, minutes=5))
    assert stale.decide(data=photo).to_dict() == {
        "hibs_decision": "review",
        "hibs_reason": "feed-stale",
        "hibs_entry": None,
        "hibs_code": None,
        "hibs_distance_bits": None,
        "hibs_feed_size": 4,
    }
    assert filter_at(feed, now - timedelta(days=1)).decide(data=photo).reason == "feed-stale"


def test_it_travels_to_another_process_without_the_folder(feed: Path, now: datetime, tmp_path: Path) -> None:
    (tmp_path / "filter.pickle").write_bytes(pickle.dumps(OptOutFilter(feed)))
    told = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path / "filter.pickle"), code(1).hex],
        check=True,
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert told.stdout in ("drop near-entry\n", "review feed-stale\n")


ELSEWHERE = """
import pickle, sys
from checker.fingerprint import parse_code
with open(sys.argv[1], "rb") as file:
    decision = pickle.load(file).decide(codes=[parse_code("phash256", "1", sys.argv[2])])
print(decision.action, decision.reason)
"""


def test_its_pickle_is_the_same_for_the_same_feed_and_changes_when_the_feed_grows(
    feed: Path, now: datetime, tmp_path: Path
) -> None:
    before = pickle.dumps(filter_at(feed, now))
    assert pickle.dumps(filter_at(feed, now)) == before
    with opened(tmp_path / "data", now) as opt_outs:
        record(opt_outs, [code(50)], now)
    follow(tmp_path / "data", feed, now)
    after = filter_at(feed, now)
    assert pickle.dumps(after) != before
    assert pickle.loads(pickle.dumps(after)).decide(codes=[code(50)]).action == "drop"


def test_it_does_not_begin_with_a_feed_that_does_not_hold(feed: Path) -> None:
    (feed / "openings.ndjson").unlink()
    with pytest.raises(VerificationError):
        OptOutFilter(feed)
