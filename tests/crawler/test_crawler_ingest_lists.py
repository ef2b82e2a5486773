"""`hibs ingest` of lists of addresses: they are fetched as a crawl fetches, and a list holds only what it means."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from local_web import LocalWeb, local_web
from typer.testing import CliRunner, Result

from checker.model import Sighting
from checker.records.folder import DataFolder
from crawler.cli import ingest as body


@pytest.fixture
def web() -> Iterator[LocalWeb]:
    with local_web() as served:
        yield served


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIBS_ROBUST", "off")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos(images: Path) -> dict[str, bytes]:
    return {name: (images / f"{name}.jpg").read_bytes() for name in ("chelsea", "coffee", "coins")}


def ingest(*given: object, exit_code: int = 0) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(body)
    done = CliRunner().invoke(app, [*map(str, given), "--data", "data"])
    assert done.exit_code == exit_code, done.output
    return done


def fetched(web: LocalWeb, *given: object, exit_code: int = 0) -> dict[str, object]:
    opened = ("--allow-address", web.opened, "--delay", "0", "--json")
    document = json.loads(ingest(*given, *opened, exit_code=exit_code).stdout)
    assert isinstance(document, dict)
    return document


def sightings() -> list[Sighting]:
    with DataFolder.open(Path("data"), create=False) as folder:
        found = folder.store.sightings_of(range(99))
    return sorted((one for many in found.values() for one in many), key=lambda one: str(one.locator))


def serve(web: LocalWeb, photos: dict[str, bytes]) -> None:
    for name, photo in photos.items():
        web.put(f"/{name}.jpg", photo, "image/jpeg")


def test_the_pictures_of_a_list_are_fetched_and_found_at_their_rows(web: LocalWeb, photos: dict[str, bytes]) -> None:
    serve(web, photos)
    Path("laion.csv").write_text(
        "\n".join(["KEY,URL,TEXT", *(f"k-{name},{web.url(f'/{name}.jpg')},the {name}" for name in photos), ",oh,"])
    )
    document = fetched(web, "laion.csv", "--source", "Laion", exit_code=1)
    assert (document["listed"], document["queued"], document["failed"]) == (3, 3, {"no-address": 1})
    tally = document["fetched"]
    assert isinstance(tally, dict)
    assert (tally["images"], tally["new"], tally["pages"]) == (3, 3, 0)
    first, *_ = found = sightings()
    assert len(found) == 3
    assert first.locator is not None
    assert (first.locator.file, first.locator.row, first.locator.key) == ("laion.csv", 0, "k-chelsea")
    assert (first.image_url, first.caption) == (web.url("/chelsea.jpg"), "the chelsea")
    assert (first.source.name, first.source.kind, first.verdict["crawl"]) == ("Laion", "list", "allow")


def test_robots_txt_is_heeded_and_the_pictures_are_asked_for_once(web: LocalWeb, photos: dict[str, bytes]) -> None:
    serve(web, photos)
    web.put("/robots.txt", "User-agent: *\nDisallow: /coins.jpg\n", "text/plain")
    pq.write_table(pa.table({"url": [web.url(f"/{name}.jpg") for name in photos] * 2}), "list.parquet")
    document = fetched(web, "list.parquet")
    assert (document["listed"], document["queued"]) == (6, 3)
    assert sorted(web.paths()) == ["/chelsea.jpg", "/coffee.jpg"]
    assert len(sightings()) == 4  # two rows each
    asked = len(web.requests)
    assert ingest("list.parquet", "--allow-address", web.opened, "--delay", "0").stdout.startswith("nothing left")
    assert len(web.requests) == asked


def test_a_picture_that_was_replaced_is_not_said_to_be_in_the_list(web: LocalWeb, photos: dict[str, bytes]) -> None:
    serve(web, photos)
    meant = {"chelsea": hashlib.sha256(photos["chelsea"]).hexdigest(), "coffee": "ab" * 32}
    Path("l.jsonl").write_text(
        "\n".join(json.dumps({"url": web.url(f"/{name}.jpg"), "sha256": digest}) for name, digest in meant.items())
    )
    fetched(web, "l.jsonl")
    assert [one.image_url for one in sightings()] == [web.url("/chelsea.jpg")]


def test_what_cannot_be_had_is_named_with_its_reason(web: LocalWeb, photos: dict[str, bytes]) -> None:
    serve(web, photos)
    Path("l.txt").write_text(f"{web.url('/coffee.jpg')}\n{web.url('/gone.jpg')}\nhttp://192.0.2.1/a.jpg\n")
    done = ingest("l.txt", "--allow-address", web.opened, "--delay", "0", exit_code=1)
    assert f"{web.url('/gone.jpg')}: http-404" in done.stderr
    assert "http://192.0.2.1/a.jpg: blocked-address" in done.stderr
    assert "1 picture" in done.stdout


def test_a_folder_that_holds_a_crawl_takes_a_list_too(web: LocalWeb, photos: dict[str, bytes]) -> None:
    from crawler.cli import crawl

    serve(web, photos)
    web.put("/", '<a href="/more.html">more</a><img src="/chelsea.jpg">')
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(crawl)
    opened = ("--data", "data", "--allow-address", web.opened, "--delay", "0", "--max-pages", "1")
    crawled = CliRunner().invoke(app, [web.url("/"), *opened])
    assert crawled.exit_code == 0, crawled.output
    pages = web.paths().count("/more.html")
    Path("l.txt").write_text(f"{web.url('/chelsea.jpg')}\n{web.url('/coins.jpg')}\n")
    document = fetched(web, "l.txt")
    assert (document["listed"], document["queued"]) == (2, 1)
    assert web.paths().count("/more.html") == pages
    kinds = [(one.source.kind, one.image_url) for one in sightings() if one.locator]
    assert sorted(kinds) == [("list", web.url("/chelsea.jpg")), ("list", web.url("/coins.jpg"))]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ((), "needs somebody to write to: give --contact MAIL-OR-URL or set HIBS_CONTACT"),
        (("--contact", "nobody"), "is neither an e-mail address nor the address of a page"),
        (("--contact", "me@example.org", "--delay", "0"), "is too short for the hosts of others; give at least 1"),
        (("--allow-address", "192.168.0.7:80"), "needs somebody to write to"),
        (("--allow-address", "img.example:80"), "--allow-address"),
    ],
)
def test_what_must_not_be_fetched_so_is_refused_before_anything_is_written(
    more: tuple[str, ...], sentence: str
) -> None:
    Path("l.txt").write_text("https://img.example/a.jpg\n")
    done = ingest("l.txt", *more, exit_code=2)
    assert sentence in done.stderr
    assert not Path("data").exists()


def test_lists_in_a_folder_are_told_of_and_not_fetched(photos: dict[str, bytes]) -> None:
    Path("set").mkdir()
    Path("set/coffee.jpg").write_bytes(photos["coffee"])
    Path("set/urls.csv").write_text("url\nhttps://img.example/a.jpg\n")
    done = ingest("set")
    assert done.stdout.startswith("1 picture recorded (1 new), 0 unreadable, ")
    assert "1 list of addresses lies in the folders and not read" in done.stderr
