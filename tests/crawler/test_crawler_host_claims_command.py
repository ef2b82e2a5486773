"""`hibs opt-out host` as somebody uses it who has a website, or a name in the DNS."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hibs_command import Hibs
from local_dns import LocalDns, local_dns
from local_web import LocalWeb, local_web

from checker.model import Use
from checker.optout.entry import Evidence
from checker.optout.receipt import verify_receipt
from checker.optout.request import OptOuts
from checker.optout.tokens import read_withdraw_code
from checker.settings import Settings

PATH = "/.well-known/hibs-opt-out.txt"


@pytest.fixture
def server() -> Iterator[LocalWeb]:
    with local_web() as served:
        yield served


@pytest.fixture
def names() -> Iterator[LocalDns]:
    with local_dns() as served:
        yield served


def begin(hibs: Hibs, *arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(hibs("opt-out", "host", *arguments, "--data", "data", "--json").stdout)
    assert document["recorded"] is False
    return document


def test_a_site_opts_out_its_photos_by_a_file(hibs: Hibs, tmp_path: Path, server: LocalWeb) -> None:
    host = f"photos.localhost:{server.port}"
    asked = ("opt-out", "host", f"{host}/people/", "--uses", "train-ai,tdm", "--data", "data", "--out", "papers")
    asked = (*asked, "--allow-address", server.opened)
    first = hibs(*asked)
    claim = tmp_path / "papers" / f"photos.localhost-{server.port}.claim.txt"
    assert "Nothing is recorded yet" in first.stdout
    (record,) = (line.strip() for line in first.stdout.splitlines() if "hibs-opt-out-v1" in line)
    assert record.endswith(f" uses=tdm,train-ai {host}/people/")
    assert record in claim.read_text()
    code = claim.read_text().splitlines()[0]
    assert read_withdraw_code(code) == code
    assert code not in first.stdout + first.stderr
    assert server.requests == []
    assert not (tmp_path / "data").exists()

    # The second run asks. A record of somebody else proves nothing, and is shown beside the right one.
    server.put(PATH, f"hibs-opt-out-v1 {'A' * 43} uses=tdm,train-ai {host}/people/\n", "text/plain")
    refused = hibs(*asked, exit_code=2)
    assert f"    {record}\n" in refused.stdout
    assert f"http://{host}{PATH}: hibs-opt-out-v1 AAAA" in refused.stdout
    assert "nothing was recorded" in refused.stderr
    assert not (tmp_path / "data").exists()

    server.put(PATH, f"# Our photographers do not want to be training data.\n{record}\n", "text/plain")
    done = hibs(*asked)
    assert done.stdout.startswith(f"opted out {host}/people/: number ")
    assert not claim.exists()
    (receipt,) = (tmp_path / "papers").glob("*.receipt.json")
    opt_out = verify_receipt(receipt.read_bytes()).opt_out
    assert opt_out.addresses == (f"{host}/people/",)
    assert (opt_out.evidence, opt_out.pictures) == (Evidence.HOST_FILE, ())
    assert opt_out.uses == (Use.TDM, Use.TRAIN_AI)
    hibs("opt-out", "verify", receipt, "--data", "data")

    # The code was in the claim file before; it withdraws now.
    (withdraw,) = (tmp_path / "papers").glob("*.withdraw.txt")
    assert withdraw.read_text().splitlines()[0] == code
    status = json.loads(hibs("opt-out", "withdraw", withdraw, "--data", "data", "--json").stdout)
    assert status["state"] == "withdrawing"


def test_a_name_opts_itself_out_by_a_txt_record(hibs: Hibs, tmp_path: Path, names: LocalDns) -> None:
    begun = begin(hibs, "photos.example")
    (asked,) = begun["publish"]
    assert asked["host"] == "photos.example"
    assert asked["file"] == "https://photos.example/.well-known/hibs-opt-out.txt"
    assert asked["dns"] == "_hibs-opt-out.photos.example"
    again = ("opt-out", "host", "photos.example", "--data", "data", "--dns-server", names.server, "--json")
    refused = json.loads(hibs(*again, exit_code=2).stdout)
    assert refused["recorded"] is False
    assert refused["publish"][0]["record"] == asked["record"]
    assert {one["place"]: one["trouble"] for one in refused["publish"][0]["found"]} == {
        asked["file"]: "unreachable",
        f"TXT {asked['dns']}": "there is no such name",
    }
    names.put(asked["dns"], "TXT", f'"{asked["record"]}"')
    done = json.loads(hibs(*again).stdout)
    assert done["recorded"] is True
    assert done["addresses"] == ["photos.example/"]
    assert done["uses"] == ["index", "search", "tdm", "train-ai", "train-genai"]
    assert Path(tmp_path / done["receipt"]).is_file()
    assert Path(tmp_path / done["withdraw"]).is_file()


def test_what_a_host_published_is_good_for_nobody_else(hibs: Hibs, tmp_path: Path, names: LocalDns) -> None:
    (asked,) = begin(hibs, "photos.example", "--out", "theirs")["publish"]
    names.put(asked["dns"], "TXT", f'"{asked["record"]}"')
    begin(hibs, "photos.example", "--out", "mine")
    at = ("--data", "data", "--dns-server", names.server)
    hibs("opt-out", "host", "photos.example", *at, "--out", "mine", exit_code=2)
    # Nor for more than it says: other uses, another path, another host are other claims.
    hibs("opt-out", "host", "photos.example", "--uses", "tdm", *at, "--out", "theirs", exit_code=2)
    assert not (tmp_path / "data").exists()
    hibs("opt-out", "host", "photos.example", *at, "--out", "theirs")


def test_every_host_of_a_claim_has_to_publish(hibs: Hibs, names: LocalDns) -> None:
    hosts = ("a.example", "b.example")
    first, second = begin(hibs, *hosts)["publish"]
    again = ("opt-out", "host", *hosts, "--data", "data", "--dns-server", names.server, "--json")
    names.put(first["dns"], "TXT", f'"{first["record"]}"')
    assert [one["host"] for one in json.loads(hibs(*again, exit_code=2).stdout)["publish"]] == ["b.example"]
    names.put(second["dns"], "TXT", f'"{second["record"]}"')
    assert json.loads(hibs(*again).stdout)["addresses"] == ["a.example/", "b.example/"]


def test_papers_that_a_kill_kept_from_being_written_come_with_the_next_run(
    hibs: Hibs, tmp_path: Path, names: LocalDns
) -> None:
    (asked,) = begin(hibs, "photos.example")["publish"]
    names.put(asked["dns"], "TXT", f'"{asked["record"]}"')
    code = (tmp_path / "photos.example.claim.txt").read_text().splitlines()[0]
    now = datetime.now(UTC)
    with OptOuts.open(tmp_path / "data", Settings.from_environment(os.environ), now=now) as opt_outs:
        made = opt_outs.record(
            (), uses={Use.ALL}, evidence=Evidence.HOST_FILE, now=now, addresses=("photos.example/",), withdraw_code=code
        )
    done = json.loads(
        hibs("opt-out", "host", "photos.example", "--data", "data", "--dns-server", names.server, "--json").stdout
    )
    assert done["number"] == made.number
    assert (tmp_path / done["withdraw"]).read_text().startswith(code)
    assert verify_receipt((tmp_path / done["receipt"]).read_bytes()).opt_out.number == made.number
    assert not (tmp_path / "photos.example.claim.txt").exists()


def test_what_is_no_address_is_one_sentence(hibs: Hibs, tmp_path: Path) -> None:
    refused = hibs("opt-out", "host", "*.example.org", "--data", "data", exit_code=2)
    assert "name each host by itself" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_a_host_answers_cannot_rewrite_the_terminal(hibs: Hibs, names: LocalDns) -> None:
    begin(hibs, "photos.example")
    names.put("_hibs-opt-out.photos.example", "TXT", r'"hibs-opt-out-v1 \027[2Jx"')
    refused = hibs("opt-out", "host", "photos.example", "--data", "data", "--dns-server", names.server, exit_code=2)
    assert "\x1b" not in refused.stdout + refused.stderr
    assert r"\u001b[2Jx" in refused.stdout
