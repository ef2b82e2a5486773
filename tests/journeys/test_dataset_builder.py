"""Somebody who builds a dataset: follows the list, filters shards by it, proves what was filtered, and says so."""

from __future__ import annotations

import io
import json
import pickle
import re
import shutil
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hibs_command import CHECKOUT, Hibs, hibs_in, serving
from PIL import Image, ImageOps

from checker import OptOutFilter

SAME = ("astronaut", "coffee", "hubble_deep_field")
EDITED = ("rocket", "chelsea")
CROPPED = ("china", "grace_hopper")
LOOK_ALIKE = "brick"
"""Of this wall the left half is opted out, and the right half is in the dataset: two pictures of one thing."""
OPTED_OUT = (*SAME, *EDITED, *CROPPED)


def _jpeg(picture: Image.Image, quality: int = 90) -> bytes:
    written = io.BytesIO()
    picture.convert("RGB").save(written, "JPEG", quality=quality)
    return written.getvalue()


def _shown(path: Path) -> bytes:
    """How the dataset has this picture."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    if path.stem in EDITED:
        return _jpeg(ImageOps.mirror(picture).resize((picture.width // 2, picture.height // 2)), 60)
    if path.stem in CROPPED:
        return _jpeg(picture.crop((0, 0, picture.width // 2, picture.height // 2)))
    if path.stem == LOOK_ALIKE:
        return _jpeg(picture.crop((picture.width // 2, 0, picture.width, picture.height)))
    return path.read_bytes()


@pytest.fixture
def shards(tmp_path: Path, images: Path) -> list[Path]:
    """Three webdataset tars: each a third of the pictures with caption and address, and one that is broken."""
    (tmp_path / "shards").mkdir()
    pictures = sorted(images.iterdir())
    made = []
    for number in range(3):
        made.append(tmp_path / "shards" / f"{number:05}.tar")
        with tarfile.open(made[-1], "w") as tar:
            for path in pictures[number::3]:
                _add(tar, path.name, _shown(path))
                _add(tar, f"{path.stem}.json", json.dumps({"url": f"https://img.example/{path.name}"}).encode())
            _add(tar, f"broken{number}.jpg", b"\xff\xd8 and no more")
    return made


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


@pytest.fixture(scope="module")
def registry(recorded_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with the opt-outs, their papers, and a key for whoever follows it."""
    folder = tmp_path_factory.mktemp("registry")
    hibs, images = hibs_in(folder), CHECKOUT / "fixtures" / "images"
    shutil.copytree(recorded_once, folder / "data")
    with Image.open(images / f"{LOOK_ALIKE}.jpg") as wall:
        wall.crop((0, 0, wall.width // 2, wall.height)).save(folder / "left.jpg")
    wanted = [folder / "left.jpg", *(images / f"{stem}.jpg" for stem in OPTED_OUT)]
    hibs("opt-out", "add", *wanted, "--data", "data", "--out", "papers")
    key = hibs("keys", "create", "--name", "Example e.V.", "--scopes", "feed,honour", "--data", "data").stdout
    (folder / "key").write_text(re.search(r"hibs_\S+", key)[0])  # type: ignore[index]
    return folder


@pytest.fixture
def service(registry: Path, tmp_path: Path) -> Iterator[str]:
    """A copy of that for one test, and a service over it."""
    shutil.copytree(registry, tmp_path, dirs_exist_ok=True)
    with serving(tmp_path, "data") as running:
        yield running


def _decided(report: Path) -> dict[str, str]:
    rows = json.loads(report.read_text())["rows"]
    return {row["key"]: row["hibs_decision"] for row in rows}


def test_shards_are_filtered_proved_and_stated(
    hibs: Hibs, service: str, shards: list[Path], images: Path, tmp_path: Path
) -> None:
    hibs("feed", "sync", service, "feed", "--key-file", "key")
    hibs("feed", "verify", "feed")
    hibs("fingerprint", "shards", "--out", "codes", exit_code=1)

    done = hibs("honour", "shards", "--feed", "feed", "--codes", "codes", "--report", "dry.json", exit_code=1)
    assert "0 pictures decoded" in done.stdout
    decided = _decided(tmp_path / "dry.json")
    assert {decided[stem] for stem in (*SAME, *EDITED)} == {"drop"}
    assert decided[LOOK_ALIKE] in ("keep", "review")
    assert [decided[f"broken{number}"] for number in range(3)] == ["not-checked"] * 3
    counts = json.loads((tmp_path / "dry.json").read_text())["counts"]
    assert counts["rows"] == len(decided) == sum(counts[name] for name in ("keep", "drop", "review", "not-checked"))

    hibs("honour", "shards", "--feed", "feed", "--out", "kept", "--report", "r.json", "--report", "r.html", exit_code=1)
    assert _decided(tmp_path / "r.json") == decided
    kept = {}
    for shard in shards:
        with tarfile.open(shard) as before, tarfile.open(tmp_path / "kept" / shard.name) as after:
            for member in after.getmembers():
                assert after.extractfile(member).read() == before.extractfile(member.name).read()  # type: ignore[union-attr]
                kept[member.name.partition(".")[0]] = "keep"
    assert set(kept) == {stem for stem, decision in decided.items() if decision == "keep"}
    assert "<script" not in (tmp_path / "r.html").read_text()

    stated = hibs("honour", "state", "r.json", "--server", service, "--key-file", "key")
    assert "states that it acted up to entry 0" in stated.stdout
    withdraw = next((tmp_path / "papers").glob("*.withdraw.txt"))
    status = hibs("opt-out", "status", withdraw, "--server", service).stdout
    assert re.search(r"Example e\.V\.: received on .*; states that it acted up to entry 0", status)


def test_the_next_day_decodes_nothing_and_drops_one_more(
    hibs: Hibs, service: str, shards: list[Path], images: Path, tmp_path: Path
) -> None:
    hibs("fingerprint", "shards", "--out", "codes", exit_code=1)
    hibs("feed", "sync", service, "feed", "--key-file", "key")
    hibs("honour", "shards", "--feed", "feed", "--codes", "codes", "--report", "monday.json", exit_code=1)
    hibs("opt-out", "add", images / "flower.jpg", "--data", "data", "--out", "papers")
    hibs("feed", "sync", service, "feed", "--key-file", "key")
    for shard in shards:
        shard.write_bytes(b"")  # what is known by its place is not read; an empty file has another size
    hibs("honour", "codes", "--feed", "feed", "--report", "tuesday.json", exit_code=1)
    monday, tuesday = (json.loads((tmp_path / f"{day}.json").read_text()) for day in ("monday", "tuesday"))
    assert tuesday["decoded"] == 0
    assert tuesday["counts"]["drop"] == monday["counts"]["drop"] + 1
    assert tuesday["counts"]["rows"] == monday["counts"]["rows"]


def test_a_list_of_addresses_is_not_called_checked(hibs: Hibs, service: str, tmp_path: Path) -> None:
    urls = [f"https://img.example/{number}.jpg" for number in range(10)]
    pq.write_table(pa.table({"URL": urls, "TEXT": ["a caption"] * 10}), tmp_path / "list.parquet")
    hibs("feed", "sync", service, "feed", "--key-file", "key")
    done = hibs("honour", "list.parquet", "--feed", "feed", "--report", "list.json", exit_code=1)
    counts = json.loads((tmp_path / "list.json").read_text())["counts"]
    assert counts == {"rows": 10, "keep": 0, "drop": 0, "review": 0, "not-checked": 10}
    assert "clean" not in done.stdout + done.stderr


def test_the_filter_in_a_pipeline_decides_as_the_command_does(
    hibs: Hibs, service: str, shards: list[Path], tmp_path: Path
) -> None:
    hibs("feed", "sync", service, "feed", "--key-file", "key")
    hibs("honour", "shards", "--feed", "feed", "--report", "r.json", exit_code=1)
    carried = pickle.loads(pickle.dumps(OptOutFilter(tmp_path / "feed")))
    decided = {}
    for shard in shards:
        with tarfile.open(shard) as tar:
            for member in tar.getmembers():
                if not member.name.endswith(".json"):
                    body = tar.extractfile(member).read()  # type: ignore[union-attr]
                    decided[member.name.partition(".")[0]] = carried.decide(data=body).action.value
    assert decided == _decided(tmp_path / "r.json")
    old = OptOutFilter(tmp_path / "feed", clock=_in_eight_days)
    assert {old.decide(data=b"anything").reason.value} == {"feed-stale"}


def _in_eight_days() -> datetime:
    return datetime.now(UTC) + timedelta(days=8)
