"""The frontier: leased once, resumed after a kill, tried again when due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from checker.records.folder import DataFolder
from checker.records.frontier import _LEASE
from checker.visits import FoundLink, Outcome, Visit

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOST = "http://gallery.localhost:8001"


def page(path: str, host: str = HOST) -> FoundLink:
    return FoundLink(url=f"{host}{path}", kind="page", found_as="a href")


def image(path: str) -> FoundLink:
    return FoundLink(url=f"{HOST}{path}", kind="image", found_as="img src")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with DataFolder.open(tmp_path, create=True) as opened:
        yield opened


def test_an_address_is_queued_once(folder: DataFolder) -> None:
    assert folder.frontier.add([page("/"), page("/"), page("/b")], depth=0, now=NOON) == 2
    assert folder.frontier.counts().queued == 2


def test_pages_come_before_pictures_and_in_the_order_found(folder: DataFolder) -> None:
    folder.frontier.add([image("/1.jpg"), page("/a"), page("/b")], depth=0, now=NOON)
    leases = [folder.frontier.lease(host=HOST, seconds=60, now=NOON) for _ in range(4)]
    assert [lease.url.removeprefix(HOST) for lease in leases if lease] == ["/a", "/b", "/1.jpg"]
    assert leases[3] is None


def test_hosts_are_counted_by_scheme_name_and_port(folder: DataFolder) -> None:
    folder.frontier.add([page("/"), page("/", host="http://gallery.localhost:9000")], depth=0, now=NOON)
    assert folder.frontier.hosts_due(now=NOON) == (HOST, "http://gallery.localhost:9000")


def test_a_lease_that_expired_is_handed_out_again(folder: DataFolder) -> None:
    folder.frontier.add([page("/")], depth=0, now=NOON)
    first = folder.frontier.lease(host=HOST, seconds=60, now=NOON)
    assert folder.frontier.lease(host=HOST, seconds=60, now=NOON + timedelta(seconds=59)) is None
    second = folder.frontier.lease(host=HOST, seconds=60, now=NOON + timedelta(seconds=60))
    assert first is not None
    assert second is not None
    assert (first.attempt, second.attempt) == (1, 2)


def test_a_start_puts_back_what_a_killed_crawl_held(folder: DataFolder) -> None:
    folder.frontier.add([page("/")], depth=0, now=NOON)
    folder.frontier.lease(host=HOST, seconds=600, now=NOON)
    assert folder.frontier.release(now=NOON) == 1
    again = folder.frontier.lease(host=HOST, seconds=600, now=NOON)
    assert again is not None
    assert again.attempt == 1  # the attempt that was broken off does not count


def test_a_visit_that_may_work_later_waits_until_then(folder: DataFolder) -> None:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    folder.frontier.add([page("/")], depth=0, now=NOON)
    folder.frontier.lease(host=HOST, seconds=60, now=NOON)
    later = NOON + timedelta(minutes=5)
    visit = Visit(f"{HOST}/", "page", Outcome.FAILED, NOON, reason="http-503", retry_at=later, status=503)
    folder.store.record(visit, source=source)
    assert folder.frontier.hosts_due(now=NOON) == ()
    assert folder.frontier.next_due() == later
    assert folder.frontier.lease(host=HOST, seconds=60, now=later) is not None


def test_what_failed_comes_after_what_was_not_tried(folder: DataFolder) -> None:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    folder.frontier.add([image("/1.jpg"), image("/2.jpg")], depth=0, now=NOON)
    folder.frontier.lease(host=HOST, seconds=60, now=NOON)
    folder.store.record(Visit(f"{HOST}/1.jpg", "image", Outcome.FAILED, NOON, retry_at=NOON), source=source)
    leases = [folder.frontier.lease(host=HOST, seconds=60, now=NOON) for _ in range(2)]
    assert [(lease.url.removeprefix(HOST), lease.attempt) for lease in leases if lease] == [
        ("/2.jpg", 1),
        ("/1.jpg", 2),
    ]


def test_only_what_failed_for_these_reasons_is_queued_again_and_its_tries_stay_counted(folder: DataFolder) -> None:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    folder.frontier.add([image("/1.jpg"), image("/2.jpg")], depth=0, now=NOON)
    for path, reason in (("/1.jpg", "host-fails"), ("/2.jpg", "http-404")):
        folder.frontier.lease(host=HOST, seconds=60, now=NOON)
        folder.store.record(Visit(f"{HOST}{path}", "image", Outcome.FAILED, NOON, reason=reason), source=source)
    assert folder.frontier.requeue(now=NOON, reasons=["host-fails"]) == 1
    lease = folder.frontier.lease(host=HOST, seconds=60, now=NOON)
    assert lease is not None
    assert (lease.url, lease.attempt) == (f"{HOST}/1.jpg", 2)


def test_the_next_address_is_found_without_sorting_all_that_wait(folder: DataFolder) -> None:
    links = [image(f"/{n}.jpg") for n in range(300)]
    folder.frontier.add(links, depth=0, now=NOON)
    steps = folder.store._db.execute(
        f"EXPLAIN QUERY PLAN {_LEASE}", dict.fromkeys(("until", "host", "now", "kind"), "")
    )
    plan = [step[3] for step in steps.fetchall()]
    assert sum("frontier USING INDEX frontier_next" in step for step in plan) == 2
    # One sort is left: of the two rows that the halves of the query give.
    assert sum("TEMP B-TREE" in step for step in plan) == 1


@pytest.mark.parametrize("outcome", [Outcome.DONE, Outcome.FAILED, Outcome.DISALLOWED])
def test_an_ended_visit_is_not_handed_out_until_a_refresh(folder: DataFolder, outcome: Outcome) -> None:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    folder.frontier.add([page("/")], depth=0, now=NOON)
    folder.store.record(Visit(f"{HOST}/", "page", outcome, NOON), source=source)
    assert folder.frontier.next_due() is None
    assert folder.frontier.lease(host=HOST, seconds=60, now=NOON) is None
    assert folder.frontier.requeue(now=NOON) == 1
    assert folder.frontier.lease(host=HOST, seconds=60, now=NOON) is not None


def test_links_of_a_page_lie_one_deeper(folder: DataFolder) -> None:
    source = folder.store.source("our crawl", kind="crawl", now=NOON)
    visit = Visit(f"{HOST}/", "page", Outcome.DONE, NOON, links=(page("/next"),), depth=2)
    assert folder.store.record(visit, source=source).links_added == 1
    lease = folder.frontier.lease(host=HOST, seconds=60, now=NOON)
    assert lease is not None
    assert (lease.url, lease.depth) == (f"{HOST}/next", 3)


def test_the_scope_of_the_first_run_stays_until_it_is_replaced(folder: DataFolder) -> None:
    assert folder.frontier.scope("a") == "a"
    assert folder.frontier.scope("b") == "a"
    assert folder.frontier.scope("b", replace=True) == "b"
