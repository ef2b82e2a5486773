"""The list of the day: made once by one of many, the same until midnight, made again when damaged."""

from __future__ import annotations

import fcntl
import random
import threading
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from index_corpus import NOON, add, opt_out

from checker.errors import DataError, EmptyCorpusError
from checker.index.daily import PRIVATE_FOLDER, DailyLists, DayList
from checker.index.halves import half_codes
from checker.index.private_answer import read_answer
from checker.model import PHASH256, Fingerprint, Picture, Sha256, Source, Stance, Use, Verdict
from checker.records.folder import DataFolder
from checker.settings import Settings
from checker.visits import FoundLink, Outcome, PictureSeen, Visit

LISTED, BY_SKETCH = Settings(), Settings(private_list_rows_max=0)
WAIT_S = 20.0


def opened(lists: DailyLists, now: datetime = NOON) -> DayList:
    """Ask until it is there, as a route does."""
    end_s = time.monotonic() + WAIT_S
    while (found := lists.prepare(now)) is None:
        assert time.monotonic() < end_s
        threading.Event().wait(0.005)
    return found


def rows_of(day: DayList) -> set[bytes]:
    assert day.whole is not None
    return {row.tobytes() for row in read_answer(day.whole[:])[1]}


def halves_of(*codes: bytes) -> set[bytes]:
    return {half_codes(code)[0].tobytes() for code in codes}


def test_two_processes_serve_the_same_files(tmp_path: Path) -> None:
    rng = random.Random(1)
    with DataFolder.open(tmp_path, create=True) as folder, DataFolder.open(tmp_path, create=False) as other:
        add(folder, [rng.randbytes(32)])
        with closing(DailyLists(folder, LISTED)) as first, closing(DailyLists(other, LISTED)) as second:
            one = opened(first)
            add(folder, [rng.randbytes(32)])
            two = opened(second, NOON + timedelta(hours=11))
            assert (one.tag, rows_of(one)) == (two.tag, rows_of(two))
            assert first.ready(NOON + timedelta(hours=12)) is None, "a new day, a new list"
            assert len(rows_of(opened(first, NOON + timedelta(hours=12)))) == 2
        assert [p.name for p in (tmp_path / PRIVATE_FOLDER).iterdir() if p.is_dir()] == ["2026-11-23"]


def test_a_list_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [random.Random(2).randbytes(32)])
        (tmp_path / PRIVATE_FOLDER).mkdir()
        with closing(DailyLists(folder, LISTED)) as lists:
            with (tmp_path / PRIVATE_FOLDER / "LOCK").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                assert lists.prepare(NOON) is None
                threading.Event().wait(0.1)
                assert lists.prepare(NOON) is None
            assert opened(lists).rows == 1


@pytest.mark.parametrize("name", ["list", "about.json", "halves.idx"])
@pytest.mark.parametrize("how", ["altered", "cut off", "gone", "empty"])
def test_a_damaged_list_is_made_again(tmp_path: Path, name: str, how: str) -> None:
    settings = BY_SKETCH if name == "halves.idx" else LISTED
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [random.Random(3).randbytes(32)])
        with closing(DailyLists(folder, settings)) as lists:
            opened(lists)
        file = tmp_path / PRIVATE_FOLDER / "2026-11-22" / name
        content = bytearray(file.read_bytes())
        if how == "altered":
            content[-9] ^= 1
        file.unlink()
        if how != "gone":
            file.write_bytes({"altered": content, "cut off": content[:-20], "empty": b""}[how])
        with closing(DailyLists(folder, settings)) as lists:
            assert opened(lists).rows == 1


def test_what_look_ups_withhold_is_in_no_list_whatever_the_reason(tmp_path: Path) -> None:
    """Hidden by a person, gone from its page, or not to be indexed any more: the row is missing alike."""
    rng = random.Random(4)
    shown, hidden, gone, unindexed = (rng.randbytes(32) for _ in range(4))
    with DataFolder.open(tmp_path, create=True) as folder:
        add(folder, [shown, hidden])
        see(folder, "https://a.example/gone.jpg", gone)
        see(folder, "https://a.example/noindex.jpg", unindexed)
        with closing(DailyLists(folder, LISTED)) as lists:
            assert rows_of(opened(lists)) == halves_of(shown, hidden, gone, unindexed)
            opt_out(folder, hidden)
            missing = Visit("https://a.example/gone.jpg", "image", Outcome.FAILED, NOON, "http-404", status=404)
            folder.store.record(missing, source=crawl_of(folder))
            said = Verdict(Stance.ALLOW, {**dict.fromkeys(Use, Stance.UNSPECIFIED), Use.INDEX: Stance.DENY}, ())
            url = "https://a.example/noindex.jpg"
            refused = Visit(url, "image", Outcome.DISALLOWED, NOON, "x-robots-tag", verdict=said)
            folder.store.record(refused, source=crawl_of(folder))
            assert rows_of(opened(lists, NOON + timedelta(days=1))) == halves_of(shown)


def crawl_of(folder: DataFolder) -> Source:
    return folder.store.source("crawl", kind="crawl", now=NOON)


def see(folder: DataFolder, url: str, code: bytes) -> None:
    """A picture of a crawl, on a page of its own."""
    said = Verdict(crawl=Stance.ALLOW, uses=dict.fromkeys(Use, Stance.UNSPECIFIED), findings=())
    picture = Picture(Sha256(code.hex()), 1, 1, 1, "PNG", (Fingerprint(PHASH256, code),), plain=False)
    links = (FoundLink(url, "image", "img src"),)
    folder.store.record(
        Visit(f"{url}.html", "page", Outcome.DONE, NOON, verdict=said, links=links), source=crawl_of(folder)
    )
    seen = PictureSeen(picture, servable=True)
    folder.store.record(Visit(url, "image", Outcome.DONE, NOON, verdict=said, seen=seen), source=crawl_of(folder))


def test_an_empty_folder_has_none_and_is_asked_anew_each_time(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder, closing(DailyLists(folder, LISTED)) as lists:
        for _ in range(2):
            with pytest.raises(EmptyCorpusError, match="0 pictures"):
                opened(lists)
        add(folder, [random.Random(5).randbytes(32)])
        assert opened(lists).rows == 1


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    with DataFolder.open(tmp_path, create=True) as folder, closing(DailyLists(folder, LISTED)) as lists:
        add(folder, [random.Random(7).randbytes(32)])
        (tmp_path / PRIVATE_FOLDER).write_text("in the way")
        with pytest.raises(DataError, match="private"):
            opened(lists)
