"""The audit log: what is done with keys is written down, signed, and cannot be edited quietly (C24)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.audit.cases import Purpose, is_case, require_case_pattern
from checker.audit.entry import Act, Done, commitment_of
from checker.audit.log import AuditLog
from checker.audit.verify import verify_audit
from checker.commands import audit as audit_command
from checker.errors import DataError, InputError, LogBehindError, VerificationError
from checker.keys import CaseRules, Scope, create_key, revoke_key, verify_key
from checker.records.audit import audit_counts, audit_rows, audit_rows_of
from checker.records.registry import Registry

RULES = CaseRules(frozenset({Purpose.COMPLAINT}), "AZ-####")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    opened = Registry.open(tmp_path / "registry.db")
    yield opened
    opened.close()


@pytest.fixture
def log(registry: Registry, tmp_path: Path, now: datetime) -> AuditLog:
    """With three acts: two keys made, one revoked."""
    create_key(registry, name="ngo", scopes=[Scope.BULK], now=now, bulk=RULES)
    create_key(registry, name="lab", scopes=[Scope.FEED], now=now)
    revoke_key(registry, name="lab", now=now)
    log = AuditLog(tmp_path, registry)
    log.sign(now)
    return log


def change(registry: Registry, sql: str) -> None:
    with registry.writing() as writer:
        writer._rows(sql)


def test_keys_are_recorded_as_they_are_made_and_revoked(registry: Registry, log: AuditLog, tmp_path: Path) -> None:
    told = [(row.act, row.holder, row.subject) for row in audit_rows(registry)]
    assert told == [("key-made", "ngo", "bulk"), ("key-made", "lab", "feed"), ("key-revoked", "lab", "")]
    assert [row.index for row in audit_rows_of(registry, "lab")] == [1, 2]
    assert (tmp_path / "audit.key").stat().st_mode & 0o777 == 0o600


def test_a_whole_log_verifies_by_its_own_key_and_no_other(
    registry: Registry, log: AuditLog, tmp_path: Path, now: datetime
) -> None:
    found = verify_audit(tmp_path, registry, now=now, pinned=log.vkey())
    assert (found.acts, found.signed, found.erased, found.signed_at) == (3, 3, 0, "2026-11-22T14:03:00Z")
    with pytest.raises(VerificationError, match="signed by"):
        verify_audit(tmp_path, registry, now=now, pinned="other+00000000+AQ")


def test_the_root_is_the_one_of_rfc_6962(registry: Registry, log: AuditLog, tmp_path: Path, now: datetime) -> None:
    """Computed here by hand: RFC 6962 2.1 over leaves of docs/bulk.md."""

    def digest(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    leaves = []
    for row in audit_rows(registry):
        assert row.salt is not None
        text = f'{{"amount":{row.amount},"case":"","holder":"{row.holder}","purpose":"","subject":"{row.subject}"}}'
        commitment = digest(b"haveibeenscraped/audit-text/v1\n" + row.salt + text.encode())
        head = f'{{"act":"{row.act}","at":"2026-11-22T14:03:00Z","v":1}}'.encode()
        leaves.append(digest(b"\0" + digest(b"haveibeenscraped/audit-leaf/v1\n" + head + commitment)))
    a, b, c = leaves
    root = digest(b"\1" + digest(b"\1" + a + b) + c)
    assert verify_audit(tmp_path, registry, now=now).root == root.hex()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("UPDATE audit SET case_ref='x' WHERE rowid=1", "row 1 "),
        ("UPDATE audit SET holder='nobody' WHERE rowid=2", "row 2 "),
        ("UPDATE audit SET amount=amount+1 WHERE rowid=0", "row 0 "),
        ("UPDATE audit SET at='2026-11-21T14:03:00Z' WHERE rowid=1", "row 1 "),
        ("UPDATE audit SET at='yesterday' WHERE rowid=1", "row 1 "),
        ("UPDATE audit SET act='key-made' WHERE rowid=2", "row 2 "),
        ("UPDATE audit SET act='nothing' WHERE rowid=2", "row 2 "),
        ("UPDATE audit SET commitment=zeroblob(32) WHERE rowid=1", "row 1 "),
        ("UPDATE audit SET salt=zeroblob(32) WHERE rowid=1", "row 1 "),
        (
            "UPDATE audit SET salt=NULL, holder=NULL, purpose=NULL, case_ref=NULL, subject=NULL, amount=NULL "
            "WHERE rowid=1",
            "row 1 (its text was erased before its time)",
        ),
        ("DELETE FROM audit WHERE rowid=1", "row 1 "),
        ("DELETE FROM audit WHERE rowid=2", "2 acts are there and 3 were signed"),
        ("DELETE FROM audit", "0 acts are there and 3 were signed"),
        ("UPDATE audit_node SET hash=zeroblob(32) WHERE level=0 AND node_index=1", "row 1 "),
        ("UPDATE audit_node SET hash=zeroblob(32) WHERE level=1", r"hash \(1, 0\)"),
        ("INSERT INTO audit_node VALUES (0, 9, zeroblob(32))", r"hash \(0, 9\)"),
        ("DELETE FROM audit_node WHERE level=1", r"hash \(1, 0\) is gone"),
        ("DELETE FROM audit_node WHERE level=0 AND node_index=1", r"hash \(0, 1\) is gone"),
    ],
)
def test_whatever_is_changed_is_named(
    registry: Registry, log: AuditLog, tmp_path: Path, now: datetime, sql: str, said: str
) -> None:
    change(registry, sql)
    with pytest.raises(VerificationError, match=said.replace("(its", r"\(its").replace("time)", r"time\)")):
        verify_audit(tmp_path, registry, now=now)


def test_a_history_made_anew_with_all_its_hashes_is_not_the_signed_one(
    registry: Registry, log: AuditLog, tmp_path: Path, now: datetime
) -> None:
    change(registry, "DELETE FROM audit_node")
    change(registry, "DELETE FROM audit")
    with registry.writing() as writer:
        from checker.audit.log import record

        for name in ("a", "b", "c"):
            record(writer, Done(Act.KEY_MADE, name, now))
    with pytest.raises(VerificationError, match="not those that were signed"):
        verify_audit(tmp_path, registry, now=now)
    with pytest.raises(LogBehindError, match="other acts"):
        log.sign(now)


def test_an_older_registry_signs_nothing(registry: Registry, log: AuditLog, now: datetime) -> None:
    change(registry, "DELETE FROM audit WHERE rowid=2")
    change(registry, "DELETE FROM audit_node WHERE level=0 AND node_index=2")
    with pytest.raises(LogBehindError, match="older copy"):
        log.sign(now)


def test_text_of_three_years_ago_is_erased_and_the_rest_still_verifies(
    registry: Registry, log: AuditLog, tmp_path: Path, now: datetime
) -> None:
    later = now + timedelta(days=3 * 366 + 1)
    log.record(Done(Act.BULK_MADE, "ngo", later, "complaint", "AZ-2041", "job", 7), now=later)
    assert log.erase_old_text(now + timedelta(days=3 * 366)) == 0
    assert log.erase_old_text(later) == 3
    found = verify_audit(tmp_path, registry, now=later)
    assert (found.acts, found.erased) == (4, 3)
    assert b"lab" not in b"".join(str(row).encode() for row in audit_rows(registry))
    with pytest.raises(VerificationError, match="before its time"):
        verify_audit(tmp_path, registry, now=now)


def test_acts_that_are_not_signed_yet_are_counted_and_signed_next(
    registry: Registry, log: AuditLog, tmp_path: Path, now: datetime
) -> None:
    create_key(registry, name="new", scopes=[Scope.FEED], now=now)
    assert (verify_audit(tmp_path, registry, now=now).acts, verify_audit(tmp_path, registry, now=now).signed) == (4, 3)
    log.sign(now)
    assert verify_audit(tmp_path, registry, now=now).signed == 4


@pytest.mark.parametrize("gone", ["audit.key", "audit.checkpoint"])
def test_half_of_what_signs_is_not_made_anew(
    registry: Registry, log: AuditLog, tmp_path: Path, now: datetime, gone: str
) -> None:
    (tmp_path / gone).unlink()
    with pytest.raises(DataError, match=gone):
        verify_audit(tmp_path, registry, now=now)
    with pytest.raises(DataError, match=gone):
        log.require_whole()
    with pytest.raises(DataError, match=gone):
        log.record(Done(Act.BULK_MADE, "ngo", now, "complaint", "AZ-2041", "job", 7), now=now)


@pytest.mark.parametrize("written", ["neither", "the key", "both"])
def test_a_crash_while_the_first_act_is_signed_costs_nothing(
    registry: Registry, log: AuditLog, tmp_path: Path, now: datetime, written: str
) -> None:
    (tmp_path / "audit.key").rename(tmp_path / "audit.key.first")
    if written != "both":
        (tmp_path / "audit.checkpoint").unlink()
    if written == "neither":
        (tmp_path / "audit.key.first").unlink()
    log.require_whole()
    log.sign(now)
    assert verify_audit(tmp_path, registry, now=now).signed == 3
    assert not (tmp_path / "audit.key.first").exists()


def test_counts_are_by_month_holder_and_purpose(registry: Registry, log: AuditLog, now: datetime) -> None:
    for rows in (100, 20):
        log.record(Done(Act.BULK_MADE, "ngo", now, "complaint", "AZ-2041", "j", rows), now=now)
    assert [(c.month, c.holder, c.act, c.purpose, c.acts, c.amount) for c in audit_counts(registry)] == [
        ("2026-11", "lab", "key-made", "", 1, 0),
        ("2026-11", "lab", "key-revoked", "", 1, 0),
        ("2026-11", "ngo", "bulk-made", "complaint", 2, 120),
        ("2026-11", "ngo", "key-made", "", 1, 0),
    ]


@given(st.text(), st.text(), st.text(), st.text(), st.integers(0, 2**53 - 1))
def test_any_text_has_one_commitment_and_another_text_another(a: str, b: str, c: str, d: str, amount: int) -> None:
    salt = bytes(32)
    made = commitment_of(salt, a, b, c, d, amount)
    assert made == commitment_of(salt, a, b, c, d, amount)
    assert made != commitment_of(salt, a + "\\", b, c, d, amount)
    assert made != commitment_of(bytes([1] * 32), a, b, c, d, amount)


# --- purposes and cases ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "case"),
    [("AZ-####", "AZ-2041"), ("####-@@@", "2041-BDX"), ("#/@ 1", "7/Q 1"), ("@@_##", "QX_07")],
)
def test_a_case_of_the_holders_form_is_one(pattern: str, case: str) -> None:
    require_case_pattern(pattern)
    assert is_case(case, pattern)


@pytest.mark.parametrize(
    ("pattern", "case"),
    [
        ("AZ-####", "AZ-204"),
        ("AZ-####", "AZ-20411"),
        ("AZ-####", "az-2041"),
        ("AZ-####", "AZ-204x"),
        ("AZ-####", "AZ-٢٠٤١"),
        ("AZ-####", "AZ-0000"),
        ("AZ-####", "AZ-1234"),
        ("AZ-####", " AZ-2041"),
        ("####-@@@", "0000-XXX"),
        ("@@@@", "TEST"),
        ("@/@", "N/A"),
        ("###", "123"),
        ("@@@", "XXX"),
        ("####", ""),
    ],
)
def test_another_form_or_a_placeholder_is_none(pattern: str, case: str) -> None:
    require_case_pattern(pattern)
    assert not is_case(case, pattern)


@pytest.mark.parametrize("case", ["test", "n/a", "-", "123", "xxx", ""])
def test_what_people_type_to_get_past_a_field_is_no_case_in_any_form(case: str) -> None:
    assert not is_case(case, case.replace("3", "#"))


@pytest.mark.parametrize("pattern", ["", "AZ", "#", "(a+)+#@", "#" * 41, "ÄZ-##", " ##", "##\n"])
def test_a_pattern_that_says_nothing_is_refused(pattern: str) -> None:
    with pytest.raises(InputError, match="no pattern"):
        require_case_pattern(pattern)


@given(st.text(max_size=60), st.text(alphabet="#@A0-/ ", min_size=1, max_size=40))
def test_comparing_a_case_never_fails_and_never_takes_another_length(case: str, pattern: str) -> None:
    assert not is_case(case, pattern) or len(case) == len(pattern)


def test_a_bulk_key_knows_its_purposes_and_its_form(registry: Registry, now: datetime) -> None:
    text = create_key(registry, name="ngo", scopes=[Scope.BULK], now=now, bulk=RULES)
    holder = verify_key(registry, text, scope=Scope.BULK, now=now)
    assert holder is not None
    assert (holder.purposes, holder.case_pattern) == (frozenset({Purpose.COMPLAINT}), "AZ-####")
    with pytest.raises(InputError, match="not of scope bulk"):
        create_key(registry, name="lab", scopes=[Scope.FEED], now=now, bulk=RULES)
    with pytest.raises(InputError, match="no purpose"):
        create_key(registry, name="lab", scopes=[Scope.BULK], now=now, bulk=CaseRules(frozenset(), "##"))
    assert len(registry.key_rows()) == 1


def test_what_verify_counts_is_said_in_words_that_fit(
    registry: Registry, log: AuditLog, tmp_path: Path, now: datetime
) -> None:
    found = verify_audit(tmp_path, registry, now=now)
    hold = "3 acts hold, signed at 2026-11-22T14:03:00Z"
    assert audit_command.verified_words(found) == hold
    one = "1 of them without its text, which was old; 1 more is not signed yet"
    assert audit_command.verified_words(replace(found, acts=4, erased=1)) == f"{hold}, {one}"
    two = "2 of them without their text, which was old; 2 more are not signed yet"
    assert audit_command.verified_words(replace(found, acts=5, erased=2)) == f"{hold}, {two}"
