"""What a person decides about held and disputed requests, and what followers learn of it."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from feed_simulator import follow
from hypothesis import example, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from optout_collection import collect, phash, picture, visit
from typer.testing import CliRunner, Result

from checker.commands import optout
from checker.errors import CheckerError, InputError
from checker.model import PHASH256, Use
from checker.optout.entry import Evidence
from checker.optout.feed import verify_feed
from checker.optout.receipt import verify_receipt
from checker.optout.request import MOVES, OptOuts, Recorded, State
from checker.optout.review import dispute, refuse, release, waiting
from checker.records.registry import HIDING_STATES
from checker.settings import Settings

LOGO = phash(1)


@pytest.fixture
def opt_outs(tmp_path: Path, now: datetime) -> Iterator[OptOuts]:
    with OptOuts.open(tmp_path / "data", Settings(), now=now) as opened:
        yield opened


def record(opt_outs: OptOuts, now: datetime, *, hold: str | None = None, seed: int = 1) -> Recorded:
    return opt_outs.record([[phash(seed)]], uses=[Use.TDM], evidence=Evidence.PICTURE, now=now, hold=hold)


# --- held ------------------------------------------------------------------------------------------------------


def test_a_held_request_that_is_released_gets_its_entry_and_its_receipt(opt_outs: OptOuts, now: datetime) -> None:
    other = record(opt_outs, now, seed=2)
    held = record(opt_outs, now, hold="it is near much")
    assert (held.held, held.receipt) == (True, None)
    with pytest.raises(InputError, match="a person has not released it yet"):
        opt_outs.receipt(held.withdraw_code, now=now)
    (waits,) = waiting(opt_outs, now=now)
    assert (waits.status.number, waits.status.reason, waits.images, waits.hosts) == (
        *(held.number, "it is near much"),
        *(0, 0),
    )
    later = now + timedelta(days=2)
    released = release(opt_outs, held.number.lower().replace("-", ""), now=later)
    assert (released.state, released.index, released.reason) == (State.RECORDED, 1, None)
    assert waiting(opt_outs, now=later) == ()
    receipt = opt_outs.receipt(held.withdraw_code, now=later)
    said = verify_receipt(receipt.to_bytes(), key=opt_outs.log.vkey).opt_out
    assert (said.number, said.pictures, said.uses) == (held.number, ((LOGO,),), (Use.TDM,))
    assert opt_outs.receipt(other.withdraw_code, now=later).leaf == other.receipt.leaf


def test_a_held_request_that_is_refused_leaves_only_its_reason(
    opt_outs: OptOuts, tmp_path: Path, now: datetime
) -> None:
    held = record(opt_outs, now, hold="it is near much")
    refused = refuse(opt_outs, held.number, reason="  a logo\nof a company ", now=now)
    assert (refused.state, refused.index, refused.reason) == (State.ERASED, None, "refused: a logo of a company")
    assert opt_outs.log.size == 0
    assert opt_outs.registry.hidden_codes(PHASH256) == ()
    assert opt_outs.status(None, held.withdraw_code, now=now).reason == "refused: a logo of a company"
    opt_outs.close()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").iterdir())
    assert LOGO.bits not in stored


def test_a_held_request_can_be_withdrawn_and_no_follower_ever_knew(opt_outs: OptOuts, now: datetime) -> None:
    held = record(opt_outs, now, hold="it is near much")
    assert opt_outs.withdraw(held.withdraw_code, now=now).state is State.WITHDRAWING
    assert opt_outs.settle(now + timedelta(days=7)) == 1
    assert opt_outs.status(held.number, None, now=now).state is State.WITHDRAWN
    assert opt_outs.log.size == 0


# --- disputed --------------------------------------------------------------------------------------------------


def test_followers_learn_of_a_dispute_and_that_it_was_taken_back(
    opt_outs: OptOuts, tmp_path: Path, now: datetime
) -> None:
    recorded = record(opt_outs, now)
    kept = record(opt_outs, now, seed=2)
    found = dispute(opt_outs, recorded.number, reason="the photographer says it is hers", now=now)
    assert (found.state, found.reason) == (State.DISPUTED, "the photographer says it is hers")
    data, feed = tmp_path / "data", tmp_path / "feed"
    follow(data, feed, now)
    assert verify_feed(feed).disputed == {0}
    assert opt_outs.registry.hidden_codes(PHASH256)[0] == LOGO.bits, "it goes on hiding here"

    assert release(opt_outs, recorded.number, now=now).state is State.RECORDED
    follow(data, feed, now)
    cleared = verify_feed(feed)
    assert (cleared.disputed, cleared.size) == (frozenset(), 4)
    assert 0 not in cleared.ended, "the opt-out itself stands"
    assert verify_receipt(recorded.receipt_bytes, key=opt_outs.log.vkey)
    assert verify_receipt(opt_outs.receipt(kept.withdraw_code, now=now).to_bytes(), key=opt_outs.log.vkey)

    dispute(opt_outs, recorded.number, reason="once more", now=now)
    follow(data, feed, now)
    assert verify_feed(feed).disputed == {0}


def test_a_dispute_that_is_upheld_ends_the_opt_out(opt_outs: OptOuts, tmp_path: Path, now: datetime) -> None:
    recorded = record(opt_outs, now)
    dispute(opt_outs, recorded.number, reason="it is hers", now=now)
    refused = refuse(opt_outs, recorded.number, reason="it is hers", now=now)
    assert (refused.state, refused.index, refused.reason) == (State.ERASED, 0, "refused: it is hers")
    follow(tmp_path / "data", tmp_path / "feed", now)
    assert 0 in verify_feed(tmp_path / "feed").ended
    assert verify_receipt(recorded.receipt_bytes, key=opt_outs.log.vkey)


def test_withdrawing_what_is_held_takes_no_decision_away(opt_outs: OptOuts, now: datetime) -> None:
    held, recorded = record(opt_outs, now, hold="it is near much"), record(opt_outs, now, seed=2)
    for made in (held, recorded):
        opt_outs.withdraw(made.withdraw_code, now=now)
    (waits,) = waiting(opt_outs, now=now)
    assert (waits.status.number, waits.status.state) == (held.number, State.WITHDRAWING)
    assert LOGO.bits in opt_outs.registry.hidden_codes(PHASH256), "it hides for seven days more"
    with pytest.raises(InputError, match="is withdrawing; only what is held or disputed"):
        release(opt_outs, held.number, now=now)
    assert refuse(opt_outs, held.number, reason="a logo", now=now).state is State.ERASED
    assert LOGO.bits not in opt_outs.registry.hidden_codes(PHASH256)
    assert waiting(opt_outs, now=now) == ()


def test_what_is_not_waiting_is_not_decided_about(opt_outs: OptOuts, now: datetime) -> None:
    recorded = record(opt_outs, now)
    for decide in (release, lambda *given, now: refuse(*given, reason="no", now=now)):
        with pytest.raises(InputError, match="is recorded; only what is held or disputed"):
            decide(opt_outs, recorded.number, now=now)
        with pytest.raises(InputError, match="no opt-out of this number"):
            decide(opt_outs, "0000-0000", now=now)
    held = record(opt_outs, now, hold="much", seed=2)
    with pytest.raises(InputError, match="only a recorded one can be disputed"):
        dispute(opt_outs, held.number, reason="no", now=now)
    for reason in ("", " \n", "a" * 501):
        with pytest.raises(InputError, match="a reason has 1 to 500 letters"):
            refuse(opt_outs, held.number, reason=reason, now=now)
    assert opt_outs.log.size == 1


# --- every pair of states --------------------------------------------------------------------------------------

Act = Callable[[OptOuts, Recorded, datetime], object]
ACTS: dict[str, Act] = {
    "release": lambda opt_outs, made, now: release(opt_outs, made.number, now=now),
    "refuse": lambda opt_outs, made, now: refuse(opt_outs, made.number, reason="no", now=now),
    "dispute": lambda opt_outs, made, now: dispute(opt_outs, made.number, reason="hers", now=now),
    "withdraw": lambda opt_outs, made, now: opt_outs.withdraw(made.withdraw_code, now=now),
    "settle": lambda opt_outs, made, now: opt_outs.settle(now + timedelta(days=8)),
    "erase": lambda opt_outs, made, now: opt_outs.erase(made.withdraw_code, now=now),
}
LEADS_TO = {
    ("held", "release"): "recorded",
    ("held", "refuse"): "erased",
    ("held", "withdraw"): "withdrawing",
    ("held", "erase"): "erased",
    ("recorded", "dispute"): "disputed",
    ("recorded", "withdraw"): "withdrawing",
    ("recorded", "erase"): "erased",
    ("disputed", "release"): "recorded",
    ("disputed", "refuse"): "erased",
    ("disputed", "withdraw"): "withdrawing",
    ("disputed", "erase"): "erased",
    ("withdrawing", "settle"): "withdrawn",
    ("withdrawing", "refuse"): "erased",
    ("withdrawing", "erase"): "erased",
    ("withdrawn", "erase"): "erased",
}
"""What each act does to a request in each state; a pair that is not here changes nothing."""
PATHS = {
    "held": (),
    "recorded": ("release",),
    "disputed": ("release", "dispute"),
    "withdrawing": ("release", "withdraw"),
    "withdrawn": ("release", "withdraw", "settle"),
    "erased": ("erase",),
}


def act(opt_outs: OptOuts, made: Recorded, name: str, now: datetime) -> None:
    with contextlib.suppress(InputError):  # refused: the state says whether anything moved
        ACTS[name](opt_outs, made, now)


def state_of(opt_outs: OptOuts, made: Recorded) -> str:
    row = opt_outs.registry.opt_out(made.number)
    assert row is not None
    return row.state


@pytest.mark.parametrize("name", ACTS)
@pytest.mark.parametrize("state", PATHS)
def test_every_act_in_every_state_moves_as_the_table_says(
    opt_outs: OptOuts, now: datetime, state: str, name: str
) -> None:
    made = record(opt_outs, now, hold="much")
    for step in PATHS[state]:
        act(opt_outs, made, step, now)
    assert state_of(opt_outs, made) == state
    act(opt_outs, made, name, now)
    after = LEADS_TO.get((state, name), state)
    assert state_of(opt_outs, made) == after
    assert after == state or State(after) in MOVES[State(state)]


def test_every_move_of_the_table_is_made_by_some_act() -> None:
    made = {(State(state), State(after)) for (state, _), after in LEADS_TO.items()}
    assert made == {(state, after) for state, moves in MOVES.items() for after in moves}


@examples(max_examples=12)
@given(steps=st.lists(st.sampled_from(sorted(ACTS)), max_size=7), hold=st.booleans())
@example(steps=["release", "dispute", "release", "dispute", "refuse"], hold=True)
def test_whatever_happens_the_feed_verifies_and_hiding_goes_with_the_state(steps: list[str], hold: bool) -> None:
    now = datetime.fromisoformat("2026-11-22T14:03:00+00:00")
    with tempfile.TemporaryDirectory() as place, OptOuts.open(Path(place) / "data", Settings(), now=now) as opt_outs:
        made = record(opt_outs, now, hold="much" if hold else None)
        for step in steps:
            size = opt_outs.log.size
            act(opt_outs, made, step, now)
            assert opt_outs.log.size >= size
            hides = opt_outs.registry.hidden_codes(PHASH256) == (LOGO.bits,)
            assert hides is (state_of(opt_outs, made) in HIDING_STATES)
        follow(Path(place) / "data", Path(place) / "feed", now)
        assert verify_feed(Path(place) / "feed").size == opt_outs.log.size


# --- the command -----------------------------------------------------------------------------------------------


def run(*arguments: object) -> Result:
    return CliRunner().invoke(optout.app, [str(argument) for argument in arguments])


def test_whoever_runs_the_registry_reviews_by_command(tmp_path: Path, images: Path) -> None:
    data = tmp_path / "data"
    codes = tmp_path / "codes.ndjson"
    line = {
        "path": "logo.png", "status": "ok", "width": 640, "height": 480, "format": "PNG", "sha256": "ab" * 32,
        "codes": {"phash256": {"version": "1", "hex": LOGO.hex}}, "plain": False,
    }  # fmt: skip
    codes.write_text(json.dumps(line) + "\n")
    collect(data, [visit(f"https://shop{n}.example/logo.png", picture(n, LOGO)) for n in range(60)])
    added = run("add", "--codes", codes, "--data", data, "--out", tmp_path / "papers", "--json")
    assert added.exit_code == 0, added.stderr
    answer = json.loads(added.stdout)
    number, withdraw = answer["number"], answer["withdraw"]
    assert (answer["receipt"], answer["page"], answer["held"]) == (None, None, True)
    assert [path.name for path in (tmp_path / "papers").iterdir()] == [f"{number}.withdraw.txt"]

    listed = run("review", "--data", data).stdout
    assert f"{number}  held" in listed
    assert "near     60 pictures on 60 hosts" in listed
    (request,) = json.loads(run("review", "--data", data, "--json").stdout)["requests"]
    assert (request["images_near"], request["hosts_near"]) == (60, 60)
    status = run("status", withdraw, "--data", data).stdout
    assert "A person looks at it before others are told." in status
    assert "reason    it is near 60 pictures" in status

    early = run("receipt", withdraw, "--data", data, "--out", tmp_path / "papers")
    assert (early.exit_code, early.stdout) == (2, "")
    assert "released" in early.stderr
    assert "recorded" in run("review", "release", number, "--data", data).stdout
    assert "Nothing waits" in run("review", "--data", data).stdout
    written = json.loads(run("receipt", withdraw, "--data", data, "--out", tmp_path / "papers", "--json").stdout)
    assert run("verify", written["receipt"], "--data", data).exit_code == 0
    assert number in Path(written["page"]).read_text()

    assert "disputed" in run("dispute", number, "--reason", "it is ours", "--data", data).stdout
    refused = run("review", "refuse", number, "--reason", "a company's logo", "--data", data, "--json")
    assert json.loads(refused.stdout)["reason"] == "refused: a company's logo"


@pytest.mark.parametrize(
    "arguments",
    [
        ("review",),
        ("review", "--data", "NONE"),
        ("review", "--data", "NONE", "release", "4F7K-20M9", "--data", "NONE"),
        ("review", "release", "4F7K-20M9", "--data", "NONE"),
        ("dispute", "4F7K-20M9", "--reason", "no", "--data", "NONE"),
    ],
)
def test_wrong_use_gets_one_sentence_and_exit_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    refused = run(*(tmp_path / "none" if argument == "NONE" else argument for argument in arguments))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("hibs: ")
    assert not (tmp_path / "none").exists()


def test_two_who_decide_at_once_decide_once(opt_outs: OptOuts, tmp_path: Path, now: datetime) -> None:
    held = record(opt_outs, now, hold="much")
    row = opt_outs.registry.opt_out(held.number)
    assert row is not None
    with OptOuts.open(tmp_path / "data", Settings(), now=now) as other:
        release(other, held.number, now=now)
    assert not opt_outs.end(row, now=now, reason="refused: too late")
    assert state_of(opt_outs, held) == "recorded"
    with pytest.raises(CheckerError, match="only what is held or disputed"):
        release(opt_outs, held.number, now=now)
