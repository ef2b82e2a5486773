"""Feeds and receipts as somebody would tamper with them; a second verifier says the same of each.

The first half is about feeds with two keys and with addresses, and about what a folder knew before; the second about
single entries and receipts, where every change is refused by both.
"""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import independent_verifier as second
import pytest
import typer
from feed_simulator import FeedServer, code, files_of, follow, make_log, opened, record, say
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from checker.commands import feed as feed_command
from checker.errors import VerificationError
from checker.model import Use
from checker.optout.entry import EntryType, Evidence, parse_entry
from checker.optout.feed import verify_feed
from checker.optout.feed_source import LocalFeed
from checker.optout.follow import sync
from checker.optout.receipt import verify_receipt

DASH = "\u2014"


def refused_by_both(feed: Path, now: datetime, part: str) -> str:
    """What the program says of a feed that neither of the two accepts."""
    with pytest.raises(second.RefusedError):
        second.verify(feed, now)
    with pytest.raises(VerificationError) as refused:
        verify_feed(feed)
    assert (refused.value.part, refused.value.exit_code) == (part, 4)
    return str(refused.value)


def with_broken_signature(note: str, number: int) -> str:
    """The note with one bit of one signature changed."""
    text, _, signatures = note.partition("\n\n")
    lines = signatures.splitlines()
    kept, last = lines[number][:-8], lines[number][-8:]
    lines[number] = kept + ("B" if last[0] == "A" else "A") + last[1:]
    return "\n".join([text, "", *lines, ""])


# --- two keys, addresses ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, datetime]:
    """Two folders of one log that changes its key: the first pinned the old key, the second the new one."""
    folder, now = tmp_path_factory.mktemp("keys"), datetime.fromisoformat("2026-11-22T14:03:00+00:00")
    with opened(folder / "data", now) as opt_outs:
        record(opt_outs, [code(0)], now)
        sync(folder / "old", FeedServer(opt_outs).source(), now=now)
        opt_outs.log.rotate(now)
        for name in ("old", "new"):
            sync(folder / name, FeedServer(opt_outs).source(), now=now)
    return folder / "old", folder / "new", now


@pytest.mark.parametrize("pinned", [0, 1])
def test_while_two_keys_sign_each_follower_asks_for_the_line_of_its_own(
    two_keys: tuple[Path, Path, datetime], tmp_path: Path, pinned: int
) -> None:
    feed, now = shutil.copytree(two_keys[pinned], tmp_path / "feed"), two_keys[2]
    note = (feed / "checkpoint").read_text()
    text, _, lines = note.partition("\n\n")
    own, other = lines.splitlines()[pinned], lines.splitlines()[1 - pinned]
    for accepted in (
        note,
        f"{text}\n\n{other}\n{own}\n",
        f"{text}\n\n{own}\n",
        with_broken_signature(note, 1 - pinned),
    ):
        (feed / "checkpoint").write_text(accepted)
        assert verify_feed(feed).size == second.verify(feed, now)["tree_size"] == 2
    for refused in (f"{text}\n\n{other}\n", with_broken_signature(note, pinned)):
        (feed / "checkpoint").write_text(refused)
        refused_by_both(feed, now, "checkpoint-signature")


@pytest.mark.parametrize("name", ["a\u00a0b", "a\u2028b", "\u3000", "a+b", "", "a b", "a\tb"])
def test_a_line_whose_name_no_key_can_have_makes_the_checkpoint_malformed(
    two_keys: tuple[Path, Path, datetime], tmp_path: Path, name: str
) -> None:
    """C2SP signed-note: a key's name is not empty and has no Unicode spaces or plus."""
    feed = shutil.copytree(two_keys[0], tmp_path / "feed")
    with (feed / "checkpoint").open("a") as file:
        file.write(f"{DASH} {name} AAAAAAAA\n")
    refused_by_both(feed, two_keys[2], "checkpoint-format")


def test_addresses_cannot_be_taken_out_of_an_opt_out(tmp_path: Path, now: datetime) -> None:
    with opened(tmp_path / "data", now) as opt_outs:
        opt_outs.record([], uses={Use.TDM}, evidence=Evidence.HOST_FILE, addresses=("example.org/a/",), now=now)
        sync(tmp_path / "feed", FeedServer(opt_outs).source(), now=now)
    line = json.loads((tmp_path / "feed/openings.ndjson").read_bytes())
    entry, salt = second.b64url(line["entry"]), second.b64url(line["salt"])
    without = entry.replace(b'"addresses":["example.org/a/"],', b"")
    assert without != entry
    for leaf in (line["leaf"], second.sha256(second.TAG, salt, without).hex()):
        changed = line | {"entry": base64url(without), "leaf": leaf}
        (tmp_path / "feed/openings.ndjson").write_bytes(canonical(changed) + b"\n")
        assert "leaf 0" in refused_by_both(tmp_path / "feed", now, "opening")


