"""`hibs opt-out`, `feed` and `honour` used wrongly: what was wrong is named, nothing is recorded, nothing is lost."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from feed_simulator import follow, opened
from typer.testing import CliRunner, Result

from checker import OptOutFilter
from checker.client import Client
from checker.commands import feed as feed_command
from checker.commands import fingerprint as fingerprint_command
from checker.commands import honour as honour_command
from checker.commands import optout as optout_command
from checker.errors import InputError, RemoteError
from checker.fingerprint import fingerprint_file
from checker.model import PHASH256, Picture, Use
from checker.optout.entry import Evidence
from checker.optout.follow import sync
from checker.optout.honour import Action
from checker.optout.papers import Paper
from checker.optout.remote_request import status_at
from checker.records.registry import Registry
from checker.remote import Reply
from checker.settings import Settings


def hibs(*arguments: str | Path) -> Result:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.add_typer(feed_command.app, name="feed")
    app.add_typer(optout_command.app, name="opt-out")
    app.command("honour")(honour_command.honour)
    app.command("fingerprint")(fingerprint_command.fingerprint)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def sentence(told: Result, *, exit_code: int) -> str:
    """The one line that was said."""
    assert told.exit_code == exit_code, told.output
    (line,) = told.stderr.splitlines()
    return line


@pytest.fixture
def papers(tmp_path: Path, images: Path) -> tuple[Path, Path]:
    """Receipt and withdraw file of an opt-out in the data folder `data`."""
    added = hibs(
        *("opt-out", "add", images / "coffee.jpg", "--data", tmp_path / "data", "--out", tmp_path / "papers", "--json")
    )
    answer = json.loads(added.stdout)
    return Path(answer["receipt"]), Path(answer["withdraw"])


@pytest.fixture
def feed(tmp_path: Path, images: Path) -> Path:
    """A feed, synced now, in which coffee.jpg is opted out of search and rocket.jpg of text and data mining."""
    now = datetime.now(UTC)
    with opened(tmp_path / "log", now) as opt_outs:
        for name, use in (("coffee.jpg", Use.SEARCH), ("rocket.jpg", Use.TDM)):
            picture = fingerprint_file(images / name, Settings())
            assert isinstance(picture, Picture)
            opt_outs.record([picture.fingerprints], uses=[use], evidence=Evidence.PICTURE, now=now)
    follow(tmp_path / "log", tmp_path / "feed", now)
    return tmp_path / "feed"


@pytest.fixture
def photos(tmp_path: Path, images: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("coffee.jpg", "rocket.jpg", "coins.jpg"):
        shutil.copy(images / name, folder)
    return folder


# --- add -------------------------------------------------------------------------------------------------------


def test_a_picture_given_twice_is_opted_out_once(tmp_path: Path, images: Path) -> None:
    path = images / "coffee.jpg"
    told = hibs("opt-out", "add", path, path, "--data", tmp_path / "data", "--out", tmp_path)
    assert "opted out 1 picture:" in told.stdout
    registry = Registry.open(tmp_path / "data" / "registry.db")
    assert len(registry.hidden_codes(PHASH256)) == 1
    registry.close()


def test_every_line_of_codes_is_used_or_named(tmp_path: Path, images: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    made = hibs("fingerprint", images / "coffee.jpg", tmp_path / "text.jpg", "--json")
    codes = tmp_path / "codes.ndjson"
    codes.write_bytes(codecs.BOM_UTF8 + made.stdout.encode())
    told = hibs("opt-out", "add", "--codes", codes, "--data", tmp_path / "data", "--out", tmp_path)
    assert f"{codes} line 2: {tmp_path}/text.jpg could not be read" in sentence(told, exit_code=1)
    assert "opted out 1 picture:" in told.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no code"),
        ("{}\n", "line 1 is no line"),
        ('{"path": "x", "sha256": null}\n', "line 1 is no line"),
        ('{"status": "ok", "sha256": "x", "plain": false, "codes": {}}\n', "line 1 is no line"),
        ("7" * 70_000, "line 1 is no line"),
        ("\n", "line 1 is no line"),
    ],
    ids=["empty", "no members", "only a path", "no code", "a line too long", "an empty line"],
)
def test_codes_of_another_form_are_refused_and_nothing_is_recorded(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "codes.ndjson").write_text(text)
    told = hibs("opt-out", "add", "--codes", tmp_path / "codes.ndjson", "--data", tmp_path / "data")
    assert words in sentence(told, exit_code=2)
    assert not (tmp_path / "data").exists()


def test_uses_are_read_as_people_write_them_and_the_unknown_one_is_named(tmp_path: Path, images: Path) -> None:
    where = (images / "coffee.jpg", "--data", tmp_path / "data", "--out", tmp_path)
    assert "for search, tdm" in hibs("opt-out", "add", *where, "--uses", "Search, TDM").stdout
    for uses, named in (("search,everything", "'everything'"), ("search,", "''")):
        told = hibs("opt-out", "add", *where, "--uses", uses)
        assert f"--uses names {named}, which is no use" in sentence(told, exit_code=2)


# --- status, withdraw, verify ------------------------------------------------------------------------------------


def test_a_withdraw_file_that_an_editor_saved_anew_still_works(tmp_path: Path, papers: tuple[Path, Path]) -> None:
    saved = tmp_path / "saved.txt"
    saved.write_bytes(codecs.BOM_UTF8 + papers[1].read_bytes().replace(b"\n", b"\r\n"))
    assert "withdrawing" in hibs("opt-out", "withdraw", saved, "--data", tmp_path / "data").stdout


@pytest.mark.parametrize("command", ["status", "withdraw"])
def test_a_file_that_is_neither_paper_is_a_mistake(tmp_path: Path, papers: tuple[Path, Path], command: str) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "cut").write_bytes(papers[0].read_bytes()[:500])
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("empty", "neither"), ("cut", "neither"), ("pipe", "no file"), ("", "no file")):
        told = hibs("opt-out", command, tmp_path / name, "--data", tmp_path / "data")
        assert words in sentence(told, exit_code=2)
    long = sentence(hibs("opt-out", command, "a" * 5000, "--data", tmp_path / "data"), exit_code=2)
    assert len(long) < 250


def test_verify_names_the_file_and_the_part_that_fails(tmp_path: Path, papers: tuple[Path, Path]) -> None:
    receipt = json.loads(papers[0].read_bytes())
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps({**receipt, "tree_size": 7}, indent=2) + "\n")
    line = sentence(hibs("opt-out", "verify", changed), exit_code=4)
    assert line.startswith(f"hibs: {changed} does not verify, part tree-size: ")
    document = json.loads(hibs("opt-out", "verify", changed, "--json").stdout)
    assert (document["verified"], document["part"]) == (False, "tree-size")


def test_verify_of_something_else_is_told_from_a_receipt_that_fails(tmp_path: Path, papers: tuple[Path, Path]) -> None:
    assert "is a withdraw file" in sentence(hibs("opt-out", "verify", papers[1]), exit_code=2)
    assert "--key: the verifier key cannot be used" in sentence(
        hibs("opt-out", "verify", papers[0], "--key", "x"), exit_code=2
    )
    (tmp_path / "empty").write_bytes(b"")
    assert "part format" in sentence(hibs("opt-out", "verify", tmp_path / "empty"), exit_code=4)


class Answers:
    """A server that answers everything with one body."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def get(self, path: str, *, bytes_max: int, authorization: str | None = None) -> Reply:
        return Reply(200, self._body, "application/json")

    def post(
        self, path: str, body: bytes, media_type: str, *, bytes_max: int, authorization: str | None = None
    ) -> Reply:
        return self.get(path, bytes_max=bytes_max)

    def delete(self, path: str, *, bytes_max: int, authorization: str | None = None) -> Reply:
        return self.get(path, bytes_max=bytes_max)


