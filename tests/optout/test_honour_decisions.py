"""What becomes of one picture, by the opt-outs that stand."""

from __future__ import annotations

import random
from collections.abc import Collection
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from feed_simulator import ALL, code, flipped, follow, opened, record, say
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from checker.fingerprint import fingerprint_bytes
from checker.fingerprint.cosine import turned_bits
from checker.model import PHASH256, CodeKind, Fingerprint, Unreadable, UnreadableReason
from checker.optout import honour
from checker.optout.entry import EntryType, Evidence, OptOut
from checker.optout.feed import Feed, verify_feed
from checker.optout.honour import Action, Decision, OptOutTable, Reason, read_table
from checker.optout.note import VerifierKey
from checker.optout.table import OptOutRows
from checker.settings import Settings

KEEP = (Action.KEEP, Reason.NONE)
DROP = (Action.DROP, Reason.NEAR_ENTRY)


def table_of(*opt_outs: OptOut, disputed: Collection[int] = ()) -> OptOutTable:
    """A table of these entries, 0, 1, 2, ..."""
    rows = OptOutRows()
    for index, opt_out in enumerate(opt_outs):
        rows(index, opt_out)
    feed = Feed(
        folder=Path(),
        origin="test.log",
        key=VerifierKey("test.log", bytes(32)),
        size=len(opt_outs),
        root=bytes(32),
        signed_at=datetime.fromisoformat("2026-11-22T14:03:00+00:00"),
        withdrawn=frozenset(),
        erased=frozenset(),
        disputed=frozenset(disputed),
        tally={EntryType.OPT_OUT: len(opt_outs)},
    )
    return honour.table_of(feed, rows, Settings())


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
    early = read_table(tmp_path / "feed", settings)
    assert what(early.decide_codes([code(1)])) == DROP, "a withdrawal takes effect after seven days"
    follow(tmp_path / "data", tmp_path / "feed", later)
    feed = verify_feed(tmp_path / "feed")
    table = read_table(tmp_path / "feed", settings)
    found = [what(table.decide_codes([code(seed)])) for seed in range(4)]
    assert found == [DROP, KEEP, KEEP, (Action.REVIEW, Reason.NEAR_ENTRY)]
    assert feed.counts() == {"opt-out": 3, "withdraw": 1, "dispute": 1, "erase": 1, "key": 0, "erased": 1}


def test_every_picture_of_an_opt_out_counts(tmp_path: Path, now: datetime, settings: Settings) -> None:
    with opened(tmp_path / "data", now) as opt_outs:
        opt_outs.record([[code(1)], [code(2)]], uses=ALL, evidence=Evidence.PICTURE, now=now)
    follow(tmp_path / "data", tmp_path / "feed", now)
    table = read_table(tmp_path / "feed", settings)
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
    original = fingerprint_bytes((images / "chelsea.jpg").read_bytes(), settings)
    assert not isinstance(original, Unreadable)
    table = table_of(opt_out(*original.fingerprints))
    smaller = BytesIO()
    with Image.open(images / "chelsea.jpg") as image:
        image.resize((200, 133)).save(smaller, "JPEG", quality=50)
    assert what(table.decide_picture(fingerprint_bytes(smaller.getvalue(), settings))) == DROP
    assert what(table.decide_picture(fingerprint_bytes((images / "coffee.jpg").read_bytes(), settings))) == KEEP


# --- turned ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "turn", [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90, Image.Transpose.TRANSVERSE]
)
def test_who_says_no_to_a_photo_says_no_to_its_mirror_image(
    images: Path, settings: Settings, turn: Image.Transpose
) -> None:
    original = fingerprint_bytes((images / "chelsea.jpg").read_bytes(), settings)
    assert not isinstance(original, Unreadable)
    table = table_of(opt_out(*original.fingerprints))
    for name, expected in (("chelsea.jpg", DROP), ("coffee.jpg", KEEP)):
        copy = BytesIO()
        with Image.open(images / name) as image:
            image.transpose(turn).save(copy, "JPEG", quality=80)
        assert what(table.decide_picture(fingerprint_bytes(copy.getvalue(), settings))) == expected


def test_a_forged_code_gets_no_further_by_lying_turned() -> None:
    mirrored = Fingerprint(PHASH256, turned_bits(flipped(code(1), 16).bits)[4])
    assert mirrored != flipped(code(1), 16)
    decision = table_of(opt_out(code(1), evidence=Evidence.CODE)).decide_codes([mirrored])
    assert (*what(decision), decision.distance_bits) == (Action.REVIEW, Reason.CODES_DISAGREE, 16)


