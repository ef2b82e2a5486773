"""Why a place is withheld is not told: whatever the reason, the answer is the same to the letter (check C3)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from api_service import JPEG, Opener

from checker.model import Stance, Use, Verdict
from checker.optout.entry import Evidence
from checker.optout.request import OptOuts
from checker.records.folder import DataFolder
from checker.settings import Settings
from checker.visits import Outcome, Visit

pytest_plugins = ("api_service",)
IMAGE, PAGE = "https://img.example/p/88.jpg", "https://blog.example/trip"
NOT_INDEXED = Verdict(Stance.ALLOW, {**dict.fromkeys(Use, Stance.UNSPECIFIED), Use.INDEX: Stance.DENY}, ())


def visited(data: Path, visit: Visit) -> None:
    with DataFolder.open(data, create=False) as folder:
        source = folder.store.source("Crawl of blog.example", kind="crawl", now=visit.seen_at)
        folder.store.record(visit, source=source)


def opted_out(data: Path, chelsea: bytes, now: datetime, open_service: Opener) -> None:
    assert open_service(data).post("/v1/opt-outs", content=chelsea, headers=JPEG).status_code == 201


def host_opted_out(data: Path, chelsea: bytes, now: datetime, open_service: Opener) -> None:
    with OptOuts.open(data, Settings(), now=now) as opt_outs:
        opt_outs.record((), addresses=["blog.example/"], uses=[Use.ALL], evidence=Evidence.HOST_FILE, now=now)


def not_indexed(data: Path, chelsea: bytes, now: datetime, open_service: Opener) -> None:
    visited(data, Visit(IMAGE, "image", Outcome.DISALLOWED, now, reason="x-robots-tag", verdict=NOT_INDEXED))


def gone(data: Path, chelsea: bytes, now: datetime, open_service: Opener) -> None:
    visited(data, Visit(IMAGE, "image", Outcome.FAILED, now, reason="http-410", status=410))


REASONS: dict[str, Callable[[Path, bytes, datetime, Opener], None]] = {
    "a person said no": opted_out,
    "the host said no": host_opted_out,
    "noindex": not_indexed,
    "410": gone,
}


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_four_reasons_have_one_answer(
    open_service: Opener, built_corpus: Path, tmp_path: Path, chelsea: bytes, now: datetime, accept: str
) -> None:
    answers = {}
    for name, withhold in REASONS.items():
        data = Path(shutil.copytree(built_corpus, tmp_path / name))
        withhold(data, chelsea, now, open_service)
        # Handles are of the installation, so each folder has its own.
        answer = open_service(data).post("/v1/lookups", content=chelsea, headers={**JPEG, "Accept": accept})
        document = open_service(data).post("/v1/lookups", content=chelsea, headers=JPEG).json()
        (match,) = document["matches"]
        assert (match["where"], match["sightings"]) == ("withheld", []), name
        text = answer.text.replace(match["handle"], "HANDLE")
        assert "img.example" not in text, name
        assert "blog.example" not in text, name
        answers[name] = (answer.status_code, len(answer.content), text)
    assert len(set(answers.values())) == 1
