"""The examples of the API's description, made by a run: every operation is asked, what was sent and answered is kept.

    python tests/api/api_examples.py        writes api/schemas/examples.json anew

Two photos of fixtures/ were seen; one of them is opted out, and a third one. Numbers, codes and secrets are of a log
that lived for the run. Times, random numbers and what is made of them are others each time, the rest is the same.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from api.app import create_app
from api.described import EXAMPLES
from checker.audit.cases import Purpose
from checker.fingerprint import Depth, fingerprint_file
from checker.keys import CaseRules, Scope, create_key
from checker.model import Finding, Locator, Picture, Stance, Use, Verdict
from checker.optout.request import OptOuts
from checker.records.folder import DataFolder
from checker.settings import Settings
from checker.visits import FoundLink, Outcome, PictureSeen, Visit

IMAGES = Path(__file__).resolve().parents[2] / "fixtures" / "images"
JPEG = {"Content-Type": "image/jpeg"}
NDJSON = "application/x-ndjson"
WITHOUT_ROBUST = Settings(robust="off")


@dataclass
class Run:
    """One service that is asked, and what came of it by operation."""

    client: TestClient
    note: Callable[[str, Any], object] = lambda _path, _answer: None
    """Told the path of an operation and its answer; those refused for want of a key, and 304, as well."""
    operations: dict[str, dict[str, Any]] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str | int] | None = None,
        body: Any = None,
        media_type: str = "application/json",
        key: str = "",
        **names: str,
    ) -> Any:
        """Ask one operation; keep what was sent and answered."""
        content = json.dumps(body).encode() if media_type == "application/json" else body
        headers = {"Content-Type": media_type} if body else {}
        if key:
            headers["Authorization"] = key
        at = path.format(**names)
        asked = {"params": query, "content": content if body else None}
        answer = self.client.request(method, at, **asked, headers=headers)
        assert answer.is_success, f"{method} {at}: {answer.status_code} {answer.text}"
        self.note(path, answer)
        if key:
            del headers["Authorization"]
            self.note(path, self.client.request(method, at, **asked, headers=headers))
        if "ETag" in answer.headers:
            known = {"If-None-Match": answer.headers["ETag"]}
            self.note(path, self.client.request(method, at, **asked, headers=known))
        kept = self.operations.setdefault(f"{method} {path}", {})
        if parameters := {**names, **(query or {})}:
            kept.setdefault("parameters", {}).update(parameters)
        if isinstance(body, dict | str):
            kept.setdefault("body", {})[media_type] = body
        shown_type = answer.headers["content-type"].partition(";")[0]
        kept.setdefault("answers", {}).setdefault(str(answer.status_code), {})[shown_type] = _shown(path, answer)
        return answer


def made(folder: Path, note: Callable[[str, Any], object] = lambda _path, _answer: None) -> dict[str, dict[str, Any]]:
    """Ask every operation of a service over a new data folder; examples by operation, as `EXAMPLES` holds them."""
    keys = prepared(folder)
    with service_over(folder) as client:
        run = Run(client, note)
        _look_ups(run)
        _opt_outs(run)
        _followed(run, keys)
        _bulk(run, keys["bulk"])
        for path in ("/v1/sources", "/v1/stats", "/v1/transparency", "/healthz", "/readyz"):
            run.ask("GET", path)
        run.ask("GET", "/v1/sources/{source_id}", source_id="1")
        for path in ("/v1/audit/checkpoint", "/v1/audit/key", "/v1/audit/counts"):
            run.ask("GET", path)
    shutil.rmtree(folder / "private")  # else the list of the day stays the whole one
    with service_over(folder, Settings(robust="off", private_list_rows_max=0)) as client:
        many = Run(client, note)
        many.ask("GET", "/v1/private/sketches/{hex4}", hex4="b1ac")
    return run.operations | many.operations


def prepared(folder: Path) -> dict[str, str]:
    """Fill a new data folder; gives the Authorization for each scope."""
    now = datetime.now(UTC).replace(microsecond=0)
    _fill(folder, now)
    return _keys(folder, now)


def _look_ups(run: Run) -> None:
    run.ask("POST", "/v1/lookups", body={"codes": codes("astronaut.jpg")})
    photo = (IMAGES / "astronaut.jpg").read_bytes()
    found = run.ask("POST", "/v1/lookups", body=photo, media_type="image/jpeg").json()
    run.ask("GET", "/v1/images/{handle}", handle=found["matches"][0]["handle"])
    run.ask("GET", "/v1/private/list")


def _opt_outs(run: Run) -> None:
    path = "/v1/opt-outs/{number}"
    photo = (IMAGES / "coffee.jpg").read_bytes()
    given = {"media_type": "image/jpeg", "query": {"uses": "train-ai,tdm"}}
    erased = run.ask("POST", "/v1/opt-outs", body=photo, **given).json()
    secret = f"Receipt {erased['withdraw_code']}"
    run.ask("DELETE", path, query={"erase": "true"}, number=erased["number"], key=secret)
    said = run.ask("POST", "/v1/opt-outs", body={"codes": codes("rocket.jpg"), "uses": ["train-ai", "tdm"]}).json()
    mine = {"number": said["number"], "key": f"Receipt {said['withdraw_code']}"}
    for ending in ("", "/receipt"):
        run.ask("GET", f"{path}{ending}", **mine)
    if "/v1/alerts/{token}" in run.client.get("/openapi.json").json()["paths"]:
        token = said["alerts"].rpartition("/")[2].partition("?")[0]
        run.ask("GET", "/v1/alerts/{token}", query={"language": "en"}, token=token)
    run.ask("DELETE", path, **mine)


def _followed(run: Run, keys: dict[str, str]) -> None:
    checkpoint = run.ask("GET", "/v1/feed/checkpoint").text.splitlines()
    run.ask("GET", "/v1/feed/key")
    run.ask("GET", "/v1/feed/tile/{place}", place="0/000.p/1")
    run.ask("GET", "/v1/feed/openings", query={"from": 0}, key=keys["feed"])
    stated = {
        "feed_size": int(checkpoint[1]),
        "root": base64.b64decode(checkpoint[2]).hex(),
        "rows_in": 1000,
        "rows_out": 990,
        "report_digest": hashlib.sha256(b"the report of an example").hexdigest(),
    }
    run.ask("POST", "/v1/honours", body=stated, key=keys["honour"])
    run.ask("GET", "/v1/honours")


def _bulk(run: Run, key: str) -> None:
    path = "/v1/bulk-lookups/{job}"
    rows = [{"id": f"F-17/{name}", "codes": codes(name)} for name in ("astronaut.jpg", "rocket.jpg")]
    body = "".join(json.dumps(row) + "\n" for row in rows)
    why = {"purpose": "complaint", "case": "AZ-2041"}
    job = run.ask("POST", "/v1/bulk-lookups", query=why, body=body, media_type=NDJSON, key=key).json()["job"]
    _until(lambda: run.client.get(f"/v1/bulk-lookups/{job}", headers={"Authorization": key}).json()["state"] == "done")
    run.ask("GET", path, job=job, key=key)
    run.ask("GET", "/v1/bulk-lookups", key=key)
    for form in ("parquet", "csv", "ndjson"):
        query = {"format": form, "reason": "inform-person"}
        run.ask("GET", f"{path}/results", job=job, query=query, key=key)
    run.ask("DELETE", path, job=job, key=key)


def _fill(folder: Path, now: datetime) -> None:
    """astronaut.jpg on a page that said no AI training, rocket.jpg in an archive."""
    said = {use: Stance.DENY if use is Use.TRAIN_AI else Stance.UNSPECIFIED for use in Use}
    no_training = Finding("x-robots-tag", "header X-Robots-Tag", "noai", {Use.TRAIN_AI: Stance.DENY})
    verdict = Verdict(crawl=Stance.ALLOW, uses=said, findings=(no_training,))
    url = "https://img.example/p/88.jpg"
    link = FoundLink(url, "image", "img src", "An astronaut in an orange suit")
    with DataFolder.open(folder, create=True) as opened:
        web = opened.store.source("Crawl of blog.example", kind="crawl", now=now)
        page = Visit("https://blog.example/trip", "page", Outcome.DONE, now, verdict=verdict, links=(link,))
        opened.store.record(page, source=web)
        image = Visit(url, "image", Outcome.DONE, now, verdict=verdict, seen=_seen("astronaut.jpg"))
        opened.store.record(image, source=web)
        archive = opened.store.source("Example-400M", kind="archive", now=now)
        row = Locator(file="part-00017.tar", row=40211, key="000040211")
        opened.store.record_file(_seen("rocket.jpg"), source=archive, locator=row, now=now)


def _keys(folder: Path, now: datetime) -> dict[str, str]:
    with OptOuts.open(folder, WITHOUT_ROBUST, now=now, origin="photos.example/opt-outs") as opt_outs:
        registry = opt_outs.registry
        rules = CaseRules(frozenset(Purpose), "AZ-####")
        texts = {
            "feed": create_key(registry, name="Example Crawler", scopes=[Scope.FEED], now=now),
            "honour": create_key(registry, name="Example Datasets", scopes=[Scope.HONOUR], now=now),
            "bulk": create_key(registry, name="Example NGO", scopes=[Scope.BULK], now=now, bulk=rules),
        }
    return {scope: f"Bearer {text}" for scope, text in texts.items()}


def service_over(folder: Path, settings: Settings = WITHOUT_ROBUST) -> TestClient:
    """A service that is asked without a network."""
    return TestClient(create_app(folder, settings), base_url="http://127.0.0.1:8000", client=("127.0.0.1", 50_000))


def _seen(name: str) -> PictureSeen:
    found = fingerprint_file(IMAGES / name, WITHOUT_ROBUST, depth=Depth.STORED)
    assert isinstance(found, Picture)
    return PictureSeen(found, servable=True)


def codes(name: str) -> dict[str, dict[str, str]]:
    """Of a photo of the fixtures, as requests carry them."""
    found = fingerprint_file(IMAGES / name, WITHOUT_ROBUST)
    assert isinstance(found, Picture)
    return {"phash256": {"version": "1", "hex": found.fingerprints[0].bits.hex()}}


def _shown(path: str, answer: Any) -> Any:
    media_type = answer.headers["content-type"].partition(";")[0]
    if media_type == "application/json":
        return answer.json()
    if media_type.startswith("text/") or media_type in (NDJSON, "application/atom+xml"):
        return answer.text
    return _shown_in_part(path, answer.content)


def _shown_in_part(path: str, body: bytes) -> dict[str, str]:
    """How bytes are shown, for which JSON has no form."""
    if path.startswith("/v1/private/"):
        line = body.partition(b"\n")[0].decode()
        return {"$shown": "first-line", "summary": "Its first line; rows of 16 bytes follow.", "value": line}
    if path.startswith("/v1/feed/tile/"):
        return {"$shown": "hex", "summary": "A tile of one hash, its bytes as hex digits.", "value": body.hex()}
    return {"$shown": "magic", "summary": "Its first four bytes.", "value": body[:4].decode()}


def _until(said: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 60
    while not said():
        assert time.monotonic() < end_s, "the list was not answered"
        time.sleep(0.05)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as there:
        document = made(Path(there) / "data")
    EXAMPLES.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
