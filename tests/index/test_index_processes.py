"""Several processes and threads at once: what is committed is found at once, and builds change no answer."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory

import pytest
from hibs_command import CHECKOUT, Hibs
from index_answers import answers_as_a_scan, codes_in, holds, index_of, manifest_of, queries_for
from index_corpus import NOON, add, add_many, near_by_scan
from index_processes import PATIENCE_S, Nursery

from checker.errors import DataError
from checker.index.build import build
from checker.index.live import INDEX_FOLDER, LiveIndex, kind_folder
from checker.index.manifest import MANIFEST
from checker.index.verify import verify
from checker.model import PHASH256
from checker.records.folder import DataFolder
from checker.settings import Settings

NOBODY = 65534


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DataFolder]:
    with DataFolder.open(tmp_path / "data", create=True) as opened:
        yield opened


def recorded(folder: DataFolder, count: int) -> dict[int, bytes]:
    rng = random.Random(count)
    return add(folder, [rng.randbytes(32) for _ in range(count)])


def found(index: LiveIndex, code: bytes) -> list[int]:
    return [hit.code_id for hit in index.near([code], distance_bits_max=0).hits]


def until(happened: Callable[[], object], what: str) -> None:
    """Ask again and again."""
    end = time.monotonic() + PATIENCE_S
    while not happened():
        assert time.monotonic() < end, what


# --- freshness ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("builders", [0, 1], ids=["alone", "beside builds"])
def test_what_is_told_as_recorded_or_erased_is_found_or_gone_at_the_first_question(
    folder: DataFolder, nursery: Nursery, builders: int
) -> None:
    stored = recorded(folder, 120)
    doomed = random.Random(1).sample(sorted(stored), 100)
    build(folder, Settings(), now=NOON)
    with index_of(folder) as index:
        assert index.state().segments == 1
        processes = [nursery.start("write", folder.path, 5), nursery.start("erase", folder.path, doomed)]
        processes += [nursery.start("build", folder.path, 6 + number) for number in range(builders)]
        told = {"added": 0, "erased": 0, "built": 0}
        while told["added"] < 100 or told["erased"] < len(doomed) or told["built"] < 5 * builders:
            message = nursery.wait()
            assert message, "nothing is told any more"
            match message[1]:
                case ["added", code_id, code]:
                    assert found(index, bytes.fromhex(code)) == [code_id]
                case ["erased", code_id]:
                    assert found(index, stored[code_id]) == []
                    assert code_id not in [hit.code_id for hit in index.nearest([stored[code_id]], count=30).hits]
                case ["built", _, repaired]:
                    assert not repaired
                    assert index.state().damaged == ()
                case ["ended by itself"]:
                    continue
            told[message[1][0]] += 1
        for process in processes:
            nursery.end(process)
        nursery.heard()
        answers_as_a_scan(index, codes_in(folder))
        assert index.state().damaged == ()
    build(folder, Settings(), now=NOON)
    holds(folder, codes_in(folder))


def test_a_reader_takes_up_what_another_process_built(folder: DataFolder, nursery: Nursery) -> None:
    stored = recorded(folder, 30)
    with index_of(folder) as index:
        answers_as_a_scan(index, stored)
        assert (index.state().segments, index.state().tail) == (0, 30)
        process = nursery.start("build", folder.path, 1)
        until(lambda: index.state().segments == 1, "the reader goes on without the segment")
        assert index.state().tail == 0
        answers_as_a_scan(index, stored)
        nursery.end(process)
        nursery.heard()


def test_mapped_files_that_are_deleted_under_their_readers(folder: DataFolder) -> None:
    stored = recorded(folder, 60)
    build(folder, Settings(), now=NOON)
    readers = [index_of(folder) for _ in range(3)]
    for reader in readers:
        answers_as_a_scan(reader, stored)
    for number in range(6):
        before = manifest_of(folder).names
        build(folder, Settings(), now=NOON, full=True)
        assert not any(
            (kind_folder(folder.path, PHASH256) / name).exists() for name in before - manifest_of(folder).names
        )
        answers_as_a_scan(readers[number % 3], stored)
    for reader in readers:
        answers_as_a_scan(reader, stored)
        reader.close()


def test_threads_search_while_the_index_changes_under_them(folder: DataFolder) -> None:
    stored = recorded(folder, 200)
    build(folder, Settings(), now=NOON)
    questions = [queries_for(stored, seed) for seed in range(2)]
    expected = [near_by_scan(stored, asked, 31) for asked in questions]
    stop, answered = threading.Event(), Queue[tuple[int, bool]]()

    with index_of(folder) as index:

        def ask(number: int) -> None:
            right = False
            try:
                while not stop.is_set():
                    hits = index.near(questions[number], distance_bits_max=31).hits
                    right = [(hit.query_no, hit.distance_bits, hit.code_id) for hit in hits] == expected[number]
                    right &= index.state().codes == len(index.nearest(questions[number], count=300).hits) == 200
                    answered.put((number, right))
            finally:
                answered.put((number, right and stop.is_set()))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        segments = set()
        for _ in range(10):
            build(folder, Settings(), now=NOON, full=True)
            segments.add(manifest_of(folder).segments[0].name)
            for _ in range(20):
                assert answered.get(timeout=PATIENCE_S)[1]
        stop.set()
        for thread in threads:
            thread.join()
    while not answered.empty():
        assert answered.get()[1]
    assert len(segments) == 10


# --- one build at a time -----------------------------------------------------------------------------------------


def test_a_second_build_is_told_that_one_is_at_work(
    folder: DataFolder, nursery: Nursery, tmp_path: Path, hibs: Hibs
) -> None:
    stored, go_on = recorded(folder, 10), tmp_path / "go on"
    os.mkfifo(go_on)
    slow = nursery.start("build_slowly", folder.path, go_on)
    assert nursery.wait() == (slow, ["in the middle"])
    with pytest.raises(DataError, match=r"another build is at work in .*data/index; wait for it"):
        build(folder, Settings(), now=NOON)
    assert "another build is at work" in hibs("index", "build", "--data", folder.path, exit_code=2).stderr
    with index_of(folder) as index:
        answers_as_a_scan(index, stored)
        assert index.state().segments == 0
    go_on.write_bytes(b"x")
    assert nursery.wait() == (slow, ["built"])
    assert nursery.wait() == (slow, ["ended by itself"])
    holds(folder, stored)
    build(folder, Settings(), now=NOON)


def test_a_build_that_is_killed_lets_the_next_one_begin(folder: DataFolder, nursery: Nursery, tmp_path: Path) -> None:
    stored, go_on = recorded(folder, 10), tmp_path / "go on"
    os.mkfifo(go_on)
    slow = nursery.start("build_slowly", folder.path, go_on)
    assert nursery.wait() == (slow, ["in the middle"])
    assert nursery.end(slow) == -signal.SIGKILL
    assert [file.suffix for file in (folder.path / INDEX_FOLDER).rglob("*.*") if file.is_file()] == [".tmp"]
    assert any(kind.waiting for kind in verify(folder, Settings(), now=NOON))
    build(folder, Settings(), now=NOON)
    holds(folder, stored)


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM], ids=lambda by: by.name)
def test_a_build_that_is_broken_off_leaves_the_index_that_was_there(tmp_path: Path, by: signal.Signals) -> None:
    with DataFolder.open(tmp_path / "data", create=True) as folder:
        rng = random.Random(1)
        stored = add_many(folder, [rng.randbytes(32) for _ in range(60_000)])
        build(folder, Settings(), now=NOON)
        place, before = kind_folder(folder.path, PHASH256), manifest_of(folder)
        text, asked = (place / MANIFEST).read_bytes(), queries_for(stored)
        expected = near_by_scan(stored, asked, 31)
        for _ in range(40):  # where the build has ended before the signal came, another is begun
            ended, said = _broken_off(folder, by)
            if ended:
                break
            before, text = manifest_of(folder), (place / MANIFEST).read_bytes()
        assert ended == {signal.SIGINT: 130, signal.SIGTERM: -signal.SIGTERM}[by]
        assert said == ("hibs: stopped\n" if by is signal.SIGINT else "")
        assert (place / MANIFEST).read_bytes() == text
        assert before.names <= {file.name for file in place.iterdir()}
        with index_of(folder) as index:
            hits = index.near(asked, distance_bits_max=31).hits
            assert [(hit.query_no, hit.distance_bits, hit.code_id) for hit in hits] == expected
            assert (index.state().segments, index.state().damaged) == (1, ())
        build(folder, Settings(), now=NOON)
        assert {file.name for file in place.iterdir()} == {MANIFEST, *manifest_of(folder).names}


def _broken_off(folder: DataFolder, by: signal.Signals) -> tuple[int, str]:
    """`hibs index build --full`, and the signal while it writes a segment; how it ended and what it said."""
    place = kind_folder(folder.path, PHASH256)
    command = [sys.executable, "-P", "-m", "checker", "index", "build", "--full", "--data", str(folder.path)]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        until(lambda: any(place.glob("*.seg.tmp")) or process.poll() is not None, "no file is written")
        process.send_signal(by)
        said = process.communicate(timeout=PATIENCE_S)[1]
        return process.returncode, said


# --- whoever may read only ---------------------------------------------------------------------------------------


def test_a_reader_that_may_not_write_to_the_index_reads_and_cannot_build(nursery: Nursery) -> None:
    user = os.geteuid() or NOBODY
    with TemporaryDirectory(dir="/tmp") as path:
        data = Path(path) / "data"
        with DataFolder.open(data, create=True) as folder:
            recorded(folder, 20)
            build(folder, Settings(), now=NOON)
            recorded(folder, 3)
        if os.geteuid() == 0:
            for place in (data.parent, data, *(file for file in data.iterdir() if file.name != INDEX_FOLDER)):
                os.chown(place, user, user)
        places = [data / INDEX_FOLDER, *(place for place in (data / INDEX_FOLDER).rglob("*") if place.is_dir())]
        for place in places:
            place.chmod(0o555)
        (data / INDEX_FOLDER / "LOCK").chmod(0o444)
        reader = nursery.start("read_only", data, user)
        assert nursery.wait() == (reader, ["segments", 1, []])
        message = nursery.wait()
        assert message
        assert message[1][0] == "refused"
        assert message[1][1].startswith(f"cannot write {data}/index/LOCK: Permission denied")
        nursery.end(reader)
        nursery.heard()
        for place in places:
            place.chmod(0o755)