@pytest.mark.parametrize(
    "name", ["checkpoint", "state.json", "tile/0/000.p/2", "tile/entries/000.p/2", "openings.ndjson"]
)
def test_a_file_larger_than_the_memory_is_refused(
    two_keys: tuple[Path, Path, datetime], tmp_path: Path, name: str
) -> None:
    feed = shutil.copytree(two_keys[0], tmp_path / "feed")
    with (feed / name).open("r+b") as file:
        file.truncate(2**42)  # a hole: it takes no space
    with pytest.raises(VerificationError):
        verify_feed(feed)


def test_what_a_server_left_out_or_changed_is_named_with_leaf_and_server(tmp_path: Path, now: datetime) -> None:
    with opened(tmp_path / "data", now) as opt_outs:
        record(opt_outs, [code(0), code(1), code(2)], now)
        server = FeedServer(opt_outs)
        lines = list(opt_outs.log.openings(0, 3))
        for offered, words in (
            ([lines[0], lines[2]], "leaf 1: it has no opening"),
            ([lines[0], lines[1].replace(b'"salt":"', b'"salt":"A'), lines[2]], "leaf 1: an opening cannot be used"),
        ):
            server.changed = {"openings?from=0": b"".join(offered), "openings?from=3": b""}
            with pytest.raises(VerificationError, match=f"what http://feed.test offers does not hold, .*feed.*{words}"):
                sync(tmp_path / "feed", server.source(), now=now)


# --- what the folder knew --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [{"v": True}, {"v": 1.0}, {"synced_at": "yesterday"}, {"synced_at": "2026-13-01T00:00:00Z"}, {"source": 7}],
)
def test_a_state_file_of_another_form_pins_nothing(
    two_keys: tuple[Path, Path, datetime], tmp_path: Path, change: dict[str, object]
) -> None:
    feed = shutil.copytree(two_keys[0], tmp_path / "feed")
    state = json.loads((feed / "state.json").read_text())
    (feed / "state.json").write_text(json.dumps(state | change))
    refused_by_both(feed, two_keys[2], "state")


def forked(tmp_path: Path, now: datetime) -> tuple[Path, Path, Path]:
    """A log of 3 that somebody follows, the same with another third entry and a fourth, and as it was before both."""
    make_log(tmp_path / "before", now, 2)
    for name, seeds in (("data", [7]), ("fork", [8, 9])):
        shutil.copytree(tmp_path / "before", tmp_path / name)
        with opened(tmp_path / name, now) as opt_outs:
            record(opt_outs, [code(seed) for seed in seeds], now)
    return tmp_path / "data", tmp_path / "fork", tmp_path / "before"


def try_sync(data: Path, feed: Path, now: datetime) -> None:
    with opened(data, now) as opt_outs:
        sync(feed, LocalFeed(opt_outs.log, str(data)), now=now)


def test_a_folder_that_lost_its_state_file_takes_no_fork_for_a_first_sync(tmp_path: Path, now: datetime) -> None:
    data, fork, _ = forked(tmp_path, now)
    feed = tmp_path / "feed"
    try_sync(data, feed, now)
    (feed / "state.json").unlink()
    assert "state.json is missing" in refused_by_both(feed, now, "state")
    before = files_of(feed)
    with pytest.raises(VerificationError, match="fork"):
        try_sync(fork, feed, now)
    kept = files_of(feed)
    assert kept.pop("checkpoint.conflict") != before["checkpoint"]
    assert kept == before
    make_log(tmp_path / "another", now, 5)
    with pytest.raises(VerificationError, match="is not signed by"):
        try_sync(tmp_path / "another", feed, now)
    try_sync(data, feed, now)
    assert verify_feed(feed).size == second.verify(feed, now)["tree_size"] == 3


def test_verify_tells_of_the_proof_of_a_fork_in_both_of_its_forms(tmp_path: Path) -> None:
    now = datetime.now(UTC)  # the command goes by the real clock
    data, fork, _ = forked(tmp_path, now)
    feed = tmp_path / "feed"
    try_sync(data, feed, now)
    app = typer.Typer()
    app.command()(feed_command.verify)
    verify = partial(CliRunner().invoke, app)
    assert json.loads(verify([str(feed), "--json"]).stdout)["conflict"] is None
    with pytest.raises(VerificationError, match="fork"):
        try_sync(fork, feed, now)
    told = verify([str(feed), "--json"])
    assert (told.exit_code, json.loads(told.stdout)["conflict"]) == (0, str(feed / "checkpoint.conflict"))
    assert "checkpoint.conflict holds a checkpoint that a sync refused" in told.stderr
    assert told.stderr == verify([str(feed)]).stderr
    (feed / "checkpoint").write_bytes(b"")
    broken = verify([str(feed), "--json"])
    document = json.loads(broken.stdout)
    assert (broken.exit_code, document["verified"]) == (4, False)
    assert document["conflict"] == str(feed / "checkpoint.conflict")


def test_a_rollback_does_not_replace_the_proof_of_a_fork(tmp_path: Path, now: datetime) -> None:
    data, fork, before = forked(tmp_path, now)
    feed = tmp_path / "feed"
    try_sync(data, feed, now)
    with pytest.raises(VerificationError, match="rollback"):
        try_sync(before, feed, now)
    assert (feed / "checkpoint.conflict").read_bytes().split(b"\n")[1] == b"2"
    with pytest.raises(VerificationError, match="fork"):
        try_sync(fork, feed, now)
    with pytest.raises(VerificationError, match="rollback"):
        try_sync(before, feed, now)
    assert (feed / "checkpoint.conflict").read_bytes().split(b"\n")[1] == b"4"


