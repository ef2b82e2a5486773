"""How the index stands, in /v1/stats and /readyz: what is told, what it costs, what is said of damage."""

from __future__ import annotations

from pathlib import Path

import pytest
from api_service import IMAGES, SEEN, Opener, TestClient, seen

from api.schemas.told import ReadyTold, StatsTold
from checker.index.build import build
from checker.model import PHASH256, Locator
from checker.records.folder import DataFolder
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
