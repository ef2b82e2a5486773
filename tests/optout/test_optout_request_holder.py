"""What the holder of a withdraw code sees, what everybody sees, and what is left after erasing: nothing."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from feed_simulator import follow
from optout_collection import SEEN, collect, page, phash, picture, second, visit, with_bits_changed

from checker.errors import DataError, InputError
from checker.model import Locator, Use
from checker.optout.entry import Evidence
from checker.optout.feed import verify_feed
from checker.optout.holder import HolderView, forget_pictures, holder_view
from checker.optout.papers import papers
from checker.optout.receipt import verify_receipt
from checker.optout.request import OptOuts, Recorded
from checker.records.archived import Archived
from checker.records.crawl_interfaces import UNBOUNDED
from checker.records.folder import DataFolder
from checker.settings import Settings
from checker.visits import Outcome, PictureSeen, Visit
from crawler.recorder import Recorder, Records

PHOTO = phash(1)
LATER = datetime.fromisoformat("2026-11-25T10:00:00+00:00")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder in which the photo was seen once, on a page, and another photo as well."""
    image = "https://img.example/p/1.jpg"
    shown = picture(1, with_bits_changed(PHOTO, 6), second(1))
    other = visit("https://img.example/p/2.jpg", picture(2, phash(2)))
    collect(tmp_path / "data", [page("https://blog.example/trip", image), visit(image, shown), other])
    return tmp_path / "data"


@pytest.fixture
def opt_outs(data: Path, now: datetime) -> Iterator[OptOuts]:
    with OptOuts.open(data, Settings(), now=now) as opened:
        yield opened


def record(opt_outs: OptOuts, now: datetime, *, addresses: Sequence[str] = ()) -> Recorded:
    if addresses:
        return opt_outs.record((), uses=[Use.ALL], evidence=Evidence.HOST_FILE, now=now, addresses=addresses)
    return opt_outs.record([[PHOTO]], uses=[Use.ALL], evidence=Evidence.PICTURE, now=now)


def view(opt_outs: OptOuts, made: Recorded, now: datetime) -> HolderView:
    status = opt_outs.status(made.number, made.withdraw_code, now=now)
    assert status is not None
    return holder_view(opt_outs, status, now=now)


def crawl(data: Path, *visits: Visit) -> None:
    """Record visits as a crawl does: what was opted out leaves no code."""

    async def record_all() -> None:
        with DataFolder.open(data, create=False) as folder, ThreadPoolExecutor(1) as thread:
            source = folder.store.source("Crawl of example", kind="crawl", now=SEEN)
            recorder = Recorder(
                *(folder, source, Records(thread)), budget=UNBOUNDED, opt_out_distance_bits_max=31, known_kinds=None
            )
            for one in visits:
                await recorder.record((one,))

    asyncio.run(record_all())


def codes_of(data: Path, number: int) -> int:
    """How many codes the picture with these bytes has in the collection."""
    with DataFolder.open(data, create=False) as folder:
        rows = folder.store._rows(
            "SELECT COUNT(*) FROM code JOIN image USING (image_id) WHERE sha256 = ?", (number.to_bytes(32),)
        )
    return int(rows[0][0])


# --- sightings -------------------------------------------------------------------------------------------------


def test_the_holder_sees_where_it_was_seen_and_what_came_after(opt_outs: OptOuts, data: Path, now: datetime) -> None:
    made = record(opt_outs, now)
    before = view(opt_outs, made, now)
    (seen,) = before.sightings
    assert (seen.sighting.image_url, seen.sighting.page_url, seen.is_new) == (
        *("https://img.example/p/1.jpg", "https://blog.example/trip"),
        False,
    )
    assert seen.look == "still there on 20 November 2026"
    assert (before.new, before.sightings_all) == (0, 1)

    copy = visit("https://copies.example/c.jpg", picture(3, with_bits_changed(PHOTO, 10)), at=LATER)
    gone = Visit("https://img.example/p/1.jpg", "image", Outcome.FAILED, LATER, status=404)
    crawl(data, copy, visit("https://img.example/p/9.jpg", picture(9, phash(9)), at=LATER), gone)
    assert codes_of(data, 3) == 0, "recorded as seen, with no code to find it by"
    assert codes_of(data, 9) == 1

    after = view(opt_outs, made, LATER)
    assert [(one.sighting.image_url, one.is_new, one.look) for one in after.sightings] == [
        ("https://copies.example/c.jpg", True, "still there on 25 November 2026"),
        ("https://img.example/p/1.jpg", False, "gone since 25 November 2026"),
    ]
    assert (after.new, after.sightings_all) == (1, 2)
    document = after.to_dict()
    assert document["sightings"][0]["new"] is True
    assert document["sightings"][0]["first_seen"] == "2026-11-25T10:00:00Z"
    assert document["state"] == "recorded"


