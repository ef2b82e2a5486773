"""`hibs fingerprint`: the codes of pictures, without a database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from checker.console import ExitCode, answer, answer_json, command, one_line, say
from checker.errors import InputError

if TYPE_CHECKING:
    from checker.model import Picture, Unreadable
    from checker.settings import Settings


@command
def fingerprint(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Pictures, or folders of pictures; with --out also tars, Parquet and lists.",
            show_default=False,
            readable=False,
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a picture, one a line.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="CODES",
            help="Write the codes of a dataset into this folder, for `hibs honour --codes`; what is there stays.",
            readable=False,
        ),
    ] = None,
    url_column: Annotated[
        str | None, typer.Option("--url-column", metavar="NAME", help="With --out: the column with addresses.")
    ] = None,
    image_column: Annotated[
        str | None, typer.Option("--image-column", metavar="NAME", help="With --out: the column with pictures.")
    ] = None,
) -> None:
    """Print the photo codes of pictures. Nothing is stored and nothing is sent.

    Examples:

      hibs fingerprint selfie.jpg

      hibs fingerprint photos/ --json > codes.ndjson

      hibs fingerprint shards/ --out codes/
    """
    import os

    if out is not None:
        from checker.commands.fingerprint_out import fingerprint_out

        fingerprint_out(paths, out, as_json=as_json, url_column=url_column, image_column=image_column)
        return
    if url_column or image_column:
        raise InputError("--url-column and --image-column say how a dataset is read; they go with --out")

    from checker.model import PHASH256, Unreadable
    from checker.settings import Settings

    failed = 0
    for path, picture in read_pictures(paths, Settings.from_environment(os.environ), every_kind=True):
        failed += isinstance(picture, Unreadable)
        if as_json:
            answer_json(picture_document(path, picture))
        elif isinstance(picture, Unreadable):
            say(f"{one_line(path)}: {picture.detail}")
        else:
            code = picture.fingerprint(PHASH256)
            note = "  too plain to tell it from others" if picture.plain else ""
            answer(f"{code.hex if code else '-'}  {one_line(path)}{note}")
    if failed:
        raise typer.Exit(int(ExitCode.PARTLY))


def read_pictures(
    paths: list[Path], settings: Settings, *, every_kind: bool = False
) -> Iterator[tuple[Path, Picture | Unreadable]]:
    """The codes of every picture that the arguments name, decoded in a process of its own.

    Args:
        every_kind: sscd512 as well, where it is installed; else phash256 alone.

    Raises:
        InputError: as `named_pictures`.
    """
    from checker.fingerprint import Depth, fingerprint_file
    from checker.fingerprint.sandbox import SandboxDecoder

    with SandboxDecoder(settings) as decoder:
        for path in named_pictures(paths):
            depth = Depth.WHOLE if every_kind else Depth.HASH
            yield path, fingerprint_file(path, settings, decoder=decoder, depth=depth)


def named_pictures(paths: list[Path]) -> Iterator[Path]:
    """Every picture file that the arguments name, in their order; see `checker.fingerprint.picture_files`.

    One missing path among several is a row; the only one is a mistake of the caller. So is a folder without pictures.

    Raises:
        InputError: the only path does not exist, or the paths hold no picture.
    """
    from checker.fingerprint import picture_files

    if len(paths) == 1 and _is_missing(paths[0]):
        raise InputError(f"there is no file or folder {one_line(paths[0])}; check the path")
    some = False
    for path in paths:
        found = False
        for file in picture_files([path]):
            some = found = True
            yield file
        if not found and len(paths) > 1:
            say(f"{one_line(path)}: this folder holds no picture")
    if not some:
        raise InputError(
            f"{', '.join(map(one_line, paths))}: no picture there; pictures have names like .jpg, .png, .webp or .gif"
        )


def _is_missing(path: Path) -> bool:
    try:
        return not path.exists()
    except (OSError, ValueError):
        return False  # it cannot even be asked; reading it says why


def picture_document(path: Path, picture: Picture | Unreadable) -> dict[str, Any]:
    """The contract's JSON for one picture."""
    from checker.model import Unreadable

    if isinstance(picture, Unreadable):
        return {
            "path": str(path),
            "status": "unreadable",
            "reason": picture.detail,
            "width": None,
            "height": None,
            "format": None,
            "sha256": None,
            "codes": {},
            "plain": None,
        }
    return {
        "path": str(path),
        "status": "too-plain" if picture.plain else "ok",
        "reason": None,
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
        "sha256": picture.sha256,
        "codes": {f.kind.name: {"version": f.kind.version, "hex": f.hex} for f in picture.fingerprints},
        "plain": picture.plain,
    }
