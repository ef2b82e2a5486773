"""How the index stands, in /v1/stats and /readyz: what is told, what it costs, what is said of damage."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from api_service import IMAGES, JPEG, SEEN, Opener, TestClient, picture, seen, visible

from api.app import create_app
from api.schemas.told import ReadyTold, StatsTold
from checker.errors import DataError
from checker.index.build import build
from checker.model import PHASH256, Locator, SourceDetails
from checker.optout.request import OptOuts
from checker.records.cursors import Cursor
from checker.records.folder import DataFolder
from checker.records.listed import ListedRow
from checker.settings import Settings

pytest_plugins = ("api_service",)
DOCS = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def index_of(service: TestClient, path: str, kind: str = "phash256") -> dict[str, object]:
    (told,) = [one for one in service.get(path).json()["index"] if one["kind"] == kind]
    return dict(told)


def codes_in(folder: Path) -> int:
    with DataFolder.open(folder, create=False) as opened:
        return len(opened.store.codes_after(0, kind=PHASH256, count=1000))


def test_an_index_that_was_never_built_says_that_all_is_searched_from_memory(service: TestClient, corpus: Path) -> None:
    codes = codes_in(corpus)
    told = {
        "kind": "phash256",
        "version": "1",
        "codes": codes,
        "segments": 0,
        "tail": codes,
        "bytes": 0,
        "built_at": None,
        "damaged": 0,
    }
    assert codes > 0
    assert index_of(service, "/v1/stats") == told
    assert index_of(service, "/readyz") == {**told, "damaged_files": []}


def test_what_another_process_records_is_counted_at_once(service: TestClient, corpus: Path) -> None:
    before = index_of(service, "/v1/stats")["codes"]
    with DataFolder.open(corpus, create=False) as folder:
        source = folder.store.source("more", kind="folder", now=SEEN)
        recorded = folder.store.record_file(seen("coffee.jpg"), source=source, locator=Locator(file="c"), now=SEEN)
    after = codes_in(corpus)
    assert index_of(service, "/v1/stats")["codes"] == after != before
    with DataFolder.open(corpus, create=False) as folder:
        assert recorded.image_id is not None
        folder.store.erase([recorded.image_id], now=SEEN)
    assert index_of(service, "/readyz")["codes"] == before


def test_a_damaged_file_is_counted_for_all_and_named_for_whoever_runs_the_service(
    open_service: Opener, corpus: Path
) -> None:
    codes = codes_in(corpus)
    with DataFolder.open(corpus, create=False) as folder:
        build(folder, Settings(), now=SEEN)
    whole = index_of(open_service(corpus), "/v1/stats")
    assert (whole["codes"], whole["segments"], whole["tail"], whole["damaged"]) == (codes, 1, 0, 0)
    assert whole["built_at"] == "2026-11-20T12:00:00Z"
    (segment,) = (corpus / "index" / "phash256.1").glob("*.seg")
    body = bytearray(segment.read_bytes())
    body[len(body) // 2] ^= 1
    segment.unlink()
    segment.write_bytes(body)
    service = open_service(corpus)
    told = index_of(service, "/v1/stats")
    assert (told["codes"], told["damaged"]) == (codes, 1)
    assert "damaged_files" not in told
    ready = service.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready"), "the database answers in its place"
    assert index_of(service, "/readyz")["damaged_files"] == [segment.name]


def test_a_folder_with_opt_outs_and_no_picture_yet_is_served(
    open_service: Opener, tmp_path: Path, now: datetime, chelsea: bytes
) -> None:
    folder = tmp_path / "only-a-registry"
    with OptOuts.open(folder, Settings(), now=now):
        pass
    assert not (folder / "corpus.db").exists()
    service = open_service(folder)
    ready = service.get("/readyz")
    assert (ready.status_code, ready.json()["look_ups"], ready.json()["images"]) == (200, "corpus-empty", 0)
    code = {"phash256": {"version": "1", "hex": picture("chelsea.jpg").fingerprints[0].bits.hex()}}
    for asked in ({"json": {"codes": code}}, {"content": chelsea, "headers": JPEG}):
        refused = service.post("/v1/lookups", **asked)
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/corpus-empty")
        assert service.post("/v1/opt-outs", **asked).status_code == 201
    assert service.get("/v1/stats").json()["log"]["size"] == 2


def test_every_source_has_an_address_of_its_own(service: TestClient) -> None:
    every = service.get("/v1/sources").json()["sources"]
    assert every
    for source in every:
        assert service.get(f"/v1/sources/{source['id']}").json() == source
    for unknown in ("0", "999", "-1", "x", "01"):
        assert service.get(f"/v1/sources/{unknown}").json()["type"] == "/problems/not-found"


def test_a_source_says_who_runs_it_and_what_is_gone(open_service: Opener, corpus: Path) -> None:
    details = SourceDetails("2", "Example \u202ee.V.", "data@example.org", "https://example.org/no")
    with DataFolder.open(corpus, create=False) as folder:
        source = folder.store.source("Example-400M", kind="list", details=details, now=SEEN)
        rows = [ListedRow(f"https://img.example/{row}.jpg", Locator(file="list.csv", row=row)) for row in range(3)]
        folder.store.queue_list(rows, source=source, now=SEEN, cursor=Cursor("list.csv", bytes(32), position=3))
    service = open_service(corpus)
    told = service.get(f"/v1/sources/{source.id}").json()
    assert (told["version"], told["contact"], told["opt_out"]) == ("2", "data@example.org", "https://example.org/no")
    assert (told["listed"], told["images"], told["gone"]) == (3, 0, 0)
    page = service.get("/sources").text
    assert "https://example.org/no" in visible(page)
    assert 'href="https://example.org/no' not in page, "what strangers say leads nowhere"
    assert "\u202e" not in page


def test_a_folder_that_holds_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is no data folder"):
        create_app(tmp_path, Settings())


@pytest.mark.parametrize(("path", "model"), [("/v1/stats", StatsTold), ("/readyz", ReadyTold)])
def test_the_answers_are_what_openapi_says(
    service: TestClient, path: str, model: type[StatsTold] | type[ReadyTold]
) -> None:
    answer = service.get(path)
    assert answer.status_code == 200
    model.model_validate(answer.json())
    assert str(IMAGES.parent) not in answer.text, "no path of the machine is told"


def test_every_member_of_an_index_is_in_the_documents(service: TestClient) -> None:
    text = DOCS.read_text()
    for member in index_of(service, "/readyz"):
        assert f"`{member}`" in text or f'"{member}"' in text, f"docs/api.md does not explain {member}"
