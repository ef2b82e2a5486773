"""docs/backups.md holds: its script copies a folder that is in use, and a service starts from the copy."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hibs_command import CHECKOUT, Hibs, serving

from checker.audit.entry import Act, Done
from checker.audit.log import AuditLog
from checker.fingerprint import parse_code
from checker.model import Use
from checker.optout.entry import Evidence
from checker.optout.request import OptOuts
from checker.settings import Settings

DOCUMENT = (CHECKOUT / "docs" / "backups.md").read_text()
CODE = parse_code("phash256", "1", "0f" * 32)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT, flags=re.DOTALL)
    path = tmp_path / "backup.py"
    path.write_text(code)
    return path


@pytest.fixture
def data(hibs: Hibs, images: Path, tmp_path: Path) -> Path:
    """One picture, one opt-out."""
    hibs("ingest", images / "chelsea.jpg", "--data", "data", "--source", "first")
    hibs("opt-out", "add", images / "rocket.jpg", "--data", "data")
    return tmp_path / "data"


def back_up(script: Path, data: Path, copy: Path) -> None:
    subprocess.run([sys.executable, script, data, copy], check=True, timeout=60)


def log_size(folder: Path) -> int:
    """What the checkpoint of a folder says: the second line of a signed note (C2SP tlog-checkpoint)."""
    return int((folder / "checkpoint").read_text().split("\n")[1])


@contextmanager
def others_writing(data: Path) -> Iterator[None]:
    """Opt-outs and acts go on being recorded and signed; entered when the first are."""
    begun, ending = threading.Event(), threading.Event()

    def write() -> None:
        with OptOuts.open(data, Settings(), now=datetime.now(UTC)) as opt_outs:
            audit = AuditLog(data, opt_outs.registry)
            while not ending.is_set():
                now = datetime.now(UTC)
                opt_outs.record(((CODE,),), uses=(Use.TDM,), evidence=Evidence.CODE, now=now)
                audit.record(Done(Act.OPENINGS_FETCHED, "NGO", now), now=now)
                begun.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert begun.wait(60)
        yield
    finally:
        ending.set()
        thread.join()


def test_a_folder_that_is_served_and_written_to_is_copied_and_put_back(
    hibs: Hibs, data: Path, script: Path, images: Path, tmp_path: Path
) -> None:
    with serving(tmp_path, "data"):
        hibs("ingest", images / "coffee.jpg", "--data", "data", "--source", "second")
        with others_writing(data):
            for number in range(3):
                least = log_size(data)
                back_up(script, data, tmp_path / f"copy{number}")
                hibs("doctor", "--data", f"copy{number}")
                assert log_size(tmp_path / f"copy{number}") >= least
    shutil.rmtree(data)
    hibs("audit", "verify", "--data", "copy2")
    found = json.loads(hibs("check", images / "coffee.jpg", "--data", "copy2", "--json").stdout)
    assert (len(found["matches"]), found["coverage"]["images"]) == (1, 2)
    with serving(tmp_path, "copy2") as address:
        hibs("opt-out", "add", images / "astronaut.jpg", "--server", address)


def test_the_file_of_the_database_alone_lacks_what_was_committed_last(
    hibs: Hibs, data: Path, script: Path, images: Path, tmp_path: Path
) -> None:
    """Why the document says so: a service keeps the log of commits open."""
    with serving(tmp_path, "data"):
        hibs("ingest", images / "coffee.jpg", "--data", "data", "--source", "second")
        (tmp_path / "alone").mkdir(mode=0o700)
        shutil.copy(data / "corpus.db", tmp_path / "alone")
        back_up(script, data, tmp_path / "copy")
    pictures = [json.loads(hibs("stats", "--data", name, "--json").stdout)["images"] for name in ("alone", "copy")]
    assert pictures == [1, 2]


def test_an_old_copy_under_the_newest_checkpoint_is_refused(hibs: Hibs, data: Path, script: Path, images: Path) -> None:
    back_up(script, data, data.parent / "copy")
    hibs("opt-out", "add", images / "coffee.jpg", "--data", "data")
    hibs("feed", "sync", "--data", "data", "feed")
    shutil.copy(data.parent / "feed" / "checkpoint", data.parent / "copy" / "checkpoint")
    assert "it is an older copy" in hibs("doctor", "--data", "copy", exit_code=1).stdout


def test_every_file_of_a_folder_stands_in_the_document(hibs: Hibs, data: Path, tmp_path: Path) -> None:
    with serving(tmp_path, "data") as address:
        hibs("index", "build", "--data", "data")
        hibs("keys", "create", "--name", "NGO", "--scopes", "feed", "--data", "data")
        hibs("check", CHECKOUT / "fixtures" / "images" / "coffee.jpg", "--private", "--server", address)
        named = re.findall(r"`([^`\s]+?)/?`", DOCUMENT)
        for path in data.iterdir():
            assert any(path.match(pattern) for pattern in named), path.name