def test_an_erase_entry_counts_only_while_its_own_opening_is_there(tmp_path: Path, now: datetime) -> None:
    """Else a server that erased the erasure as well could leave out whom it likes."""
    with opened(tmp_path / "data", now) as opt_outs:
        regretted = record(opt_outs, [code(0), code(1)], now)[0]
        opt_outs.erase(regretted.withdraw_code, now=now)
        follow(tmp_path / "data", tmp_path / "feed", now)
        say(opt_outs, EntryType.ERASE, 2, now)
        with pytest.raises(VerificationError, match="leaf 0: it has no opening"):
            sync(tmp_path / "feed", FeedServer(opt_outs).source(), now=now)
    openings = tmp_path / "feed/openings.ndjson"
    lines = openings.read_bytes().splitlines(keepends=True)
    openings.write_bytes(b"".join(line for line in lines if b'"index":2,' not in line))
    assert "leaf 0: it has no opening" in refused_by_both(tmp_path / "feed", now, "omission")


# --- entries and receipts --------------------------------------------------------------------------------------

OPT_OUT = {
    "payload": {
        "addresses": ["a.example/", "a.example:8443/b%2F"],
        "evidence": "host-file",
        "number": "4F7K-20M9",
        "pictures": [[{"hex": "bb2483cc209e37f2", "kind": "phash256", "version": "1"}]],
        "uses": ["tdm", "train-ai"],
    },
    "type": "opt-out",
    "v": 2,
}
OTHER = {"payload": {"index": 3}, "type": "withdraw", "v": 1}
VALUES: st.SearchStrategy[object] = st.one_of(
    st.integers(-1, 5),
    st.sampled_from(["", "a", "tdm", "erase", "picture", "4F7K-20M9", "a.example/../b", "bb2483cc209e37", True, None]),
    st.sampled_from([1.0, [], {}, ["tdm"], [[]], [["tdm"]], [1], {"index": 0}, 2**53]),
)


@settings(max_examples=300)
@given(st.data())
def test_both_read_the_same_entries(data: st.DataObject) -> None:
    """An entry in which one value, anywhere, is replaced or removed, or a member is added."""
    document: object = json.loads(json.dumps(data.draw(st.sampled_from([OPT_OUT, OTHER]))))
    place, whole = document, document
    while isinstance(place, dict | list) and place:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else list(range(len(place)))))
        below = place[key]
        if not isinstance(below, dict | list) or not below or data.draw(st.integers(0, 3)) == 0:
            change = data.draw(st.sampled_from(["replace", "remove", "add"]))
            if change == "remove":
                del place[key]
            elif isinstance(place, dict):
                place["other" if change == "add" else key] = data.draw(VALUES)
            else:
                place[key : key + (change == "replace")] = [data.draw(VALUES)]
            break
        place = below
    entry = canonical(whole)
    assert here(lambda: parse_entry(entry)) == there(lambda: second.check_entry(entry, 9))


@pytest.fixture(scope="module")
def receipt(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Of the last of five entries."""
    now = datetime.fromisoformat("2026-11-22T14:03:00+00:00")
    with opened(tmp_path_factory.mktemp("receipt") / "data", now) as opt_outs:
        made = record(opt_outs, [code(seed) for seed in range(5)], now)
        assert made[4].receipt is not None
        return made[4].receipt.to_bytes()


def test_both_accept_the_receipt_and_ask_for_the_same_key(receipt: bytes) -> None:
    document = json.loads(receipt)
    assert second.verify_receipt(receipt, document["key"])["tree_size"] == 5
    verify_receipt(receipt, key=document["key"])
    assert not there(lambda: second.verify_receipt(receipt, "another key"))


@settings(max_examples=300)
@given(st.data())
def test_both_refuse_a_receipt_with_one_bit_changed(receipt: bytes, data: st.DataObject) -> None:
    changed = bytearray(receipt)
    changed[data.draw(st.integers(0, len(receipt) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert not here(lambda: verify_receipt(bytes(changed)))
    assert not there(lambda: second.verify_receipt(bytes(changed)))


@settings(max_examples=200)
@given(st.data())
def test_both_refuse_a_receipt_with_another_value(receipt: bytes, data: st.DataObject) -> None:
    document = json.loads(receipt)
    name, value = data.draw(st.sampled_from(sorted(document))), data.draw(VALUES)
    if value == document[name]:
        return
    changed = json.dumps(document | {name: value}, indent=2).encode() + b"\n"
    assert not here(lambda: verify_receipt(changed))
    assert not there(lambda: second.verify_receipt(changed))


def here(read: Callable[[], object]) -> bool:
    try:
        read()
    except VerificationError:
        return False
    return True


def there(read: Callable[[], object]) -> bool:
    try:
        read()
    except second.RefusedError:
        return False
    return True


def canonical(document: object) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
