"""Answers to a list as NDJSON, CSV and Parquet: the same in each, and of places no more than the reason opens."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import bulk_service
import pyarrow.parquet as pq
import pytest
from api_service import JPEG, SEEN, Opener, TestClient, seen
from bulk_lists import codes, lines
from bulk_service import finished

from api.schemas.bulk import RowTold
from checker.model import Locator
from checker.records.audit import audit_rows
from checker.records.folder import DataFolder
from checker.records.registry import Registry

pytest_plugins = ("api_service",)
now, ngo = bulk_service.now, bulk_service.ngo
TABLE = "=HYPERLINK(1).parquet"
PLACES = ("source", "file", "file_row", "file_key", "file_column", "image_url", "page_url", "caption", "site_said")
REASON = "reason=inform-person"


@pytest.fixture
def service(open_service: Opener, corpus: Path, ngo: dict[str, str]) -> TestClient:
    """rocket.jpg was met at two more places, both of one row of a table."""
    with DataFolder.open(corpus, create=False) as folder:
        source = folder.store.source("Example-400M", kind="archive", now=SEEN)
        for column in ("image", "thumbnail"):
            place = Locator(file=TABLE, row=7, key="@SUM(1)", column=column)
            folder.store.record_file(seen("rocket.jpg"), source=source, locator=place, now=SEEN)
    return open_service(corpus)


@pytest.fixture
def place(service: TestClient, ngo: dict[str, str]) -> str:
    """An answered list of both pictures that are there."""
    return finished(service, lines(*({"codes": codes(name)} for name in ("chelsea.jpg", "rocket.jpg"))), ngo)


def as_csv(service: TestClient, place: str, key: dict[str, str], query: str = "") -> list[dict[str, Any]]:
    text = service.get(f"{place}/results?format=csv&{query}", headers=key).text
    return list(csv.DictReader(io.StringIO(text)))


def as_parquet(service: TestClient, place: str, key: dict[str, str], query: str = "") -> list[dict[str, Any]]:
    body = service.get(f"{place}/results?format=parquet&{query}", headers=key).content
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(body)).to_pylist()
    return rows


def as_ndjson(service: TestClient, place: str, key: dict[str, str], query: str = "") -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in service.get(f"{place}/results?{query}", headers=key).text.splitlines()]
    for row in rows:
        RowTold.model_validate(row)
    return rows


def test_every_sighting_is_a_line_that_says_where_it_is(service: TestClient, place: str, ngo: dict[str, str]) -> None:
    hostile = "<img src=x onerror=alert(1)> {0}gnp.exe {1}]0;x{2}"
    web = ("https://img.example/p/88.jpg", "https://blog.example/trip", "train-ai: deny")
    told = as_parquet(service, place, ngo, REASON)
    assert [tuple(line[name] for name in PLACES) for line in told] == [
        ("Crawl of blog.example", None, None, None, None, *web[:2], hostile.format("\u202e", "\x1b", "\x07"), web[2]),
        ("holiday", "a/rocket.jpg", None, None, None, None, None, None, None),
        ("Example-400M", TABLE, 7, "@SUM(1)", "image", None, None, None, None),
        ("Example-400M", TABLE, 7, "@SUM(1)", "thumbnail", None, None, None, None),
    ]
    lines_told = as_csv(service, place, ngo, REASON)
    shown = hostile.format("\\u202e", "\\u001b", "\\u0007")
    assert [tuple(line[name] for name in PLACES) for line in lines_told] == [
        ("Crawl of blog.example", "", "", "", "", *web[:2], shown, web[2]),
        ("holiday", "a/rocket.jpg", "", "", "", "", "", "", ""),
        ("Example-400M", f"'{TABLE}", "7", "'@SUM(1)", "image", "", "", "", ""),
        ("Example-400M", f"'{TABLE}", "7", "'@SUM(1)", "thumbnail", "", "", "", ""),
    ]
    assert list(told[0]) == list(lines_told[0])


def test_the_tables_say_of_places_what_ndjson_says(service: TestClient, place: str, ngo: dict[str, str]) -> None:
    sightings = [
        seen
        for row in as_ndjson(service, place, ngo, REASON)
        for match in row["matches"]
        for seen in match["sightings"]
    ]
    for line, sighting in zip(as_parquet(service, place, ngo, REASON), sightings, strict=True):
        locator = sighting["locator"] or {}
        names = {"file": "file", "file_row": "row", "file_key": "key", "file_column": "column"}
        assert {name: line[name] for name in names} == {name: locator.get(of) for name, of in names.items()}
        for name in ("image_url", "page_url", "caption", "first_seen", "last_seen"):
            assert line[name] == sighting[name]


def test_without_a_reason_nothing_is_told_that_opens_a_place(
    service: TestClient, place: str, ngo: dict[str, str]
) -> None:
    hidden = ("handle", "image_url", "page_url", "caption", "file", "file_row", "file_key", "file_column")
    for table in (as_csv(service, place, ngo), as_parquet(service, place, ngo)):
        assert len(table) == 4
        assert not any(line[name] for line in table for name in hidden)
        assert [line["source"] for line in table] == ["Crawl of blog.example", "holiday", *["Example-400M"] * 2]
    matches = [match for row in as_ndjson(service, place, ngo) for match in row["matches"]]
    assert [match["handle"] for match in matches] == [None, None]
    assert {seen[name] for match in matches for seen in match["sightings"] for name in ("caption", "locator")} == {None}


def test_with_a_reason_a_handle_is_told(service: TestClient, place: str, ngo: dict[str, str]) -> None:
    handles = [row["matches"][0]["handle"] for row in as_ndjson(service, place, ngo, REASON)]
    told = [service.get(f"/v1/images/{handle}").json()["sightings"] for handle in handles]
    assert [len(sightings) for sightings in told] == [1, 3]
    assert {line["handle"] for line in as_csv(service, place, ngo, REASON)} == set(handles)


def test_what_is_withheld_has_its_month_and_a_handle_for_whoever_opted_it_out(
    service: TestClient, place: str, ngo: dict[str, str], chelsea: bytes
) -> None:
    mine = service.post("/v1/opt-outs", content=chelsea, headers=JPEG).json()
    for query in ("", REASON):
        for line in (as_csv(service, place, ngo, query)[0], as_parquet(service, place, ngo, query)[0]):
            assert (line["where"], int(line["sightings"]), line["first_seen"]) == ("withheld", 1, "2026-11")
            assert not any(line[name] for name in (*PLACES, "last_seen"))
        (match,) = as_ndjson(service, place, ngo, query)[0]["matches"]
        assert match["withheld"] == {"count": 1, "first_seen_month": "2026-11"}
        assert service.get(f"/v1/images/{match['handle']}").json()["sightings"] == []
        receipt = {"Authorization": f"Receipt {mine['withdraw_code']}"}
        opened = service.get(f"/v1/images/{match['handle']}", headers=receipt).json()
        assert [seen["image_url"] for seen in opened["sightings"]] == ["https://img.example/p/88.jpg"]


@pytest.mark.parametrize("form", ["ndjson", "csv", "parquet"])
def test_who_asks_with_head_fetched_nothing(
    service: TestClient, place: str, ngo: dict[str, str], corpus: Path, form: str
) -> None:
    """RFC 9110 9.3.2: "identical to GET except that the server MUST NOT send content in the response"."""
    asked = f"{place}/results?format={form}&{REASON}"
    head = service.head(asked, headers=ngo)
    registry = Registry.open(corpus / "registry.db")
    acts = [row.act for row in audit_rows(registry)]
    registry.close()
    assert acts == ["key-made", "bulk-made"]
    got = service.get(asked, headers=ngo)
    assert (head.status_code, head.content) == (200, b"")
    assert dict(head.headers) == dict(got.headers)
