"""An NGO with a folder: every photo is a row, what cannot be read is named, nothing is claimed beyond it."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hibs_command import Hibs, serving
from PIL import Image, ImageOps


def test_a_folder_of_claimants_photos(hibs: Hibs, images: Path, tmp_path: Path) -> None:
    seen, asked = tmp_path / "archive", tmp_path / "claimants"
    for folder in (seen, asked / "C-014", asked / "C-015"):
        folder.mkdir(parents=True)
    for name in ("chelsea.jpg", "coffee.jpg", "china.jpg"):
        (seen / name).write_bytes((images / name).read_bytes())
    hibs("ingest", "archive", "--data", "d", "--source", "Example-400M")

    for name, folder in (("chelsea.jpg", "C-014"), ("coffee.jpg", "C-015"), ("rocket.jpg", "C-015")):
        photo = Image.open(images / name)
        photo.resize((photo.width // 2, photo.height // 2)).save(asked / folder / name, quality=60)
    (asked / "C-014" / "broken.jpg").write_bytes((images / "china.jpg").read_bytes()[:2000])

    done = hibs("check", "claimants", "--data", "d", "--json", exit_code=1)
    rows = {Path(row["path"]).name: row for row in map(json.loads, done.stdout.splitlines())}
    assert list(rows) == ["broken.jpg", "chelsea.jpg", "coffee.jpg", "rocket.jpg"]  # by folder, then by name
    assert Counter(row["status"] for row in rows.values()) == {"checked": 3, "unreadable": 1}
    assert [name for name, row in rows.items() if row["matches"]] == ["chelsea.jpg", "coffee.jpg"]
    sighting = rows["coffee.jpg"]["matches"][0]["sightings"][0]
    assert (sighting["source"]["name"], sighting["locator"]["file"]) == ("Example-400M", "coffee.jpg")
    assert rows["rocket.jpg"]["coverage"]["images"] == 3


@pytest.mark.photos
def test_twenty_resized_photos_are_found_and_twenty_left_out_are_not(
    hibs: Hibs, photos_folder: Path, tmp_path: Path
) -> None:
    photos = sorted(photos_folder.glob("*.jpg"))[::6]
    left_out = photos[::7][:20]
    asked = [photo for photo in photos if photo not in left_out][3::6][:20]
    (tmp_path / "corpus").mkdir()
    for photo in photos:
        if photo not in left_out:
            (tmp_path / "corpus" / photo.name).symlink_to(photo)
    # Links are not followed out of a folder, so each photo is named.
    hibs("ingest", *(photo for photo in photos if photo not in left_out), "--data", "d")
    (tmp_path / "half").mkdir()
    for photo in asked:
        image = Image.open(photo)
        image.resize((image.width // 2, image.height // 2)).save(tmp_path / "half" / photo.name, quality=75)
    found = [json.loads(line) for line in hibs("check", "half", "--data", "d", "--json").stdout.splitlines()]
    assert len(found) == 20
    for row in found:
        files = {s["locator"]["file"] for match in row["matches"] for s in match["sightings"]}
        assert files == {Path(row["path"]).name}
    others = [json.loads(line) for line in hibs("check", *left_out, "--data", "d", "--json").stdout.splitlines()]
    assert len(others) == 20
    assert not any(row["matches"] for row in others)


# --- a case: thirty claimants, twelve copies, three broken files, and a kill at half -----------------------------

CORPUS = ("astronaut", "camera", "chelsea", "china", "coffee", "flower", "grace_hopper", "hubble_deep_field")
NOT_SEEN = ("brick", "clock", "coins", "gravel", "rocket")
PHOTOS = 200
ASKED = ("check", "--manifest", "case.csv", "--data", "d", "--case", "2026-117", "--purpose", "complaint")


def planted(images: Path) -> Iterator[tuple[str, Image.Image]]:
    """Twelve copies: four are the same photo, four are edited, four are cut."""
    for number, name in enumerate(CORPUS[:4]):
        photo = Image.open(images / f"{name}.jpg").convert("RGB")
        width, height = photo.size
        yield f"same-{number}", photo.resize((width // 2, height // 2))
        yield f"edited-{number}", (ImageOps.mirror, ImageOps.flip)[number % 2](photo)
        yield f"cut-{number}", photo.crop((width // 7, height // 6, width * 5 // 6, height * 6 // 7))


@pytest.fixture
def case(hibs: Hibs, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder, 200 photos of 30 claimants, and their list."""
    monkeypatch.setenv("HIBS_ROBUST", "off")  # the second code finds more and takes ten times as long
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795444380")  # 2026-11-23T14:33:00Z
    hibs("ingest", *(images / f"{name}.jpg" for name in CORPUS), "--data", "d", "--source", "Example-400M")
    (tmp_path / "photos").mkdir()
    names = []
    for name, photo in planted(images):
        photo.save(tmp_path / "photos" / f"{name}.jpg", quality=80)
        names.append(name)
    for number in range(3):
        (tmp_path / "photos" / f"broken-{number}.jpg").write_bytes((images / "china.jpg").read_bytes()[:2000])
        names.append(f"broken-{number}")
    for number in range(PHOTOS - len(names)):
        photo = Image.open(images / f"{NOT_SEEN[number % 5]}.jpg").convert("RGB")
        left, top = number * 3 % 100, number * 7 % 90
        photo.crop((left, top, left + 200, top + 150)).save(tmp_path / "photos" / f"own-{number}.jpg", quality=80)
        names.append(f"own-{number}")
    lines = [f'photos/{name}.jpg,Jane Doe {number % 30},"=secret, note"' for number, name in enumerate(names)]
    (tmp_path / "case.csv").write_text("\n".join(["path,claimant,note", *lines]))
    return tmp_path