def test_a_copy_in_an_archive_is_said_to_be_in_that_copy(opt_outs: OptOuts, data: Path, now: datetime) -> None:
    made = record(opt_outs, now)
    shown = picture(4, PHOTO)
    with DataFolder.open(data, create=False) as folder:
        numbers = folder.hides(shown, distance_bits_max=31)
        assert numbers == (made.number,)
        source = folder.store.source("set", kind="archive", now=LATER)
        one = Archived(PictureSeen(shown, servable=False), Locator("00.tar", 3, "a"), LATER, opt_outs=numbers)
        folder.store.record_archive([one], source=source, now=LATER)
    (new, _) = view(opt_outs, made, LATER).to_dict()["sightings"]
    assert (new["look"], new["new"]) == ("in this copy on 25 November 2026", True)
    assert new["locator"] == {"file": "00.tar", "row": 3, "key": "a"}


def test_a_picture_that_is_met_again_keeps_its_code_and_is_not_new(
    opt_outs: OptOuts, data: Path, now: datetime
) -> None:
    made = record(opt_outs, now)
    again = now + timedelta(seconds=20)
    crawl(data, visit("https://img.example/p/1.jpg", picture(1, with_bits_changed(PHOTO, 6)), at=again))
    assert codes_of(data, 1) == 2
    (seen,) = view(opt_outs, made, again).sightings
    assert not seen.is_new


def test_others_with_the_number_see_what_is_public(opt_outs: OptOuts, now: datetime) -> None:
    made = record(opt_outs, now)
    public = opt_outs.status(made.number, None, now=now)
    assert public is not None
    assert list(public.to_dict()) == [
        *("number", "state", "index", "uses", "evidence", "pictures", "addresses", "recorded_at", "withdraw_at"),
        "reason",
    ]
    assert opt_outs.status(made.number, "hibs-w1-" + "0" * 32, now=now) is None


def test_two_opt_outs_of_one_picture_see_the_same_copies(opt_outs: OptOuts, data: Path, now: datetime) -> None:
    first, again = record(opt_outs, now), record(opt_outs, now)
    crawl(data, visit("https://copies.example/c.jpg", picture(3, PHOTO), at=LATER))
    assert [view(opt_outs, made, LATER).new for made in (first, again)] == [1, 1]
    opt_outs.erase(first.withdraw_code, now=LATER)
    assert [view(opt_outs, made, LATER).sightings_all for made in (first, again)] == [0, 2]


# --- addresses -------------------------------------------------------------------------------------------------


def test_what_stands_at_an_address_that_is_named_leaves_no_code(opt_outs: OptOuts, data: Path, now: datetime) -> None:
    made = record(opt_outs, now, addresses=("blog.example/", "img.example/mine/"))
    assert made.receipt is not None
    assert made.receipt.opt_out().addresses == ("blog.example/", "img.example/mine/")
    covered = visit("http://img.example/mine/5.jpg", picture(5, phash(5)), at=LATER)
    on_page = "https://cdn.example/6.jpg"
    beside = visit("https://img.example/minefield.jpg", picture(7, phash(7)), at=LATER)
    crawl(data, covered, page("https://blog.example/new", on_page, at=LATER), beside)
    crawl(data, visit(on_page, picture(6, phash(6)), at=LATER))
    assert [codes_of(data, number) for number in (5, 6, 7)] == [0, 0, 1]
    with DataFolder.open(data, create=False) as folder:
        assert folder.hidden_addresses.hiding(["https://cdn.example/6.jpg", "https://blog.example/new"])
        assert not folder.hidden_addresses.hiding(["https://img.example/minefield.jpg", None])
        bare = folder.images_at_hidden_addresses()
        assert {one.image_url for image_id in bare for one in folder.store.sightings_of([image_id])[image_id]} == {
            *("https://img.example/p/1.jpg", "http://img.example/mine/5.jpg", "https://cdn.example/6.jpg"),
        }

    seen = [(one.sighting.image_url, one.is_new) for one in view(opt_outs, made, LATER).sightings]
    assert sorted(seen[:2]) == [("http://img.example/mine/5.jpg", True), ("https://cdn.example/6.jpg", True)]
    assert seen[2:] == [("https://img.example/p/1.jpg", False)], "that was on a page of the host before"

    crawl(data, visit("https://elsewhere.example/5.jpg", picture(5, phash(5)), at=LATER))
    assert view(opt_outs, made, LATER).sightings_all == 3, "where else it stands is not the host's to see"
    opt_outs.withdraw(made.withdraw_code, now=LATER)
    opt_outs.settle(LATER + timedelta(days=7))
    with DataFolder.open(data, create=False) as folder:
        assert not folder.hidden_addresses.hiding(["https://cdn.example/6.jpg", "https://blog.example/new"])


