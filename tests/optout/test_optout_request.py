"""What became of a request: gates, states, withdrawal by the clock, erasure, and no oracle."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from registry_child import code

from checker.errors import DataError, InputError, NotACodeError
from checker.model import PHASH256, CodeKind, Fingerprint, Use, Variant
from checker.optout.entry import EntryType, Evidence, Reference, parse_entry, parse_opening
from checker.optout.receipt import verify_receipt
from checker.optout.request import MOVES, OptOuts, Recorded, State
from checker.optout.tokens import read_number, read_withdraw_code
from checker.records.registry import HIDING_STATES
from checker.settings import Settings

CODES = [code(random.Random(seed)) for seed in range(4)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def opt_outs(folder: Path, settings: Settings, now: datetime) -> Iterator[OptOuts]:
    with OptOuts.open(folder, settings, now=now) as opened:
        yield opened


def record(opt_outs: OptOuts, *codes: Fingerprint, now: datetime) -> Recorded:
    return opt_outs.record([[one] for one in codes], uses=[Use.TRAIN_AI], evidence=Evidence.PICTURE, now=now)


def test_a_receipt_verifies_and_says_what_was_asked(opt_outs: OptOuts, now: datetime) -> None:
    recorded = opt_outs.record([[CODES[0]], [CODES[1]]], uses=[Use.TDM, Use.INDEX], evidence=Evidence.CODE, now=now)
    held = verify_receipt(recorded.receipt_bytes, key=opt_outs.log.vkey)
    assert held.opt_out.pictures == ((CODES[0],), (CODES[1],))
    assert held.opt_out.uses == (Use.INDEX, Use.TDM)
    assert held.opt_out.evidence is Evidence.CODE
    assert not recorded.held
    assert opt_outs.registry.hidden_codes(PHASH256) == (CODES[0].bits, CODES[1].bits)


def test_all_stands_for_the_five_uses(opt_outs: OptOuts, now: datetime) -> None:
    recorded = opt_outs.record([[CODES[0]]], uses=[Use.ALL], evidence=Evidence.PICTURE, now=now)
    assert recorded.receipt.opt_out().uses == (Use.INDEX, Use.SEARCH, Use.TDM, Use.TRAIN_AI, Use.TRAIN_GENAI)


@pytest.mark.parametrize(
    "bits",
    [
        bytes(32),
        b"\xff" * 32,
        ((1 << 127) - 1).to_bytes(32),
        ((1 << 129) - 1).to_bytes(32),
        ((1 << 120) - 1).to_bytes(32),
    ],
)
def test_bits_that_no_picture_has_are_refused_and_nothing_is_recorded(
    opt_outs: OptOuts, now: datetime, bits: bytes
) -> None:
    with pytest.raises(NotACodeError, match="a real one has 128"):
        record(opt_outs, CODES[0], Fingerprint(kind=PHASH256, bits=bits), now=now)
    assert opt_outs.registry.log_size() == 0


def test_what_is_missing_or_unknown_is_refused(opt_outs: OptOuts, now: datetime) -> None:
    other = Fingerprint(kind=CodeKind(name="other", version="1", bits=64), bits=bytes(8))
    asked = {"uses": [Use.ALL], "evidence": Evidence.CODE, "now": now}
    for pictures in ([], [[]], [[other]], [[CODES[0], other]]):
        with pytest.raises(InputError):
            opt_outs.record(pictures, **asked)
    with pytest.raises(InputError, match="no use is named"):
        opt_outs.record([[CODES[0]]], **{**asked, "uses": []})
    with pytest.raises(InputError, match="more than one opt-out can hold"):
        opt_outs.record([[CODES[0]]] * 12_000, **asked)
    assert opt_outs.registry.log_size() == 0


def test_an_entry_names_the_whole_picture_by_both_kinds_of_code(opt_outs: OptOuts, now: datetime) -> None:
    part = Fingerprint(PHASH256, CODES[1].bits, Variant.INNER, (0.1, 0.1, 0.9, 0.9))
    flat_part = Fingerprint(PHASH256, bytes(32), Variant.CROP_1X1, (0.0, 0.2, 1.0, 0.8))
    robust = Fingerprint(CodeKind("sscd512", "1-240436cc531e", 512), bytes(64))
    recorded = opt_outs.record(
        [[part, robust, CODES[0], flat_part]], uses=[Use.ALL], evidence=Evidence.PICTURE, now=now
    )
    assert recorded.receipt.opt_out().pictures == ((CODES[0], robust),)
    assert opt_outs.registry.hidden_codes(PHASH256) == (CODES[0].bits,)
    assert opt_outs.registry.pictures_of(recorded.number) == ((CODES[0], robust),)
    short = Fingerprint(CodeKind("sscd512", "1-240436cc531e", 64), bytes(8))
    for wrong, words in (([part, robust], "of the whole"), ([CODES[0], short], "with 64 bits")):
        with pytest.raises(NotACodeError, match=words):
            opt_outs.record([wrong], uses=[Use.ALL], evidence=Evidence.PICTURE, now=now)
    assert opt_outs.registry.log_size() == 1


def test_the_same_picture_again_is_an_opt_out_of_the_same_shape(opt_outs: OptOuts, now: datetime) -> None:
    first, second = (record(opt_outs, CODES[0], now=now) for _ in range(2))
    assert first.receipt.number != second.receipt.number
    assert first.receipt.leaf != second.receipt.leaf
    assert list(first.receipt.to_dict()) == list(second.receipt.to_dict())


def test_a_number_that_is_taken_is_drawn_again(tmp_path: Path, settings: Settings, now: datetime) -> None:
    drawn = iter([b"\x01" * 5, b"\x01" * 5, b"\x02" * 5])

    def random_bytes(size: int) -> bytes:
        return next(drawn) if size == 5 else fresh.randbytes(size)

    fresh = random.Random(1)
    with OptOuts.open(tmp_path / "data", settings, now=now, random_bytes=random_bytes) as opt_outs:
        numbers = [record(opt_outs, CODES[0], now=now).receipt.number for _ in range(2)]
    assert numbers == ["040G-2081", "0810-40G2"]  # the first: 00000 00100 00000 10000 00010 00000 01000 00001


# --- status ----------------------------------------------------------------------------------------------------


def test_status_is_found_by_number_and_by_code(opt_outs: OptOuts, now: datetime) -> None:
    recorded = record(opt_outs, CODES[0], CODES[1], now=now)
    number, secret = recorded.receipt.number, recorded.withdraw_code
    status = opt_outs.status(number, secret, now=now)
    assert status is not None
    assert status.to_dict() == {
        "number": number,
        "state": "recorded",
        "index": 0,
        "uses": ["train-ai"],
        "evidence": "picture",
        "pictures": 2,
        "addresses": [],
        "recorded_at": "2026-11-22T14:03:00Z",
        "withdraw_at": None,
        "reason": None,
    }
    assert opt_outs.status(None, secret, now=now) == status
    assert opt_outs.status(number.replace("-", "").lower(), None, now=now) == status
    assert opt_outs.status(number, secret.lower().replace("0", "o"), now=now) == status


def test_an_unknown_number_and_a_wrong_code_are_the_same_nothing(opt_outs: OptOuts, now: datetime) -> None:
    first, second = (record(opt_outs, one, now=now) for one in CODES[:2])
    number, secret = first.receipt.number, second.withdraw_code
    asked = [(number, secret), (number, ""), ("0000-0000", first.withdraw_code), ("\u00e9", secret), (None, None)]
    assert [opt_outs.status(*one, now=now) for one in asked] == [None] * 5
    assert opt_outs.status("0000-0000", None, now=now) is None


def test_only_the_hash_of_the_code_is_stored(opt_outs: OptOuts, folder: Path, now: datetime) -> None:
    recorded = record(opt_outs, CODES[0], now=now)
    row = opt_outs.registry.opt_out(recorded.receipt.number)
    assert row is not None
    assert row.withdraw_hash == hashlib.sha256(recorded.withdraw_code.encode()).digest()
    opt_outs.close()
    stored = b"".join(path.read_bytes() for path in folder.iterdir())
    assert recorded.withdraw_code[len("hibs-w1-") :].encode() not in stored


def test_the_withdraw_file_begins_with_the_code_and_says_what_it_is(opt_outs: OptOuts, now: datetime) -> None:
    recorded = record(opt_outs, CODES[0], now=now)
    first, empty, *sentences = recorded.withdraw_text.splitlines()
    assert first == recorded.withdraw_code
    assert empty == ""
    assert len(sentences) == 3
    assert recorded.receipt.number in sentences[0]
    assert "--server URL or --data DIR" in sentences[1]
    assert "after 7 days" in sentences[2]


# --- withdrawal ------------------------------------------------------------------------------------------------


def test_a_withdrawal_takes_effect_after_seven_days(opt_outs: OptOuts, now: datetime) -> None:
    kept, given_up = (record(opt_outs, one, now=now) for one in CODES[:2])
    status = opt_outs.withdraw(given_up.withdraw_code, now=now)
    assert (status.state, status.withdraw_at) == (State.WITHDRAWING, datetime(2026, 11, 29, 14, 3, tzinfo=UTC))

    eve = now + timedelta(days=7, seconds=-1)
    assert opt_outs.settle(eve) == 0
    assert opt_outs.registry.hidden_codes(PHASH256) == (CODES[0].bits, CODES[1].bits)
    assert opt_outs.log.size == 2

    assert opt_outs.settle(now + timedelta(days=7)) == 1
    assert opt_outs.registry.hidden_codes(PHASH256) == (CODES[0].bits,)
    after = opt_outs.status(given_up.receipt.number, None, now=now + timedelta(days=7))
    assert after is not None
    assert after.state is State.WITHDRAWN
    assert opt_outs.log.size == 3
    line = next(opt_outs.log.openings(2, 1))
    assert parse_entry(parse_opening(line).entry) == Reference(EntryType.WITHDRAW, 1)
    assert verify_receipt(kept.receipt_bytes, key=opt_outs.log.vkey)
    assert opt_outs.settle(now + timedelta(days=8)) == 0


def test_asking_again_changes_nothing(opt_outs: OptOuts, now: datetime) -> None:
    recorded = record(opt_outs, CODES[0], now=now)
    first = opt_outs.withdraw(recorded.withdraw_code, now=now)
    later = now + timedelta(days=3)
    assert opt_outs.withdraw(recorded.withdraw_code, now=later) == first
    done = opt_outs.withdraw(recorded.withdraw_code, now=now + timedelta(days=9))
    assert done.state is State.WITHDRAWN
    assert done.withdraw_at == first.withdraw_at


def test_a_withdrawal_that_fell_due_is_settled_when_the_folder_is_opened(
    opt_outs: OptOuts, folder: Path, settings: Settings, now: datetime
) -> None:
    recorded = record(opt_outs, CODES[0], now=now)
    opt_outs.withdraw(recorded.withdraw_code, now=now)
    with OptOuts.open(folder, settings, now=now + timedelta(days=30)) as again:
        assert again.registry.hidden_codes(PHASH256) == ()


def test_nobody_withdraws_without_the_code(opt_outs: OptOuts, now: datetime) -> None:
    recorded = record(opt_outs, CODES[0], now=now)
    for wrong in (recorded.receipt.number, "", "hibs-w1-" + "0" * 32):
        with pytest.raises(InputError, match="no opt-out here has this withdraw code"):
            opt_outs.withdraw(wrong, now=now)


# --- erasure ---------------------------------------------------------------------------------------------------


def test_erasing_leaves_the_leaf_and_an_entry_that_says_so(opt_outs: OptOuts, folder: Path, now: datetime) -> None:
    recorded = record(opt_outs, CODES[0], now=now)
    other = record(opt_outs, CODES[1], now=now)
    assert opt_outs.erase(recorded.withdraw_code, now=now).state is State.ERASED
    assert opt_outs.erase(recorded.withdraw_code, now=now).state is State.ERASED
    assert opt_outs.registry.hidden_codes(PHASH256) == (CODES[1].bits,)
    openings = [parse_opening(line) for line in opt_outs.log.openings(0, 10)]
    assert [opening.index for opening in openings] == [1, 2]
    assert parse_entry(openings[1].entry) == Reference(EntryType.ERASE, 0)
    assert verify_receipt(recorded.receipt_bytes, key=opt_outs.log.vkey)
    assert verify_receipt(other.receipt_bytes, key=opt_outs.log.vkey)
    with OptOuts.open(folder, Settings(), now=now) as again:
        assert again.log.size == 3
    opt_outs.close()
    stored = b"".join(path.read_bytes() for path in folder.iterdir())
    for secret in (recorded.receipt.salt, recorded.receipt.entry, CODES[0].bits, CODES[0].hex.encode()):
        assert secret not in stored


# --- the table -------------------------------------------------------------------------------------------------


def test_the_table_of_moves_is_closed() -> None:
    assert set(MOVES) == set(State)
    assert MOVES[State.ERASED] == frozenset()
    assert State.WITHDRAWN in MOVES[State.WITHDRAWING]
    assert all(State.WITHDRAWN not in MOVES[state] for state in State if state is not State.WITHDRAWING)
    assert set(HIDING_STATES) == set(State) - {State.WITHDRAWN, State.ERASED}


def test_a_folder_without_opt_outs_is_not_made_by_asking(tmp_path: Path, settings: Settings, now: datetime) -> None:
    with pytest.raises(DataError, match="holds no opt-outs"):
        OptOuts.open(tmp_path / "none", settings, now=now, create=False)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("4F7K-20M9", "4F7K-20M9"),
        (" 4f7k20m9 ", "4F7K-20M9"),
        ("4F7K-2OM9", "4F7K-20M9"),
        ("something", "something"),
    ],
)
def test_numbers_are_read_as_people_type_them(typed: str, read: str) -> None:
    assert read_number(typed) == read


def test_withdraw_codes_are_read_as_people_type_them() -> None:
    assert read_withdraw_code(" HIBS-W1-" + "oil0" * 8 + "\n") == "hibs-w1-" + "0110" * 8
    for wrong in ("", "hibs-w1-", "hibs-w1-" + "0" * 31, "hibs-w2-" + "0" * 32, "hibs-w1-" + "U" * 32):
        assert read_withdraw_code(wrong) is None
