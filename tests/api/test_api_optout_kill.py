"""A server that is killed the moment its 201 was read: every receipt holds, and the log only grows."""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from api_service import picture
from hibs_command import CHECKOUT, Hibs

from checker.model import Use
from checker.optout.entry import Evidence
from checker.optout.log import folder_key
from checker.optout.note import open_checkpoint, parse_verifier_key
from checker.optout.receipt import VerifiedReceipt, parse_receipt, verify_receipt
from checker.optout.request import OptOuts
from checker.optout.tree import root
from checker.records.registry import Registry
from checker.settings import Settings

pytest_plugins = ("api_service",)
ROUNDS = 100
Kill = Callable[[bytes], dict[str, Any]]


@pytest.fixture
def opt_out_and_kill(corpus: Path) -> Iterator[Kill]:
    """Start a server, opt out, and end the server with SIGKILL as soon as its answer was read."""
    command = [sys.executable, "-P", str(Path(__file__).with_name("serve_forked.py")), str(corpus)]
    own = {name: value for name, value in os.environ.items() if not name.startswith("HIBS_")}
    own |= {"HIBS_OPT_OUTS_PER_DAY_MAX": "1000", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(CHECKOUT)}
    servers = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=own)
    assert servers.stdin is not None
    assert servers.stdout is not None
    ask, told = servers.stdin, servers.stdout

    def round_(body: bytes) -> dict[str, Any]:
        ask.write("\n")
        ask.flush()
        process, url = int(told.readline()), told.readline().removeprefix("open ").strip()
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        connection.request("POST", "/v1/opt-outs", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        os.kill(process, signal.SIGKILL)
        connection.close()
        assert answer.status == 201, text
        assert told.readline() == "ended\n"
        document: dict[str, Any] = json.loads(text)
        return document

    try:
        yield round_
    finally:
        servers.kill()
        servers.communicate()


def codes(draw: random.Random) -> bytes:
    """A code as a real picture has it: 128 of 256 bits set."""
    bits = sum(1 << place for place in draw.sample(range(256), 128))
    return json.dumps({"codes": {"phash256": {"version": "1", "hex": bits.to_bytes(32).hex()}}}).encode()


def test_every_receipt_holds_after_kill_9_right_after_the_201(corpus: Path, opt_out_and_kill: Kill) -> None:
    draw, size, held = random.Random(14), 0, list[VerifiedReceipt]()
    for _ in range(ROUNDS):
        document = opt_out_and_kill(codes(draw))
        key = folder_key(corpus)
        held.append(verify_receipt(parse_receipt(document["receipt"]).to_bytes(), key=key))
        signed = open_checkpoint((corpus / "checkpoint").read_bytes(), [parse_verifier_key(key)])
        assert signed.size > size
        assert signed.size >= held[-1].checkpoint.size
        size = signed.size
    registry = Registry.open(corpus / "registry.db")
    try:
        for receipt in held:  # the tree of today begins with the tree of each receipt: nothing was signed twice
            assert root(receipt.checkpoint.size, registry.node) == receipt.checkpoint.root
            assert [row.leaf for row in registry.log_rows(receipt.receipt.index, 1)] == [receipt.receipt.leaf]
    finally:
        registry.close()


def say_no(opt_outs: OptOuts, count: int, now: datetime) -> None:
    for _ in range(count):
        opt_outs.record([picture("coffee.jpg").fingerprints], uses=[Use.ALL], evidence=Evidence.PICTURE, now=now)


def test_nothing_goes_on_over_an_older_copy_of_the_registry(
    corpus: Path, tmp_path: Path, hibs: Hibs, settings: Settings, now: datetime
) -> None:
    photo = CHECKOUT / "fixtures" / "images" / "coffee.jpg"
    hibs("keys", "create", "--name", "lab", "--scopes", "feed", "--data", corpus)
    with OptOuts.open(corpus, settings, now=now) as opt_outs:
        say_no(opt_outs, 1, now)
        shutil.copy(corpus / "registry.db", tmp_path / "backup.db")
        say_no(opt_outs, 3, now)
    hibs("keys", "revoke", "lab", "--data", corpus)
    shutil.copy(tmp_path / "backup.db", corpus / "registry.db")
    signed = (corpus / "checkpoint").read_bytes()
    for command in (
        ("serve", "--port", "0"),
        ("opt-out", "add", photo),
        ("check", photo),
        ("ingest", photo.parent),
        ("keys", "list"),
        ("keys", "create", "--name", "other", "--scopes", "feed"),
        ("keys", "revoke", "lab"),
        ("keys", "rotate-log"),
    ):
        refused = hibs(*command, "--data", corpus, exit_code=2)
        assert refused.stdout == ""
        assert refused.stderr == (
            f"hibs: {corpus}/registry.db holds 1 entry, but 4 were signed: it is an older copy; "
            "restore the newest one, going on would fork the log\n"
        )
    assert (corpus / "checkpoint").read_bytes() == signed
