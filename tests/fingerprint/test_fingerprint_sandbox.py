"""Pictures of others are decoded in processes that hold nothing, may be killed at any time, and are never believed."""

from __future__ import annotations

import io
import os
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fcntl import ioctl
from pathlib import Path

import numpy as np
import pytest
from hibs_command import CHECKOUT
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from checker.errors import SandboxError
from checker.fingerprint import InProcessDecoder
from checker.fingerprint.sandbox import JOBS_MAX, ForgedAnswerError, SandboxDecoder, read_answer
from checker.fingerprint.sandbox_worker import ANSWER, NO_PICTURE, PICTURE
from checker.model import Pixels, Unreadable, UnreadableReason
from checker.settings import Settings

FIXTURES = CHECKOUT / "fixtures"
PICTURES = sorted([*(FIXTURES / "images").iterdir(), *(FIXTURES / "odd").iterdir()])
READER_FAILED = Unreadable(
    UnreadableReason.READER_FAILED,
    "the program that reads pictures failed on this one; save it anew or get another copy",
)


@pytest.fixture(scope="module")
def shared() -> Iterator[SandboxDecoder]:
    """For tests that leave its worker alive."""
    with SandboxDecoder(Settings(), workers=1) as decoder:
        yield decoder


@pytest.fixture
def decoder() -> Iterator[SandboxDecoder]:
    """One worker with a second for each picture, started already."""
    with SandboxDecoder(Settings(decode_seconds_max=1), workers=1) as decoder:
        decoder.decode(b"starts it")
        yield decoder


@pytest.fixture
def photo() -> bytes:
    return (FIXTURES / "images" / "chelsea.jpg").read_bytes()


def plain(found: Pixels | Unreadable) -> object:
    """Something that compares."""
    if isinstance(found, Unreadable):
        return found
    view = found.view if found.view is None else (found.view.shape, found.view.tobytes())
    return found.grey64.tobytes(), found.width, found.height, found.format, view


def worker_of(decoder: SandboxDecoder) -> int:
    (process_id,) = decoder.processes()
    return process_id


# --- the same pictures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", [False, True], ids=["grey", "view"])
def test_a_worker_gives_what_decoding_here_gives(shared: SandboxDecoder, view: bool) -> None:
    here = InProcessDecoder(Settings())
    for path in PICTURES:
        body = path.read_bytes()
        assert plain(shared.decode(body, view=view)) == plain(here.decode(body, view=view)), path.name


@given(path=st.sampled_from(PICTURES), at=st.floats(0, 1, exclude_max=True), data=st.binary(min_size=1, max_size=12))
@hypothesis_settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_picture_gets_the_same_answer_there_and_here(
    shared: SandboxDecoder, path: Path, at: float, data: bytes
) -> None:
    """What Pillow would import only now has to be there already, or the worker would fail."""
    body = bytearray(path.read_bytes())
    start = int(at * len(body))
    body[start : start + len(data)] = data
    assert plain(shared.decode(bytes(body))) == plain(InProcessDecoder(Settings()).decode(bytes(body)))


def test_many_threads_share_two_workers(photo: bytes) -> None:
    expected = plain(InProcessDecoder(Settings()).decode(photo, view=True))
    with SandboxDecoder(Settings(), workers=2) as decoder, ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: decoder.decode(photo, view=True), range(80)))
        assert len(decoder.processes()) == 2
    assert all(plain(one) == expected for one in found)


# --- death and delay -------------------------------------------------------------------------------------------


