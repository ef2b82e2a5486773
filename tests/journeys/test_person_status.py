"""A person who said no watches the page: an operator gets it, states that it acted, a new copy comes, the no ends.

Nobody asks the database: all is read from the page's own piece and from the feed, over HTTP (J1, steps 5 and 6).
"""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import feedparser
import pytest
from hibs_command import Hibs, serving
from PIL import Image
from test_person_after_the_no import site


def fetched(address: str, **headers: str) -> str:
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=60) as answer:
        return str(answer.read().decode())


def standing(server: str, made: dict[str, Any]) -> str:
    """What the receipts page shows."""
    page = fetched(
        f"{server}/v1/opt-outs/{made['number']}", Authorization=f"Receipt {made['withdraw_code']}", Accept="text/html"
    )
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_page_changes_at_each_step(hibs: Hibs, images: Path, recorded: Path, tmp_path: Path) -> None:
    for name, scopes in (("Example e.V.", "feed,honour"), ("Crawler GmbH", "feed")):
        key = hibs("keys", "create", "--name", name, "--scopes", scopes, "--data", "data").stdout
        (tmp_path / f"{name}.key").write_text(re.search(r"hibs_\S+", key)[0])  # type: ignore[index]
    (tmp_path / "site").mkdir()
    with Image.open(images / "coffee.jpg") as photo:
        photo.resize((photo.width // 2, photo.height // 2)).save(tmp_path / "site" / "cup.jpg", quality=80)
    (tmp_path / "site" / "index.html").write_text('<p>Breakfast</p><img src="cup.jpg" alt="a cup">')

    with serving(tmp_path, "data") as server:
        photo_bytes = (images / "coffee.jpg").read_bytes()
        request = urllib.request.Request(f"{server}/v1/opt-outs", photo_bytes, {"Content-Type": "image/jpeg"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            made = json.load(answer)
        other = urllib.request.Request(
            f"{server}/v1/opt-outs", (images / "rocket.jpg").read_bytes(), {"Content-Type": "image/jpeg"}
        )
        with urllib.request.urlopen(other, timeout=60) as answer:
            others = json.load(answer)["alerts"]
        shown = standing(server, made)
        assert shown.count("not heard from") == 2
        assert "New copies since your no 0" in shown
        assert made["alerts"] in shown

        hibs("feed", "sync", server, "feed", "--key-file", "Example e.V..key")
        shown = standing(server, made)
        assert re.search(r"Example e\.V\. received on \d+ \w+ \d{4}", shown)
        assert "Crawler GmbH not heard from" in shown

        hibs("honour", "site", "--feed", "feed", "--report", "report.json", exit_code=1)
        hibs("honour", "state", "report.json", "--server", server, "--key-file", "Example e.V..key")
        shown = standing(server, made)
        assert "states that it acted up to entry 1 on" in shown
        assert "removed" not in shown

        with site(tmp_path / "site") as address:
            hibs("crawl", f"http://{address}/", "--allow-address", address, "--delay", "0", "--data", "data")
        assert "New copies since your no 1" in standing(server, made)
        (entry,) = feedparser.parse(fetched(made["alerts"])).entries
        assert f"http://{address}/cup.jpg" in entry.summary
        assert feedparser.parse(fetched(others)).entries == []

        (tmp_path / "w.txt").write_text(made["withdraw_text"])
        assert made["alerts"] in hibs("opt-out", "status", "w.txt", "--server", server).stdout
        hibs("opt-out", "withdraw", "w.txt", "--server", server)
        assert "You took this no back. It ends on" in standing(server, made)
        hibs("opt-out", "erase", "w.txt", "--server", server)
        with pytest.raises(urllib.error.HTTPError) as gone:
            fetched(made["alerts"])
        gone.value.close()
        assert gone.value.code == 410
