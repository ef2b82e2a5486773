"""Bulk look-ups over a real server, killed at half: nothing is lost, nothing is told twice."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import bulk_service
from bulk_lists import NDJSON, PLACE, WHY, codes, lines, unrelated, until
from hibs_command import serving
from signalled import stopped_after, was_stopped

pytest_plugins = ("api_service",)
now, ngo = bulk_service.now, bulk_service.ngo


def ask(address: str, path: str, key: dict[str, str], body: bytes | None = None) -> Any:
    headers = {**key, **(NDJSON if body else {})}
    with urllib.request.urlopen(urllib.request.Request(address + path, data=body, headers=headers)) as answer:
        return answer.read()


def workers(data: Path) -> list[int]:
    """Ids of the processes that answer for this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"checker.bulk" in words and bytes(data) in words:
                found.append(int(entry.name))
    return found


def test_a_killed_worker_is_followed_by_one_that_goes_on_where_it_was(
    corpus: Path, tmp_path: Path, ngo: dict[str, str]
) -> None:
    every = [{"id": str(n), "codes": codes("chelsea.jpg") if n % 500 == 0 else unrelated(n)} for n in range(20_000)]
    # Its second batch is in the file of answers, and the registry does not know of it yet.
    killed = stopped_after(tmp_path, "checker.bulk.work:Worker._answered", call=2)
    with serving(tmp_path, str(corpus), killed) as address:
        made = json.loads(ask(address, f"{PLACE}{WHY}", ngo, lines(*every)))

        def told() -> Any:
            return json.loads(ask(address, made["status"], ngo))

        until(lambda: told()["state"] == "done")
        results = [json.loads(line) for line in ask(address, made["results"], ngo).splitlines()]
        assert told()["found"] == 40
    assert was_stopped(tmp_path)
    assert [row["row"] for row in results] == list(range(1, 20_001)), "none twice, none left out"
    assert [int(row["id"]) for row in results if row["found"]] == list(range(0, 20_000, 500))


def test_a_long_list_finds_a_worker_when_it_has_arrived(corpus: Path, tmp_path: Path, ngo: dict[str, str]) -> None:
    body = lines(*({"codes": unrelated(n)} for n in range(5_000)))
    with serving(tmp_path, str(corpus)) as address, closing(http.client.HTTPConnection(address[7:])) as sender:
        sender.putrequest("POST", f"{PLACE}{WHY}")
        for name, value in {**ngo, **NDJSON, "Content-Length": str(len(body))}.items():
            sender.putheader(name, value)
        sender.endheaders(body[:-1])
        until(lambda: workers(corpus))
        assert json.loads(ask(address, PLACE, ngo)) == {"jobs": []}
        sender.send(body[-1:])
        made = json.loads(sender.getresponse().read())
        until(lambda: json.loads(ask(address, made["status"], ngo))["state"] == "done")
        assert json.loads(ask(address, made["status"], ngo))["rows"] == 5_000


def test_a_killed_service_takes_its_worker_along_and_its_list_waits(
    corpus: Path, tmp_path: Path, ngo: dict[str, str]
) -> None:
    command = [sys.executable, "-P", "-m", "checker", "serve", "--data", str(corpus), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found
        every = [{"codes": unrelated(n)} for n in range(10_000)]
        made = json.loads(ask(found[0], f"{PLACE}{WHY}", ngo, lines(*every)))
        until(lambda: workers(corpus))
        process.kill()
        process.wait()
    until(lambda: not workers(corpus), seconds=20)
    with serving(tmp_path, str(corpus)) as address:
        until(lambda: json.loads(ask(address, made["status"], ngo))["state"] == "done")
        assert len(ask(address, made["results"], ngo).splitlines()) == 10_000
