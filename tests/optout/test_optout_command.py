"""`hibs opt-out` as people and scripts meet it, here and at a server."""

from __future__ import annotations

import json
import random
import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from registry_child import code
from typer.testing import CliRunner, Result

from checker.client import Client
from checker.commands import optout
from checker.errors import InputError, RemoteError
from checker.model import PHASH256, Fingerprint, Use
from checker.optout.entry import Evidence
from checker.optout.papers import Paper, papers, read_paper
from checker.optout.remote_request import record_at, status_at, withdraw_at
from checker.optout.request import OptOuts
from checker.records.registry import Registry
from checker.remote import Reply
from checker.settings import Settings


def run(*arguments: object) -> Result:
    return CliRunner().invoke(optout.app, [str(argument) for argument in arguments])


@pytest.fixture
def white(tmp_path: Path) -> Path:
    path = tmp_path / "white.png"
    Image.new("RGB", (64, 64), "white").save(path)
    return path


def test_a_photo_is_opted_out_shown_verified_and_taken_back(tmp_path: Path, images: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "papers"
    added = run("add", images / "coffee.jpg", "--data", data, "--out", out, "--uses", "train-ai", "--json")
    assert added.exit_code == 0, added.stderr
    answer = json.loads(added.stdout)
    number = answer["number"]
    assert answer == {
        "number": number,
        "receipt": str(out / f"{number}.receipt.json"),
        "page": str(out / f"{number}.receipt.html"),
        "withdraw": str(out / f"{number}.withdraw.txt"),
        "held": False,
    }
    names = [f"{number}.receipt.html", f"{number}.receipt.json", f"{number}.withdraw.txt"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}

    held = run("verify", answer["receipt"], "--data", data, "--json")
    assert held.exit_code == 0, held.stderr
    assert json.loads(held.stdout)["key_from"] == "data"
    assert json.loads(held.stdout)["uses"] == ["train-ai"]

    status = run("status", answer["receipt"], "--data", data, "--json")
    assert json.loads(status.stdout)["state"] == "recorded"
    refused = run("withdraw", answer["receipt"], "--data", data)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "NUMBER.withdraw.txt" in refused.stderr
    withdrawn = run("withdraw", answer["withdraw"], "--data", data, "--json")
    assert json.loads(withdrawn.stdout)["state"] == "withdrawing"
    assert "withdrawing" in run("status", number, "--data", data).stdout


def test_many_pictures_are_one_opt_out_and_the_unusable_are_named(tmp_path: Path, images: Path, white: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    paths = (images / "coffee.jpg", images / "chelsea.jpg", white, broken)
    added = run("add", *paths, "--data", tmp_path / "data", "--out", tmp_path)
    assert added.exit_code == 1
    assert "opted out 2 pictures" in added.stdout
    assert str(white) in added.stderr
    assert str(broken) in added.stderr
    registry = Registry.open(tmp_path / "data" / "registry.db")
    assert registry.log_size() == 1
    assert len(registry.hidden_codes(PHASH256)) == 2
    registry.close()


def test_nothing_usable_leaves_nothing_behind(tmp_path: Path, white: Path) -> None:
    for paths, words in (
        ((white,), "nothing was recorded"),
        ((white, tmp_path / "missing.jpg"), "nothing was recorded"),
        ((tmp_path / "missing.jpg",), "there is no file or folder"),
    ):
        refused = run("add", *paths, "--data", tmp_path / "data", "--out", tmp_path / "papers")
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert words in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["white.png"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "PHOTO"),
        ("add", "PHOTO", "--data", "DATA", "--server", "http://127.0.0.1:1"),
        ("add", "PHOTO", "--data", "DATA", "--uses", "everything"),
        ("add", "--data", "DATA"),
        ("add", "PHOTO", "--data", "DATA", "--out", "PHOTO"),
        ("status", "4F7K-20M9", "--data", "DATA"),
        ("status", "nothing", "--data", "DATA"),
        ("withdraw", "hibs-w1-00000000000000000000000000000000", "--data", "DATA"),
        ("verify", "missing.json"),
        ("verify", "PHOTO", "--key", "x", "--data", "DATA"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_2(tmp_path: Path, images: Path, arguments: tuple[str, ...]) -> None:
    places = {"PHOTO": images / "coffee.jpg", "DATA": tmp_path / "data"}
    refused = run(*(places.get(argument, argument) for argument in arguments))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("hibs: ")
    assert not (tmp_path / "data").exists()


def test_a_changed_receipt_exits_4(tmp_path: Path, images: Path) -> None:
    added = run("add", images / "coffee.jpg", "--data", tmp_path / "data", "--out", tmp_path, "--json")
    receipt = Path(json.loads(added.stdout)["receipt"])
    receipt.write_bytes(receipt.read_bytes().replace(b'"index": 0', b'"index": 1'))
    refused = run("verify", receipt)
    assert (refused.exit_code, refused.stdout) == (4, "")
    run("add", images / "coffee.jpg", "--data", tmp_path / "other", "--out", tmp_path)
    other = run("verify", receipt, "--data", tmp_path / "other")
    assert other.exit_code == 4


def test_codes_that_were_made_before_are_opted_out_as_codes(tmp_path: Path) -> None:
    line = {
        "path": "a.jpg", "status": "ok", "width": 640, "height": 480, "format": "JPEG", "sha256": "ab" * 32,
        "codes": {"phash256": {"version": "1", "hex": code(random.Random(1)).hex}}, "plain": False,
    }  # fmt: skip
    codes = tmp_path / "codes.ndjson"
    codes.write_text(json.dumps(line) + "\n")
    added = run("add", "--codes", codes, "--data", tmp_path / "data", "--out", tmp_path, "--json")
    assert added.exit_code == 0, added.stderr
    status = run("status", json.loads(added.stdout)["number"], "--data", tmp_path / "data", "--json")
    assert json.loads(status.stdout)["evidence"] == "code"


def test_files_that_cannot_be_written_cost_no_entry_and_the_code_is_not_lost(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give another --out"), papers(Path("/proc/none")):
        pass
    with pytest.raises(Exception, match="hibs-w1-SECRET"), papers(tmp_path / "out") as folder:
        shutil.rmtree(folder.temporary)
        folder.keep("4F7K-20M9", receipt=b"{}", withdraw="hibs-w1-SECRET\n\nwords")
    assert not (tmp_path / "out").exists()


# --- at a server -----------------------------------------------------------------------------------------------


class OptOutServer:
    """Answers as /v1/opt-outs does, from a real registry, without a socket."""

    def __init__(self, opt_outs: OptOuts, now: datetime) -> None:
        self._opt_outs = opt_outs
        self._now = now
        self.changes: dict[str, object] = {}
        """Members of the answer that this server gets wrong."""

    def post(
        self, path: str, body: bytes, media_type: str, *, bytes_max: int, authorization: str | None = None
    ) -> Reply:
        assert (path, media_type, authorization) == ("/v1/opt-outs", "application/json", None)
        asked = json.loads(body)
        recorded = self._opt_outs.record(
            [
                [Fingerprint(kind=PHASH256, bits=bytes.fromhex(picture["codes"]["phash256"]["hex"]))]
                for picture in asked["pictures"]
            ],
            uses=[Use(use) for use in asked["uses"]],
            evidence=Evidence.CODE,
            now=self._now,
        )
        answer = {
            "number": recorded.receipt.number,
            "receipt": recorded.receipt.to_dict(),
            "withdraw_code": recorded.withdraw_code,
            "held": False,
        }
        return self._reply(201, {**answer, **self.changes})

    def get(self, path: str, *, bytes_max: int, authorization: str | None = None) -> Reply:
        assert authorization
        found = self._opt_outs.status(path.rpartition("/")[2], authorization.removeprefix("Receipt "), now=self._now)
        return self._reply(200, found.to_dict()) if found else self._reply(404, {"detail": "there is no such opt-out"})

    def delete(self, path: str, *, bytes_max: int, authorization: str | None = None) -> Reply:
        assert authorization
        return self._reply(
            200, self._opt_outs.withdraw(authorization.removeprefix("Receipt "), now=self._now).to_dict()
        )

    def _reply(self, status: int, document: object) -> Reply:
        return Reply(status=status, body=json.dumps(document).encode(), media_type="application/json")


@pytest.fixture
def server(tmp_path: Path, now: datetime) -> Iterator[OptOutServer]:
    with OptOuts.open(tmp_path / "server", Settings(), now=now) as opt_outs:
        yield OptOutServer(opt_outs, now)


def test_a_server_is_asked_with_codes_and_its_receipt_is_checked(server: OptOutServer, tmp_path: Path) -> None:
    codes = [(code(random.Random(seed)),) for seed in (1, 2)]
    there = record_at(Client(server), codes, (Use.TRAIN_AI,), days=7)
    receipt, text = there.receipt, there.withdraw_text
    assert receipt.opt_out().pictures == tuple(codes)
    path = tmp_path / "x.withdraw.txt"
    path.write_text(text)
    paper = read_paper(str(path))
    assert paper == Paper(number=receipt.number, code=text.splitlines()[0])
    assert status_at(Client(server), paper)["state"] == "recorded"
    assert withdraw_at(Client(server), paper)["state"] == "withdrawing"
    with pytest.raises(RemoteError, match="no such opt-out"):
        status_at(Client(server), Paper(number="0000-0000", code=paper.code))
    with pytest.raises(InputError, match=r"withdraw\.txt"):
        status_at(Client(server), Paper(number=receipt.number, code=None))


def test_an_answer_that_is_no_receipt_of_what_was_asked_is_not_believed(server: OptOutServer) -> None:
    first, second = ((code(random.Random(seed)),) for seed in (1, 2))
    other = record_at(Client(server), [first], (Use.TDM,), days=7).receipt
    for changes in (
        {"receipt": other.to_dict()},
        {"receipt": None},
        {"number": other.number},
        {"number": 5},
        {"receipt": {}},
        {"withdraw_code": "no"},
        {"withdraw_code": None},
    ):
        server.changes = dict(changes)
        with pytest.raises(RemoteError, match=r"cannot be believed|no record of an opt-out"):
            record_at(Client(server), [second], (Use.TDM,), days=7)


def test_papers_are_read_whichever_a_person_brings(tmp_path: Path, images: Path, now: datetime) -> None:
    assert read_paper("4f7k-20m9") == Paper(number="4F7K-20M9", code=None)
    assert read_paper("hibs-w1-" + "0" * 32) == Paper(number=None, code="hibs-w1-" + "0" * 32)
    cut = tmp_path / "cut.txt"
    cut.write_text("hibs-w1-0000\n")
    with pytest.raises(InputError, match="no whole withdraw code"):
        read_paper(str(cut))
    assert now.tzinfo is UTC