def test_addresses_come_with_evidence_and_in_one_spelling(opt_outs: OptOuts, now: datetime) -> None:
    asked = {"uses": [Use.ALL], "now": now}
    for evidence, addresses, words in (
        (Evidence.PICTURE, ["a.example/"], "only with a file or a DNS record"),
        (Evidence.HOST_FILE, ["https://a.example/"], "is no address"),
        (Evidence.HOST_FILE, ["A.example/"], "is no address"),
        (Evidence.HOST_FILE, [f"a.example/{n}" for n in range(1001)], "more than one opt-out can hold"),
        (Evidence.HOST_FILE, [], "there is no picture"),
    ):
        with pytest.raises(InputError, match=words):
            opt_outs.record((), evidence=evidence, addresses=addresses, **asked)
    code = "hibs-w1-" + "A" * 32
    made = opt_outs.record((), evidence=Evidence.HOST_FILE, addresses=["a.example/"], withdraw_code=code, **asked)
    assert made.withdraw_code == code
    with pytest.raises(InputError, match="belongs to an opt-out already"):
        opt_outs.record((), evidence=Evidence.HOST_FILE, addresses=["b.example/"], withdraw_code=code, **asked)
    with pytest.raises(InputError, match="no whole withdraw code"):
        opt_outs.record((), evidence=Evidence.HOST_FILE, addresses=["b.example/"], withdraw_code="x", **asked)
    assert opt_outs.log.size == 1


# --- erasing ---------------------------------------------------------------------------------------------------


def stored(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_after_erasing_with_forget_neither_salt_nor_code_lies_anywhere(
    opt_outs: OptOuts, data: Path, tmp_path: Path, now: datetime
) -> None:
    codes = (PHOTO, second(1))
    collect(data, [visit("https://img.example/p/3.jpg", picture(3, *codes))])
    made = opt_outs.record([codes], uses=[Use.ALL], evidence=Evidence.PICTURE, now=now)
    crawl(data, visit("https://copies.example/c.jpg", picture(4, PHOTO), at=LATER))
    feed = tmp_path / "feed"
    follow(data, feed, now)
    assert made.receipt is not None
    private = [
        *(made.receipt.salt, made.receipt.salt.hex().encode(), made.receipt.to_dict()["salt"].encode()),
        *(part for one in codes for part in (one.bits, one.hex.encode())),
        made.receipt.entry,
    ]
    assert any(secret in stored(data) for secret in private)
    assert any(secret in stored(feed) for secret in private)

    status = opt_outs.status(None, made.withdraw_code, now=now)
    assert status is not None
    assert forget_pictures(opt_outs, status, now=now) == 3
    opt_outs.erase(made.withdraw_code, now=now)
    follow(data, feed, now)
    opt_outs.close()
    assert [secret for secret in private if secret in stored(data)] == []
    assert [secret for secret in private if secret in stored(feed)] == []
    assert 0 in verify_feed(feed).erased
    assert verify_receipt(made.receipt.to_bytes()), "the old receipt goes on proving that it was there"


def test_erasing_alone_forgets_the_copies_but_leaves_what_others_are_told(
    opt_outs: OptOuts, data: Path, now: datetime
) -> None:
    made = record(opt_outs, now)
    crawl(data, visit("https://copies.example/c.jpg", picture(4, PHOTO), at=LATER))
    opt_outs.erase(made.withdraw_code, now=LATER)
    opt_outs.erase(made.withdraw_code, now=LATER)
    with DataFolder.open(data, create=False) as folder:
        assert folder.store.images_of_opt_out(made.number) == ()
        assert folder.store.counts().images == 3
        assert not folder.hides(picture(1, PHOTO), distance_bits_max=31)
    assert view(opt_outs, made, LATER).to_dict()["sightings"] == []


# --- the withdraw code is never lost -----------------------------------------------------------------------------


def test_the_withdraw_paper_is_written_before_anything_counts(data: Path, tmp_path: Path, now: datetime) -> None:
    salts = iter([bytes(32)])

    def random_bytes(size: int) -> bytes:
        """Gives one salt, and then fails after the withdraw paper was written and before the commit."""
        return next(salts) if size == 32 else secrets.token_bytes(size)

    OptOuts.open(data, Settings(), now=now).close()
    asked = {"uses": [Use.ALL], "evidence": Evidence.PICTURE, "now": now}
    with OptOuts.open(data, Settings(), now=now, random_bytes=random_bytes) as opt_outs, papers(tmp_path) as folder:
        made = opt_outs.record([[PHOTO]], keep=folder.withdraw_kept, **asked)
        assert (tmp_path / f"{made.number}.withdraw.txt").read_text() == made.withdraw_text
        with pytest.raises(StopIteration):
            opt_outs.record([[PHOTO]], keep=folder.withdraw_kept, **asked)
        assert [path.name for path in tmp_path.glob("*.txt")] == [f"{made.number}.withdraw.txt"]
        assert opt_outs.registry.opt_outs_in_force() == 1
        (tmp_path / f"{made.number}.withdraw.txt").unlink()
        shutil.rmtree(folder.temporary)
        with pytest.raises(DataError, match="cannot write"):
            opt_outs.record([[PHOTO]], keep=folder.withdraw_kept, **asked)
        assert opt_outs.registry.opt_outs_in_force() == 1, "what cannot be written down is not recorded"
