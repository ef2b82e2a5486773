"""Where `hibs check` writes a case: a place that cannot work, or would lose something, is named before it asks."""

from __future__ import annotations

import csv
import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hibs_command import CHECKOUT, Hibs, hibs_in
from typer.testing import CliRunner

from checker.cli import build_app

ASKED = ("check", "--manifest", "case.csv", "--data", "d")


@pytest.fixture
def case(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A list with a photo and a receipt, and what else may lie around; the data folder is never opened."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HIBS_ROBUST", "off")
    for name in ("d", "folder", "empty", "config", "config/hibs"):
        (tmp_path / name).mkdir()
    shutil.copy(images / "coffee.jpg", tmp_path / "ph.jpg")
    (tmp_path / "case.csv").write_text("path,receipt\nph.jpg,4F7K.withdraw.txt\n")
    for name in ("4F7K.withdraw.txt", "d/corpus.db", "folder/diary.txt", "bulk.key", "config/hibs/evidence.key"):
        (tmp_path / name).write_text(f"what stands in {name}")
    (tmp_path / "link.csv").symlink_to("case.csv")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def state(folder: Path) -> dict[str, object]:
    """Everything below it: links by where they lead, files by their bytes."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        found[name] = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else "other"
    return found


@pytest.mark.parametrize(
    ("outputs", "sentence"),
    [
        ("--csv case.csv", "--csv would write over the list, case.csv"),
        ("--csv ./folder/../case.csv", "--csv would write over the list"),
        ("--csv ph.jpg", "--csv would write over a photo, ph.jpg"),
        ("--report 4F7K.withdraw.txt", "--report would write over a receipt, 4F7K.withdraw.txt"),
        ("--evidence out --csv config/hibs/evidence.key", "--csv would write over the key that signs"),
        ("--csv d/corpus.db", "--csv d/corpus.db lies inside the data folder d"),
        ("--evidence d/out", "--evidence d/out lies inside the data folder d"),
        ("--csv o --report o", "--csv and --report would write to one place, o"),
        ("--csv o --parquet folder/../o", "--csv and --parquet would write to one place"),
        ("--evidence out --csv out", "--evidence and --csv would write to one place"),
        ("--evidence out --csv out.journal", "--csv and the journal of the run would write to one place"),
        ("--evidence empty --csv empty/o.csv", "--csv would write into the folder of --evidence, which is signed"),
        ("--evidence out --csv .out.partial", "the unfinished --evidence and --csv would write to one place"),
        ("--csv link.csv", "--csv link.csv is there and is no ordinary file"),
        ("--report dangling", "--report dangling is there and is no ordinary file"),
        ("--parquet pipe", "--parquet pipe is there and is no ordinary file"),
        ("--csv folder", "--csv folder is there and is no ordinary file"),
        ("--csv .", "--csv . does not name a file; give a name, such as case"),
        ("--csv /", "--csv / does not name a file; give a name, such as /case"),
        ("--csv ..", "--csv .. does not name a file"),
        ("--evidence .", "--evidence . does not name a new folder"),
        ("--evidence empty/..", "--evidence empty/.. does not name a new folder"),
        ("--evidence folder", "folder is there already and is no empty folder; give --evidence a new folder"),
        ("--csv none/o.csv", "there is no folder none to write o.csv into"),
    ],
)
def test_a_place_that_would_lose_something_or_cannot_work_is_refused_before_anything_is_asked(
    hibs: Hibs, case: Path, outputs: str, sentence: str
) -> None:
    before = state(case)
    done = hibs(*ASKED, *outputs.split(), exit_code=2)
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert state(case) == before


def test_the_key_of_a_service_is_not_written_over(hibs: Hibs, case: Path) -> None:
    why = ("--server", "http://127.0.0.1:1", "--key-file", "bulk.key", "--case", "AZ-1", "--purpose", "complaint")
    done = hibs("check", "ph.jpg", *why, "--csv", "bulk.key", exit_code=2)
    assert "--csv would write over the key of --key-file, bulk.key" in done.stderr
    assert (case / "bulk.key").read_text() == "what stands in bulk.key"


@pytest.mark.parametrize("letters", [250, 247], ids=["for the journal", "while it is unfinished"])
def test_a_name_that_leaves_no_room_is_refused_before_anything_is_asked(hibs: Hibs, case: Path, letters: int) -> None:
    (case / "case.csv").write_text("path\nph.jpg\n")
    before = state(case)
    done = hibs(*ASKED, "--csv", "o" * letters, exit_code=2)
    assert "File name too long" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert state(case) == before


# --- what is written -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one photo."""
    folder = tmp_path_factory.mktemp("collection")
    hibs_in(folder)("ingest", CHECKOUT / "fixtures" / "images" / "coffee.jpg", "--data", "d")
    return folder / "d"


