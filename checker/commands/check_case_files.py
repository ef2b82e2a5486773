"""What a case leaves behind: its files, and the sums that a person reads at the end."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checker.console import answer, one_line, say

if TYPE_CHECKING:
    from checker.optout.note import SigningKey


@dataclass(frozen=True, slots=True)
class CaseFiles:
    """Where to write. None: not."""

    csv: Path | None
    report: Path | None
    parquet: Path | None
    evidence: Path | None

    @property
    def named(self) -> tuple[tuple[str, Path], ...]:
        """Each with its option."""
        pairs = (
            ("--evidence", self.evidence),
            ("--csv", self.csv),
            ("--report", self.report),
            ("--parquet", self.parquet),
        )
        return tuple((option, path) for option, path in pairs if path)

    @property
    def journal(self) -> Path | None:
        """Beside the first of them. None: nothing is to be written."""
        return next((path.with_name(f"{path.name}.journal") for _, path in self.named), None)


def partial_of(path: Path) -> Path:
    """What it is until it is whole: beside it, so that it can be renamed."""
    return path.with_name(f".{path.name}.partial")


def write_case(document: dict[str, Any], files: CaseFiles, *, checkpoint: bytes | None, key: SigningKey | None) -> None:
    """Write everything that was asked for. The evidence folder comes last, whole or not at all.

    Args:
        checkpoint: of the log of the collection that was asked, for the evidence folder.
        key: signs the evidence folder; there, where there is one to write.
    Raises:
        DataError: something cannot be written.
    """
    from checker.evidence.bundle import begin_bundle, bundle_file, finish_bundle, unwritable
    from checker.evidence.case_page import case_page
    from checker.evidence.document import report_bytes
    from checker.evidence.parquet import write_parquet
    from checker.evidence.rows import write_csv

    if files.csv:
        _replace(files.csv, lambda path: path.write_bytes(write_csv(document)))
    if files.report:
        _replace(files.report, lambda path: path.write_bytes(case_page(document, signer=None)))
    if files.parquet:
        _replace(files.parquet, lambda path: write_parquet(document, path))
    if files.evidence and key:
        partial = begin_bundle(files.evidence)
        try:
            bundle_file(partial, "report.json").write_bytes(report_bytes(document))
            bundle_file(partial, "report.html").write_bytes(case_page(document, signer=key.verifier.text))
            bundle_file(partial, "matches.csv").write_bytes(write_csv(document))
            write_parquet(document, bundle_file(partial, "matches.parquet"))
            if checkpoint:
                bundle_file(partial, "checkpoint").write_bytes(checkpoint)
            finish_bundle(partial, files.evidence, key)
        except OSError as error:
            raise unwritable(files.evidence, error) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def tell_sums(document: dict[str, Any], files: CaseFiles, *, key: SigningKey | None, as_json: bool) -> None:
    """The sums on standard output, or, where that has JSON, nowhere; where the files lie on standard error."""
    counts, about = document["counts"], document["snapshot"]
    if not as_json:
        of = f" (for {counts['claimants_found']:,} of {counts['claimants']:,} claimants)" if counts["claimants"] else ""
        others = [(counts["possible"], "with possible copies only"), (counts["too_plain"], "too plain to tell")]
        told = "".join(f", {count:,} {words}" for count, words in others if count)
        answer(
            f"{counts['checked']:,} checked, {counts['found']:,} found{of}{told}, {counts['unreadable']:,} unreadable; "
            f"looked in {about['images_findable']:,} pictures, newest {(about['newest'] or '-')[:10]}  "
            "(not found is no proof)"
        )
    if document["changed_while_asked"]:
        say("the collection changed while it was asked; the report says so")
    for path in (files.csv, files.report, files.parquet):
        if path:
            say(f"written: {one_line(path)}")
    if files.evidence and key:
        say(f"written: {one_line(files.evidence)}, which `hibs evidence verify {one_line(files.evidence)}` verifies")
        say(f"signed by {key.verifier.text}; publish this line where others know it to be yours")


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside and rename: the file is the old one or the new one. For its owner alone, as it names people."""
    from checker.evidence.bundle import unwritable

    partial = partial_of(path)
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600, exist_ok=False)
        write(partial)
        partial.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        partial.unlink(missing_ok=True)
