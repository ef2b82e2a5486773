"""/v1/bulk-lookups: many look-ups for a purpose and a case, one holder apart from another (C24), also after a kill."""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import bulk_service
import pyarrow.parquet as pq
import pytest
from api_service import JPEG, Clock, Opener, TestClient
from bulk_lists import NDJSON, PLACE, WHY, codes, lines, make_key, unrelated
from bulk_service import finished, post

from api.schemas.bulk import JobsTold, JobTold, RowTold
from checker.audit.verify import verify_audit
from checker.bulk.jobs import BulkJobs, Cause
from checker.keys import Scope, create_key, revoke_key
from checker.records.audit import audit_rows
from checker.records.registry import Registry
from checker.settings import Settings

pytest_plugins = ("api_service",)
now, ngo, service, four = bulk_service.now, bulk_service.ngo, bulk_service.service, bulk_service.four


def test_a_list_is_answered_row_by_row_in_its_order(service: TestClient, ngo: dict[str, str], four: bytes) -> None:
    made = post(service, four, ngo)
    assert made.status_code == 202
    assert made.headers["Location"] == made.json()["status"]
    JobTold.model_validate(made.json())
    place = finished(service, four, ngo)
    told = service.get(place, headers=ngo).json()
    assert (told["state"], told["rows"], told["done"], told["found"]) == ("done", 4, 4, 2)
    assert (told["purpose"], told["case"], told["coverage"]["images"]) == ("complaint", "AZ-2041", 2)
    rows = [json.loads(line) for line in service.get(f"{place}/results", headers=ngo).text.splitlines()]
    assert [(row["row"], row["id"], row["found"]) for row in rows] == [
        (1, "=cmd()|F-17/katze.jpg", True),
        (2, "b", False),
        (3, None, True),
        (4, "d", False),
    ]
    for row in rows:
        RowTold.model_validate(row)
    listed = service.get(PLACE, headers=ngo).json()
    JobsTold.model_validate(listed)
    assert len(listed["jobs"]) == 2


def test_the_answer_to_a_row_is_that_of_a_look_up(service: TestClient, ngo: dict[str, str], four: bytes) -> None:
    place = finished(service, four, ngo)
    rows = service.get(f"{place}/results?reason=inform-person", headers=ngo).text.splitlines()
    one = service.post("/v1/lookups", json={"codes": codes("chelsea.jpg")}).json()
    assert json.loads(rows[0])["matches"] == one["matches"]


def test_addresses_are_told_with_a_reason_alone(service: TestClient, ngo: dict[str, str], four: bytes) -> None:
    place = finished(service, four, ngo)
    assert "img.example" not in service.get(f"{place}/results", headers=ngo).text
    assert "img.example" in service.get(f"{place}/results?reason=write-to-host", headers=ngo).text
    assert service.get(f"{place}/results?reason=curiosity", headers=ngo).status_code == 422