@pytest.fixture
def answered(case: Path, collection: Path) -> Path:
    """The same folder over that collection, with a list that can be answered, and no key yet."""
    shutil.rmtree(case / "d")
    shutil.rmtree(case / "config")
    shutil.copytree(collection, case / "d")
    (case / "case.csv").write_text("path,claimant,note\nph.jpg,C-014,{}\nph.jpg,C-015,\n".format("long " * 200))
    return case


def test_an_older_report_is_written_anew(hibs: Hibs, answered: Path) -> None:
    (answered / "o.csv").write_text("of last week")
    hibs(*ASKED, "--csv", "o.csv")
    with (answered / "o.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["result"] for row in csv.DictReader(file)] == ["same", "same"]


def test_everything_in_the_folder_is_for_its_owner_alone(hibs: Hibs, answered: Path) -> None:
    hibs("opt-out", "add", "ph.jpg", "--data", "d", "--out", "papers")  # so that there is a checkpoint as well
    (answered / "out").mkdir(mode=0o755)
    hibs(*ASKED, "--evidence", "out")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (answered / "out").iterdir()}
    assert modes == dict.fromkeys(modes, 0o600)
    assert len(modes) == 7
    assert stat.S_IMODE((answered / "out").stat().st_mode) == 0o700


def run(folder: Path, *arguments: str, before: str) -> subprocess.CompletedProcess[str]:
    """`hibs` in a shell that has run `before`."""
    script = f'{before} && exec "$@"'
    command = ["sh", "-c", script, "sh", sys.executable, "-P", "-m", "checker", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_a_volume_that_is_mounted_at_the_place_is_written_into(
    hibs: Hibs, answered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every machine lets tests mount something: the answer to a rename onto it is given here (rename(2), EBUSY)."""
    (answered / "volume").mkdir()
    rename = Path.rename

    def refused(path: Path, target: Path) -> Path:
        if Path(target).name == "volume":
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return rename(path, target)

    monkeypatch.chdir(answered)
    with monkeypatch.context() as mounted:
        mounted.setattr(Path, "rename", refused)
        done = CliRunner().invoke(build_app("check"), [*ASKED, "--evidence", "volume"])
    assert done.exit_code == 0, done.output
    assert "5 files are as they were signed" in hibs("evidence", "verify", "volume").stdout
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (answered / "volume").iterdir()]
    assert modes == [0o600] * 6
    assert not (answered / ".volume.partial").exists()
    assert not (answered / "volume.journal").exists()


@pytest.mark.parametrize("place", ["--evidence", "--csv"])
def test_a_full_disk_is_told_with_the_file_and_how_to_go_on(hibs: Hibs, answered: Path, place: str) -> None:
    """As full as a limit of 40 KiB a file makes it: the answers fit, the table of them does not."""
    (answered / "case.csv").write_text(
        "path,claimant,note\n" + "".join(f"ph.jpg,C-{n},{'x' * 2000}\n" for n in range(30))
    )
    done = run(answered, *ASKED, place, "out", before="ulimit -f 80")
    assert done.returncode == 2
    *_, kept, reason = done.stderr.splitlines()
    assert kept == (
        "30 of 30 photos are answered; all of that is kept in out.journal, and the same command goes on (to write to "
        "another PLACE, rename that file to PLACE.journal first)"
    )
    assert reason == "hibs: cannot write out: File too large; check space and permissions"
    assert not (answered / "out").exists()
    assert not (answered / ".out.partial").exists()
    (answered / "out.journal").rename(answered / "elsewhere.journal")
    done = hibs(*ASKED, place, "elsewhere")
    assert "resumed: 30 of 30 photos are answered\n" in done.stderr
    assert (answered / "elsewhere").exists()
    assert not (answered / "elsewhere.journal").exists()


def test_a_photo_that_was_replaced_meanwhile_is_asked_about_again(hibs: Hibs, answered: Path, images: Path) -> None:
    shutil.copy(images / "rocket.jpg", answered / "other.jpg")
    rows = [f"{name},{'x' * 2000}\n" for name in ("other.jpg", *["ph.jpg"] * 29)]
    (answered / "case.csv").write_text("path,note\n" + "".join(rows))
    assert run(answered, *ASKED, "--csv", "o.csv", before="ulimit -f 80").returncode == 2
    shutil.copy(answered / "ph.jpg", answered / "other.jpg")
    done = hibs(*ASKED, "--csv", "o.csv")
    assert "resumed: 29 of 30 photos are answered\n" in done.stderr
    with (answered / "o.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["result"] for row in csv.DictReader(file)] == ["same"] * 30
