"""An operator: follows the feed of a running service, proves it, leaves out what people asked to leave out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hibs_command import Hibs, serving

from api.demo.story import lay_out_desk


@pytest.fixture
def server(recorded: Path, tmp_path: Path) -> Iterator[str]:
    """`hibs serve` over a small corpus, on any free port."""
    lay_out_desk(tmp_path)
    with serving(tmp_path, "data") as address:
        yield address


def test_follow_prove_and_honour(hibs: Hibs, server: str, tmp_path: Path) -> None:
    made = json.loads(hibs("opt-out", "add", "copy.jpg", "--server", server, "--json").stdout)
    assert (tmp_path / Path(made["receipt"]).name).is_file()
    hibs("opt-out", "verify", made["receipt"])

    key = hibs("keys", "create", "--name", "Example Crawler", "--scopes", "feed", "--data", "data").stdout
    (tmp_path / "feed.key").write_text(re.search(r"hibs_\S+", key)[0])  # type: ignore[index]
    hibs("feed", "sync", server, "feed", "--key-file", "feed.key")
    hibs("feed", "verify", "feed")

    done = hibs("honour", "dataset", "--feed", "feed", "--out", "kept", "--report", "report.json", exit_code=1)
    report = json.loads((tmp_path / "report.json").read_text())
    decisions = {Path(row["path"]).name: (row["hibs_decision"], row["hibs_reason"]) for row in report["rows"]}
    assert decisions == {
        "000001.jpg": ("drop", "near-entry"),
        "000002.jpg": ("keep", "none"),
        "000003.jpg": ("keep", "none"),
        "000004.jpg": ("drop", "near-entry"),
        "000005.jpg": ("keep", "none"),
        "000006.jpg": ("keep", "none"),
        "000007.png": ("review", "plain"),
        "notes.txt": ("not-checked", "no-picture"),
    }
    assert sorted(p.name for p in (tmp_path / "kept").rglob("*.jpg")) == [
        "000002.jpg",
        "000003.jpg",
        "000005.jpg",
        "000006.jpg",
    ]
    kept = next((tmp_path / "kept").rglob("000003.jpg"))
    assert kept.read_bytes() == (tmp_path / "dataset" / "000003.jpg").read_bytes()
    assert "clean" not in done.stdout + done.stderr

    openings = tmp_path / "feed" / "openings.ndjson"
    openings.write_text(openings.read_text().replace('"index":0', '"index":1').replace('"index": 0', '"index": 1'))
    hibs("feed", "verify", "feed", exit_code=4)
    hibs("honour", "dataset", "--feed", "feed", exit_code=4)


def test_codes_travel_instead_of_the_photo(hibs: Hibs, server: str) -> None:
    row = json.loads(hibs("check", "copy.jpg", "--server", server, "--json").stdout)
    assert row["matches"][0]["sightings"][0]["locator"]["file"] == "astronaut.jpg"
    row = json.loads(hibs("check", "elsewhere.jpg", "--server", server, "--json").stdout)
    assert row["coverage"]["images"] > 0


def test_without_a_key_nobody_follows(hibs: Hibs, server: str, tmp_path: Path) -> None:
    hibs("opt-out", "add", "copy.jpg", "--server", server)
    assert "key" in hibs("feed", "sync", server, "feed", exit_code=2).stderr
    assert not (tmp_path / "feed" / "openings.ndjson").exists()
