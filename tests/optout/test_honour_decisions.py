"""What becomes of one picture, by the opt-outs that stand."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from feed_simulator import ALL, code, flipped, follow, opened, record, say
from hypothesis import given
from hypothesis import strategies as st

from checker.fingerprint import fingerprint_bytes
from checker.model import PHASH256, CodeKind, Fingerprint, Unreadable, UnreadableReason
from checker.optout.entry import EntryType, Evidence, OptOut
from checker.optout.feed import Feed, verify_feed
from checker.optout.honour import Action, Decision, OptOutTable, Reason, opt_out_table
from checker.optout.note import VerifierKey
from checker.settings import Settings

KEEP = (Action.KEEP, Reason.NONE)
DROP = (Action.DROP, Reason.NEAR_ENTRY)


def table_of(*opt_outs: OptOut) -> OptOutTable:
    """A table of these entries, 0, 1, 2, ..."""
    feed = Feed(
        origin="test.log",
        key=VerifierKey("test.log", bytes(32)),
        size=len(opt_outs),
        root=bytes(32),
        signed_at=datetime.fromisoformat("2026-11-22T14:03:00+00:00"),
        entries=dict(enumerate(opt_outs)),
    )
    return opt_out_table(feed, Settings())


def opt_out(*codes: Fingerprint, evidence: Evidence = Evidence.PICTURE) -> OptOut:
    """An opt-out of one picture a code."""
    return OptOut("4F7K-20M9", evidence, tuple((one,) for one in codes), ())


def what(decision: Decision) -> tuple[Action, Reason]:
    """The decision without its evidence."""
    return decision.action, decision.reason


@pytest.mark.parametrize(
    ("evidence", "distance_bits", "expected"),
    [
        (Evidence.PICTURE, 0, DROP),
        (Evidence.PICTURE, 31, DROP),
        (Evidence.PICTURE, 32, KEEP),
        (Evidence.HOST_FILE, 31, DROP),
        (Evidence.CODE, 0, DROP),
        (Evidence.CODE, 15, DROP),
        (Evidence.CODE, 16, (Action.REVIEW, Reason.CODES_DISAGREE)),
        (Evidence.CODE, 31, (Action.REVIEW, Reason.CODES_DISAGREE)),
        (Evidence.CODE, 32, KEEP),
    ],
)
def test_the_radius_is_31_bits_and_15_for_an_entry_made_from_a_code_alone(
    evidence: Evidence, distance_bits: int, expected: tuple[Action, Reason]
) -> None:
    decision = table_of(opt_out(code(1), evidence=evidence)).decide_codes([flipped(code(1), distance_bits)])
    assert what(decision) == expected


def test_a_decision_names_entry_kind_distance_and_feed_size() -> None:
    table = table_of(opt_out(code(1)), opt_out(code(2), code(3)))
    assert table.decide_codes([flipped(code(3), 7)]).to_dict() == {
        "hibs_decision": "drop",
        "hibs_reason": "near-entry",
        "hibs_entry": 1,
        "hibs_code": "phash256",
        "hibs_distance_bits": 7,
        "hibs_feed_size": 2,
    }
    assert table.decide_codes([code(4)]).to_dict() == {
        "hibs_decision": "keep",
        "hibs_reason": "none",
        "hibs_entry": None,
        "hibs_code": None,
        "hibs_distance_bits": None,
        "hibs_feed_size": 2,
    }


def test_an_entry_that_drops_wins_over_a_nearer_one_for_review() -> None:
    weak, strong = opt_out(flipped(code(1), 17), evidence=Evidence.CODE), opt_out(flipped(code(1), 31))
    decision = table_of(weak, strong).decide_codes([code(1)])
    assert (decision.action, decision.entry, decision.distance_bits) == (Action.DROP, 1, 31)


def test_of_equally_near_entries_the_oldest_is_named() -> None:
    assert table_of(opt_out(code(1)), opt_out(code(1))).decide_codes([code(1)]).entry == 0


def test_the_complement_of_a_code_is_as_far_away_as_can_be() -> None:
    opposite = Fingerprint(PHASH256, bytes(byte ^ 0xFF for byte in code(1).bits))
    assert what(table_of(opt_out(code(1))).decide_codes([opposite])) == KEEP


def test_an_empty_feed_keeps_what_it_could_compare() -> None:
    assert what(table_of().decide_codes([code(1)])) == KEEP


def test_entries_with_unknown_kinds_of_code_are_counted_as_not_compared() -> None:
    later = Fingerprint(CodeKind("sscd512", "1", 512), bytes(64))
    table = table_of(OptOut("4F7K-20M9", Evidence.PICTURE, ((later,),), ()), opt_out(code(1)))
    assert (table.opt_outs, table.not_compared) == (2, 1)
    assert what(table.decide_codes([later])) == (Action.NOT_CHECKED, Reason.UNREADABLE)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("white.png", (Action.REVIEW, Reason.PLAIN)),
        ("gradient-across.png", (Action.REVIEW, Reason.PLAIN)),
        ("cut-off.jpg", (Action.NOT_CHECKED, Reason.UNREADABLE)),
        ("claims-60000-px.png", (Action.NOT_CHECKED, Reason.UNREADABLE)),
        ("heic.jpg", (Action.NOT_CHECKED, Reason.UNREADABLE)),
        ("text.jpg", (Action.NOT_CHECKED, Reason.UNREADABLE)),
    ],
)
def test_what_cannot_be_told_apart_or_read_is_never_kept(
    images: Path, settings: Settings, name: str, expected: tuple[Action, Reason]
) -> None:
    picture = fingerprint_bytes((images.parent / "odd" / name).read_bytes(), settings)
    assert what(table_of(opt_out(code(1))).decide_picture(picture)) == expected


def test_a_file_that_is_no_picture_by_name_and_content_says_so() -> None:
    nothing = Unreadable(UnreadableReason.NOT_A_PICTURE, "")
    table = table_of()
    assert what(table.decide_picture(nothing, named_as_picture=False)) == (Action.NOT_CHECKED, Reason.NO_PICTURE)
    assert what(table.decide_picture(nothing, named_as_picture=True)) == (Action.NOT_CHECKED, Reason.UNREADABLE)


def test_withdrawn_and_erased_entries_do_not_count_and_disputed_ones_are_for_review(
    tmp_path: Path, now: datetime, settings: Settings
) -> None:
    later = now + timedelta(days=8)
    with opened(tmp_path / "data", now) as opt_outs:
        made = record(opt_outs, [code(seed) for seed in range(4)], now)
        opt_outs.withdraw(made[1].withdraw_code, now=now)
        opt_outs.erase(made[2].withdraw_code, now=now)
        say(opt_outs, EntryType.DISPUTE, 3, now)
    follow(tmp_path / "data", tmp_path / "feed", now)
    early = opt_out_table(verify_feed(tmp_path / "feed"), settings)
    assert what(early.decide_codes([code(1)])) == DROP, "a withdrawal takes effect after seven days"
    follow(tmp_path / "data", tmp_path / "feed", later)
    feed = verify_feed(tmp_path / "feed")
    table = opt_out_table(feed, settings)
    found = [what(table.decide_codes([code(seed)])) for seed in range(4)]
    assert found == [DROP, KEEP, KEEP, (Action.REVIEW, Reason.NEAR_ENTRY)]
    assert feed.counts() == {"opt-out": 3, "withdraw": 1, "dispute": 1, "erase": 1, "key": 0, "erased": 1}


def test_every_picture_of_an_opt_out_counts(tmp_path: Path, now: datetime, settings: Settings) -> None:
    with opened(tmp_path / "data", now) as opt_outs:
        opt_outs.record([[code(1)], [code(2)]], uses=ALL, evidence=Evidence.PICTURE, now=now)
    follow(tmp_path / "data", tmp_path / "feed", now)
    table = opt_out_table(verify_feed(tmp_path / "feed"), settings)
    assert [what(table.decide_codes([code(seed)])) for seed in (1, 2, 3)] == [DROP, DROP, KEEP]


@given(st.integers(0, 2**32), st.integers(0, 40))
def test_the_scan_finds_what_a_loop_over_all_entries_finds(seed: int, far: int) -> None:
    draw = random.Random(seed)
    entries = [Fingerprint(PHASH256, draw.randbytes(32)) for _ in range(20)]
    asked = flipped(draw.choice(entries), far)
    distances = [(int.from_bytes(one.bits) ^ int.from_bytes(asked.bits)).bit_count() for one in entries]
    decision = table_of(*(opt_out(one) for one in entries)).decide_codes([asked])
    assert decision.distance_bits == (min(distances) if min(distances) <= 31 else None)


def test_a_copy_saved_again_and_made_smaller_is_dropped_and_another_photo_kept(
    images: Path, settings: Settings
) -> None:
    from io import BytesIO

    from PIL import Image

    original = fingerprint_bytes((images / "chelsea.jpg").read_bytes(), settings)
    assert not isinstance(original, Unreadable)
    table = table_of(opt_out(*original.fingerprints))
    smaller = BytesIO()
    with Image.open(images / "chelsea.jpg") as image:
        image.resize((200, 133)).save(smaller, "JPEG", quality=50)
    assert what(table.decide_picture(fingerprint_bytes(smaller.getvalue(), settings))) == DROP
    assert what(table.decide_picture(fingerprint_bytes((images / "coffee.jpg").read_bytes(), settings))) == KEEP