@pytest.mark.parametrize("body", [b"{}", b'{"number": "4F7K-20M9", "state": 5}'])
def test_a_server_that_tells_no_status_is_not_believed(body: bytes) -> None:
    paper = Paper(number="4F7K-20M9", code="hibs-w1-00000000000000000000000000000000")
    with pytest.raises(RemoteError, match="no status of an opt-out"):
        status_at(Client(Answers(body)), paper)


# --- feed --------------------------------------------------------------------------------------------------------


class Nothing:
    """A source that answers nothing."""

    name = "http://feed.test"

    def key(self) -> str:
        return "<html>"


def test_a_sync_that_got_nothing_leaves_no_folder(tmp_path: Path, now: datetime) -> None:
    with pytest.raises(RemoteError, match="names no key of a log"):
        sync(tmp_path / "feed", Nothing(), now=now)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="--pin: the verifier key cannot be used"):
        sync(tmp_path / "feed", Nothing(), now=now, pin="x")  # type: ignore[arg-type]
    assert not (tmp_path / "feed").exists()


def test_a_changed_checkpoint_is_named_with_its_folder_and_what_to_do(feed: Path, tmp_path: Path) -> None:
    (feed / "checkpoint").write_bytes(b"changed")
    for arguments in (("verify", feed), ("sync", "--data", tmp_path / "log", feed)):
        line = sentence(hibs("feed", *arguments), exit_code=4)
        assert f"{feed}/checkpoint: " in line
        assert "move it away and run `hibs feed sync`" in line
    (feed / "checkpoint").rename(tmp_path / "away")
    assert hibs("feed", "sync", "--data", tmp_path / "log", feed).exit_code == 0
    assert json.loads(hibs("feed", "verify", feed, "--json").stdout)["verified"] is True


