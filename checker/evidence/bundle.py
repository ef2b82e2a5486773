"""A folder that shows by itself what was asked and what came of it: files, a list of their digests, a signature.

`SHA256SUMS` is a signed note (C2SP signed-note, Ed25519): lines as `sha256sum` writes and checks them, a blank line, a
signature. `key.pub` is the key. A folder that was changed does not verify, unless it was also signed anew: by whom it
was signed says the key, so whoever wants to be believed publishes it somewhere else as well.

The key lies in the owner's configuration folder and not in the data: one organisation, one key.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from checker.console import one_line
from checker.errors import DataError, InputError, VerificationError
from checker.optout.note import (
    NOTE_BYTES_MAX,
    SigningKey,
    VerifierKey,
    open_note,
    parse_signing_key,
    parse_verifier_key,
    with_one_signature,
)
from checker.optout.private_file import read_private, write_private

SUMS_FILE = "SHA256SUMS"
PUBLIC_FILE = "key.pub"
_KEY_NAME = "hibs-evidence"
_FILES_MAX = 1_000
_NAMED_MAX = 10
_CHUNK_BYTES = 2**20
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._-]{0,99})")
"""Names that no shell, terminal or file system reads in two ways; ours are of this form."""


# --- the key ---------------------------------------------------------------------------------------------------


def key_path(environ: Mapping[str, str]) -> Path:
    """`~/.config/hibs/evidence.key` (XDG Base Directory Specification: relative paths there are ignored).

    Raises:
        InputError: there is no home.
    """
    base, home = environ.get("XDG_CONFIG_HOME", ""), environ.get("HOME", "")
    if base.startswith("/"):
        return Path(base) / "hibs" / "evidence.key"
    if home.startswith("/"):
        return Path(home) / ".config" / "hibs" / "evidence.key"
    raise InputError("no place for the key that signs: set HOME or XDG_CONFIG_HOME")


def signing_key(path: Path) -> SigningKey:
    """The key that signs bundles; made at first use, readable by its owner alone.

    Raises:
        DataError: others can read it, or it is none of ours.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (text := read_private(path)) is not None:
            return parse_signing_key(text.removesuffix("\n"))
        made = SigningKey(_KEY_NAME, secrets.token_bytes(32))
        write_private(path, f"{made.text}\n".encode())
        return made
    except OSError as error:
        raise DataError(f"cannot use {path}: {error.strerror}; check its permissions") from error
    except ValueError as error:
        raise DataError(f"{path} is no signing key; restore it, or move it away and a new one is made") from error


# --- writing ---------------------------------------------------------------------------------------------------


def require_free(folder: Path) -> None:
    """Nothing is written over: evidence that changes is none.

    Raises:
        InputError: there is something.
    """
    try:
        if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
            raise InputError(
                f"{one_line(folder)} is there already and is no empty folder; give --evidence a new folder"
            )
    except (OSError, ValueError) as error:
        raise InputError(f"{one_line(folder)} cannot be looked into; give --evidence a new folder") from error


def begin_bundle(folder: Path) -> Path:
    """A folder beside it to write into; what a run that was stopped left of one is dropped.

    Raises:
        DataError: it cannot be made.
    """
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise unwritable(folder, error) from error
    return partial


def bundle_file(partial: Path, name: str) -> Path:
    """An empty file of the folder, for its owner alone: it is to name people.

    Raises:
        OSError: it cannot be made.
    """
    path = partial / name
    path.touch(mode=0o600)
    return path


def finish_bundle(partial: Path, folder: Path, key: SigningKey) -> None:
    """List, sign, and put the folder in its place; until then there is none.

    Raises:
        DataError: it cannot be written.
    """
    try:
        bundle_file(partial, PUBLIC_FILE).write_text(f"{key.verifier.text}\n", encoding="ascii")
        sums = "".join(
            f"{_sha256(path)}  {path.name}\n" for path in sorted(partial.iterdir()) if path.name != SUMS_FILE
        )
        bundle_file(partial, SUMS_FILE).write_bytes(key.sign(sums))
        for path in partial.iterdir():
            _sync(path)
        _move(partial, folder)
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(path: Path, error: OSError) -> DataError:
    """The sentence about an output that could not be written."""
    return DataError(f"cannot write {one_line(path)}: {error.strerror or error}; check space and permissions")


