"""Claims of hosts: the record that proves one, the file in which it waits, and what does not prove it."""

from __future__ import annotations

import base64
import hashlib
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checker.errors import InputError
from checker.model import Use
from checker.optout.claims import (
    Published,
    begin_claim,
    claim_file,
    dns_name,
    file_address,
    make_claim,
    record_lines,
    unproved,
)

CODE = "hibs-w1-0123456789ABCDEFGHJKMNPQRSTVWXYZ"
HASH = base64.urlsafe_b64encode(hashlib.sha256(CODE.encode()).digest()).decode().rstrip("=")
ADDRESSES = ("https://example.org/photos/", "example.org/b", "img.example:8443")


def test_the_record_binds_code_uses_and_addresses_of_one_host() -> None:
    claim = make_claim(ADDRESSES, {Use.TRAIN_AI, Use.TDM}, CODE)
    assert claim.addresses == ("example.org/b", "example.org/photos/", "img.example:8443/")
    assert claim.hosts == ("example.org", "img.example:8443")
    assert claim.record("example.org") == (
        f"hibs-opt-out-v1 {HASH} uses=tdm,train-ai example.org/b example.org/photos/"
    )
    assert claim.record("img.example:8443") == f"hibs-opt-out-v1 {HASH} uses=tdm,train-ai img.example:8443/"
    assert CODE not in repr(claim)


def test_a_record_of_all_uses_of_one_address_fits_into_one_string_of_a_txt_record() -> None:
    claim = make_claim(["a-rather-long-name.photographers.example.org/portfolio/people/"], {Use.ALL}, CODE)
    assert len(claim.record(claim.hosts[0])) <= 255  # RFC 1035 3.3: a length of one byte


def test_every_host_has_to_publish_its_own_record_at_one_of_its_places() -> None:
    claim = make_claim(ADDRESSES, {Use.TDM}, CODE)
    first, second = (claim.record(host) for host in claim.hosts)
    file, txt = Published("file", trouble="status 404"), Published("TXT", records=("hibs-opt-out-v1 other", first))
    other = Published("file", records=(second,))
    assert unproved(claim, {}) == claim.hosts
    assert unproved(claim, {"example.org": (file, txt)}) == ("img.example:8443",)
    assert unproved(claim, {"example.org": (other,), "img.example:8443": (other,)}) == ("example.org",)
    assert unproved(claim, {"example.org": (file, txt), "img.example:8443": (other,)}) == ()


@pytest.mark.parametrize(
    "line",
    [
        "hibs-opt-out-v1 {hash} uses=tdm,train-ai example.org/",
        "hibs-opt-out-v1 {hash} uses=tdm example.org/ example.org/b",
        "hibs-opt-out-v1 {hash} uses=tdm example.org",
        "hibs-opt-out-v1 {hash} uses=tdm www.example.org/",
        "hibs-opt-out-v1 {hash} uses=tdm",
        "hibs-opt-out-v1 {other} uses=tdm example.org/",
        "hibs-opt-out-v2 {hash} uses=tdm example.org/",
        "# hibs-opt-out-v1 {hash} uses=tdm example.org/",
        "hibs-opt-out-v1 {lower} uses=tdm example.org/",
    ],
)
def test_a_record_that_is_nearly_right_proves_nothing(line: str) -> None:
    claim = make_claim(["example.org"], {Use.TDM}, CODE)
    found = record_lines(line.format(hash=HASH, other="A" * 43, lower=HASH.lower()))
    assert unproved(claim, {"example.org": (Published("file", records=found),)}) == ("example.org",)


@pytest.mark.parametrize("form", ["{}", "  {}  ", '"{}"', "'{}'", "\ufeff\n{}\r\n", "# ours\n{}\nother"])
def test_blanks_quotes_and_other_lines_around_a_record_do_not_count(form: str) -> None:
    claim = make_claim(["example.org"], {Use.TDM}, CODE)
    record = claim.record("example.org")
    assert record_lines(form.format(record.replace(" ", "   ", 1))) == (record,)


@given(st.text())
def test_whatever_a_host_serves_lines_come_out(text: str) -> None:
    assert all(line.lower().startswith("hibs-opt-out") for line in record_lines(text + "\nhibs-opt-out " + text))


# --- the file in which a claim waits ---------------------------------------------------------------------------


def test_a_claim_waits_in_a_file_of_its_own_until_it_is_asked_for_again(tmp_path: Path) -> None:
    out = tmp_path / "new"
    claim, waited = begin_claim(ADDRESSES, {Use.ALL}, out, bytes)
    assert not waited
    path = claim_file(claim, out)
    assert path == out / "example.org.claim.txt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().startswith(f"{claim.code}\n")
    assert begin_claim(reversed(ADDRESSES), {Use.ALL}, out, lambda count: b"\xff" * count) == (claim, True)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))  # saved by an editor
    assert begin_claim(ADDRESSES, {Use.ALL}, out, bytes) == (claim, True)


def test_a_claim_about_something_else_is_not_taken_for_this_one(tmp_path: Path) -> None:
    begin_claim(["example.org"], {Use.TDM}, tmp_path, bytes)
    for addresses, uses in ((["example.org/a"], {Use.TDM}), (["example.org"], {Use.SEARCH}), (ADDRESSES, {Use.TDM})):
        with pytest.raises(InputError, match="about other addresses or uses"):
            begin_claim(addresses, uses, tmp_path, bytes)


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\xff\xfe", CODE[:-1].encode() + b"\n"])
def test_a_damaged_claim_file_is_refused_and_not_written_over(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "example.org.claim.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no whole withdraw code"):
        begin_claim(["example.org"], {Use.TDM}, tmp_path, bytes)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("address", "name"),
    [("[2001:db8::1]:8080", "-2001-db8-1-8080.claim.txt"), ("img.example:8443", "img.example-8443.claim.txt")],
)
def test_the_name_of_a_claim_file_is_plain(tmp_path: Path, address: str, name: str) -> None:
    claim, _ = begin_claim([address], {Use.TDM}, tmp_path, bytes)
    assert claim_file(claim, tmp_path).name == name


@pytest.mark.parametrize(
    ("addresses", "why"),
    [
        ([], "no address is named"),
        (["*.example.org"], r"\*"),
        ([f"h{number}.example" for number in range(101)], "101 hosts"),
        ([f"example.org/{number}" for number in range(1_001)], "1001 addresses"),
        ([f"example.org/{'a' * 900}{number}" for number in range(10)], "8000 characters"),
    ],
)
def test_what_cannot_be_claimed_is_refused_with_the_reason(addresses: list[str], why: str) -> None:
    with pytest.raises(InputError, match=why):
        make_claim(addresses, {Use.TDM}, CODE)


def test_the_two_places_of_a_host() -> None:
    assert file_address("example.org:8443") == "https://example.org:8443/.well-known/hibs-opt-out.txt"
    assert dns_name("example.org:8443") == "_hibs-opt-out.example.org"
    assert [dns_name(host) for host in ("192.0.2.1", "192.0.2.1:80", "[::1]", "[::1]:80")] == [None] * 4
