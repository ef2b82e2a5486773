"""`hibs opt-out status`, `receipt` and `erase`: what a holder does with the withdraw file, here and at a server."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest
from hibs_command import Hibs
from PIL import Image
from typer.testing import CliRunner, Result

from checker.client import Client
from checker.commands import optout
from checker.errors import RemoteError
from checker.optout.papers import Paper
from checker.optout.remote_request import erase_at, receipt_at, record_at, status_at
from checker.remote import Reply


def run(*arguments: object) -> Result:
    return CliRunner().invoke(optout.app, [str(argument) for argument in arguments])


@pytest.fixture
def added(tmp_path: Path, images: Path) -> dict[str, str]:
    """What `opt-out add --json` said of coffee.jpg, in the data folder `data`."""
    told = run("add", images / "coffee.jpg", "--data", tmp_path / "data", "--out", tmp_path / "papers", "--json")
    assert told.exit_code == 0, told.stderr
    answer: dict[str, str] = json.loads(told.stdout)
    return answer


def test_a_copy_that_comes_later_is_shown_to_the_holder_as_new(tmp_path: Path, images: Path, hibs: Hibs) -> None:
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    shutil.copy(images / "coffee.jpg", tmp_path / "before" / "mine.jpg")
    with Image.open(images / "coffee.jpg") as image:
        image.resize((300, 200)).save(tmp_path / "after" / "copy.jpg", quality=60)
    data = tmp_path / "data"
    hibs("ingest", "before", "--data", "data", "--source", "before")
    told = run("add", tmp_path / "before" / "mine.jpg", "--data", data, "--out", tmp_path / "papers", "--json")
    answer = json.loads(told.stdout)
    hibs("ingest", "after", "--data", "data", "--source", "after")

    document = json.loads(run("status", answer["withdraw"], "--data", data, "--json").stdout)
    assert [(seen["locator"]["file"], seen["new"]) for seen in document["sightings"]] == [
        ("copy.jpg", True),
        ("mine.jpg", False),
    ]
    assert (document["new"], document["operators"]) == (1, [])
    shown = run("status", answer["withdraw"], "--data", data).stdout
    assert "seen      2 times, 1 of them new since your opt-out" in shown
    assert "removed" not in shown
    assert "seen" not in run("status", answer["number"], "--data", data).stdout
    assert "sightings" not in json.loads(run("status", answer["receipt"], "--data", data, "--json").stdout)

    erased = run("erase", answer["withdraw"], "--data", data, "--forget").stdout
    assert "can be found again" in erased
    assert "Erased what was seen of 2 pictures" in erased
    shown = run("status", answer["withdraw"], "--data", data).stdout
    assert "erased" in shown
    assert "uses" not in shown, "they are erased as well"


def test_a_lost_receipt_is_written_again(tmp_path: Path, added: dict[str, str]) -> None:
    first = Path(added["receipt"]).read_bytes()
    for name in ("receipt", "page"):
        Path(added[name]).unlink()
    told = run("receipt", added["withdraw"], "--data", tmp_path / "data", "--out", tmp_path / "papers")
    assert told.exit_code == 0, told.stderr
    assert Path(added["receipt"]).read_bytes() == first
    assert stat.S_IMODE(Path(added["receipt"]).stat().st_mode) == 0o600
    assert added["number"] in Path(added["page"]).read_text()
    assert Path(added["withdraw"]).read_text().splitlines()[0] not in Path(added["page"]).read_text()


def test_erasing_says_what_it_costs(tmp_path: Path, added: dict[str, str]) -> None:
    told = run("erase", added["withdraw"], "--data", tmp_path / "data")
    assert (told.exit_code, told.stderr) == (0, "")
    assert f"{added['number']}  erased" in told.stdout
    assert "can be found again" in told.stdout
    assert "next sync" in told.stdout
    assert "Erased" not in told.stdout, "nothing was erased of a collection"
    assert (
        json.loads(run("erase", added["withdraw"], "--data", tmp_path / "data", "--json").stdout)["state"] == "erased"
    )
    again = run("receipt", added["withdraw"], "--data", tmp_path / "data", "--out", tmp_path / "new")
    assert (again.exit_code, again.stdout) == (2, "")
    assert "it is erased" in again.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("command", ["withdraw", "erase", "receipt"])
def test_the_receipt_is_not_the_code(tmp_path: Path, added: dict[str, str], command: str) -> None:
    for paper in (added["receipt"], added["number"]):
        refused = run(command, paper, "--data", tmp_path / "data")
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "NUMBER.withdraw.txt" in refused.stderr
    refused = run("erase", added["withdraw"], "--server", "http://127.0.0.1:1", "--forget")
    assert "--forget works on a data folder" in refused.stderr


# --- what a server may answer ----------------------------------------------------------------------------------


class Answers:
    """A server that answers everything with one document."""

    def __init__(self, document: object, status: int = 200) -> None:
        self._reply = Reply(status, json.dumps(document).encode(), "application/json")
        self.asked: list[str] = []

    def get(self, path: str, *, bytes_max: int, authorization: str | None = None) -> Reply:
        self.asked.append(path)
        return self._reply

    delete = get

    def post(
        self, path: str, body: bytes, media_type: str, *, bytes_max: int, authorization: str | None = None
    ) -> Reply:
        return self.get(path, bytes_max=bytes_max)


PAPER = Paper(number="4F7K-20M9", code="hibs-w1-" + "0" * 32)
STATUS = {
    "number": "4F7K-20M9", "state": "held", "index": None, "uses": ["tdm"], "evidence": "code", "pictures": 1,
    "addresses": [], "recorded_at": "2026-11-22T14:03:00Z", "withdraw_at": None, "reason": "it is near much",
    "sightings": [], "sightings_all": 0, "new": 0, "operators": [],
}  # fmt: skip


def test_a_held_request_of_a_server_has_a_status_and_no_receipt() -> None:
    server = Answers(STATUS)
    assert status_at(Client(server), PAPER) == STATUS
    assert erase_at(Client(server), PAPER) == STATUS
    assert server.asked == ["/v1/opt-outs/4F7K-20M9", "/v1/opt-outs/4F7K-20M9?erase=true"]
    with pytest.raises(RemoteError, match="cannot be believed"):
        receipt_at(Client(server), PAPER)
    held = {"number": "4F7K-20M9", "receipt": None, "withdraw_code": "hibs-w1-" + "0" * 32, "held": True}
    there = record_at(Client(Answers(held, 201)), [], (), days=7)
    assert (there.number, there.receipt) == ("4F7K-20M9", None)


@pytest.mark.parametrize(
    "changed",
    [
        {"sightings": "none"},
        {"sightings": [5]},
        {"sightings": [{"locator": "x"}]},
        {"sightings": [{"source": ["x"]}]},
        {"operators": [None]},
        {"new": "1"},
        {"addresses": [5]},
        {"reason": 5},
    ],
)
def test_a_server_that_tells_no_status_is_not_believed(changed: dict[str, object]) -> None:
    with pytest.raises(RemoteError, match="no status of an opt-out"):
        status_at(Client(Answers({**STATUS, **changed})), PAPER)


def test_what_a_server_tells_cannot_rewrite_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from checker.commands.optout_later import _show

    evil = "\x1b]0;x\x07\nhibs: all is well"
    seen = {"image_url": evil, "page_url": evil, "source": {"name": evil}, "locator": None, "new": True, "look": evil}
    _show({**STATUS, "reason": evil, "sightings": [seen] * 30, "addresses": [evil]}, as_json=False)
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\nhibs: all is well" not in told
