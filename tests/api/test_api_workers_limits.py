"""Four workers are one service: one count of a day (check C8), and a key that was revoked opens nothing (check C24)."""

from __future__ import annotations

import http.client
import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from test_api_workers import children, serving, until

from checker.keys import Scope, create_key, revoke_key
from checker.records.registry import REGISTRY_FILE, Registry

pytest_plugins = ("api_service",)
WORKERS, SHARE = 4, 20


@contextmanager
def four_workers(corpus: Path, *arguments: str) -> Iterator[str]:
    """Host and port of a service whose four workers have all begun."""
    with serving(corpus, *arguments, workers=WORKERS) as (process, url):
        until(lambda: len(children(process.pid)) == WORKERS)
        yield url.removeprefix("http://")


def say_no(connection: http.client.HTTPConnection, number: int, address: str) -> tuple[int, str | None]:
    """Status and Retry-After of an opt-out with an address that the sender made up."""
    bits = sum(1 << place for place in random.Random(number).sample(range(256), 128))
    body = json.dumps({"codes": {"phash256": {"version": "1", "hex": bits.to_bytes(32).hex()}}})
    connection.request("POST", "/v1/opt-outs", body, {"Content-Type": "application/json", "X-Forwarded-For": address})
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("Retry-After")


def require_one_share(answers: list[tuple[int, str | None]]) -> None:
    assert [status for status, _ in answers].count(201) == SHARE
    assert {status for status, _ in answers} == {201, 429}
    assert all(after is not None and after.isdecimal() for status, after in answers if status == 429)


def test_two_hundred_invented_addresses_are_one_for_all_workers(corpus: Path) -> None:
    """From one socket, and then from many: the connection tells who asks."""
    with four_workers(corpus) as place:
        with closing(http.client.HTTPConnection(place, timeout=60)) as one:
            answers = [say_no(one, number, f"203.0.113.{number}") for number in range(100)]

        def from_another_socket(number: int) -> tuple[int, str | None]:
            with closing(http.client.HTTPConnection(place, timeout=60)) as another:
                return say_no(another, number, f"198.51.100.{number}")

        with ThreadPoolExecutor(8) as people:
            answers += people.map(from_another_socket, range(100, 200))
    require_one_share(answers)


def test_two_hundred_addresses_of_one_household_are_one_for_all_workers(corpus: Path) -> None:
    """Of one /64, told by a proxy that is believed; on a socket each, so that every worker gets some."""
    with four_workers(corpus, "--proxy", "127.0.0.1") as place, ThreadPoolExecutor(8) as people:

        def from_one_house(number: int) -> tuple[int, str | None]:
            with closing(http.client.HTTPConnection(place, timeout=60)) as socket:
                return say_no(socket, number, f"2001:db8:1:2::{number:x}")

        require_one_share(list(people.map(from_one_house, range(200))))


def test_a_revoked_key_opens_nothing_in_any_worker_and_its_text_is_nowhere(corpus: Path) -> None:
    with closing(Registry.open(corpus / REGISTRY_FILE)) as registry:
        key = create_key(registry, name="lab", scopes=[Scope.FEED], now=datetime.now(UTC))
        with four_workers(corpus) as place, ThreadPoolExecutor(8) as readers:

            def read(_: int) -> int:
                with closing(http.client.HTTPConnection(place, timeout=60)) as socket:
                    socket.request("GET", "/v1/feed/openings?from=0", headers={"Authorization": f"Bearer {key}"})
                    return socket.getresponse().status

            assert set(readers.map(read, range(40))) == {200}
            revoke_key(registry, name="lab", now=datetime.now(UTC))
            assert set(readers.map(read, range(40))) == {401}
    for file in (path for path in corpus.rglob("*") if path.is_file()):
        assert key.encode() not in file.read_bytes(), file
        assert key.removeprefix("hibs_").encode() not in file.read_bytes(), file
