"""The process that reads C2PA manifests: pictures signed here, tampered with, damaged; processes that fail or lie."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import c2pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signed_pictures import chain, plain, signed

from checker.model import Stance
from checker.signals import c2pa_reader
from checker.signals.c2pa import read_store
from checker.signals.c2pa_reader import Manifests, NotRead, read_answer, read_manifests
from checker.signals.verdict import combine

LABEL = "cawg.training-mining"
NO, YES = {"use": "notAllowed"}, {"use": "allowed"}


def read(found: Manifests) -> tuple[dict[str, str], bool]:
    """What a store says before doubt, and whether anything was malformed."""
    assert isinstance(found, dict)
    findings = read_store(found, place="test")
    uses = combine(findings).uses
    said = {use.value: stance.value for use, stance in uses.items() if stance is not Stance.UNSPECIFIED}
    return said, any(finding.malformed for finding in findings)


@pytest.mark.parametrize(("format", "mime"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp"), ("GIF", "image/gif")])  # noqa: E501  # fmt: skip
def test_a_signed_picture_is_read_in_a_process_of_its_own(format: str, mime: str) -> None:
    body = signed(plain(format), mime, (LABEL, {"entries": {"cawg.ai_generative_training": NO}}))
    for told in (mime, ""):
        found = read_manifests(body, told)
        assert isinstance(found, dict)
        assert found["validation_state"] == "Valid"
        assert read(found) == ({"train-genai": "deny"}, False)


def test_a_refusal_is_inherited_from_a_signed_parent() -> None:
    parent = signed(plain("JPEG"), "image/jpeg", (LABEL, {"entries": {"cawg.data_mining": NO}}))
    child = signed(parent, "image/jpeg", (LABEL, {"entries": {"cawg.data_mining": YES}}), parent=parent)
    assert read(read_manifests(child, "image/jpeg")) == (
        dict.fromkeys(("tdm", "train-ai", "train-genai"), "deny"),
        False,
    )


def test_a_tampered_picture_keeps_its_refusals_and_loses_its_permissions() -> None:
    given = {"entries": {"cawg.ai_training": NO, "cawg.data_mining": YES}}
    body = bytearray(signed(plain("JPEG"), "image/jpeg", (LABEL, given)))
    whole = read_manifests(bytes(body), "image/jpeg")
    assert read(whole)[0] == {"tdm": "allow", "train-ai": "deny", "train-genai": "deny"}
    body[-5] ^= 1
    tampered = read_manifests(bytes(body), "image/jpeg")
    assert isinstance(tampered, dict)
    assert tampered["validation_state"] == "Invalid"
    assert read(tampered) == ({"train-ai": "deny", "train-genai": "deny"}, False)


def test_a_refusal_that_a_later_manifest_redacts_leaves_doubt() -> None:
    parent = signed(plain("JPEG"), "image/jpeg", (LABEL, {"entries": {"cawg.data_mining": NO}}))
    found = read_manifests(parent, "image/jpeg")
    assert isinstance(found, dict)
    uri = f"self#jumbf=/c2pa/{found['active_manifest']}/c2pa.assertions/{LABEL}"
    action = {"action": "c2pa.redacted", "reason": "c2pa.PII.present", "parameters": {"redacted": uri}}
    builder = c2pa.Builder(
        {"redactions": [uri], "assertions": [{"label": "c2pa.actions", "data": {"actions": [action]}}]},
        context=c2pa.Context.from_dict({"builder": {"thumbnail": {"enabled": False}}}),
    )
    builder.set_intent(c2pa.C2paBuilderIntent.EDIT)
    builder.add_ingredient({"title": "parent", "relationship": "parentOf"}, "image/jpeg", io.BytesIO(parent))
    certificates, key = chain()
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", certificates, key, None))
    redacted = io.BytesIO()
    builder.sign(signer, "image/jpeg", io.BytesIO(parent), redacted)
    after = read_manifests(redacted.getvalue(), "image/jpeg")
    assert isinstance(after, dict)
    assert after["validation_state"] == "Valid"
    assert read(after) == ({}, True)


def test_a_refusal_in_the_manifest_that_is_overwritten_leaves_doubt() -> None:
    body = signed(plain("JPEG"), "image/jpeg", (LABEL, {"entries": {"cawg.data_mining": NO}}))
    for there, instead in ((b"cawg.data_mining", b"cawg.data_xxxxxx"), (b"notAllowed", b"xxxxllowed")):
        assert body.count(there) == 1
        assert read(read_manifests(body.replace(there, instead), "image/jpeg")) == ({}, True)


def test_a_file_without_a_manifest_has_none() -> None:
    assert read_manifests(plain("JPEG"), "image/jpeg") is None


def test_what_cannot_be_read_has_a_reason() -> None:
    body = signed(plain("JPEG"), "image/jpeg", (LABEL, {"entries": {"cawg.ai_training": NO}}))
    for broken in (body.replace(b"jumdc2cl", b"jumdxxxx"), body[:1000], b"no picture"):
        found = read_manifests(broken, "image/jpeg")
        assert isinstance(found, NotRead)
        assert found.malformed


def test_a_process_that_takes_too_long_is_ended() -> None:
    started = time.process_time()
    found = read_manifests(plain("JPEG"), "image/jpeg", seconds_max=0.01)
    assert isinstance(found, NotRead)
    assert "0.01 seconds" in found.reason
    assert time.process_time() - started < 5.0


def test_a_file_too_large_is_not_given_to_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(c2pa_reader, "BODY_BYTES_MAX", 10)
    monkeypatch.setattr(subprocess, "Popen", None)
    found = read_manifests(plain("JPEG"), "image/jpeg")
    assert isinstance(found, NotRead)
    assert found.malformed


def test_without_c2pa_python_the_answer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    found = read_manifests(plain("JPEG"), "image/jpeg")
    assert isinstance(found, NotRead)
    assert not found.malformed
    assert "not installed" in found.reason


def test_without_a_process_the_installation_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    found = read_manifests(plain("JPEG"), "image/jpeg")
    assert isinstance(found, NotRead)
    assert not found.malformed


@pytest.mark.parametrize(
    ("program", "malformed"),
    [
        ("import os; os.abort()", True),
        ("import sys; sys.exit(3)", True),
        ("import os; os.write(0, b'S{\"active_manifest\": ')", True),
        ("import os; os.write(0, b'S[]')", True),
        ("import os; os.write(0, b'N and more')", True),
        ("import os; os.write(0, b'Ebroken\\x1b[31m')", True),
        ("import os\nwhile True: os.write(0, b'S' * 65536)", True),
    ],
)
def test_a_process_that_fails_or_lies_is_told_from_silence(
    program: str, malformed: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "impostor.py"
    script.write_text(program)
    monkeypatch.setattr(c2pa_reader, "__file__", str(script))
    found = read_manifests(plain("JPEG") * 1000, "image/jpeg")
    assert isinstance(found, NotRead)
    assert found.malformed is malformed
    assert found.reason.isprintable()


def test_the_process_can_open_nothing_and_start_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, os, socket, json, importlib.util, resource\n"
        f"spec = importlib.util.spec_from_file_location('reader', {c2pa_reader.__file__!r})\n"
        "reader = importlib.util.module_from_spec(spec); sys.modules['reader'] = reader\n"
        "spec.loader.exec_module(reader); reader._give_up(64 * 2**20, 5); failed = []\n"
        "for name, attempt in {'file': lambda: open('/etc/passwd'), 'socket': lambda: socket.socket(),\n"
        "        'memory': lambda: bytearray(2**30), 'import': lambda: __import__('sqlite3')}.items():\n"
        "    try: attempt()\n"
        "    except (OSError, MemoryError, ImportError): failed.append(name)\n"
        "limits = [resource.getrlimit(getattr(resource, 'RLIMIT_' + n))[0] for n in ('CORE', 'FSIZE', 'NPROC')]\n"
        "print(json.dumps([failed, limits]))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, timeout=60, check=True)
    assert json.loads(done.stdout) == [["file", "socket", "memory", "import"], [0, 0, 0]]


def test_the_process_gets_none_of_our_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "impostor.py"
    script.write_text(
        "import os, json; os.write(0, b'S' + json.dumps({'e': dict(os.environ), 'd': os.getcwd()}).encode())"
    )
    monkeypatch.setattr(c2pa_reader, "__file__", str(script))
    monkeypatch.setenv("HIBS_SECRET", "secret")
    found = read_manifests(b"", "image/jpeg")
    assert isinstance(found, dict)
    assert found["d"] == "/"
    assert not any(name.startswith("HIBS") or name in ("HOME", "PATH") for name in found["e"])
    assert os.environ["HIBS_SECRET"] == "secret"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_no_answer_makes_the_parent_raise(answer: bytes) -> None:
    for one in (answer, b"S" + answer, b"E" + answer, b"S" + b"[" * 100_000):
        assert isinstance(read_answer(one), NotRead | dict | None)