def test_a_feed_that_does_not_verify_says_so_in_json_too(feed: Path) -> None:
    (feed / "openings.ndjson").write_bytes(b"")
    told = hibs("feed", "verify", feed, "--json")
    assert f"the feed in {feed} does not verify: leaf 0" in sentence(told, exit_code=4)
    document = json.loads(told.stdout)
    assert (document["verified"], document["part"]) == (False, "omission")


def test_a_checkpoint_that_is_a_folder_does_not_verify(feed: Path) -> None:
    (feed / "checkpoint").unlink()
    (feed / "checkpoint").mkdir()
    assert "cannot be read (Is a directory)" in sentence(hibs("feed", "verify", feed), exit_code=4)


# --- honour ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uses", "dropped"),
    [
        ((), {"coffee.jpg", "rocket.jpg"}),
        (("all",), {"coffee.jpg", "rocket.jpg"}),
        (("search",), {"coffee.jpg"}),
        (("train-genai",), {"rocket.jpg"}),
        (("search", "TRAIN-AI"), {"coffee.jpg", "rocket.jpg"}),
        (("index",), set()),
    ],
    ids=["none named", "all", "search", "a use inside the larger one", "two", "another"],
)
def test_opt_outs_about_other_uses_do_not_count_when_a_use_is_named(
    feed: Path, photos: Path, tmp_path: Path, uses: tuple[str, ...], dropped: set[str]
) -> None:
    options = [option for use in uses for option in ("--use", use)]
    told = hibs("honour", photos, "--feed", feed, "--json", "--report", tmp_path / "r.json", *options)
    assert told.exit_code == 0
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert {Path(row["path"]).name for row in rows if row["hibs_decision"] == "drop"} == dropped
    report = json.loads((tmp_path / "r.json").read_bytes())
    assert report["uses"] == (sorted(use.lower() for use in uses) or ["all"])
    assert report["counts"] == {
        "rows": 3,
        "keep": 3 - len(dropped),
        "drop": len(dropped),
        "review": 0,
        "not-checked": 0,
    }


def test_the_filter_takes_the_same_uses(feed: Path, images: Path) -> None:
    body = (images / "coffee.jpg").read_bytes()
    assert OptOutFilter(feed).decide(data=body).action is Action.DROP
    assert OptOutFilter(feed, uses=[Use.SEARCH]).decide(data=body).action is Action.DROP
    assert OptOutFilter(feed, uses=[Use.TRAIN_AI]).decide(data=body).action is Action.KEEP


def test_the_feed_is_never_written_over(feed: Path, photos: Path, tmp_path: Path) -> None:
    before = (feed / "checkpoint").read_bytes()
    for option, place in (("--report", feed / "checkpoint"), ("--out", feed / "kept")):
        told = hibs("honour", photos, "--feed", feed, option, place)
        assert f"lies inside {feed}" in sentence(told, exit_code=2)
    assert (feed / "checkpoint").read_bytes() == before
    codes = tmp_path / "codes.ndjson"
    codes.write_text(hibs("fingerprint", photos, "--json").stdout)
    told = hibs("honour", photos, "--feed", feed, "--codes", codes, "--report", codes)
    assert f"would overwrite {codes}" in sentence(told, exit_code=2)


def test_two_runs_do_not_fill_one_destination(feed: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / ".kept.partial").mkdir()
    other = os.open(tmp_path / ".kept.partial", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    told = hibs("honour", photos, "--feed", feed, "--out", tmp_path / "kept", "--json")
    os.close(other)
    assert "another run is filling" in sentence(told, exit_code=2)
    assert not (tmp_path / "kept").exists()
    assert hibs("honour", photos, "--feed", feed, "--out", tmp_path / "kept").exit_code == 0
