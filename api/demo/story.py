"""The story of the demo, told by the commands themselves."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from types import FrameType

from api.demo.sites import DemoWeb
from checker.console import ExitCode, answer, say

HIBS = (sys.executable, "-P", "-m", "checker")
"""`hibs` by this very Python; `-P` keeps a folder named `api` in the user's directory from being imported."""

ANOTHER = "dataset/000003.jpg"
"""A photo on the desk that one of the sites shows and nobody opted out."""


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the story."""

    heading: str
    """Empty: it goes on from the step before."""
    arguments: tuple[str, ...]
    exit_codes: tuple[ExitCode, ...] = (ExitCode.DONE,)
    """What it may end with; anything else ends the story."""


class Story:
    """Crawl, check, say no, check again, follow the feed, honour it."""

    def __init__(self, web: DemoWeb, *, desk: Path, data: Path) -> None:
        self._web = web
        self._desk = desk
        self._data = data

    def steps(self) -> tuple[Step, ...]:
        """The commands, in order. Paths are relative to the desk where they lie on it."""
        data = str(self._data.relative_to(self._desk) if self._data.is_relative_to(self._desk) else self._data)
        opened = tuple(part for site in self._web.sites for part in ("--allow-address", site.address))
        return (
            Step(
                "Four small sites stand ready on this machine; crawl them, politely",
                ("crawl", *(site.url for site in self._web.sites), *opened, "--delay", "0.05", "--data", data),
            ),
            Step("Is my photo in there? (a smaller, re-compressed copy)", ("check", "copy.jpg", "--data", data)),
            Step("", ("check", "elsewhere.jpg", "--data", data)),
            Step("Say no, and get a receipt", ("opt-out", "add", "copy.jpg", "--data", data)),
            Step("The same question again", ("check", "copy.jpg", "--data", data)),
            Step(
                "An operator follows the list of noes, proves that it is whole, and filters a dataset by it",
                ("feed", "sync", "--data", data, "feed"),
            ),
            Step("", ("feed", "verify", "feed")),
            Step(
                "",
                ("honour", "dataset", "--feed", "feed", "--out", "kept"),
                (ExitCode.DONE, ExitCode.PARTLY),
            ),
        )

    def tell(self) -> bool:
        """Run every step and show it. False: a command did not end as it should."""
        for site in self._web.sites:
            answer(f"# {site.url}  {site.says}")
        for step in self.steps():
            if step.heading:
                answer(f"# {step.heading}")
            answer(f"$ hibs {shlex.join(step.arguments)}")
            # Standard error joins standard output: the reader sees what a user's terminal shows.
            ended = subprocess.run((*HIBS, *step.arguments), cwd=self._desk, stderr=subprocess.STDOUT, check=False)  # noqa: S603
            if ended.returncode not in step.exit_codes:
                say(f"hibs: the demo stopped, because this command ended with {ended.returncode}")
                return False
        return True


def lay_out_desk(desk: Path) -> None:
    """Put the person's photos and the operator's dataset into an empty folder."""
    with _package_folder("desk") as source:
        shutil.copytree(source, desk, dirs_exist_ok=True)


def serve(web: DemoWeb, *, desk: Path, data: Path, port: int) -> None:
    """Run `hibs serve` until Ctrl-C and say what to try."""
    address = f"http://127.0.0.1:{port}"
    answer(
        f"\n# Now try it yourself; Ctrl-C stops\n"
        f"#   1  open {address} and choose a photo from {desk} (copy.jpg is hidden by now, {ANOTHER} is not)\n"
        f"#   2  hibs check {shlex.quote(str(desk / ANOTHER))} --server {address} --json\n"
        f"#   3  look at what was crawled: {web.sites[0].url}"
    )
    arguments: Sequence[str] = ("serve", "--data", str(data), "--port", str(port))
    answer(f"$ hibs {shlex.join(arguments)}")
    signal.signal(signal.SIGTERM, _interrupt)
    # In a session of its own the child hears Ctrl-C once, from us, and not a second time from the terminal.
    with subprocess.Popen((*HIBS, *arguments), start_new_session=True) as child:  # noqa: S603
        while child.poll() is None:
            try:
                child.wait()
            except KeyboardInterrupt:
                child.send_signal(signal.SIGINT)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _package_folder(name: str) -> Iterator[Path]:
    with as_file(files("api.demo") / name) as folder:
        yield folder
