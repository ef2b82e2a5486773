"""The files that whoever opts out takes home, and reading whatever they come back with.

    NUMBER.withdraw.txt     the secret: to keep, mode 0600
    NUMBER.receipt.json     the proof: to show
    NUMBER.receipt.html     the same for people, to print

The secret is written first, where the opt-out is recorded here even before that counts: an entry whose code was lost
could never be withdrawn, and with the code the receipt can always be had again. A withdraw file whose opt-out was not
recorded in the end is taken back; after a kill in between it opens nothing.
"""

from __future__ import annotations

import codecs
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from checker.errors import DataError, InputError, VerificationError
from checker.optout.paper_page import receipt_page
from checker.optout.private_file import write_private
from checker.optout.receipt import RECEIPT_BYTES_MAX, Receipt, read_receipt
from checker.optout.tokens import CODE_PREFIX, NUMBER, read_number, read_withdraw_code

_SHOWN_LETTERS_MAX = 100


@dataclass(frozen=True, slots=True)
class Papers:
    """A folder that was found to be writable."""

    folder: Path
    temporary: Path

    @contextmanager
    def withdraw_kept(self, number: str, withdraw: str) -> Iterator[None]:
        """The withdraw file is there inside, and stays unless what happens inside fails.

        Raises:
            DataError: it cannot be written.
        """
        path = self._write(f"{number}.withdraw.txt", withdraw.encode())
        try:
            yield
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def keep_receipt(self, receipt: Receipt, *, status_address: str | None) -> tuple[Path, Path]:
        """Write the receipt and its page, each as a whole or not at all: their paths.

        Args:
            status_address: page of the server where its holder asks how it stands; None: there is none.
        Raises:
            DataError: the disk failed; the withdraw file is enough to have them again.
        """
        page = receipt_page(receipt, status_address=status_address)
        try:
            return (
                self._write(f"{receipt.number}.receipt.json", receipt.to_bytes()),
                self._write(f"{receipt.number}.receipt.html", page.encode()),
            )
        except DataError as error:
            raise DataError(
                f"the opt-out {receipt.number} is recorded, but its receipt could not be written into {self.folder}; "
                f"run `hibs opt-out receipt` with the file {receipt.number}.withdraw.txt to have it again"
            ) from error

    def keep(self, number: str, *, receipt: bytes | None, withdraw: str) -> tuple[Path | None, Path]:
        """Write the papers of an opt-out that is recorded already: the paths of receipt and withdraw file.

        Args:
            receipt: None: it is held.
        Raises:
            DataError: the disk failed; where that was before the withdraw file stood, the message holds the code,
                which would be lost otherwise.
        """
        try:
            withdraw_path = self._write(f"{number}.withdraw.txt", withdraw.encode())
        except DataError as error:
            raise DataError(
                f"the opt-out {number} was recorded, but its files could not be written into {self.folder}; "
                f"write down the withdraw code now: {withdraw.partition(chr(10))[0]}"
            ) from error
        if receipt is None:
            return None, withdraw_path
        return self.keep_receipt(read_receipt(receipt), status_address=None)[0], withdraw_path

    def _write(self, name: str, data: bytes) -> Path:
        try:
            write_private(self.temporary / name, data)
            path = (self.temporary / name).rename(self.folder / name)
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)  # else a power cut may take the name away again
            finally:
                os.close(folder)
            return path
        except OSError as error:
            raise DataError(
                f"cannot write {self.folder / name}: {error.strerror}; check space and permissions"
            ) from error


@contextmanager
def papers(folder: Path) -> Iterator[Papers]:
    """Make sure that files can be written into `folder`, before anything is recorded; leave nothing but them.

    Raises:
        InputError: it is a file, or cannot be written.
    """
    try:
        made = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".hibs-", dir=folder))
    except OSError as error:
        raise InputError(f"cannot write the receipt into {folder}: {error.strerror}; give another --out") from error
    try:
        yield Papers(folder=folder, temporary=temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if made and not any(folder.iterdir()):
            folder.rmdir()


@dataclass(frozen=True, slots=True)
class Paper:
    """What a person came with."""

    number: str | None
    code: str | None
    """The withdraw code. None: they have the number only, which is public."""


def read_paper(text: str) -> Paper:
    """Read a receipt file, a withdraw file, a number or a withdraw code. A receipt is not verified here.

    Raises:
        InputError: it is none of these.
    """
    path = Path(text)
    if _is_there(path):
        data = read_file(path)
        if is_withdraw_file(data):
            return _read_withdraw_file(path, data.removeprefix(codecs.BOM_UTF8).decode("ascii", errors="replace"))
        try:
            return Paper(number=read_receipt(data).number, code=None)
        except VerificationError as error:
            raise InputError(
                f"{path} is neither a receipt nor a withdraw file, or it was changed; take a file as it was written"
            ) from error
    code, number = read_withdraw_code(text), read_number(text)
    if code is None and not NUMBER.fullmatch(number):
        shown = text if len(text) <= _SHOWN_LETTERS_MAX else f"{text[:_SHOWN_LETTERS_MAX]}..."
        raise InputError(f"{shown} is no receipt file, withdraw file, number or withdraw code; check the path")
    return Paper(number=None, code=code) if code else Paper(number=number, code=None)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_withdraw_file(data: bytes) -> bool:
    """Does it begin as a withdraw file does, whatever editor saved it?"""
    return data.removeprefix(codecs.BOM_UTF8).lstrip().lower().startswith(CODE_PREFIX.encode())


def read_file(path: Path) -> bytes:
    """The bytes of a receipt or withdraw file, no more of it than a receipt can have and one.

    Raises:
        InputError: it cannot be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # to open a named pipe would wait for its writer for ever
            raise InputError(f"{path} is no file; give the file as it was written")
        with path.open("rb") as file:
            return file.read(RECEIPT_BYTES_MAX + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; check the path") from error


def _read_withdraw_file(path: Path, text: str) -> Paper:
    line, _, rest = text.lstrip().partition("\n")
    code, number = read_withdraw_code(line), re.search(NUMBER, rest)
    if code is None:
        raise InputError(f"the first line of {path} is no whole withdraw code; take the file as it was written")
    return Paper(number=number[0] if number else None, code=code)