# --- many ------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 40)), max_size=12), st.sets(st.integers(0, 5)))
def test_many_codes_are_decided_as_one_by_one(asked: list[tuple[int, int]], disputed: set[int]) -> None:
    kinds = (Evidence.PICTURE, Evidence.CODE)
    table = table_of(*(opt_out(code(n // 2), evidence=kinds[n % 2]) for n in range(6)), disputed=disputed)
    codes = [flipped(code(seed), far) for seed, far in asked]
    many = table.decide_codes_many(np.frombuffer(b"".join(one.bits for one in codes), dtype=np.uint64).reshape(-1, 4))
    one_by_one = [table.decide_codes([one]) for one in codes]
    assert list(many) == one_by_one
    assert many.counts() == {action: sum(one.action is action for one in one_by_one) for action in Action}


# --- addresses -------------------------------------------------------------------------------------------------


def of_addresses(*addresses: str) -> OptOut:
    """An opt-out of addresses alone."""
    return OptOut("4F7K-20M9", Evidence.HOST_FILE, (), (), addresses)


@pytest.mark.parametrize(
    ("url", "entry"),
    [
        ("https://example.org/photos/a.jpg", 0),
        ("http://EXAMPLE.org:80/photos/a.jpg?w=200#x", 0),
        ("https://example.org/photosynthesis.jpg", None),
        ("https://example.org/", None),
        ("https://www.example.org/photos/a.jpg", None),
        ("https://example.net/whatever/a.jpg", 1),
        ("https://example.net:8443/a.jpg", None),
        ("not an address", None),
        ("data:image/png;base64,AAAA", None),
        ("", None),
    ],
)
def test_an_address_entry_drops_what_lies_below_it(url: str, entry: int | None) -> None:
    decision = table_of(of_addresses("example.org/photos"), of_addresses("example.net/")).decide_address(url)
    expected = None if entry is None else Decision(Action.DROP, Reason.ADDRESS_ENTRY, 2, entry)
    assert decision == expected


def test_of_several_addresses_one_that_nobody_disputes_decides() -> None:
    entries = of_addresses("example.org/"), of_addresses("example.org/a/"), of_addresses("example.org/b/")
    table = table_of(*entries, disputed={0})
    found = [table.decide_address(f"https://example.org{path}") for path in ("/x.jpg", "/a/x.jpg")]
    assert [(one.action, one.reason, one.entry) for one in found if one] == [
        (Action.REVIEW, Reason.ADDRESS_ENTRY, 0),
        (Action.DROP, Reason.ADDRESS_ENTRY, 1),
    ]


# --- the second code -------------------------------------------------------------------------------------------

MODEL = CodeKind("sscd512", "1-0123456789ab", 512)
"""Of no model that there is a background of: further apart than 147 bits lies the bulk."""


def sscd(bits_set: int) -> Fingerprint:
    """A code that is `bits_set` bits from `sscd(0)`."""
    return Fingerprint(MODEL, ((1 << bits_set) - 1).to_bytes(64))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (sscd(0), DROP),
        (sscd(140), DROP),
        (sscd(160), (Action.REVIEW, Reason.CODES_DISAGREE)),
        (Fingerprint(CodeKind("sscd512", "1-another", 512), sscd(400).bits), DROP),
    ],
)
def test_a_near_code_that_the_second_code_contradicts_is_for_review(
    asked: Fingerprint, expected: tuple[Action, Reason]
) -> None:
    table = table_of(OptOut("4F7K-20M9", Evidence.PICTURE, ((code(1), sscd(0)),), ()))
    decision = table.decide_codes([flipped(code(1), 5), asked])
    assert (*what(decision), decision.entry, decision.distance_bits) == (*expected, 0, 5)


def test_the_second_code_says_nothing_against_a_turned_copy_nor_finds_one_alone() -> None:
    table = table_of(OptOut("4F7K-20M9", Evidence.PICTURE, ((code(1), sscd(0)),), ()))
    mirrored = Fingerprint(PHASH256, turned_bits(code(1).bits)[4])
    assert what(table.decide_codes([mirrored, sscd(400)])) == DROP
    assert what(table.decide_codes([code(2), sscd(0)])) == KEEP


def test_another_entry_that_the_second_code_confirms_still_drops() -> None:
    entries = [OptOut("4F7K-20M9", Evidence.PICTURE, ((flipped(code(1), far), sscd(off)),), ()) for far, off in PAIRS]
    decision = table_of(*entries).decide_codes([code(1), sscd(0)])
    assert (*what(decision), decision.entry, decision.distance_bits) == (*DROP, 2, 9)


PAIRS = ((2, 400), (4, 300), (9, 20), (12, 0))
"""How far each entry's two codes lie off."""