def test_csv_is_no_formula_and_parquet_has_the_same_lines(
    service: TestClient, ngo: dict[str, str], four: bytes, corpus: Path
) -> None:
    place = finished(service, four, ngo)
    text = service.get(f"{place}/results?format=csv&reason=write-to-host", headers=ngo)
    assert text.headers["content-type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(text.text)))
    assert [(row["row"], row["found"], row["image_url"]) for row in table] == [
        ("1", "yes", "https://img.example/p/88.jpg"),
        ("2", "no", ""),
        ("3", "yes", ""),
        ("4", "no", ""),
    ]
    assert table[0]["id"] == "'=cmd()|F-17/katze.jpg"
    body = service.get(f"{place}/results?format=parquet&reason=write-to-host", headers=ngo).content
    rows = pq.read_table(io.BytesIO(body)).to_pylist()
    assert [(row["row"], row["found"], row["image_url"]) for row in rows] == [
        (1, True, "https://img.example/p/88.jpg"),
        (2, False, None),
        (3, True, None),
        (4, False, None),
    ]
    assert not list((corpus / "bulk").rglob("*.told")), "the file that it was told from is gone"


def test_what_was_opted_out_since_is_withheld(
    service: TestClient, ngo: dict[str, str], four: bytes, chelsea: bytes
) -> None:
    place = finished(service, four, ngo)
    assert service.post("/v1/opt-outs", content=chelsea, headers=JPEG).status_code == 201
    told = service.get(f"{place}/results?reason=write-to-host", headers=ngo).text
    match = json.loads(told.splitlines()[0])["matches"][0]
    assert (match["where"], match["sightings"], match["withheld"]["count"]) == ("withheld", [], 1)
    assert "img.example" not in told


def test_another_key_and_an_unknown_list_get_the_same_answer(
    service: TestClient, ngo: dict[str, str], four: bytes, corpus: Path, now: datetime
) -> None:
    other = make_key(corpus, now, "Other NGO")
    place = finished(service, four, ngo)
    unknown = f"{PLACE}/{'0' * 32}"
    for method, tail in (("GET", ""), ("GET", "/results"), ("GET", "/results?format=csv"), ("DELETE", "")):
        foreign, none = (service.request(method, f"{job}{tail}", headers=other) for job in (place, unknown))
        assert (foreign.status_code, foreign.content) == (404, none.content)
    assert service.get(PLACE, headers=other).json() == {"jobs": []}
    assert service.get(place, headers=ngo).status_code == 200


@pytest.mark.parametrize(
    ("why", "places"),
    [
        ("?purpose=journalism&case=AZ-2041", ["purpose"]),
        ("?purpose=curiosity&case=AZ-2041", ["purpose"]),
        ("?purpose=complaint&case=2041", ["case"]),
        *((f"?purpose=complaint&case={case}", ["case"]) for case in ("test", "n%2Fa", "-", "123", "xxx", "AZ-0000")),
        ("?purpose=complaint", ["case"]),
        ("?case=AZ-2041", ["purpose"]),
        ("?purpose=complaint&case=AZ-2041&who=me", ["query"]),
    ],
)
def test_a_purpose_of_the_key_and_a_case_of_its_form_are_needed(
    service: TestClient, ngo: dict[str, str], four: bytes, why: str, places: list[str]
) -> None:
    refused = post(service, four, ngo, why)
    assert (refused.status_code, refused.json()["places"]) == (422, places)
    assert service.get(PLACE, headers=ngo).json() == {"jobs": []}


@pytest.mark.parametrize(
    ("row", "place"),
    [
        (b"{", "row 2"),
        (b"[]", "row 2"),
        (b'{"id": "a"}', "row 2"),
        (b'{"codes": {}}', "row 2, codes"),
        (b'{"codes": {"phash256": {"version": "1", "hex": "00"}}}', "row 2, codes.phash256"),
        (b'{"codes": {"phash256": {"version": "1"}}}', "row 2, codes.phash256"),
        (b'{"id": 7, "codes": {"phash256": {"version": "1", "hex": "00"}}}', "row 2, id"),
        (b'{"name": "Eva", "codes": {"phash256": {"version": "1", "hex": "00"}}}', "row 2"),
        (b"\xff", "row 2"),
        (b" " * 5000, "row 2"),
    ],
)
def test_a_row_that_cannot_be_read_refuses_the_list_and_is_named(
    service: TestClient, ngo: dict[str, str], corpus: Path, row: bytes, place: str
) -> None:
    refused = post(service, lines({"codes": unrelated(1)}) + row + b"\n", ngo)
    assert (refused.status_code, refused.json()["places"]) == (422, [place])
    assert "Eva" not in refused.text
    assert list((corpus / "bulk").iterdir()) == [], "nothing of it is kept"


def test_an_empty_list_another_type_and_another_scope_are_refused(
    service: TestClient, ngo: dict[str, str], four: bytes, corpus: Path, now: datetime
) -> None:
    assert post(service, b"\n\n", ngo).json()["places"] == ["rows"]
    text = service.post(f"{PLACE}{WHY}", content=four, headers={"Content-Type": "text/plain", **ngo})
    assert text.status_code == 415
    assert service.post(f"{PLACE}{WHY}", content=four, headers=NDJSON).status_code == 401
    registry = Registry.open(corpus / "registry.db")
    feed = create_key(registry, name="feed", scopes=[Scope.FEED], now=now)
    bare = create_key(registry, name="bare", scopes=[Scope.BULK], now=now)
    assert post(service, four, {"Authorization": f"Bearer {feed}"}).status_code == 403
    assert post(service, four, {"Authorization": f"Bearer {bare}"}).json()["places"] == ["purpose", "case"]
    revoke_key(registry, name="NGO", now=now)
    registry.close()
    assert post(service, four, ngo).status_code == 401


@pytest.mark.parametrize("days", [7, 2])
def test_a_deleted_list_and_one_whose_days_are_over_are_gone_with_their_codes(
    open_service: Opener, ngo: dict[str, str], four: bytes, corpus: Path, clock: Clock, days: int
) -> None:
    assert Settings().bulk_kept_days == 7
    settings = Settings(bulk_kept_days=days)
    service = open_service(corpus, settings)
    deleted, old = finished(service, four, ngo), finished(service, four, ngo)
    assert service.delete(deleted, headers=ngo).json() == {"deleted": deleted.rsplit("/", 1)[1]}
    assert service.get(deleted, headers=ngo).status_code == 404
    assert [path.name for path in (corpus / "bulk").iterdir()] == [old.rsplit("/", 1)[1]]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (corpus / "bulk").rglob("*"))
    clock.now += timedelta(days=days) - timedelta(seconds=1)
    assert service.get(old, headers=ngo).status_code == 200
    clock.now += timedelta(seconds=1)
    assert service.get(old, headers=ngo).status_code == 404
    assert service.get(PLACE, headers=ngo).json() == {"jobs": []}
    registry = Registry.open(corpus / "registry.db")
    assert BulkJobs(corpus, registry, settings).sweep(clock.now) == 1
    registry.close()
    assert list((corpus / "bulk").iterdir()) == []