def kill_at_half(folder: Path, *asked: str) -> None:
    """Start the case, and end it with SIGKILL when it says that half of the photos are done."""
    command = [sys.executable, "-P", "-m", "checker", *asked, "--evidence", "out"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(line.startswith(("100 of 200 photos, ", "100 of 200 photos read, ")) for line in process.stderr)
        process.send_signal(signal.SIGKILL)


class Markup(HTMLParser):
    """Tags, and what would be fetched or followed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "srcset", "action")]


def test_a_case_that_was_killed_goes_on_and_verifies_itself(hibs: Hibs, case: Path) -> None:
    kill_at_half(case, *ASKED)
    assert not (case / "out").exists()
    done = hibs(*ASKED, "--evidence", "out", exit_code=1)
    (resumed,) = [line for line in done.stderr.splitlines() if line.startswith("resumed: ")]
    assert 100 <= int(resumed.split()[1]) < 200  # what was answered before the kill is not asked again
    assert sum("the picture is cut off" in line for line in done.stderr.splitlines()) == 3
    assert "200 of 200 photos" in done.stderr
    assert " left" in done.stderr
    assert sorted(os.listdir(case / "out")) == [
        *("SHA256SUMS", "key.pub", "matches.csv", "matches.parquet", "report.html", "report.json"),
    ]
    assert not (case / "out.journal").exists()

    report = json.loads((case / "out" / "report.json").read_text())
    results = {Path(photo["path"]).stem: photo["result"] for photo in report["photos"]}
    assert [results[f"same-{number}"] for number in range(4)] == ["same"] * 4
    assert [results[f"edited-{number}"] for number in range(4)] == ["edited"] * 4
    assert {results[f"broken-{number}"] for number in range(3)} == {"unreadable"}
    assert {result for name, result in results.items() if name.startswith("own")} <= {"not-found", "too-plain"}
    assert len(report["claimants"]) == 30
    page = (case / "out" / "report.html").read_text()
    assert "most copies cut by more than a few percent are missed" in page  # so a cut one that is missing is explained

    found = sum(result in ("same", "edited") for result in results.values())
    with (case / "out" / "matches.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    table = pq.read_table(case / "out" / "matches.parquet").to_pylist()
    for written in (rows, table):
        assert len({row["path"] for row in written if row["result"] in ("same", "edited")}) == found
    assert report["counts"]["found"] == found
    assert f"<strong>{found} photos were found" in page
    assert {row["note"] for row in rows} == {"'=secret, note"}
    assert {row["note"] for row in table} == {"=secret, note"}

    hibs("evidence", "verify", "out")
    hibs(*ASKED, "--evidence", "again", exit_code=1)
    for name in os.listdir(case / "out"):
        assert (case / "again" / name).read_bytes() == (case / "out" / name).read_bytes(), name
    text = (case / "out" / "matches.csv").read_text(encoding="utf-8-sig")
    (case / "out" / "matches.csv").write_text(text.replace("Jane Doe 7", "Jane Doe 8", 1), encoding="utf-8-sig")
    assert "matches.csv was changed" in hibs("evidence", "verify", "out", exit_code=4).stderr

    markup = Markup()
    markup.feed(page)
    assert not {"script", "img", "iframe", "link", "a", "form"} & set(markup.tags)
    assert markup.addresses == []


def test_the_same_case_at_a_service_with_a_key(hibs: Hibs, case: Path) -> None:
    rules = ("--purposes", "complaint", "--case-pattern", "####-###")
    made = hibs("keys", "create", "--name", "Example NGO", "--scopes", "bulk", *rules, "--data", "d")
    (case / "bulk.key").write_text(made.stdout)
    with serving(case, "d") as address:
        why = ("--case", "2026-117", "--purpose", "complaint", "--reason", "secure-evidence")
        asked = ("check", "--manifest", "case.csv", "--server", address, "--key-file", "bulk.key", *why)
        kill_at_half(case, *asked)
        done = hibs(*asked, "--evidence", "out", exit_code=1)
        (resumed,) = [line for line in done.stderr.splitlines() if line.startswith("resumed: ")]
        assert sum(map(int, re.findall(r"\d+ (?=of 200|more)", resumed))) >= 100  # not read again
        assert sum("the picture is cut off" in line for line in done.stderr.splitlines()) == 3
        assert "200 of 200 photos read" in done.stderr
        hibs(*asked, "--evidence", "again", exit_code=1)
    for name in os.listdir(case / "out"):
        assert (case / "again" / name).read_bytes() == (case / "out" / name).read_bytes(), name
    hibs("evidence", "verify", "out")

    report = json.loads((case / "out" / "report.json").read_text())
    results = {Path(photo["path"]).stem: photo["result"] for photo in report["photos"]}
    assert [results[f"same-{number}"] for number in range(4)] == ["same"] * 4
    assert [results[f"edited-{number}"] for number in range(4)] == ["edited"] * 4
    assert {results[f"broken-{number}"] for number in range(3)} == {"unreadable"}
    assert {result for name, result in results.items() if name.startswith("own")} <= {"not-found", "too-plain"}
    assert len(report["claimants"]) == 30
    with (case / "out" / "matches.csv").open(encoding="utf-8-sig", newline="") as file:
        places = {row["path"]: row["file"] for row in csv.DictReader(file)}
    assert places["photos/same-0.jpg"] == "astronaut.jpg"
    assert "Only codes of whole photos were sent" in (case / "out" / "report.html").read_text()

    for path in (path for path in (case / "d").rglob("*") if path.is_file()):
        assert b"Jane Doe" not in path.read_bytes(), path.name
        assert b"photos/same" not in path.read_bytes(), path.name
    acts = [json.loads(line) for line in hibs("audit", "export", "--data", "d", "--json").stdout.splitlines()]
    made_lists = [act for act in acts if act["act"] == "bulk-made"]
    told = {(act["holder"], act["case"], act["purpose"], act["amount"]) for act in made_lists}
    assert told == {("Example NGO", "2026-117", "complaint", report["sent"]["photos"])}
    assert len(made_lists) == 2  # one a run: the one that was killed had sent nothing, and nothing was sent twice
    hibs("audit", "verify", "--data", "d")
