"""Several servers on one data folder, asked at once: one count of a day, one log without a gap."""

from __future__ import annotations

import http.client
import json
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hibs_command import serving

from checker.optout.receipt import parse_receipt, verify_receipt

pytest_plugins = ("api_service",)
SHARE = 5


def say_no(url: str, seed: int) -> tuple[int, str | None, dict[str, Any]]:
    """Opt out a code as a real picture has it, with an address that a proxy could have made up."""
    bits = sum(1 << place for place in random.Random(seed).sample(range(256), 128))
    body = json.dumps({"codes": {"phash256": {"version": "1", "hex": bits.to_bytes(32).hex()}}})
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {"Content-Type": "application/json", "X-Forwarded-For": f"198.51.100.{seed}"}
    connection.request("POST", "/v1/opt-outs", body, headers)
    answer = connection.getresponse()
    document: dict[str, Any] = json.loads(answer.read())
    connection.close()
    return answer.status, answer.getheader("Retry-After"), document


def test_the_share_of_a_day_is_one_for_all_servers_and_no_entry_is_numbered_twice(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIBS_OPT_OUTS_PER_DAY_MAX", str(SHARE))
    with ExitStack() as servers, ThreadPoolExecutor(6) as people:
        urls = [servers.enter_context(serving(corpus.parent, "data")) for _ in range(2)]
        answers = list(people.map(lambda seed: say_no(urls[seed % 2], seed), range(12)))
    recorded = [document for status, _, document in answers if status == 201]
    assert len(recorded) == SHARE
    assert all(status == 429 and int(after) > 0 for status, after, _ in answers if status != 201 and after)
    assert [status for status, _, _ in answers].count(429) == 12 - SHARE
    receipts = [verify_receipt(parse_receipt(document["receipt"]).to_bytes()) for document in recorded]
    assert sorted(one.receipt.index for one in receipts) == list(range(SHARE))
    assert len({document["number"] for document in recorded}) == SHARE
