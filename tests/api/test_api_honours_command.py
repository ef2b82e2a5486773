"""`hibs honour state` at a real server: what is sent, what never is, what the server refuses."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from api_service import picture

from checker.commands.honour_state import state
from checker.errors import InputError, RemoteError
from checker.keys import Scope, create_key
from checker.model import Use
from checker.optout.entry import Evidence
from checker.optout.request import OptOuts
from checker.settings import Settings

pytest_plugins = ("api_service",)
SERVE = "import typer, api.cli; app = typer.Typer(); app.command()(api.cli.serve); app()"
COUNTS = {"rows": 10, "keep": 6, "drop": 2, "review": 1, "not-checked": 1}


@dataclass(frozen=True)
class Service:
    """A server with two entries in its list, and a key of scope honour in a file."""

    address: str
    key_file: Path
    root: str


@pytest.fixture(scope="module")
def service(built_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("stated")
    data, now = shutil.copytree(built_corpus, folder / "data"), datetime.now(UTC)
    with OptOuts.open(data, Settings(), now=now) as opt_outs:
        for name in ("chelsea.jpg", "coffee.jpg"):
            opt_outs.record([picture(name).fingerprints], uses=[Use.TDM], evidence=Evidence.PICTURE, now=now)
        root = opt_outs.log.head().root.hex()
        (folder / "key").write_text(create_key(opt_outs.registry, name="ACME", scopes=[Scope.HONOUR], now=now))
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, "--data", str(data), "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield Service(process.stdout.readline().removeprefix("open ").strip(), folder / "key", root)
    process.terminate()
    process.communicate(timeout=20)


def write(folder: Path, service: Service, **others: Any) -> Path:
    """A report as `hibs honour --report` writes it, as far as it counts here."""
    path = folder / "honour.json"
    reasons = {"keep": {"none": 6}, "drop": {"near-entry": 2}, "review": {"plain": 1}, "not-checked": {"unreadable": 1}}
    rows = [{"hibs_decision": action} for action, count in COUNTS.items() if action != "rows" for _ in range(count)]
    feed = {"size": 2, "root": service.root}
    report = {"v": 1, "mode": "rewrite", "feed": feed, "counts": COUNTS, "reasons": reasons, "rows": rows, **others}
    path.write_text(json.dumps(report))
    return path


def test_it_says_what_was_sent_and_the_server_shows_it(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = write(tmp_path, service)
    digest = hashlib.sha256(report.read_bytes()).hexdigest()
    state(report, service.address, service.key_file, as_json=False)
    printed = capsys.readouterr()
    assert printed.out.startswith("ACME states that it acted up to entry 1 on ")
    assert f"sent to {service.address}, which shows it to everybody:" in printed.out
    assert f"list    size 2, root {service.root}" in printed.out
    assert "rows    10 in, 6 kept" in printed.out
    assert f"report  SHA-256 {digest}" in printed.out
    assert printed.err == ""
    with urllib.request.urlopen(f"{service.address}/v1/honours") as answer:
        (shown,) = json.load(answer)["statements"]
    assert (shown["operator"], shown["rows_in"], shown["rows_out"]) == ("ACME", 10, 6)
    assert shown["report_digest"] == digest

    state(report, service.address, service.key_file, as_json=True)
    assert json.loads(capsys.readouterr().out) == shown, "stated again, it is the same statement"


def test_a_dry_run_is_said_to_leave_nothing_out(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state(write(tmp_path, service, mode="dry-run"), service.address, service.key_file, as_json=False)
    assert "what it names must be left out by you" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("others", "sentence"),
    [
        ({"counts": {**COUNTS, "keep": 7}}, "do not add up"),
        ({"counts": {**COUNTS, "rows": 11}}, "do not add up"),
        ({"reasons": {"keep": {"none": 10}}}, "do not add up"),
        ({"rows": [{"hibs_decision": "keep"}]}, "do not add up"),
        ({"counts": {**COUNTS, "keep": "6"}}, "lacks feed and counts"),
        ({"counts": {**COUNTS, "keep": -6}}, "lacks feed and counts"),
        ({"feed": {"size": 2}}, "lacks feed and counts"),
        ({"feed": None}, "lacks feed and counts"),
        ({"rows": [1]}, "lacks feed and counts"),
        ({"feed": {"size": 0, "root": "00"}}, "empty list"),
    ],
)
def test_a_report_that_does_not_add_up_is_not_sent(
    service: Service, tmp_path: Path, others: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        state(write(tmp_path, service, **others), "http://127.0.0.1:9", service.key_file, as_json=False)


@pytest.mark.parametrize("text", ["", "[]", "nothing", "[" * 100_000, '{"a": NaN', "\ud83d"])
def test_what_is_no_report_is_one_sentence(service: Service, tmp_path: Path, text: str) -> None:
    path = tmp_path / "honour.json"
    path.write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(InputError, match="no report in JSON"):
        state(path, "http://127.0.0.1:9", service.key_file, as_json=False)
    with pytest.raises(InputError, match="cannot read the report"):
        state(tmp_path / "missing.json", "http://127.0.0.1:9", service.key_file, as_json=False)


def test_rows_in_a_file_of_their_own_are_not_counted_again(service: Service, tmp_path: Path) -> None:
    state(write(tmp_path, service, rows=None), service.address, service.key_file, as_json=True)


@pytest.mark.parametrize(
    ("feed", "sentence"),
    [
        ({"size": 3}, "its list is shorter than the one of the report"),
        ({"root": "00" * 32}, "made with another list"),
    ],
)
def test_a_report_of_another_list_is_refused_with_the_reason(
    service: Service, tmp_path: Path, feed: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RemoteError, match=sentence):
        report = write(tmp_path, service, feed={"size": 2, "root": service.root, **feed})
        state(report, service.address, service.key_file, as_json=False)


def test_a_key_that_does_not_open_it_is_said_to_be_one(service: Service, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hibs_" + "0" * 72)
    with pytest.raises(RemoteError, match="does not accept the key"):
        state(write(tmp_path, service), service.address, tmp_path / "key", as_json=False)


def test_an_address_that_is_no_server_is_refused(service: Service, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="https://"):
        state(write(tmp_path, service), "photos.example", service.key_file, as_json=False)
