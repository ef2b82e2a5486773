"""The processes that read pages and pictures: what goes through, and what a dead or mute one costs."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.errors import SandboxError
from checker.fingerprint import Depth, fingerprint_bytes
from checker.model import Picture, Stance, Unreadable, UnreadableReason, Use
from checker.settings import Settings
from checker.signals.read import Evidence, RobotsFetch
from checker.signals.textfiles import TextFile
from crawler import workers as workers_module
from crawler.discover import Scope
from crawler.jobs import LENGTHS, PageJob, PictureJob, ReaderFailedError, packed, unpacked
from crawler.reading import Reading
from crawler.settings import CrawlSettings
from crawler.workers import Workers

PAGE = "https://a.example/"
SETTINGS = replace(Settings(), robust="off")
READING = Reading(SETTINGS, CrawlSettings(), Scope(frozenset({"https://a.example"})))
NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)


def page_job(html: str) -> PageJob:
    evidence = Evidence(url=PAGE, html=html.encode(), html_is_target=True, page_url=PAGE)
    return PageJob(evidence, "text/html", NOW)


def with_workers(do: Callable[[Workers], Awaitable[None]], *, count: int = 1) -> None:
    async def run() -> None:
        async with Workers(READING, count=count) as workers:
            await do(workers)

    asyncio.run(run())


def process_of(workers: Workers) -> int:
    line = workers._workers[0]._line
    assert line is not None
    return line.process.pid


def test_a_page_gives_its_links_and_what_it_says_of_its_pictures() -> None:
    async def do(workers: Workers) -> None:
        read = await workers.page(
            page_job('<meta name="robots" content="noai"><img src="/a.jpg" alt="A"><a href="/b">')
        )
        assert [(link.url, link.kind, link.caption) for link in read.links] == [
            (f"{PAGE}a.jpg", "image", "A"),
            (f"{PAGE}b", "page", None),
        ]
        assert read.says[0].uses[Use.TRAIN_AI] is Stance.DENY

    with_workers(do)


def test_a_picture_gets_the_codes_that_this_process_would_make(images: Path) -> None:
    body = (images / "chelsea.jpg").read_bytes()

    async def do(workers: Workers) -> None:
        read = await workers.picture(PictureJob(body, Depth.STORED))
        assert read.picture == fingerprint_bytes(body, SETTINGS, depth=Depth.STORED)
        assert isinstance(read.picture, Picture)
        assert read.picture.tiles is not None

    with_workers(do)


def test_what_is_no_picture_says_why() -> None:
    async def do(workers: Workers) -> None:
        read = await workers.picture(PictureJob(b"<html>no</html>", Depth.HASH))
        assert isinstance(read.picture, Unreadable)
        assert read.picture.reason is UnreadableReason.NOT_A_PICTURE

    with_workers(do)


def test_more_jobs_than_workers_wait_for_a_turn(images: Path) -> None:
    body = (images / "coins.jpg").read_bytes()

    async def do(workers: Workers) -> None:
        read = await asyncio.gather(*(workers.picture(PictureJob(body, Depth.HASH)) for _ in range(12)))
        assert len({one.picture for one in read if isinstance(one.picture, Picture)}) == 1

    with_workers(do, count=2)


def test_a_worker_that_died_while_idle_costs_no_address(images: Path) -> None:
    body = (images / "coins.jpg").read_bytes()

    async def do(workers: Workers) -> None:
        await workers.page(page_job(""))
        process = process_of(workers)
        os.kill(process, signal.SIGKILL)
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - it was killed: there is no wait
        assert isinstance((await workers.picture(PictureJob(body, Depth.HASH))).picture, Picture)

    with_workers(do)


def test_a_worker_that_says_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def do(workers: Workers) -> None:
        await workers.page(page_job(""))
        process = process_of(workers)
        os.kill(process, signal.SIGSTOP)
        with pytest.raises(ReaderFailedError):
            await workers.page(page_job(""))
        monkeypatch.undo()
        assert (await workers.page(page_job('<a href="/b">'))).links
        assert process_of(workers) != process

    monkeypatch.setattr(workers_module, "ANSWER_SECONDS_MAX", 0.2)
    with_workers(do)


def test_a_worker_that_cannot_start_is_this_machines_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    async def do(workers: Workers) -> None:
        with pytest.raises(SandboxError, match=r"cannot be started|does not start"):
            await workers.page(page_job(""))

    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with_workers(do)


def test_no_process_is_left() -> None:
    found: list[int] = []

    async def do(workers: Workers) -> None:
        await workers.page(page_job(""))
        found.append(process_of(workers))

    with_workers(do)
    with pytest.raises(ProcessLookupError):
        os.kill(found[0], 0)


BODIES = st.binary(max_size=50)
FETCHES = st.none() | st.builds(RobotsFetch, st.none() | st.integers(100, 599), BODIES, st.integers(0, 9), st.none())
TEXTS = st.none() | st.builds(TextFile, st.none() | st.integers(100, 599), BODIES, st.text(max_size=9))


@given(
    st.builds(
        Evidence,
        url=st.text(max_size=9),
        robots=FETCHES,
        tdmrep=FETCHES,
        status=st.none() | st.integers(100, 599),
        headers=st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9))).map(tuple),
        html=st.none() | BODIES,
        html_is_target=st.sampled_from([True]),
        page_url=st.text(max_size=9),
        ai_txt=TEXTS,
        trust_txt=TEXTS,
        well_known_trust_txt=TEXTS,
        licences=st.lists(st.tuples(st.text(max_size=9), FETCHES.filter(bool))).map(tuple),
    ),
    st.text(max_size=20),
)
def test_a_job_arrives_as_it_was_sent(evidence: Evidence, content_type: str) -> None:
    import json

    job = PageJob(evidence, content_type, NOW)
    lengths, text, *blobs = packed(job)
    assert LENGTHS.unpack(lengths) == (len(text), sum(map(len, blobs)))
    assert unpacked(json.loads(text), b"".join(blobs)) == job
