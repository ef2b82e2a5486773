"""`hibs evidence`: is a folder of `hibs check --evidence` as it was signed, and which key signs here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from checker.console import answer, answer_json, command, say
from checker.errors import InputError, VerificationError

if TYPE_CHECKING:
    from checker.optout.note import VerifierKey

app = typer.Typer(
    help="Verify evidence folders, and show the key that signs them.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("verify")
@command
def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of `hibs check --evidence`.", readable=False)],
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="KEY",
            help="Who has to have signed it: the line that they published.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Verify a folder offline: exit 4 names what was changed, is missing or was added.

    Examples:

      hibs evidence verify out/

      hibs evidence verify out/ --key hibs-evidence+1c2d3e4f+AXh...
    """
    from checker.evidence.bundle import verify_bundle

    verified = verify_bundle(folder, key=_given_key(key) if key else None)
    if as_json:
        answer_json({"verified": True, "signer": verified.signer.text, "files": list(verified.files)})
        return
    answer(f"{len(verified.files)} files are as they were signed, none is missing and none was added")
    answer(f"signed by {verified.signer.text}")
    if key is None:
        say("whose key that is the folder cannot show; compare it with what they published, or give it with --key")


@app.command("key")
@command
def key() -> None:
    """Print the public half of the key that signs here, to be published. It is made at first use."""
    import os

    from checker.evidence.bundle import key_path, signing_key

    answer(signing_key(key_path(os.environ)).verifier.text)


def _given_key(text: str) -> VerifierKey:
    """A mistyped key is a mistake of the caller: nothing was forged."""
    from checker.optout.note import parse_verifier_key

    try:
        return parse_verifier_key(text.strip())
    except VerificationError as error:
        raise InputError(f"--key: {error}; take it as whoever signs publishes it") from error