def _move(partial: Path, folder: Path) -> None:
    try:
        partial.rename(folder)
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.EXDEV):
            raise
        # A volume is mounted there (rename(2)). The list comes last: without it nothing verifies.
        made: list[Path] = []
        try:
            for path in sorted(partial.iterdir(), key=lambda path: path.name == SUMS_FILE):
                made.append(bundle_file(folder, path.name))
                shutil.copyfile(path, made[-1])
                _sync(made[-1])
        except BaseException:
            for path in made:
                path.unlink(missing_ok=True)
            raise
        shutil.rmtree(partial, ignore_errors=True)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


# --- verifying -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verified:
    """A bundle that holds."""

    signer: VerifierKey
    files: tuple[str, ...]
    """Those of the list, sorted."""


def verify_bundle(folder: Path, *, key: VerifierKey | None = None) -> Verified:
    """Is every file as it was when it was signed, and is none missing and none added? Asks nobody.

    Args:
        key: who has to have signed, from a source that is trusted. None: the key of the folder is taken, which shows
            that its parts belong together and not whose they are.
    Raises:
        InputError: there is no such folder.
        VerificationError: part "signature", "key" or "files"; the message names the files.
    """
    there = _entries(folder)
    note, public = _small(folder, SUMS_FILE), _small(folder, PUBLIC_FILE)
    try:
        signer = parse_verifier_key(public.decode("ascii", "replace").removesuffix("\n"))
        text = open_note(note, [signer])
    except VerificationError as error:
        raise VerificationError(
            f"{SUMS_FILE} is not signed by the key in {PUBLIC_FILE}: one of them was changed; get the folder again "
            "from whoever made it",
            part="signature",
        ) from error
    # Other notes may bear signatures of strangers, which are passed over: here anybody could write words with them.
    if with_one_signature(note, signer) != note:
        raise VerificationError(
            f"{SUMS_FILE} has a line beside the signature of the key in {PUBLIC_FILE}: it was added; get the folder "
            "again from whoever made it",
            part="signature",
        )
    if key is not None and key != signer:
        raise VerificationError(
            f"the folder is signed by {signer.text} and not by the key that was given ({key.text})", part="key"
        )
    listed = _listed(text)
    troubles = [f"{name} is missing" for name in sorted(set(listed) - there)]
    troubles += [f"{one_line(name)} was added" for name in sorted(there - set(listed) - {SUMS_FILE})]
    troubles += [f"{name} was changed" for name in sorted(there & set(listed)) if not _is(folder / name, listed[name])]
    if troubles:
        more = f", and {len(troubles) - _NAMED_MAX} more" if len(troubles) > _NAMED_MAX else ""
        raise VerificationError(f"{', '.join(troubles[:_NAMED_MAX])}{more}", part="files")
    return Verified(signer, tuple(sorted(listed)))


def _entries(folder: Path) -> set[str]:
    try:
        names = set(os.listdir(folder))
    except (OSError, ValueError) as error:
        raise InputError(f"{one_line(folder)} is no folder that can be read; check the path") from error
    if len(names) > _FILES_MAX:
        raise VerificationError(f"the folder holds {len(names):,} files; a bundle has a few", part="files")
    return names


def _small(folder: Path, name: str) -> bytes:
    """A file that is needed to verify. Never through a link: it could show another file to each reader."""
    try:
        with os.fdopen(os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read(NOTE_BYTES_MAX + 1)
    except OSError as error:
        raise VerificationError(
            f"{name} is missing or cannot be read, so nothing is signed; this is no whole bundle", part="files"
        ) from error


def _listed(text: str) -> dict[str, str]:
    found = [_LINE.fullmatch(line) for line in text.split("\n")[:-1]]
    listed = {line[2]: line[1] for line in found if line}
    if len(listed) != len(found) or PUBLIC_FILE not in listed or SUMS_FILE in listed:
        raise VerificationError(f"{SUMS_FILE} is signed, and is no list of digests", part="signature")
    return listed


def _is(path: Path, sha256: str) -> bool:
    """Is it an ordinary file with this digest?"""
    try:
        return stat.S_ISREG(path.lstat().st_mode) and _sha256(path) == sha256
    except OSError:
        return False


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
