"""`hibs erase`: take what was seen of a photo out of a data folder, because the person in it asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from checker.commands.fingerprint import named_pictures
from checker.console import ExitCode, answer, answer_json, command, one_line, say


@command
def erase(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Photos, or folders of photos.", show_default=False, readable=False),
    ],
    data: Annotated[Path, typer.Option(metavar="DIR", help="The data folder.", show_default=False, readable=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be erased, and erase nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a photo, one a line.")] = False,
) -> None:
    """Erase what a data folder holds of photos: every copy found, with its codes, addresses and dates.

    Possible copies stay: look at them with `hibs check` first. Answers name an erased picture no more from the next
    question on; its codes leave the index's files within a day, or with `hibs index build`. The addresses it was
    found at are not visited again. What keeps the photo out wherever it is met is `hibs opt-out add`.

    Examples:

      hibs erase photo.jpg --data data/ --dry-run

      hibs erase photo.jpg --data data/
    """
    import os
    from datetime import UTC, datetime

    from checker.documents import report_document
    from checker.fingerprint.sandbox import SandboxDecoder
    from checker.lookup import Checker
    from checker.report import CheckStatus, MatchKind
    from checker.settings import Settings

    settings, now = Settings.from_environment(os.environ), datetime.now(UTC)
    failed = False
    with SandboxDecoder(settings) as decoder, Checker.open(data, settings, decoder=decoder) as checker:
        checker.require_pictures()
        for path in named_pictures(paths):
            report = checker.check_file(path, now=now)
            failed |= report.status is CheckStatus.UNREADABLE
            meant = sum(match.kind is not MatchKind.POSSIBLE for match in report.matches)
            erased = 0 if dry_run else checker.erase(report, now=now)
            if as_json:
                answer_json({"path": str(path), "found": meant, "erased": erased, **report_document(report)})
            elif report.status is not CheckStatus.CHECKED:
                say(f"{one_line(path)}: {one_line(report.reason or '')}")
            else:
                answer(one_line(f"{path}  {_sentence(meant, erased, dry_run=dry_run)}"))
    if failed:
        raise typer.Exit(int(ExitCode.PARTLY))


def _sentence(found: int, erased: int, *, dry_run: bool) -> str:
    if not found:
        return "not found, so nothing is erased"
    pictures = f"{found} picture{'' if found == 1 else 's'}"
    return f"{pictures} would be erased" if dry_run else f"{erased} of {pictures} erased"
