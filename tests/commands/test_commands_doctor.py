"""`hibs doctor`: one line for each thing that a service needs, and what to do."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hibs_command import CHECKOUT, hibs_in, serving

from checker.audit.entry import Act, Done
from checker.audit.log import AuditLog
from checker.commands.doctor import _clock, _disk
from checker.fingerprint import parse_code
from checker.handles import Handles
from checker.keys import Scope, create_key
from checker.model import Use
from checker.optout.entry import Evidence
from checker.optout.request import OptOuts
from checker.settings import Settings

CODE = parse_code("phash256", "1", "0f" * 32)
COMMAND = "import typer, checker.commands.doctor as d; app = typer.Typer(); app.command()(d.doctor); app()"


def doctor(*arguments: object, exit_code: int | None = 0, **environment: str) -> str:
    """What it printed. `exit_code` None: any."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("HIBS_")}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**own, **environment},
        check=False,
    )
    assert (done.returncode if exit_code is not None else None, done.stderr) == (exit_code, "")
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one picture, one opt-out, one act in the audit log and nothing wrong; made once."""
    place = tmp_path_factory.mktemp("made")
    (place / "photos").mkdir()
    shutil.copy(CHECKOUT / "fixtures" / "images" / "chelsea.jpg", place / "photos")
    hibs_in(place)("ingest", "photos", "--data", "data")
    data, now = place / "data", datetime.now(UTC)
    Handles.of_folder(data)
    with OptOuts.open(data, Settings(), now=now) as opt_outs:
        opt_outs.record(((CODE,),), uses=(Use.TDM,), evidence=Evidence.CODE, now=now)
        AuditLog(data, opt_outs.registry).record(Done(Act.BULK_DELETED, "NGO", now), now=now)
    return data


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(made, tmp_path / "data"))


def wrong(*arguments: object, **environment: str) -> dict[str, tuple[str, str]]:
    """What is not in order: name, and what was found and is to be done."""
    told = json.loads(doctor("--json", *arguments, exit_code=1, **environment))
    assert told["ok"] is False
    return {row["check"]: (row["detail"], row["do"]) for row in told["checks"] if not row["ok"]}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_in_order_has_a_line_for_each_thing_and_exit_code_0(data: Path) -> None:
    lines = doctor("--data", data).splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", name]
        for name in (
            *("Python", "SQLite", "settings", "model", "disk", "permissions", "pictures", "index", "handles", "log"),
            *("audit", "clock", "keys"),
        )
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


def junk(path: Path) -> None:
    path.write_bytes(b"junk\n")


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5])


@pytest.mark.parametrize(
    ("name", "change", "lines"),
    [
        ("registry.db", Path.unlink, {"log", "audit log"}),
        ("log.key", Path.unlink, {"log"}),
        ("log.key", junk, {"log"}),
        ("checkpoint", junk, {"log"}),
        ("audit.key", Path.unlink, {"audit log"}),
        ("audit.key", junk, {"audit log"}),
        ("audit.checkpoint", junk, {"audit log"}),
        ("handle.key", shorten, {"handles"}),
    ],
)
def test_what_keeps_a_service_from_starting_is_named_in_its_words(
    data: Path, name: str, change: Callable[[Path], None], lines: set[str]
) -> None:
    change(data / name)
    found = wrong("--data", data)
    assert set(found) == lines
    refused = hibs_in(data.parent)("serve", "--data", data, "--port", "0", exit_code=2).stderr
    assert refused in {f"hibs: {detail}; {what_to_do}\n" for detail, what_to_do in found.values()}


@pytest.mark.parametrize("name", ["registry.db", "corpus.db", "handle.key", "audit.key", "no such file"])
def test_nothing_in_the_folder_is_made_or_changed(data: Path, name: str) -> None:
    (data / name).unlink(missing_ok=True)
    before = contents(data)
    doctor("--data", data, exit_code=None)
    assert contents(data) == before


def test_nor_in_one_that_has_neither_opt_outs_nor_keys_nor_acts(data: Path) -> None:
    for path in data.iterdir():
        if not path.name.startswith("corpus.db"):
            path.unlink()
    before = contents(data)
    doctor("--data", data)
    assert contents(data) == before


def test_a_folder_of_opt_outs_alone_is_looked_at_as_any_other(data: Path) -> None:
    (data / "corpus.db").unlink()
    told = json.loads(doctor("--data", data, "--json", exit_code=1))
    assert [row["check"] for row in told["checks"] if not row["ok"]] == ["pictures"]
    assert {"disk", "permissions", "log", "audit log", "clock", "keys"} < {row["check"] for row in told["checks"]}
    with serving(data.parent, "data"):
        """It starts all the same."""


@pytest.mark.parametrize("origin", ["a b", "a+b", "a\nb"])
def test_a_name_that_no_log_can_have_is_named_before_the_log_is_made(data: Path, origin: str) -> None:
    assert doctor("--data", data, HIBS_LOG_ORIGIN=origin), "a log keeps the name that it has"
    for name in ("registry.db", "log.key", "checkpoint", "audit.key", "audit.checkpoint"):
        (data / name).unlink()
    found = wrong("--data", data, HIBS_LOG_ORIGIN=origin)
    assert set(found) == {"log"}
    assert found["log"][0].startswith("a log cannot be called")


def test_a_model_that_is_not_there_is_named(data: Path) -> None:
    found = wrong("--data", data, HIBS_ROBUST_MODEL="/nowhere.onnx", HIBS_ROBUST_MODEL_SHA256="0" * 64)
    assert set(found) == {"model"}


def test_a_setting_that_was_mistyped_is_named_and_the_rest_is_looked_at_all_the_same(data: Path) -> None:
    found = wrong("--data", data, HIBS_CONTACTS="x")
    assert set(found) == {"settings"}
    assert found["settings"][0].startswith("the environment sets HIBS_CONTACTS, which is no setting")


def test_a_log_that_was_put_back_is_not_in_order(data: Path) -> None:
    before = (data / "registry.db").read_bytes()
    now = datetime.now(UTC)
    with OptOuts.open(data, Settings(), now=now) as opt_outs:
        opt_outs.record(((CODE,),), uses=(Use.TDM,), evidence=Evidence.CODE, now=now)
    assert "2 entries; what was signed is in registry.db" in doctor("--data", data)
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