def test_every_act_is_in_the_audit_log_which_verifies(
    service: TestClient, ngo: dict[str, str], four: bytes, corpus: Path, clock: Clock
) -> None:
    place = finished(service, four, ngo)
    service.get(f"{place}/results?reason=inform-person", headers=ngo)
    service.delete(place, headers=ngo)
    registry = Registry.open(corpus / "registry.db")
    name = place.rsplit("/", 1)[1]
    told = [(row.act, row.purpose, row.case_ref, row.subject, row.amount) for row in audit_rows(registry)]
    assert told == [
        ("key-made", "", "", "bulk", 0),
        ("bulk-made", "complaint", "AZ-2041", name, 4),
        ("bulk-fetched", "complaint", "AZ-2041", f"{name} inform-person", 4),
        ("bulk-deleted", "complaint", "AZ-2041", name, 0),
    ]
    found = verify_audit(corpus, registry, now=clock())
    registry.close()
    assert (found.acts, found.signed) == (4, 4)
    note = service.get("/v1/audit/checkpoint").text.splitlines()
    assert (note[0], note[1]) == (found.key.partition("+")[0], "4")
    assert service.get("/v1/audit/key").text == f"{found.key}\n"
    counted = {
        (c["act"], c["purpose"]): (c["acts"], c["amount"]) for c in service.get("/v1/audit/counts").json()["counts"]
    }
    assert counted["bulk-made", "complaint"] == (1, 4)
    assert "AZ-2041" not in service.get("/v1/audit/counts").text


def test_one_key_has_ten_lists_open_at_most(corpus: Path, now: datetime, ngo: dict[str, str]) -> None:
    """Without a worker, so that they stay open."""
    from checker.bulk.jobs import TooManyJobsError
    from checker.keys import verify_key

    registry = Registry.open(corpus / "registry.db")
    holder = verify_key(registry, ngo["Authorization"][7:], scope=Scope.BULK, now=now)
    assert holder
    jobs = BulkJobs(corpus, registry, Settings())
    body = lines({"codes": unrelated(1)})

    def add() -> None:
        with jobs.intake() as intake:
            assert intake.feed(body)
            jobs.add(intake, holder, Cause("complaint", "AZ-2041"), now=now)

    for _ in range(10):
        add()
    with pytest.raises(TooManyJobsError):
        add()
    assert len(list((corpus / "bulk").iterdir())) == 10
    registry.close()


def test_it_is_known_how_much_of_a_list_has_arrived(corpus: Path) -> None:
    registry = Registry.open(corpus / "registry.db")
    jobs = BulkJobs(corpus, registry, Settings())
    assert jobs.arriving_bytes() == 0
    with jobs.intake() as intake:
        intake.feed(lines({"codes": unrelated(1)}))
        intake.finish()
        assert jobs.arriving_bytes() == (intake.folder / "rows").stat().st_size > 64
        os.utime(intake.folder / "rows", (0, 0))
        assert jobs.arriving_bytes() == 0, "whoever sent it is gone"
    assert list((corpus / "bulk").iterdir()) == []
    registry.close()


def test_openapi_describes_it_with_an_example_that_is_one(service: TestClient, ngo: dict[str, str]) -> None:
    path = service.get("/openapi.json").json()["paths"][PLACE]
    assert path["post"]["security"] == [{"BulkKey": []}]
    example = path["post"]["requestBody"]["content"]["application/x-ndjson"]["example"]
    assert post(service, example.encode(), ngo).status_code == 202
    assert {"202", "401", "403", "413", "415", "422", "429", "503"} <= set(path["post"]["responses"])
