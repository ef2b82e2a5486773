"""`Client` at a real service: every endpoint and every kind of refusal."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hibs_command import CHECKOUT, hibs_in, serving

from checker import Client, fingerprint, verify_receipt
from checker.errors import InputError, RemoteProblemError
from checker.index.private_answer import read_answer
from checker.model import Picture, Unreadable, Use
from checker.optout.note import open_checkpoint, parse_verifier_key
from checker.remote import Reply
from checker.report import MatchKind, Report

IMAGES = CHECKOUT / "fixtures" / "images"
SEEN, NOT_SEEN = "coffee.jpg", "rocket.jpg"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def photo(name: str) -> Picture:
    found = fingerprint(IMAGES / name)
    assert isinstance(found, Picture)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two photos, and a key of each scope beside it."""
    place = tmp_path_factory.mktemp("service")
    hibs = hibs_in(place)
    hibs("ingest", IMAGES / SEEN, IMAGES / "chelsea.jpg", "--data", "d", "--source", "Example-400M")
    for scope, rules in (
        ("feed", ()),
        ("honour", ()),
        ("bulk", ("--purposes", "complaint", "--case-pattern", "AZ-####")),
    ):
        made = hibs("keys", "create", "--name", f"{scope} key", "--scopes", scope, *rules, "--data", "d")
        (place / scope).write_text(made.stdout)
    return place


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with serving(folder, "d") as where:
        yield where


@pytest.fixture
def client(address: str) -> Client:
    return Client(address)


def with_key(folder: Path, address: str, scope: str) -> Client:
    return Client(address, key=(folder / scope).read_text().strip())


# --- look-ups --------------------------------------------------------------------------------------------------


def test_a_look_up_gives_the_report_that_checker_gives(client: Client, folder: Path) -> None:
    report = client.look_up(photo(SEEN))
    assert isinstance(report, Report)
    assert report.coverage.images == 2
    (match,) = report.matches
    assert match.kind is MatchKind.SAME
    assert [(one.source.name, one.locator.file) for one in match.sightings] == [("Example-400M", SEEN)]
    assert client.look_up(photo(NOT_SEEN)).matches == ()
    assert client.image(match.handle).sightings == match.sightings
    assert client.look_up_picture((IMAGES / SEEN).read_bytes()).matches[0].kind is MatchKind.SAME


def test_what_cannot_be_asked_about_is_not_sent(client: Client) -> None:
    nothing = fingerprint(b"no picture")
    assert isinstance(nothing, Unreadable)
    with pytest.raises(InputError, match="there is no picture"):
        client.look_up(nothing)
    assert client.requests == 0


def test_the_private_check_has_its_list_and_its_tag(client: Client) -> None:
    reply = client.private_list()
    _, rows = read_answer(reply.body)
    assert rows.shape[1] == 16
    assert client.private_list(etag=reply.etag).status == 304
    with pytest.raises(RemoteProblemError) as refused:
        list(client.private_sketches([5]))
    assert refused.value.kind == "ask-otherwise"


# --- opt-outs, the feed and what operators state ---------------------------------------------------------------


def test_an_opt_out_that_names_no_use_is_a_no_to_all(client: Client) -> None:
    made = client.opt_out([photo("astronaut.jpg")])
    status = client.opt_out_status(made.number, made.withdraw_code)
    assert set(status.uses) == {"train-ai", "train-genai", "tdm", "search", "index"}  # docs/api.md, "Opt-out"