def sockets() -> set[int]:
    """Our open sockets."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found |= {int(name)} if os.readlink(f"/proc/self/fd/{name}").startswith("socket:") else set()
        except FileNotFoundError:  # that of the listing itself
            continue
    return found


def test_a_worker_that_is_killed_in_the_middle_costs_one_picture(photo: bytes) -> None:
    before = sockets()
    with SandboxDecoder(Settings(), workers=1) as decoder, ThreadPoolExecutor(1) as thread:
        decoder.decode(b"starts it")
        (line,) = sockets() - before
        first = worker_of(decoder)
        os.kill(first, signal.SIGSTOP)
        answer = thread.submit(decoder.decode, photo)
        unread = bytearray(4)
        while not int.from_bytes(unread, sys.byteorder):  # until the picture lies in front of it
            ioctl(line, termios.TIOCOUTQ, unread)
        os.kill(first, signal.SIGKILL)
        assert answer.result() == READER_FAILED
        assert isinstance(decoder.decode(photo), Pixels)
        assert worker_of(decoder) != first


def test_a_worker_that_died_while_it_was_idle_costs_nothing(decoder: SandboxDecoder, photo: bytes) -> None:
    first = worker_of(decoder)
    watch = os.pidfd_open(first)
    os.kill(first, signal.SIGKILL)
    select.select([watch], [], [], 10)
    os.close(watch)
    assert isinstance(decoder.decode(photo), Pixels)
    assert worker_of(decoder) != first


def test_a_worker_that_fails_by_itself_costs_one_picture() -> None:
    with SandboxDecoder(Settings(decode_memory_bytes_max=2**20), workers=1) as decoder:
        assert decoder.decode(bytes(8 * 2**20)) == READER_FAILED  # not even the file fits
        assert decoder.decode(b"no picture") == InProcessDecoder(Settings()).decode(b"no picture")


def test_a_picture_that_takes_too_long_is_given_up(decoder: SandboxDecoder, photo: bytes) -> None:
    os.kill(worker_of(decoder), signal.SIGSTOP)
    assert decoder.decode(photo) == Unreadable(
        UnreadableReason.TOO_COSTLY, "reading the picture takes more than 1 seconds; save it smaller"
    )
    assert isinstance(decoder.decode(photo), Pixels)


def test_a_picture_that_needs_too_much_memory_is_refused_and_the_worker_lives(photo: bytes) -> None:
    with SandboxDecoder(Settings(decode_memory_bytes_max=64 * 2**20), workers=1) as decoder:
        out = io.BytesIO()
        Image.new("RGB", (6000, 4000)).save(out, "PNG", compress_level=1)
        found = decoder.decode(out.getvalue())
        assert found == Unreadable(UnreadableReason.TOO_LARGE, "the picture needs too much memory; save it smaller")
        first = worker_of(decoder)
        assert isinstance(decoder.decode(photo), Pixels)
        assert worker_of(decoder) == first


def test_a_worker_is_replaced_after_so_many_pictures(shared: SandboxDecoder) -> None:
    small = (FIXTURES / "odd" / "one-pixel.png").read_bytes()
    seen = []
    for _ in range(JOBS_MAX + 1):
        assert isinstance(shared.decode(small), Pixels)
        seen += shared.processes()
    assert 1 < len(set(seen)) <= 3


def test_nothing_is_left_of_a_closed_decoder(photo: bytes) -> None:
    files = len(os.listdir("/proc/self/fd"))
    with SandboxDecoder(Settings(decode_seconds_max=1), workers=1) as decoder:
        decoder.decode(photo)
        os.kill(worker_of(decoder), signal.SIGSTOP)
        decoder.decode(photo)  # too late
        decoder.decode(photo)
        last = worker_of(decoder)
    assert (decoder.processes(), Path(f"/proc/{last}").exists()) == ((), False)
    assert len(os.listdir("/proc/self/fd")) == files
    with pytest.raises(SandboxError, match="closed"):
        decoder.decode(photo)


def test_a_worker_ends_with_its_parent(photo: bytes) -> None:
    code = (
        "import os, signal, sys\n"
        "from checker.fingerprint.sandbox import SandboxDecoder\n"
        "from checker.settings import Settings\n"
        "decoder = SandboxDecoder(Settings(), workers=1)\n"
        "decoder.decode(b'starts it')\n"
        "print(*decoder.processes(), flush=True)\n"
        "sys.stdin.read()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=CHECKOUT, text=True) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        watch = os.pidfd_open(int(parent.stdout.readline()))
        parent.stdin.close()
        ended, _, _ = select.select([watch], [], [], 10)
        os.close(watch)
    assert ended == [watch]


def test_a_machine_that_gives_no_process_is_no_fault_of_the_picture(
    photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    with SandboxDecoder(Settings()) as decoder, pytest.raises(SandboxError, match="cannot be started"):
        decoder.decode(photo)


# --- what a worker holds ---------------------------------------------------------------------------------------


def test_a_worker_holds_no_file_and_no_environment_of_ours(
    photo: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIBS_CONTACT", "me@example.org")
    monkeypatch.setenv("SECRET_TOKEN", "s3cret")
    with (tmp_path / "registry.db").open("wb") as database, SandboxDecoder(Settings(), workers=1) as decoder:
        os.set_inheritable(database.fileno(), True)  # noqa: FBT003 - it takes no keyword
        decoder.decode(photo)
        process = Path(f"/proc/{worker_of(decoder)}")
        try:
            files = sorted(os.readlink(file).partition(":")[0] for file in (process / "fd").iterdir())
            environment = (process / "environ").read_text()
        except PermissionError:  # PR_SET_DUMPABLE 0: only root may look
            assert os.geteuid() != 0
            return
        assert files == ["/dev/null", "/dev/null", "socket"]
        assert sorted(line.partition("=")[0] for line in environment.split("\0") if line) == [
            "MALLOC_ARENA_MAX",
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
        ]


def test_a_worker_can_open_nothing_start_nothing_and_leave_no_core(decoder: SandboxDecoder) -> None:
    process = worker_of(decoder)
    rows = Path(f"/proc/{process}/limits").read_text().splitlines()
    limits = {row[:26].strip(): row[26:].split()[:2] for row in rows}
    for name in ("Max open files", "Max processes", "Max file size", "Max core file size"):
        assert limits[name] == ["0", "0"], name
    assert limits["Max cpu time"] == ["22", "22"]
    assert int(limits["Max address space"][1]) < 2**30
    assert "NoNewPrivs:\t1" in Path(f"/proc/{process}/status").read_text()
    held = Path(f"/proc/{process}/status").read_text().partition("VmRSS:")[2].split()[0]
    assert int(held) < 80_000, "KiB; it imports more than decoding takes"
    assert os.getsid(process) == process, "Ctrl-C in the terminal would reach it"


# --- what a worker says ----------------------------------------------------------------------------------------

GREY, SENTENCE = bytes(4096), b"the picture is damaged"
HONEST = {"kind": PICTURE, "number": 0, "width": 30, "height": 20, "view_height": 0, "view_width": 0, "detail": 0}


def told(body: bytes, *, view: bool = False) -> Pixels | Unreadable:
    """What is made of these bytes of a worker; never are more asked for than the largest answer has."""
    stream = io.BytesIO(body)

    def receive(size: int) -> bytes:
        assert 0 <= size <= 640 * 640 * 3
        data = stream.read(size)
        if len(data) < size:
            raise EOFError
        return data

    return read_answer(receive, view=view, pixels_max=1000)


@pytest.mark.parametrize(
    "lie",
    [
        {"kind": 0},
        {"kind": 3},
        {"number": 4},
        {"width": 0},
        {"height": 0},
        {"width": 51},
        {"width": 2**32 - 1, "height": 2**32 - 1},
        {"view_height": 2, "view_width": 2},
        {"detail": 5},
        {"kind": NO_PICTURE},
        {"kind": NO_PICTURE, "width": 0, "height": 0, "number": 200},
        {"kind": NO_PICTURE, "width": 0, "height": 0, "detail": 401},
    ],
    ids=str,
)
def test_an_answer_with_a_wrong_number_is_refused(lie: dict[str, int]) -> None:
    assert isinstance(told(ANSWER.pack(*HONEST.values()) + GREY), Pixels)
    with pytest.raises(ForgedAnswerError):
        told(ANSWER.pack(*{**HONEST, **lie}.values()) + GREY)


@pytest.mark.parametrize("sides", [(0, 0), (0, 5), (5, 0), (641, 5), (5, 641), (65_535, 65_535)], ids=str)
def test_a_view_of_a_wrong_size_is_refused(sides: tuple[int, int]) -> None:
    found = told(ANSWER.pack(PICTURE, 1, 30, 20, 2, 3, 0) + GREY + bytes(range(18)), view=True)
    assert isinstance(found, Pixels)
    assert found.view is not None
    assert np.array_equal(found.view, np.arange(18).reshape(2, 3, 3))
    with pytest.raises(ForgedAnswerError):
        told(ANSWER.pack(PICTURE, 1, 30, 20, *sides, 0) + GREY, view=True)


@pytest.mark.parametrize("sentence", [b"\x1b]0;x\x07", b"two\nlines", b"\xff\xfe", "\u202egnp".encode()], ids=ascii)
def test_a_sentence_that_a_terminal_would_obey_is_refused(sentence: bytes) -> None:
    number = list(UnreadableReason).index(UnreadableReason.DAMAGED)
    told_so = told(ANSWER.pack(NO_PICTURE, number, 0, 0, 0, 0, len(SENTENCE)) + SENTENCE)
    assert told_so == Unreadable(UnreadableReason.DAMAGED, SENTENCE.decode())
    with pytest.raises(ForgedAnswerError):
        told(ANSWER.pack(NO_PICTURE, number, 0, 0, 0, 0, len(sentence)) + sentence)


@given(head=st.binary(max_size=ANSWER.size + 40), rest=st.integers(0, 8000), view=st.booleans())
@hypothesis_settings(max_examples=300)
def test_no_bytes_of_a_worker_do_harm(head: bytes, rest: int, view: bool) -> None:
    try:
        found = told(head + bytes(rest), view=view)
    except (ForgedAnswerError, EOFError):
        return
    if isinstance(found, Pixels):
        assert found.grey64.shape == (64, 64)
        assert 1 <= found.width * found.height <= 1000
        assert (found.view is not None) == view
