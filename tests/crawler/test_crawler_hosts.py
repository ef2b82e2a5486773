"""Which host is asked next: the schedule, hosts that refuse everything, pages without end."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from crawl_bench import CRAWL, PAGE, Bench
from hypothesis import given
from hypothesis import strategies as st

from checker.model import Finding, Stance, Use, Verdict
from checker.signals.verdict import combine
from crawler.endless import BARREN_MAX
from crawler.fetch import Ask, Fetched, Head
from crawler.guard import Guard
from crawler.hosts import HostCounts, Hosts
from crawler.refusals import IN_A_ROW, Refusals
from crawler.turns import Clock, Turns

NOINDEX = [("X-Robots-Tag", "noindex")]


def refusal() -> Verdict:
    return combine([Finding("x-robots-tag", "header X-Robots-Tag", "noindex", uses={Use.INDEX: Stance.DENY})])


def test_the_host_that_rested_longest_is_next() -> None:
    rested = {"a": 3.0, "b": 1.0, "c": 9.0}
    hosts = Hosts(rested.__getitem__)
    hosts.offer(rested)
    assert hosts.counts(now_s=4.0) == HostCounts(ready=2, snoozed=1, busy=0)
    assert hosts.take(5, now_s=4.0) == ["b", "a"]
    assert hosts.next_s() == 9.0


def test_a_host_under_way_is_not_taken_again_until_it_is_back() -> None:
    hosts = Hosts({"a": 0.0}.__getitem__)
    hosts.offer(["a"])
    assert hosts.take(1, now_s=0.0) == ["a"]
    hosts.offer(["a"])
    assert hosts.take(1, now_s=0.0) == []
    hosts.back("a")
    assert hosts.take(1, now_s=0.0) == ["a"]
    hosts.drop("a")
    assert (hosts.next_s(), hosts.busy) == (None, 0)


def test_a_host_that_was_asked_for_something_else_meanwhile_rests_first() -> None:
    rested = {"a": 0.0}
    hosts = Hosts(rested.__getitem__)
    hosts.offer(["a"])
    rested["a"] = 5.0
    assert hosts.take(1, now_s=1.0) == []
    assert hosts.next_s() == 5.0


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["offer", "take", "back", "drop"]))))
def test_no_host_is_taken_twice_and_none_is_lost(steps: list[tuple[str, str]]) -> None:
    hosts, busy, waiting = Hosts(lambda name: float(ord(name))), set[str](), set[str]()
    for name, step in steps:
        if step == "offer":
            hosts.offer([name])
            waiting |= {name} - busy
        elif step == "take":
            taken = hosts.take(1, now_s=1e9)
            assert taken == sorted(waiting)[:1]
            waiting -= set(taken)
            busy |= set(taken)
        elif name in busy:
            busy.discard(name)
            if step == "back":
                hosts.back(name)
                waiting.add(name)
            else:
                hosts.drop(name)
        assert hosts.busy == len(busy)
        assert hosts.counts(now_s=1e9).ready == len(waiting)


def test_a_host_that_refuses_every_picture_in_its_headers_is_not_asked_for_each(bench: Bench) -> None:
    bench.web.page(PAGE, "".join(f'<img src="https://cdn.example/{n}.jpg">' for n in range(9)))
    for n in range(9):
        bench.web.file(f"https://cdn.example/{n}.jpg", bench.pictures["rocket"], headers=NOINDEX)
    tally = bench.crawl()
    asked = [one for one in bench.web.asked if one.url.endswith(".jpg")]
    assert len(asked) == IN_A_ROW
    assert not any(one.body_read for one in asked)
    assert len(tally.disallowed) == 9
    said = bench.folder.store.said_on("https://cdn.example/8.jpg", bench.web.time.now()).address
    assert said is not None
    assert said.verdict["index"] == "deny"
    assert {finding.inferred for finding in said.findings if finding.signal == "x-robots-tag"} == {True}


def test_one_picture_that_is_not_refused_ends_it() -> None:
    refusals = Refusals()
    for said in (refusal(), refusal(), None, refusal(), refusal()):
        refusals.note("https://a.example", said)
        assert refusals.standing("https://a.example") is None
    refusals.note("https://a.example", refusal())
    assert refusals.standing("https://a.example") is not None
    assert refusals.standing("https://b.example") is None


def test_another_run_asks_a_refusing_host_again(bench: Bench) -> None:
    bench.web.page(PAGE, "".join(f'<img src="/{n}.jpg">' for n in range(5)))
    for n in range(5):
        bench.web.file(f"{PAGE}{n}.jpg", bench.pictures["rocket"], headers=NOINDEX)
    bench.crawl()
    for n in range(5):
        bench.web.answers[f"{PAGE}{n}.jpg"].clear()
        bench.web.file(f"{PAGE}{n}.jpg", bench.pictures["rocket"])
    assert bench.crawl(refresh=True).images == 5


def test_an_endless_calendar_is_left_after_a_while_and_a_gallery_is_not(bench: Bench) -> None:
    """Each calendar page links the next month and shows the same logo; each gallery page shows a picture of its own."""
    bench.web.page(PAGE, '<a href="/calendar?month=1">calendar</a><a href="/photo/1">photos</a>')
    bench.web.file(f"{PAGE}logo.jpg", bench.pictures["brick"])
    for n in range(1, 3 * BARREN_MAX):
        bench.web.page(f"{PAGE}calendar?month={n}", f'<img src="/logo.jpg"><a href="/calendar?month={n + 1}">next</a>')
    for n in range(1, BARREN_MAX + 50):
        bench.web.page(f"{PAGE}photo/{n}", f'<img src="/{n}.jpg"><a href="/photo/{n + 1}">next</a>')
    tally = bench.crawl(settings=replace(CRAWL, depth_max=10_000, images_max=1))
    urls = bench.web.urls()
    assert (
        len([url for url in urls if "calendar" in url]) == BARREN_MAX + 1
    )  # the first shows the logo for the first time
    assert len([url for url in urls if "photo/" in url]) == BARREN_MAX + 50  # the last one is no page
    assert tally.endless == 1
    assert any("same form" in line for line in tally.lines(0.0))


def test_many_names_of_one_machine_are_asked_at_a_time_by_no_more_than_the_limit() -> None:
    """Shared hosting: each name has its own queue, and the machine behind them has a bound of its own."""
    under_way = most = 0

    class Slow:
        async def fetch(self, ask: Ask) -> Fetched:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            for _ in range(5):
                await asyncio.sleep(0)
            under_way -= 1
            return Fetched(head=Head(200), body=b"", duration_s=0.0)

    async def addresses_of(name: str) -> tuple[str, ...]:
        return ("192.0.2.1",) if name.startswith("shared") else ("192.0.2.2",)

    async def run(names: list[str]) -> None:
        turns = Turns(Slow(), CRAWL, Guard(), Clock(), asyncio.Event(), addresses_of=addresses_of)
        await asyncio.gather(*(turns.fetch(Ask(f"https://{name}.example/", bytes_max=9)) for name in names))

    asyncio.run(run([f"shared{n}" for n in range(30)]))
    assert most == CRAWL.address_requests_max
    most = 0
    asyncio.run(run([f"shared{n}" for n in range(30)] + [f"other{n}" for n in range(30)]))
    assert most == 2 * CRAWL.address_requests_max