def test_an_opt_out_from_its_receipt_to_its_end(client: Client, folder: Path, address: str) -> None:
    made = client.opt_out([photo("chelsea.jpg")], [Use.TRAIN_AI])
    assert made.receipt is not None
    assert made.held is False
    held = verify_receipt((json.dumps(made.receipt, indent=2, ensure_ascii=True) + "\n").encode())
    assert held.opt_out.uses == (Use.TRAIN_AI,)
    assert client.receipt(made.number, made.withdraw_code)["leaf"] == made.receipt["leaf"]

    status = client.opt_out_status(made.number, made.withdraw_code)
    assert (status.state, status.pictures, status.uses) == ("recorded", 1, ["train-ai"])
    assert status.sightings is not None
    assert [seen.source.name for seen in status.sightings] == ["Example-400M"]
    (match,) = client.look_up(photo("chelsea.jpg")).matches
    assert match.sightings == ()
    assert match.withheld is not None
    opened = client.image(match.handle, withdraw_code=made.withdraw_code)
    assert [seen.locator.file for seen in opened.sightings] == ["chelsea.jpg"]
    assert opened.withheld is None
    assert client.image(match.handle, withdraw_code="hibs-w1-" + "0" * 32).withheld == match.withheld

    assert made.alerts == status.alerts is not None
    feed = ET.fromstring(client.alerts(made.alerts))
    assert feed.get(XML_LANG) == "en"
    secret = made.alerts.rpartition("/")[2]
    assert ET.fromstring(client.alerts(secret, language="de")).get(XML_LANG) == "de"

    (key,) = [parse_verifier_key(line) for line in client.feed_key().splitlines()]
    head = open_checkpoint(client.feed_checkpoint(), [key])
    assert head.size >= 1
    assert client.feed_tile(f"tile/entries/000.p/{head.size}") is not None
    missing, there = client.feed_tiles(["tile/0/999", f"tile/0/000.p/{head.size}"])
    assert missing is None
    assert there is not None
    assert len(there) == 32 * head.size
    lines = with_key(folder, address, "feed").feed_openings(0)
    assert len(lines) == head.size

    report = hashlib.sha256(b"report").hexdigest()
    said = {"feed_size": head.size, "root": head.root.hex(), "rows_in": 10, "rows_out": 9, "report_digest": report}
    stated = with_key(folder, address, "honour").state(**said)
    assert stated in client.honours()
    assert client.withdraw(made.number, made.withdraw_code).state == "withdrawing"
    assert client.erase(made.number, made.withdraw_code).state == "erased"


# --- many, and facts -------------------------------------------------------------------------------------------


def test_a_list_from_its_sending_to_its_end(folder: Path, address: str) -> None:
    ngo = with_key(folder, address, "bulk")
    rows = [("a-1", photo(NOT_SEEN)), ("a-2", photo(SEEN))]
    job = ngo.bulk_create(rows, purpose="complaint", case="AZ-2041")
    assert (job.rows, job.purpose, job.case) == (2, "complaint", "AZ-2041")
    end = time.monotonic() + 60
    while (job := ngo.bulk_status(job.job)).state != "done":
        assert time.monotonic() < end
        time.sleep(0.05)
    assert [one.job for one in ngo.bulk_list()] == [job.job]
    told = list(ngo.bulk_results(job.job))
    assert [(one.id, len(one.matches)) for one in told] == [("a-1", 0), ("a-2", 1)]
    assert (told[1].matches[0].handle, told[1].matches[0].sightings[0].locator) == ("", None)
    (found,) = list(ngo.bulk_results(job.job, reason="count-hosts"))[1].matches
    assert found.sightings[0].locator.file == SEEN
    assert ngo.image(found.handle).sightings == found.sightings
    assert job.coverage is not None
    assert told[0].report(job.coverage.coverage()).coverage.images == 2
    ngo.bulk_delete(job.job)
    assert ngo.bulk_list() == []
    key = parse_verifier_key(ngo.audit_key())
    assert open_checkpoint(ngo.audit_checkpoint(), [key]).size >= 4
    assert ("bulk-made", "bulk key", "complaint", 2) in [
        (one.act, one.holder, one.purpose, one.amount) for one in ngo.audit_counts()
    ]


def test_facts(client: Client) -> None:
    assert (client.stats().images, client.stats().sources) == (2, 1)
    assert [(one.name, one.kind) for one in client.sources()] == [("Example-400M", "folder")]
    assert [client.source(one.id) for one in client.sources()] == client.sources()
    assert client.ready().status == "ready"
    months = client.transparency()
    assert [(one.act, one.count) for one in months.acts if one.act == "key-made"] == [("key-made", 3)]


