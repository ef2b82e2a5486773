"""/transparency: what the service tells of itself in numbers, and that they equal the audit trail (R40)."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from api_service import JPEG, Clock, Opener, TestClient, visible
from bulk_lists import NDJSON, PLACE, WHY, codes, lines, make_key
from typer.testing import CliRunner

from api.counted import LookUpCounts
from api.schemas.told import TransparencyTold
from checker.commands import audit as audit_command
from checker.keys import Scope, create_key
from checker.optout.request import OptOuts
from checker.optout.review import dispute
from checker.records.registry import Registry
from checker.records.totals import look_up_months
from checker.settings import Settings

pytest_plugins = ("api_service",)


@pytest.fixture
def now() -> datetime:
    """Bulk look-ups are answered by a process that goes by the real clock."""
    return datetime.now(UTC).replace(microsecond=0)


def test_look_ups_are_counted_by_month_over_restarts_and_nothing_else_is_kept_of_them(
    open_service: Opener, corpus: Path, chelsea: bytes, clock: Clock
) -> None:
    clock.now = datetime(2026, 10, 31, 23, 59, tzinfo=UTC)
    first = open_service(corpus)
    for body in (chelsea, b"no picture"):
        first.post("/v1/lookups", content=body, headers=JPEG)
    clock.now += timedelta(minutes=2)
    first.post("/v1/lookups", json={"codes": codes("chelsea.jpg")})
    assert first.get("/v1/private/list").status_code == 200
    first.__exit__(None, None, None)
    told = open_service(corpus).get("/v1/transparency").json()
    TransparencyTold.model_validate(told)
    assert told["look_ups"] == [
        {"month": "2026-11", "kind": "look-up", "count": 1},
        {"month": "2026-11", "kind": "private-list", "count": 1},
        {"month": "2026-10", "kind": "look-up", "count": 1},  # what was refused is none
    ]
    assert told["look_ups_since"] == "2026-10-31"


def test_several_processes_add_to_one_count(tmp_path: Path, clock: Clock) -> None:
    clock.now = datetime(2026, 11, 22, tzinfo=UTC)
    registries = [Registry.open(tmp_path / "registry.db") for _ in range(2)]
    counts = [LookUpCounts(registry, clock) for registry in registries]
    for one in counts:
        one.begin()
        for path, status in [
            ("/v1/lookups", 200),
            ("/v1/lookups", 429),
            ("/v1/private/sketches/0f0f", 200),
            ("/", 200),
        ]:
            one.count(path, status, 0.1)
        one.close()
    told = [(one.month, one.what, one.count) for one in look_up_months(registries[0])]
    assert told == [("2026-11", "look-up", 2), ("2026-11", "private-sketch", 2)]
    for registry in registries:
        registry.close()


@pytest.fixture
def busy(open_service: Opener, corpus: Path, chelsea: bytes, coffee: bytes, clock: Clock) -> TestClient:
    """With opt-outs in five states, two holders of keys, and acts of most kinds; nothing was asked of it yet."""
    ngo = make_key(corpus, clock(), "NGO")
    with OptOuts.open(corpus, Settings(), now=clock()) as opt_outs:
        registry = opt_outs.registry
        acme = create_key(registry, name="ACME", scopes=[Scope.FEED], now=clock())
    service = open_service(corpus, Settings(hold_images_max=1, hold_hosts_max=1))
    made = [service.post("/v1/opt-outs", content=chelsea, headers=JPEG).json() for _ in range(4)]
    for one, how in zip(made, ("", "?erase=true"), strict=False):
        key = {"Authorization": f"Receipt {one['withdraw_code']}"}
        assert service.delete(f"/v1/opt-outs/{one['number']}{how}", headers=key).status_code == 200
    with OptOuts.open(corpus, Settings(), now=clock()) as opt_outs:
        dispute(opt_outs, made[2]["number"], reason="another claims it", now=clock())
    rows = lines({"codes": codes("chelsea.jpg")}, {"codes": codes("coffee.jpg")})
    for _ in range(2):
        assert service.post(f"{PLACE}{WHY}", content=rows, headers={**NDJSON, **ngo}).status_code == 202
    job = service.post(f"{PLACE}{WHY}", content=rows, headers={**NDJSON, **ngo}).json()
    assert service.delete(job["status"], headers=ngo).status_code == 200
    assert service.get("/v1/feed/openings", headers={"Authorization": f"Bearer {acme}"}).status_code == 200
    return service


def exported(corpus: Path) -> list[dict[str, object]]:
    """Every act, as `hibs audit export --json` prints it."""
    printed = CliRunner().invoke(audit_command.app, ["export", "--data", str(corpus), "--json"])
    assert printed.exit_code == 0
    return [json.loads(line) for line in printed.stdout.splitlines()]


def test_the_numbers_equal_the_audit_trail(busy: TestClient, corpus: Path) -> None:
    acts = exported(corpus)
    by_month = Counter((str(one["at"])[:7], one["act"]) for one in acts)
    assert by_month.total() >= 7
    told = busy.get("/v1/transparency").json()["acts"]
    assert {(one["month"], one["act"]): one["count"] for one in told} == by_month
    by_holder = Counter((str(one["at"])[:7], one["holder"], one["act"], one["purpose"]) for one in acts)
    counts = busy.get("/v1/audit/counts").json()["counts"]
    names = ("month", "holder", "act", "purpose")
    assert {tuple(one[name] for name in names): one["acts"] for one in counts} == by_holder


def cells(page: str, table: str) -> list[list[str]]:
    """The texts of a table, row by row."""
    found = re.search(rf'<table class="numbers" id="{table}">(.*?)</table>', page, flags=re.DOTALL)
    assert found
    rows = re.findall(r"<tr>(.*?)</tr>", found[1], flags=re.DOTALL)
    return [[visible(cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


def test_the_page_shows_them_as_tables_and_bars(busy: TestClient, corpus: Path, clock: Clock) -> None:
    page = busy.get("/transparency").text
    names, *rows = cells(page, "opt-outs")
    month = rows[0][0]
    assert month.endswith(str(clock().year))
    states = dict(zip(names, rows[0], strict=True))
    assert states["All"] == "4"
    assert (states["Being taken back"], states["Disputed"], states["Erased or refused"]) == ("1", "1", "1")
    assert (states["In force"], states["Held for a person"]) == ("1", "0")
    assert ["NGO", "Lists looked up", "complaint", "3", "6"] in [row[1:] for row in cells(page, "holders")]
    acts = dict(zip(*cells(page, "acts"), strict=True))
    trail = Counter(one["act"] for one in exported(corpus))
    assert [acts[name] for name in ("Keys made", "Lists looked up", "Lists dropped")] == [
        str(trail[act]) for act in ("key-made", "bulk-made", "bulk-deleted")
    ]
    assert '<svg role="img" aria-label="Opt-outs recorded by month"' in page
    assert not re.findall(r"AZ-2041", page), "no case is shown"


def test_what_was_erased_from_the_audit_log_is_still_counted(busy: TestClient, corpus: Path, clock: Clock) -> None:
    before = Counter(one["act"] for one in exported(corpus))
    registry = Registry.open(corpus / "registry.db")
    with registry.writing() as writer:
        writer._rows(
            "UPDATE audit SET salt = NULL, holder = NULL, purpose = NULL, case_ref = NULL, subject = NULL, "
            "amount = NULL"
        )
    registry.close()
    told = busy.get("/v1/transparency").json()["acts"]
    assert {one["act"]: one["count"] for one in told} == before
    assert busy.get("/v1/audit/counts").json() == {"counts": []}


def test_a_service_that_did_nothing_says_so(open_service: Opener, corpus: Path) -> None:
    service = open_service(corpus)
    told = service.get("/v1/transparency").json()
    assert (told["look_ups"], told["opt_outs"], told["acts"], told["look_ups_since"]) == ([], [], [], None)
    assert visible(service.get("/transparency").text).count("Nothing yet.") == 4


def test_the_page_for_privacy_says_what_is_counted_and_leads_to_the_numbers(service: TestClient) -> None:
    page = service.get("/privacy").text
    assert "one number a day for each" in visible(page)
    assert 'href="/transparency"' in page
