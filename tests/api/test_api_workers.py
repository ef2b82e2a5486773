"""`hibs serve --workers N`: several processes, one address, one log, one end."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import statistics
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from test_api_serve import end, start

pytest_plugins = ("api_service",)
CODE = json.dumps({"codes": {"phash256": {"version": "1", "hex": "0f" * 32}}}).encode()
WAIT_S = 30.0


@contextmanager
def serving(corpus: Path, *arguments: str, workers: int = 2) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = start("--data", str(corpus), "--port", "0", "--workers", str(workers), *arguments)
    assert process.stdout is not None
    try:
        line = process.stdout.readline().strip()
        assert line.startswith("open http://127.0.0.1:")
        yield process, line.removeprefix("open ")
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def until(true: Callable[[], object]) -> None:
    """Wait until something is so, at most half a minute."""
    end_s = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < end_s, "it did not come to be"
        select.select([], [], [], 0.02)


def children(parent: int) -> list[int]:
    """The workers of a parent, by the processes that the kernel lists under it."""
    try:
        listed = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
    except FileNotFoundError:
        return []
    return [int(number) for number in listed.split()]


def connections_of(process: int, port: int) -> int:
    """How many connections to a port a process holds, as the kernel lists them."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    ours = {f"socket:[{line[9]}]" for line in lines if line[1].endswith(f":{port:04X}") and line[3] == "01"}
    found = 0
    for descriptor in Path(f"/proc/{process}/fd").iterdir():
        try:
            found += os.readlink(descriptor) in ours
        except FileNotFoundError:
            continue
    return found


def is_alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=WAIT_S) as answer:
        return bytes(answer.read())


def opt_out(url: str) -> int:
    request = urllib.request.Request(f"{url}/v1/opt-outs", CODE, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        return int(json.loads(answer.read())["receipt"]["index"])


def status(ask: Callable[[], object]) -> int:
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask()
    caught.value.close()
    return caught.value.code


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_says_once_where_and_all_of_them_stop_cleanly(corpus: Path, stop: signal.Signals) -> None:
    with serving(corpus) as (process, url):
        until(lambda: len(children(process.pid)) == 2)
        workers = children(process.pid)
        get(f"{url}/readyz")
        process.send_signal(stop)
        assert process.stdout is not None
        assert process.stdout.read() == "", "the address is told once"
        code, err = end(process)
    assert (code, err) == (0, "")
    assert not any(is_alive(worker) for worker in workers)


def test_the_workers_number_one_log_without_a_gap(corpus: Path) -> None:
    with serving(corpus, workers=3) as (process, url):
        until(lambda: len(children(process.pid)) == 3)
        with ThreadPoolExecutor(8) as pool:
            indexes = list(pool.map(lambda _: opt_out(url), range(20)))
        assert sorted(indexes) == list(range(20))
        assert status(lambda: opt_out(url)) == 429, "and they share the count of the day"
        stats = [json.loads(get(f"{url}/v1/stats"))["log"]["size"] for _ in range(6)]
        assert stats == [20] * 6


def test_connections_that_come_together_are_shared_by_all_workers(corpus: Path) -> None:
    with serving(corpus) as (process, url):
        until(lambda: len(children(process.pid)) == 2)
        workers, port = children(process.pid), int(url.rpartition(":")[2])

        def held() -> list[int]:
            return [connections_of(worker, port) for worker in workers]

        def apart(connections: int) -> int:
            """How many more one worker gets than the other."""
            with ExitStack() as stack:
                for _ in range(connections):
                    stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                until(lambda: sum(held()) == connections)
                most, least = max(held()), min(held())
            until(lambda: sum(held()) == 0)
            return most - least

        until(lambda: apart(2) == 0)  # from here on both of them listen
        # Whoever is busy for longer than the others leave it a connection gets fewer; without sharing the median is 8.
        assert statistics.median(apart(8) for _ in range(9)) <= 2


def test_a_worker_that_dies_is_replaced_and_the_others_answer_meanwhile(corpus: Path) -> None:
    with serving(corpus) as (process, url):
        until(lambda: len(children(process.pid)) == 2)
        before = children(process.pid)
        os.kill(before[1], signal.SIGKILL)
        until(lambda: len(set(children(process.pid)) - {before[1]}) == 2)
        assert before[0] in children(process.pid)
        for _ in range(10):
            get(f"{url}/readyz")
        process.send_signal(signal.SIGTERM)
        code, err = end(process)
    assert code == 0
    assert err == "hibs: ERROR worker 1 ended (signal 9); another takes its place\n"


def test_a_parent_that_is_killed_leaves_nobody_behind(corpus: Path) -> None:
    with serving(corpus) as (process, url):
        until(lambda: len(children(process.pid)) == 2)
        workers = children(process.pid)
        get(f"{url}/readyz")
        process.kill()
        process.wait()
        until(lambda: not any(is_alive(worker) for worker in workers))
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind((host, int(port)))


def test_a_missing_data_folder_is_one_sentence_and_not_one_a_worker(tmp_path: Path) -> None:
    code, err = end(start("--data", str(tmp_path / "nothing"), "--port", "0", "--workers", "4"))
    assert code == 2
    assert "is no data folder" in err
    assert err.count("\n") == 1


def test_metrics_add_all_workers_up_on_loopback_and_name_nobody(corpus: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with serving(corpus, "--metrics-port", str(port)) as (process, url):
        until(lambda: len(children(process.pid)) == 2)
        for number in range(12):
            get(f"{url}/about?marker7c1={number}")
        opt_out(url)
        text = get(f"http://127.0.0.1:{port}/metrics").decode()
        assert status(lambda: get(f"{url}/metrics")) == 404, "never beside the pages"
    assert 'hibs_answers_total{endpoint="pages",outcome="2xx"} 12.0' in text
    assert 'hibs_answers_total{endpoint="opt-outs",outcome="2xx"} 1.0' in text
    assert 'hibs_answer_seconds_count{endpoint="pages"} 12.0' in text
    assert "hibs_workers 2.0" in text
    assert "marker7c1" not in text
    assert "127.0.0.1" not in text
