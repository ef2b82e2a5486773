"""A folder of evidence: whole it verifies anywhere, offline; altered, short of a file or with one more it names it."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hibs_command import Hibs

from checker.errors import DataError, InputError, VerificationError
from checker.evidence.bundle import begin_bundle, finish_bundle, key_path, require_free, signing_key, verify_bundle
from checker.optout.note import SigningKey

KEY = SigningKey("hibs-evidence", bytes(range(32)))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A signed folder with two files."""
    partial = begin_bundle(tmp_path / "out")
    (partial / "report.json").write_text("{}\n")
    (partial / "matches.csv").write_text("case\r\n2026-117\r\n")
    finish_bundle(partial, tmp_path / "out", KEY)
    return tmp_path / "out"


def test_a_whole_folder_verifies_and_says_who_signed(bundle: Path) -> None:
    verified = verify_bundle(bundle)
    assert verified.files == ("key.pub", "matches.csv", "report.json")
    assert verified.signer == KEY.verifier
    assert verify_bundle(bundle, key=KEY.verifier) == verified


def test_the_list_is_one_that_sha256sum_checks(bundle: Path) -> None:
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=bundle, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["key.pub: OK", "matches.csv: OK", "report.json: OK"]


def test_the_signature_is_one_of_ed25519_over_the_list(bundle: Path) -> None:
    """C2SP signed-note: the text up to the blank line is signed; a signature begins with four bytes of key id."""
    text, _, line = (bundle / "SHA256SUMS").read_text().partition("\n\n")
    public = base64.b64decode((bundle / "key.pub").read_text().split("+", 2)[2])
    signature = base64.b64decode(line.split(" ")[2])
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(signature[4:], f"{text}\n".encode())
    digest = hashlib.sha256(b"case\r\n2026-117\r\n").hexdigest()
    assert f"{digest}  matches.csv" in text.splitlines()


@pytest.mark.parametrize("line", ["\u2014 RETRACTED-see-new-report Zm9vYmFy", None], ids=["words", "the same again"])
def test_a_line_more_beneath_the_signature_is_a_change(hibs: Hibs, bundle: Path, line: str | None) -> None:
    """Other notes may have signatures of others (C2SP signed-note): a bundle has one signer."""
    whole = (bundle / "SHA256SUMS").read_text()
    (bundle / "SHA256SUMS").write_text(f"{whole}{line or whole.splitlines()[-1]}\n")
    done = hibs("evidence", "verify", "out", exit_code=4)
    assert "SHA256SUMS has a line beside the signature of the key in key.pub" in done.stderr


def test_a_line_more_above_the_signature_is_a_change(bundle: Path) -> None:
    text, _, line = (bundle / "SHA256SUMS").read_text().partition("\n\n")
    (bundle / "SHA256SUMS").write_text(f"{text}\n\n\u2014 RETRACTED Zm9vYmFy\n{line}")
    with pytest.raises(VerificationError, match="SHA256SUMS has a line beside"):
        verify_bundle(bundle)


@pytest.mark.parametrize("name", ["report.json", "matches.csv"])
def test_a_changed_file_is_named(bundle: Path, name: str) -> None:
    data = bytearray((bundle / name).read_bytes())
    data[0] ^= 1
    (bundle / name).write_bytes(data)
    with pytest.raises(VerificationError, match=f"^{name} was changed$"):
        verify_bundle(bundle)


def test_every_bit_of_the_list_and_of_the_key_counts(bundle: Path) -> None:
    for name in ("SHA256SUMS", "key.pub"):
        whole = (bundle / name).read_bytes()
        for place in range(0, len(whole), 7):
            changed = bytearray(whole)
            changed[place] ^= 1
            (bundle / name).write_bytes(changed)
            with pytest.raises(VerificationError):
                verify_bundle(bundle)
        (bundle / name).write_bytes(whole)
    assert verify_bundle(bundle).files


def test_missing_and_added_files_are_named_together(bundle: Path) -> None:
    (bundle / "report.json").unlink()
    (bundle / "more\x1b.csv").write_text("")
    (bundle / "folder").mkdir()
    with pytest.raises(VerificationError) as refused:
        verify_bundle(bundle)
    assert str(refused.value) == "report.json is missing, folder was added, more\\u001b.csv was added"


def test_a_link_in_place_of_a_file_is_a_change(bundle: Path, tmp_path: Path) -> None:
    (bundle / "report.json").rename(tmp_path / "report.json")
    (bundle / "report.json").symlink_to(tmp_path / "report.json")
    with pytest.raises(VerificationError, match=r"report\.json was changed"):
        verify_bundle(bundle)


@pytest.mark.parametrize("name", ["SHA256SUMS", "key.pub"])
def test_without_list_or_key_nothing_is_signed(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(VerificationError, match=f"{name} is missing"):
        verify_bundle(bundle)
    os.mkfifo(bundle / name)
    with pytest.raises(VerificationError):
        verify_bundle(bundle)


def test_a_folder_signed_anew_by_another_key_is_told_by_the_key(bundle: Path) -> None:
    other = SigningKey("hibs-evidence", bytes(32))
    (bundle / "matches.csv").write_text("forged\n")
    (bundle / "SHA256SUMS").unlink()
    finish_bundle(bundle, bundle, other)
    assert verify_bundle(bundle).signer == other.verifier
    with pytest.raises(VerificationError, match="and not by the key that was given"):
        verify_bundle(bundle, key=KEY.verifier)


def test_what_is_no_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        verify_bundle(tmp_path / "none")


def test_nothing_is_written_over(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is there already"):
        require_free(bundle)
    (tmp_path / "empty").mkdir()
    require_free(tmp_path / "empty")
    require_free(tmp_path / "new")


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = key_path({"XDG_CONFIG_HOME": str(tmp_path), "HOME": "/nowhere"})
    assert path == tmp_path / "hibs" / "evidence.key"
    key = signing_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert signing_key(path).verifier == key.verifier
    path.chmod(0o640)
    with pytest.raises(DataError, match="chmod 600"):
        signing_key(path)
    path.chmod(0o600)
    path.write_text("PRIVATE+KEY+x")
    with pytest.raises(DataError, match="is no signing key") as refused:
        signing_key(path)
    assert "PRIVATE" not in str(refused.value)


def test_the_command_ends_with_4_and_the_name(hibs: Hibs, bundle: Path) -> None:
    assert "3 files are as they were signed" in hibs("evidence", "verify", "out").stdout
    assert "published" in hibs("evidence", "verify", "out").stderr
    hibs("evidence", "verify", "out", "--key", KEY.verifier.text)
    assert "--key: " in hibs("evidence", "verify", "out", "--key", "x", exit_code=2).stderr
    (bundle / "matches.csv").write_text("case\r\n2026-118\r\n")
    assert hibs("evidence", "verify", "out", exit_code=4).stderr == "hibs: matches.csv was changed\n"


def test_the_public_key_is_printed_to_be_published(hibs: Hibs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    line = hibs("evidence", "key").stdout
    assert line.startswith("hibs-evidence+")
    assert hibs("evidence", "key").stdout == line
