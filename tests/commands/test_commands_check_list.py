"""`hibs check` with a key: codes are sent in lists, and go on after a kill; withdraw files open what is withheld."""

from __future__ import annotations

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hibs_command import CHECKOUT, Hibs, hibs_in, serving
from PIL import Image
from service_recorder import recording

from checker.bulk.told import Reason
from checker.commands.check_case import REASONS

CAUSE = ("--case", "AZ-2041", "--purpose", "complaint")
WITH_KEY = ("--key-file", "bulk.key", *CAUSE)
ROWS = (
    "Smith/coffee.jpg,Jane Smith,@SUM(A1)",
    "Smith/chelsea.jpg,Ann Lee,",
    "Smith/rocket.jpg,Jane Smith,",
    "Smith/white.png,Ann Lee,",
    "Smith/gone.jpg,Ann Lee,",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two photos and a key of scope bulk; five photos of two claimants, and their list."""
    folder = tmp_path_factory.mktemp("made")
    images, hibs = CHECKOUT / "fixtures" / "images", hibs_in(folder)
    hibs("ingest", images / "coffee.jpg", images / "chelsea.jpg", "--data", "d", "--source", "Example-400M")
    rules = ("--purposes", "complaint", "--case-pattern", "AZ-####")
    key = hibs("keys", "create", "--name", "NGO", "--scopes", "bulk", *rules, "--data", "d").stdout
    (folder / "bulk.key").write_text(key)
    (folder / "Smith").mkdir()
    for name in ("coffee", "chelsea", "rocket"):
        shutil.copy(images / f"{name}.jpg", folder / "Smith")
    Image.new("RGB", (64, 64), "white").save(folder / "Smith" / "white.png")
    (folder / "case.csv").write_text("\n".join(["path,claimant,note", *ROWS]))
    return folder


@pytest.fixture
def case(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that for one test."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HIBS_ROBUST", "off")
    return Path(shutil.copytree(made, tmp_path, dirs_exist_ok=True))


@pytest.fixture
def recorded(case: Path) -> Iterator[tuple[str, list[bytes]]]:
    """The address of a service behind a recorder, and what was sent to it."""
    with recording(case, "d") as address_and_said:
        yield address_and_said


@pytest.fixture(scope="module")
def service(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one service for all who are refused, which changes nothing in it."""
    with serving(Path(shutil.copytree(made, tmp_path_factory.mktemp("served"), dirs_exist_ok=True)), "d") as address:
        yield address


def report_of(folder: Path) -> dict[str, object]:
    document: dict[str, object] = json.loads((folder / "report.json").read_text())
    return document


def table_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "matches.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def acts(hibs: Hibs) -> list[str]:
    """What the service's audit log says that was done with the key."""
    exported = hibs("audit", "export", "--data", "d", "--json").stdout.splitlines()
    return [act for act in (json.loads(line)["act"] for line in exported) if act.startswith("bulk")]


def test_one_list_is_sent_with_its_cause_and_nothing_that_says_whose_the_photos_are(
    hibs: Hibs, case: Path, recorded: tuple[str, list[bytes]]
) -> None:
    address, said = recorded
    asked = ("check", "--manifest", "case.csv", "--server", address)
    done = hibs(*asked, *WITH_KEY, "--reason", "secure-evidence", "--evidence", "keyed", exit_code=1)
    assert "list 1: codes of 3 photos sent" in done.stderr
    for text in said:
        for secret in (b"Smith", b"Jane", b"Ann", b"coffee", b"case.csv", b"SUM"):
            assert secret not in text
    lists = [text for text in said if text.startswith(b"POST /v1/bulk-lookups?purpose=complaint&case=AZ-2041 ")]
    rows = [json.loads(line) for line in lists[-1].partition(b"\n\n")[2].splitlines()]
    assert [re.fullmatch(r"[0-9a-f]{8}-(\d)", row["id"])[1] for row in rows] == ["1", "2", "3"]
    assert not [text for text in said if text.startswith(b"POST /v1/lookups")]
    assert acts(hibs) == ["bulk-made", "bulk-fetched", "bulk-deleted"]

    hibs(*asked, *CAUSE, "--evidence", "plain", exit_code=1)
    keyed, plain = report_of(case / "keyed"), report_of(case / "plain")
    assert keyed["photos"] == plain["photos"]  # the same answers, places with them
    assert table_of(case / "keyed") == table_of(case / "plain")
    assert keyed["sent"] == {**plain["sent"], "with_case": True, "reason": "secure-evidence"}
    assert "With them the reference and the purpose" in (case / "keyed" / "report.html").read_text()
    hibs("evidence", "verify", "keyed")


def test_without_a_reason_sources_and_dates_are_told_and_no_addresses(
    hibs: Hibs, case: Path, recorded: tuple[str, list[bytes]]
) -> None:
    asked = ("check", "Smith/coffee.jpg", "--server", recorded[0], *WITH_KEY, "--evidence", "out")
    done = hibs(*asked)
    assert "no --reason was given" in done.stderr
    assert "a place in Example-400M that is not told" in done.stdout
    (row,) = table_of(case / "out")
    assert (row["result"], row["where"], row["source"], row["file"]) == ("same", "shown", "Example-400M", "")
    assert row["first_seen"]


def test_reasons_are_those_of_the_service() -> None:
    assert set(REASONS) == set(Reason)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--case", "2026-117", "--purpose", "complaint"), "does not take this --case with your key"),
        (("--case", "AZ-2041", "--purpose", "research"), "does not take this --purpose with your key"),
        ((*CAUSE, "--reason", "curiosity"), "--reason is one of write-to-host"),
        (("--case", "AZ-2041"), "and --purpose"),
    ],
)
def test_what_the_key_does_not_allow_is_said_before_photos_are_read(
    hibs: Hibs, case: Path, service: str, arguments: tuple[str, ...], sentence: str
) -> None:
    asked = ("check", "--manifest", "case.csv", "--server", service, "--key-file", "bulk.key", "--csv", "o.csv")
    done = hibs(*asked, *arguments, exit_code=2)
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (case / "o.csv.journal").exists()


