"""Cursors: a run that is killed goes on where it stopped, a file that was read is not read again until it changes."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from archives_made import Warc, tar_bytes
from PIL import Image
from signalled import stopped_after
from typer.testing import CliRunner

from checker.records.folder import DataFolder
from crawler.cli import ingest as command_body

PICTURES = 300
RECORDED = "checker.records.store:CorpusStore.record_archive"
"""Some 64 pictures, and how far the file was read."""
Make = Callable[[Path, list[bytes]], Path]


@pytest.fixture(autouse=True)
def _few_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what takes little time; the processes that are started inherit it."""
    monkeypatch.setenv("HIBS_ROBUST", "off")
    monkeypatch.setenv("HIBS_STORED_PARTS", "off")


def pictures(images: Path, count: int) -> list[bytes]:
    """As many different files of one small photo: what follows the end of a JPEG is not looked at."""
    small = io.BytesIO()
    with Image.open(images / "chelsea.jpg") as photo:
        photo.resize((96, 64)).save(small, "JPEG")
    return [small.getvalue() + number.to_bytes(4) for number in range(count)]


def as_tar(folder: Path, bodies: list[bytes]) -> Path:
    path = folder / "00000.tar"
    path.write_bytes(tar_bytes([(f"{number:06}.jpg", body) for number, body in enumerate(bodies)]))
    return path


def as_warc(folder: Path, bodies: list[bytes]) -> Path:
    warc = Warc()
    for number, photo in enumerate(bodies):
        warc.response(f"https://img.example/{number}.jpg", photo)
    path = folder / "crawl.warc.gz"
    path.write_bytes(warc.bytes())
    return path


def as_parquet(folder: Path, bodies: list[bytes]) -> Path:
    path = folder / "pictures.parquet"
    pq.write_table(pa.table({"image": [{"bytes": body, "path": None} for body in bodies]}), path, row_group_size=150)
    return path


def as_folder(folder: Path, bodies: list[bytes]) -> Path:
    path = folder / "set"
    path.mkdir(exist_ok=True)
    for number, photo in enumerate(bodies):
        (path / f"{number:06}.jpg").write_bytes(photo)
    return path


def given(path: Path, data: Path, *more: str) -> list[str]:
    return [str(path), "--data", str(data), "--json", *more]


def stopped(path: Path, data: Path, with_signal: signal.Signals) -> subprocess.CompletedProcess[str]:
    """A run that gets a signal when it has recorded twice."""
    environment = stopped_after(data.parent, RECORDED, call=2, with_signal=with_signal)
    command = [sys.executable, "-P", "-m", "checker", "ingest", *given(path, data)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


def ingest(path: Path, data: Path, *more: str, exit_code: int = 0) -> dict[str, int]:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(command_body)
    done = CliRunner().invoke(app, given(path, data, *more))
    assert done.exit_code == exit_code, done.output
    found: dict[str, int] = json.loads(done.stdout)
    return found


def counted(data: Path) -> tuple[int, int]:
    with DataFolder.open(data, create=False) as folder:
        counts = folder.store.counts()
    return counts.images, counts.sightings


@pytest.mark.parametrize("make", [as_warc, as_folder])
def test_after_kill_9_the_same_command_goes_on_and_nothing_is_lost_or_doubled(
    make: Make, images: Path, tmp_path: Path
) -> None:
    path, data = make(tmp_path, pictures(images, PICTURES)), tmp_path / "data"
    assert stopped(path, data, signal.SIGKILL).returncode == -signal.SIGKILL
    before = counted(data)[1]
    done = ingest(path, data)
    assert 0 < before < PICTURES
    assert done["recorded"] == PICTURES - before  # the cursor commits with what it passed
    assert counted(data) == (PICTURES, PICTURES)
    again = ingest(path, data)
    assert (again["recorded"], again["files_unchanged"]) == (0, 1)


def test_ctrl_c_stops_with_130_and_the_same_command_goes_on(images: Path, tmp_path: Path) -> None:
    path, data = as_tar(tmp_path, pictures(images, PICTURES)), tmp_path / "data"
    done = stopped(path, data, signal.SIGINT)
    assert (done.returncode, done.stderr.splitlines()) == (130, ["hibs: stopped"])
    before = counted(data)[1]
    assert 0 < before < PICTURES
    assert ingest(path, data)["recorded"] == PICTURES - before
    assert counted(data) == (PICTURES, PICTURES)


@pytest.mark.parametrize("make", [as_tar, as_warc, as_parquet, as_folder])
def test_a_file_that_changed_is_read_again_and_adds_nothing_twice(make: Make, images: Path, tmp_path: Path) -> None:
    bodies = pictures(images, 5)
    data = tmp_path / "data"
    assert ingest(make(tmp_path, bodies[:3]), data)["recorded"] == 3
    again = ingest(make(tmp_path, bodies), data)
    assert (again["recorded"], again["new"], again["files"]) == (5, 2, 1)
    assert counted(data)[0] == 5


def test_the_same_file_in_another_source_is_read_for_it(images: Path, tmp_path: Path) -> None:
    path, data = as_tar(tmp_path, pictures(images, 3)), tmp_path / "data"
    ingest(path, data, "--source", "first")
    assert ingest(path, data, "--source", "second")["recorded"] == 3
    assert counted(data) == (3, 6)


def test_what_is_damaged_is_read_to_there_and_told_again_only_after_a_change(images: Path, tmp_path: Path) -> None:
    path, data = as_tar(tmp_path, pictures(images, 5)), tmp_path / "data"
    whole = path.read_bytes()
    path.write_bytes(whole[: 3 * 2048 + 700])
    first = ingest(path, data, exit_code=1)
    assert first["failed"] == {"damaged": 1}
    assert ingest(path, data)["files_unchanged"] == 1
    path.write_bytes(whole)
    mended = ingest(path, data)
    assert (first["recorded"] + mended["new"], mended["recorded"]) == (5, 5)
