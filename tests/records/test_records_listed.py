"""An address that lists name and that shows another picture by now: nobody holds it, nobody showed it to us."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from evidence_visits import DAY, HOST, IMAGE, NOON, image_visit

from checker.model import PHASH256, Fingerprint, Locator, Picture, Sha256, Source
from checker.records.archived import Archived
from checker.records.cursors import Cursor
from checker.records.folder import DataFolder
from checker.records.interfaces import Recorded
from checker.records.listed import ListedRow
from checker.visits import FoundLink, Outcome, PictureSeen, Visit

NOBODY = Source(id="0", name="", kind="crawl")
"""What a fetch of lists records under, where nothing was ever crawled."""
MEANT, OTHER = Sha256(f"{1:064x}"), Sha256(f"{2:064x}")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with DataFolder.open(tmp_path / "data", create=True) as opened:
        yield opened


def queue(folder: DataFolder, *digests: Sha256 | None) -> Source:
    source = folder.store.source("laion", kind="list", now=NOON)
    rows = [ListedRow(IMAGE, Locator("l.csv", number), sha256=digest) for number, digest in enumerate(digests)]
    folder.store.queue_list(rows, source=source, now=NOON, cursor=Cursor("l.csv", b"d", len(rows)))
    return source


def visit(folder: DataFolder, fill: int, *, days: int = 0, source: Source = NOBODY) -> Recorded:
    return folder.store.record(image_visit(fill=fill, at=NOON + days * DAY), source=source)


def test_nothing_is_recorded_of_a_picture_that_no_row_means(folder: DataFolder) -> None:
    queue(folder, MEANT)
    assert visit(folder, 2) == Recorded()
    counts = folder.store.counts()
    assert (counts.images, counts.sightings, folder.store.codes_after(0, kind=PHASH256, count=9)) == (0, 0, ())
    assert folder.frontier.counts().done == 1  # asked for, and not to be asked for again


def test_a_row_without_a_digest_means_whatever_is_there(folder: DataFolder) -> None:
    queue(folder, MEANT, None)
    recorded = visit(folder, 2)
    assert recorded.image_id is not None
    (sighting,) = folder.store.sightings_of([recorded.image_id])[recorded.image_id]
    assert sighting.locator == Locator("l.csv", 1)


def test_a_picture_that_was_replaced_is_gone_from_that_day_on(folder: DataFolder) -> None:
    queue(folder, MEANT)
    first = visit(folder, 1).image_id
    assert first is not None
    assert visit(folder, 2, days=3) == Recorded()
    (sighting,) = folder.store.sightings_of([first])[first]
    assert (sighting.last_seen, sighting.gone_since) == (NOON, NOON + 3 * DAY)


def test_that_says_nothing_of_what_an_archive_holds_of_the_address(folder: DataFolder) -> None:
    archive = folder.store.source("dataset", kind="archive", now=NOON)
    code = Fingerprint(PHASH256, bytes([9]) * 32)
    resized = Picture(Sha256(f"{9:064x}"), 9, 8, 8, "JPEG", (code,), plain=False)
    held = Archived(PictureSeen(resized, servable=True), Locator("0.tar", 0), NOON, image_url=IMAGE)
    (recorded,) = folder.store.record_archive([held], source=archive, now=NOON)
    queue(folder, MEANT)
    visit(folder, 2, days=1)
    assert recorded.image_id is not None
    (sighting,) = folder.store.sightings_of([recorded.image_id])[recorded.image_id]
    assert sighting.gone_since is None


def test_the_same_answer_again_brings_no_sighting_to_rows_that_mean_another(folder: DataFolder) -> None:
    queue(folder, None)
    first = visit(folder, 2).image_id
    queue(folder, MEANT)  # the list is read again, and tells a digest now
    unchanged = Visit(IMAGE, "image", Outcome.DONE, NOON + DAY, unchanged=True, verdict=image_visit().verdict)
    assert folder.store.record(unchanged, source=NOBODY).image_id == first
    assert first is not None
    (sighting,) = folder.store.sightings_of([first])[first]
    assert sighting.last_seen == NOON


def test_a_page_that_shows_it_shows_it_all_the_same(folder: DataFolder) -> None:
    queue(folder, MEANT)
    crawl = folder.store.source("gallery.example", kind="crawl", now=NOON)
    shown = FoundLink(IMAGE, "image", "img src", "Our cat")
    page = Visit(f"{HOST}/p", "page", Outcome.DONE, NOON, links=(shown,), verdict=image_visit().verdict)
    folder.store.record(page, source=crawl)
    image_id = visit(folder, 2, source=crawl).image_id
    assert image_id is not None
    (sighting,) = folder.store.sightings_of([image_id])[image_id]
    assert (sighting.page_url, sighting.caption, sighting.source) == (f"{HOST}/p", "Our cat", crawl)
    assert replace(sighting, locator=None) == sighting