def test_a_key_goes_with_a_server_and_has_to_be_one(hibs: Hibs, case: Path, service: str) -> None:
    assert "add --server" in hibs("check", "Smith", "--data", "d", *WITH_KEY, exit_code=2).stderr
    alone = ("check", "Smith", "--server", service, *CAUSE)
    assert "--reason goes with --key-file" in hibs(*alone, "--reason", "count-hosts", exit_code=2).stderr
    (case / "other.key").write_text("hibs_" + "0" * 72)
    done = hibs(*alone, "--key-file", "other.key", exit_code=2)
    assert "does not accept the key" in done.stderr


# --- a kill ----------------------------------------------------------------------------------------------------


def killed_when_sent(folder: Path, *arguments: str) -> None:
    """Start a case, and end it with SIGKILL when it says that its list was sent."""
    command = [sys.executable, "-P", "-m", "checker", *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any("photos sent" in line for line in process.stderr)
        process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("noted", [True, False], ids=["its name noted", "its name not noted"])
def test_a_list_is_not_sent_twice(hibs: Hibs, case: Path, recorded: tuple[str, list[bytes]], *, noted: bool) -> None:
    asked = ("check", "--manifest", "case.csv", "--server", recorded[0], *WITH_KEY, "--csv", "o.csv")
    killed_when_sent(case, *asked)
    journal = case / "o.csv.journal"
    assert b"hibs_" not in journal.read_bytes(), "the key is in no journal"
    *before, last = journal.read_bytes().splitlines(keepends=True)
    assert json.loads(last).keys() == {"list", "job"}
    if not noted:  # as if the kill had come between the answer of the server and this line
        journal.write_bytes(b"".join(before))
    done = hibs(*asked, exit_code=1)
    sent = ", 1 list is sent" if noted else ""
    assert f"resumed: 2 of 5 photos are answered, 3 more are read{sent}\n" in done.stderr
    assert "photos sent" not in done.stderr
    assert acts(hibs).count("bulk-made") == 1
    assert acts(hibs)[-1] == "bulk-deleted"
    with (case / "o.csv").open(encoding="utf-8-sig", newline="") as file:
        results = [row["result"] for row in csv.DictReader(file)]
    assert results == ["same", "same", "not-found", "too-plain", "unreadable"]
    assert not journal.exists()


def test_a_photo_that_was_replaced_meanwhile_is_sent_alone(
    hibs: Hibs, case: Path, recorded: tuple[str, list[bytes]]
) -> None:
    asked = ("check", "--manifest", "case.csv", "--server", recorded[0], *WITH_KEY, "--csv", "o.csv")
    killed_when_sent(case, *asked)
    shutil.copy(case / "Smith" / "coffee.jpg", case / "Smith" / "rocket.jpg")
    done = hibs(*asked, exit_code=1)
    assert "list 2: codes of 1 photo sent" in done.stderr
    with (case / "o.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["result"] for row in csv.DictReader(file)][:3] == ["same", "same", "same"]


# --- withdraw files --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made_with_opt_outs(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after coffee and rocket were opted out, and the list says with which files."""
    folder = Path(shutil.copytree(made, tmp_path_factory.mktemp("opted-out"), dirs_exist_ok=True))
    files = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HIBS_ROBUST", "off")
        for name in ("coffee", "rocket"):
            asked = ("opt-out", "add", f"Smith/{name}.jpg", "--data", "d", "--out", name, "--json")
            files.append(Path(json.loads(hibs_in(folder)(*asked).stdout)["withdraw"]))
    rows = [f"{ROWS[0]},{files[0]}", ROWS[1], f"{ROWS[2]},{files[1]}", *ROWS[3:]]
    (folder / "case.csv").write_text("\n".join(["path,claimant,note,receipt", *rows]))
    return folder


@pytest.fixture
def opted_out(made_with_opt_outs: Path, case: Path) -> str:
    """The test's folder becomes a copy of that: the withdraw code of coffee."""
    shutil.copytree(made_with_opt_outs, case, dirs_exist_ok=True)
    (withdraw,) = (case / "coffee").glob("*.withdraw.txt")
    return withdraw.read_text().splitlines()[0]


@pytest.mark.parametrize("way", ["data", "server", "key"])
def test_the_holder_of_an_opt_out_sees_where(
    hibs: Hibs, case: Path, opted_out: str, recorded: tuple[str, list[bytes]], way: str
) -> None:
    address, said = recorded
    place = {"data": ("--data", "d"), "server": ("--server", address), "key": ("--server", address, *WITH_KEY)}[way]
    done = hibs("check", "--manifest", "case.csv", *place, *CAUSE, "--evidence", "out", exit_code=1)
    assert "where is told to you as the holder" in done.stdout
    (row,) = (row for row in table_of(case / "out") if row["path"] == "Smith/coffee.jpg")
    assert (row["result"], row["where"], row["file"]) == ("same", "opened", "coffee.jpg")
    counts = report_of(case / "out")["counts"]
    assert isinstance(counts, dict)
    assert (counts["opened"], counts["withheld"]) == (1, 0)
    for path in (case / "out").iterdir():
        assert opted_out.encode() not in path.read_bytes(), path.name
    assert opted_out not in done.stdout + done.stderr
    codes = [text for text in said if b"Authorization: Receipt " in text]
    # Rocket is nowhere, so nobody has to be shown its code.
    assert all(opted_out.encode() in text.partition(b"Authorization")[2] for text in codes)
    assert len(codes) == (0 if way == "data" else 1)


def test_somebody_elses_opt_out_opens_nothing(hibs: Hibs, case: Path, opted_out: str) -> None:
    hibs("opt-out", "add", "Smith/chelsea.jpg", "--data", "d", "--out", "other")
    lines = (case / "case.csv").read_text().replace(ROWS[1], f"{ROWS[1]},{next((case / 'coffee').glob('*.txt'))}")
    (case / "case.csv").write_text(lines)
    hibs("check", "--manifest", "case.csv", "--data", "d", "--evidence", "out", exit_code=1)
    (row,) = (row for row in table_of(case / "out") if row["path"] == "Smith/chelsea.jpg")
    assert (row["where"], row["file"], row["withheld_places"]) == ("withheld", "", "1")


@pytest.mark.parametrize("cell", ["none.withdraw.txt", "case.csv", "Smith", "CODE"])
def test_a_receipt_that_is_none_stops_the_run_and_is_not_repeated(
    hibs: Hibs, case: Path, opted_out: str, cell: str
) -> None:
    cell = opted_out if cell == "CODE" else cell
    (case / "case.csv").write_text(f"path,receipt\nSmith/chelsea.jpg,\nSmith/coffee.jpg,{cell}\n")
    done = hibs("check", "--manifest", "case.csv", "--data", "d", "--csv", "o.csv", exit_code=2)
    assert "the receipt of photo 2 cannot be used" in done.stderr
    assert cell not in done.stderr.partition("path from the folder")[0].replace("NUMBER.withdraw.txt", "")
    assert not (case / "o.csv.journal").exists()
