"""What a case keeps: whatever a server says, the report can be written; whenever it is killed, it goes on."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.client import Client
from checker.client.reports import read_report
from checker.documents import report_document
from checker.errors import InputError, RemoteError
from checker.evidence.answers import stored_answer
from checker.evidence.case import Case
from checker.evidence.case_page import case_page
from checker.evidence.document import Run, case_document
from checker.evidence.journal import Journal
from checker.evidence.manifest import ManifestRow
from checker.evidence.parquet import write_parquet
from checker.evidence.rows import write_csv
from checker.evidence.snapshot import Snapshot

COVERAGE = {"images": 2, "sources": 1, "newest": None, "checks": ["phash256"]}
PLACE = {
    "image_url": "https://blog.example/a.jpg",
    "page_url": None,
    "caption": None,
    "source": {"id": "1", "name": "Example-400M", "kind": "archive"},
    "locator": {"file": "part-00017", "row": 40211, "key": None},
    "first_seen": "2026-05-02T10:00:00Z",
    "last_seen": "2026-05-02T10:00:00Z",
    "verdict": {"train-ai": "deny"},
}
MATCH = {
    "handle": "Zm9v",
    "kind": "edited",
    "orientation": "mirrored",
    "crop": None,
    "stored_crop": [0.0, 0.0, 0.5, 1.0],
    "codes": {"phash256": 6},
    "codes_disagree": False,
    "expected_chance_matches": 3e-11,
    "where": "shown",
    "sightings": [PLACE],
}
REPORT = {"status": "checked", "reason": None, "coverage": COVERAGE, "matches": [MATCH], "more": 1}


class Nobody:
    """A server that is never asked."""


def test_an_answer_is_kept_without_handles_and_members_nobody_knows() -> None:
    kept = stored_answer(report_document(read_report(Client(Nobody()), json.dumps(REPORT).encode())))
    without = {name: value for name, value in MATCH.items() if name != "handle"}
    assert kept == {"status": "checked", "reason": None, "coverage": COVERAGE, "matches": [without]}


@given(st.data())
def test_an_answer_of_another_form_is_refused_or_can_be_written(data: st.DataObject) -> None:
    """Whatever one value of a server's answer is: no answer that was kept may stop the report at the end."""
    report = json.loads(json.dumps(REPORT))
    places = [report, report["coverage"], report["matches"][0], report["matches"][0]["sightings"][0]]
    places += [places[3]["source"], places[3]["locator"], places[3]["verdict"], places[2]["codes"]]
    place = data.draw(st.sampled_from(places))
    value = (
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.none(), max_size=4)
    )
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(
        value | st.dictionaries(st.text(max_size=3), st.none())
    )
    try:
        told = read_report(Client(Nobody()), json.dumps(report).encode())
    except RemoteError:
        return
    kept = stored_answer(report_document(told))
    row = ManifestRow(path="a.jpg", file=Path("a.jpg"))
    snapshot = Snapshot({"images_findable": 2, "sources": 1, "newest": None, "log": None}, None, ())
    run = Run(
        case=Case("2026-117", None),
        command=("hibs",),
        manifest_sha256=None,
        place={"kind": "server", "name": "http://127.0.0.1"},
        sent={"to": None, "photos": 1, "kinds": []},
        snapshot=snapshot,
        began=snapshot.id,
        tool_version="1",
        made_at=datetime(2026, 11, 22, tzinfo=UTC),
    )
    document = case_document(run, [row], [{"sha256": None, "codes": {}, "answer": kept}])
    assert write_csv(document).startswith(b"\xef\xbb\xbfcase,")
    assert case_page(document, signer=None).startswith(b"<!doctype html>")
    with tempfile.TemporaryDirectory() as folder:
        write_parquet(document, Path(folder) / "t.parquet")


# --- the journal -----------------------------------------------------------------------------------------------


def test_a_journal_that_was_cut_off_anywhere_goes_on_from_its_last_whole_line(tmp_path: Path) -> None:
    run, path = {"list": "4be1"}, tmp_path / "j"
    with Journal(path, run) as journal:
        journal.begin(run, {"snapshot": "c81e"})
        for number in range(3):
            journal.add(number, {"state": None, "answer": number})
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        kept = sum(len(b"".join(lines[: n + 1])) <= size for n in range(4))
        with Journal(path, run) as journal:
            assert sorted(journal.answers) == list(range(max(0, kept - 1)))
            assert journal.began == ({"snapshot": "c81e"} if kept else {})
            journal.begin(run, {"snapshot": "c81e"})
            journal.add(7, {"state": None, "answer": 7})
        with Journal(path, run) as journal:
            assert journal.answers[7] == {"state": None, "answer": 7}


def test_two_runs_never_write_one_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {}), pytest.raises(InputError, match="another run writes"):
        Journal(tmp_path / "j", {})


def test_the_last_that_is_known_of_a_row_counts(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {}) as journal:
        journal.begin({}, {"snapshot": "c81e"})
        for number in range(3):
            journal.add(number, {"state": 1, "answer": None})
        journal.add_list(0, rows=[0, 1, 2], job=None)
        journal.add_list(0, job="e3b0")
        journal.add(0, {"state": 1, "answer": "old"})
        journal.add(1, {"state": 1, "answer": "old"})
        journal.add(1, {"state": 2, "answer": None})
        told = journal.words(3)
    assert told == "1 of 3 photos are answered, 2 more are read, 1 list is sent"
    with Journal(tmp_path / "j", {}) as journal:
        assert journal.resumed
        assert journal.words(3) == told
        assert (sorted(journal.answers), sorted(journal.coded)) == ([0], [1, 2])
        journal.forget(lambda row, known: known["state"] == 2)
        journal.add_list(0, closed=True)
        assert journal.words(3) == "1 of 3 photos are answered, 1 more are read"


def test_a_journal_in_which_nothing_is_kept_does_not_stay(tmp_path: Path) -> None:
    with Journal(tmp_path / "j", {}) as journal:
        journal.begin({}, {"snapshot": "c81e"})
    assert not (tmp_path / "j").exists()
    with Journal(tmp_path / "j", {}) as journal:
        assert not journal.resumed
        journal.begin({}, {"snapshot": "c81e"})
        journal.add(0, {"state": None, "answer": None})
    assert (tmp_path / "j").exists()
