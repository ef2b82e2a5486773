"""`hibs fingerprint --out`: the codes of a whole dataset, part by part, so that honouring it decodes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from checker.console import ExitCode, answer, answer_json, one_line, say
from checker.datasets.code_parts import CodedPart, code_part
from checker.datasets.coding import CodedSample, Coder
from checker.datasets.columns import Named
from checker.datasets.parts import Part, parts_of
from checker.errors import InputError
from checker.fingerprint import Depth
from checker.fingerprint.sandbox import SandboxDecoder
from checker.model import Unreadable
from checker.progress import Progress
from checker.settings import Settings


def fingerprint_out(
    paths: list[Path], out: Path, *, as_json: bool, url_column: str | None, image_column: str | None
) -> None:
    """Write the codes of every part below `paths` into the folder `out`; parts that are there and fit stay.

    Raises:
        InputError: a path cannot be read, or the folder cannot be written.
    """
    if out.suffix.lower() == ".parquet" or (os.path.lexists(out) and not out.is_dir()):
        raise InputError(f"--out makes a folder with one file a part; {out} is none, give for example codes/")
    for path in paths:
        if out.resolve().is_relative_to(path.resolve()):
            raise InputError(f"{out} lies inside {path}; choose a place outside of it")
    parts = parts_of(paths, Named(url_column, image_column))
    settings = Settings.from_environment(os.environ)
    teller = _Teller()
    with SandboxDecoder(settings) as decoder, Progress() as progress:
        coder = Coder(settings, decoder, Depth.WHOLE)
        for part in parts:
            done = code_part(part, out, coder, each=lambda coded, part=part: teller.row(part, coded, progress))  # type: ignore[misc]
            teller.part(part, done, as_json=as_json)
    say(f"{teller.rows:,} rows read, {teller.kept} of {len(parts)} parts were there already")
    if teller.failed:
        raise typer.Exit(int(ExitCode.PARTLY))


class _Teller:
    """Says what became of rows and parts."""

    def __init__(self) -> None:
        self.rows = self.failed = self.kept = 0

    def row(self, part: Part, coded: CodedSample, progress: Progress) -> None:
        """One row more."""
        self.rows += 1
        progress.show_rows(str(part.path), self.rows)
        place = f"{coded.sample.path} row {coded.sample.row}"
        if coded.sample.trouble is not None:
            say(one_line(f"{place}: {coded.sample.trouble}"))
        for found in coded.pictures:
            if isinstance(found.picture, Unreadable):
                say(one_line(f"{place} ({found.name}): {found.picture.detail}"))

    def part(self, part: Part, done: CodedPart, *, as_json: bool) -> None:
        """One part more."""
        self.kept += not done.made
        about = done.about
        self.failed += about.unreadable  # also of codes that were there: which ones was said when they were made
        if as_json:
            told = {"path": str(part.path), "made": done.made, "rows": about.rows, "pictures": about.pictures}
            answer_json({**told, "unreadable": about.unreadable, "sha256": about.sha256})
            return
        word = "made" if done.made else "was there"
        unreadable = f", {about.unreadable:,} unreadable" if about.unreadable else ""
        answer(one_line(f"{part.path}: {about.rows:,} rows, {about.pictures:,} pictures{unreadable}, {word}"))
