"""`hibs opt-out add` that is killed: whatever counts can be taken back by its holder, and the next command goes on."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from registry_child import code
from typer.testing import CliRunner

from checker.commands import optout
from checker.optout.log import folder_key
from checker.optout.receipt import verify_receipt
from checker.optout.tokens import withdraw_code_hash
from checker.records.registry import Registry

KILLED_AT_EACH_CHANGE = """
import os, shutil, sys, warnings
from pathlib import Path
from checker.commands import optout
from checker.optout import paper_page, papers, request  # once, and not in every child
from checker.datasets import code_lines
warnings.simplefilter("ignore")  # numpy has threads, which a fork leaves behind; they are not needed here

base, codes = Path(sys.argv[1]), sys.argv[2]
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "shutil.rmtree")

def kill_at(change, folder):
    seen = 0
    def hook(event, args):
        nonlocal seen
        writes = event == "open" and str(folder) in str(args[0]) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in CHANGES and str(folder) in str(args[0]):
            seen += 1
            if seen == change:
                os._exit(9)
    sys.addaudithook(hook)
    sys.stdout = open(os.devnull, "w")
    optout.app(["add", "--codes", codes, "--data", str(folder / "data"), "--out", str(folder / "papers")],
               standalone_mode=False)
    os._exit(0)

change, status = 0, 9
while status == 9:
    change += 1
    folder = base / str(change)
    shutil.copytree(base / "data", folder / "data")
    child = os.fork()
    if child == 0:
        kill_at(change, folder)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(status, change)
"""


def test_whatever_counts_after_a_kill_has_its_withdraw_file_and_its_receipt_can_be_had(tmp_path: Path) -> None:
    line = {
        "path": "a.jpg", "status": "ok", "width": 640, "height": 480, "format": "JPEG", "sha256": "ab" * 32,
        "codes": {"phash256": {"version": "1", "hex": code(random.Random(1)).hex}}, "plain": False,
    }  # fmt: skip
    codes = tmp_path / "codes.ndjson"
    codes.write_text(json.dumps(line) + "\n")
    first = CliRunner().invoke(
        optout.app, ["add", "--codes", str(codes), "--data", str(tmp_path / "data"), "--out", str(tmp_path)]
    )
    assert first.exit_code == 0, first.stderr
    command = [sys.executable, "-c", KILLED_AT_EACH_CHANGE, str(tmp_path), str(codes)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.split()
    assert told[0] == "0", "the last one was not killed"
    counted = []
    for change in range(1, int(told[1]) + 1):
        data, papers = tmp_path / str(change) / "data", tmp_path / str(change) / "papers"
        with closing(Registry.open(data / "registry.db")) as registry:
            rows = registry.opt_outs_in(["recorded"])
        counted.append(len(rows))
        for row in rows[1:]:
            withdraw = (papers / f"{row.number}.withdraw.txt").read_text()
            assert withdraw_code_hash(withdraw.splitlines()[0]) == row.withdraw_hash
    assert counted == sorted(counted), "first it does not count, then it does"
    assert counted.count(1) > 2, "killed before it counted"
    assert counted.count(2) > 5, "killed between that and the papers, and not at all"
    first_counted = tmp_path / str(counted.index(2) + 1)
    (withdraw_file,) = (first_counted / "papers").glob("*.withdraw.txt")
    again = ["receipt", str(withdraw_file), "--data", str(first_counted / "data"), "--out", str(tmp_path), "--json"]
    made = CliRunner().invoke(optout.app, again)
    assert made.exit_code == 0, made.stderr
    receipt = Path(json.loads(made.stdout)["receipt"]).read_bytes()
    assert verify_receipt(receipt, key=folder_key(first_counted / "data")).receipt.index == 1
