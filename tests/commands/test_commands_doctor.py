"""`hibs doctor`: one line for each thing that a service needs, and what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hibs_command import CHECKOUT, hibs_in, serving

from checker.commands.doctor import _clock, _disk
from checker.fingerprint import parse_code
from checker.keys import Scope, create_key
from checker.model import Use
from checker.optout.entry import Evidence
from checker.optout.request import OptOuts
from checker.settings import Settings

COMMAND = "import typer, checker.commands.doctor as d; app = typer.Typer(); app.command()(d.doctor); app()"


def doctor(*arguments: object, exit_code: int = 0, **environment: str) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("HIBS_")}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**own, **environment},
        check=False,
    )
    assert (done.returncode, done.stderr) == (exit_code, "")
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one picture, a log and nothing wrong; made once."""
    place = tmp_path_factory.mktemp("made")
    (place / "photos").mkdir()
    shutil.copy(CHECKOUT / "fixtures" / "images" / "chelsea.jpg", place / "photos")
    hibs_in(place)("ingest", "photos", "--data", "data")
    OptOuts.open(place / "data", Settings(), now=datetime.now(UTC)).close()
    return place / "data"


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(made, tmp_path / "data"))


def wrong(*arguments: object, **environment: str) -> dict[str, tuple[str, str]]:
    """What is not in order: name, and what was found and is to be done."""
    told = json.loads(doctor("--json", *arguments, exit_code=1, **environment))
    assert told["ok"] is False
    return {row["check"]: (row["detail"], row["do"]) for row in told["checks"] if not row["ok"]}


def test_a_folder_in_order_has_a_line_for_each_thing_and_exit_code_0(data: Path) -> None:
    lines = doctor("--data", data).splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", name]
        for name in ("Python", "SQLite", "settings", "disk", "permissions", "pictures", "index", "log", "clock", "keys")
    ]
    told = json.loads(doctor("--data", data, "--json"))
    assert told["ok"] is True
    assert all(row["do"] is None for row in told["checks"])


def test_a_running_service_is_asked_and_one_that_is_gone_is_named(data: Path, tmp_path: Path) -> None:
    with serving(tmp_path, "data") as address:
        last = doctor("--data", data, "--server", address).splitlines()[-1]
        assert re.fullmatch(rf"ok  service +{address} is ready, 1 picture, answered in \d+ ms", last)
    assert "cannot reach" in wrong("--data", data, "--server", address)["service"][0]


def test_files_that_others_may_read_are_named_with_the_command_that_mends_them(data: Path) -> None:
    (data / "registry.db").chmod(0o644)
    data.chmod(0o755)
    found = wrong("--data", data)
    assert set(found) == {"permissions"}
    assert found["permissions"][1] == f"chmod 700 {data} && chmod 600 {data / 'registry.db'}"
    subprocess.run(["/bin/sh", "-c", found["permissions"][1]], check=True)
    doctor("--data", data)


def test_a_setting_that_was_mistyped_is_named_and_the_rest_is_looked_at_all_the_same(data: Path) -> None:
    found = wrong("--data", data, HIBS_CONTACTS="x")
    assert set(found) == {"settings"}
    assert found["settings"][0].startswith("the environment sets HIBS_CONTACTS, which is no setting")


def test_a_log_that_was_put_back_is_not_in_order(data: Path) -> None:
    before = (data / "registry.db").read_bytes()
    code = parse_code("phash256", "1", "0f" * 32)
    now = datetime.now(UTC)
    with OptOuts.open(data, Settings(), now=now) as opt_outs:
        opt_outs.record(((code,),), uses=(Use.TDM,), evidence=Evidence.CODE, now=now)
    assert "1 entry; what was signed is in registry.db" in doctor("--data", data)
    (data / "registry.db").write_bytes(before)
    assert set(wrong("--data", data)) == {"log"}


def test_a_database_that_is_none_is_one_line_and_no_traceback(data: Path) -> None:
    (data / "registry.db").write_bytes(b"not a database" * 100)
    assert {"log", "keys"} <= set(wrong("--data", data))


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    found = wrong("--data", tmp_path)
    assert set(found) == {"data folder"}


def test_a_key_that_ends_soon_is_named(data: Path) -> None:
    now = datetime.now(UTC)
    with OptOuts.open(data, Settings(), now=now) as opt_outs:
        create_key(opt_outs.registry, name="ACME", scopes=(Scope.FEED,), now=now, days=10)
    assert f"ending soon: ACME on {now + timedelta(days=10):%Y-%m-%d}" in wrong("--data", data)["keys"][0]


def test_a_clock_that_was_set_back_shows(data: Path) -> None:
    now = datetime.now(UTC)
    assert _clock(data, now).what_to_do == ""
    assert _clock(data, now - timedelta(hours=2)).what_to_do == "set the clock (NTP)"


def test_the_disk_is_told(data: Path) -> None:
    assert re.search(r"[\d,]+ MiB free, \d+ MiB taken", _disk(data).detail)