# --- what is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "kind"),
    [
        (lambda one: one.image("none"), "not-found"),
        (lambda one: one.look_up_picture(b"no picture"), "unreadable"),
        (lambda one: one.opt_out_status("0000-0000", "hibs-w1-" + "0" * 32), "not-found"),
        (lambda one: one.feed_openings(0), "unauthorized"),
        (lambda one: one.bulk_status("0" * 32), "unauthorized"),
    ],
    ids=["image", "picture", "opt-out", "openings", "list"],
)
def test_a_refusal_is_one_typed_error(client: Client, ask: Any, kind: str) -> None:
    with pytest.raises(RemoteProblemError) as refused:
        ask(client)
    assert refused.value.kind == kind
    assert refused.value.detail
    assert client.name in str(refused.value)


def test_a_key_of_another_scope_is_said_to_be_one(folder: Path, address: str) -> None:
    with pytest.raises(RemoteProblemError, match="does not accept the key") as refused:
        with_key(folder, address, "feed").bulk_list()
    assert (refused.value.status, refused.value.kind) == (403, "wrong-scope")


class Answers:
    """Answers one after the other, the last for ever. Implements `checker.remote.Remote`."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def get(self, path: str, **_: Any) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    delete = get

    def post(self, path: str, body: bytes, media_type: str, **_: Any) -> Reply:
        return self.get(path)

    def get_many(self, paths: Sequence[str], **_: Any) -> Iterator[Reply]:
        return map(self.get, paths)


def problem(status: int, kind: str, *, after_s: int | None = None) -> Reply:
    body = json.dumps({"type": f"/problems/{kind}", "title": kind, "detail": f"it is {kind}", "next": "wait"}).encode()
    return Reply(status, body, "application/problem+json", retry_after_s=after_s)


READY = Reply(200, b'{"status": "ready", "images": 2, "log_size": 0, "index": []}', "application/json")


@pytest.mark.parametrize(
    ("replies", "waited"),
    [
        ([problem(503, "busy"), READY], [2.0]),
        ([problem(429, "rate-limited", after_s=7), problem(503, "busy"), READY], [7, 5.0]),
        ([READY], []),
    ],
    ids=["busy", "later", "at once"],
)
def test_a_busy_server_is_asked_again_when_it_said(replies: list[Reply], waited: list[float]) -> None:
    pauses: list[float] = []
    assert Client(Answers(*replies), pauses_s=(2.0, 5.0), pause=pauses.append).ready().images == 2
    assert pauses == waited


@pytest.mark.parametrize(
    ("reply", "waited"),
    [
        (problem(503, "busy"), [2.0, 5.0]),
        (problem(429, "rate-limited", after_s=7200), []),
        (problem(503, "corpus-empty"), []),
        (problem(422, "invalid-request"), []),
    ],
    ids=["busy", "a limit of the day", "nothing there", "wrong"],
)
def test_waiting_has_a_bound(reply: Reply, waited: list[float]) -> None:
    pauses: list[float] = []
    with pytest.raises(RemoteProblemError) as refused:
        Client(Answers(reply), pauses_s=(2.0, 5.0), pause=pauses.append).ready()
    assert (pauses, refused.value.retry_after_s) == (waited, reply.retry_after_s)


def test_what_a_server_says_stays_on_one_line_and_short() -> None:
    evil = json.dumps({"type": "/problems/busy", "detail": "\x1b]0;x\x07\nhibs: done" + "x" * 5000}).encode()
    with pytest.raises(RemoteProblemError) as refused:
        Client(Answers(Reply(500, evil, "")), name="photos.example").ready()
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1000


def test_to_make_one_asks_nobody() -> None:
    program = "from checker import Client; print(Client('http://127.0.0.1:9').requests)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_the_example_of_the_document_runs(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (CHECKOUT / "docs" / "api.md").read_text(), flags=re.DOTALL)
    (tmp_path / "photo.jpg").write_bytes((IMAGES / SEEN).read_bytes())
    monkeypatch.chdir(tmp_path)
    exec(example.replace("http://127.0.0.1:8000", address), {})
    assert capsys.readouterr().out.startswith("same {'phash256': 0")
    assert capsys.readouterr().err == ""
