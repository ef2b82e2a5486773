"""The file `log.key`: the keys of one log, oldest first, and what became of each. Mode 0600, outside the databases.

    PRIVATE+KEY+...                                            signs since the log began
    PRIVATE+KEY+... until TIME                                 signs until then, beside the next one
    PRIVATE+KEY+... since TIME added INDEX                     signs since then; the log's entry INDEX says so
    name+id+key [since TIME added INDEX] until TIME retired INDEX    signs no more, only its public half is left

A log has one key that signs, or two while one takes over from the other (docs/feed.md section 5). All of it stands in
one file that is replaced as a whole, so that there is no moment at which a key and its dates do not belong together.
The public half of a retired key stays: receipts that it signed are valid for ever.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from checker.errors import DataError, VerificationError
from checker.model import parse_utc, utc_text
from checker.optout.note import SigningKey, VerifierKey, parse_signing_key, parse_verifier_key
from checker.optout.private_file import read_private, write_private

KEY_FILE = "log.key"
KEYS_MAX = 1_000
"""Lines of the file; a key a month for 80 years."""
_LINE = re.compile(
    r"(?P<key>\S+)(?: since (?P<since>\S+) added (?P<added>[0-9]{1,16}))?"
    r"(?: until (?P<until>\S+)(?: retired (?P<retired>[0-9]{1,16}))?)?"
)


@dataclass(frozen=True, slots=True)
class LogKey:
    """One key of the log."""

    verifier: VerifierKey
    signing: SigningKey | None
    """None: it is retired, and its secret half is deleted."""
    since: datetime | None = None
    """None: since the log began."""
    added: int | None = None
    """Index of the entry that says that it came; None: the log began with it."""
    until: datetime | None = None
    """When it stops, or stopped, to sign. None: no other key is to take over from it."""
    retired: int | None = None
    """Index of the entry that says that it went."""

    @property
    def line(self) -> str:
        """As it stands in the file."""
        words = [self.signing.text if self.signing else self.verifier.text]
        if self.since is not None and self.added is not None:
            words.append(f"since {utc_text(self.since)} added {self.added}")
        if self.until is not None:
            words.append(f"until {utc_text(self.until)}")
        if self.retired is not None:
            words.append(f"retired {self.retired}")
        return " ".join(words)

    def to_dict(self) -> dict[str, str | int | None]:
        """As `hibs keys log --json` gives it: no secret."""
        return {
            "key": self.verifier.text,
            "signs": self.signing is not None,
            "since": utc_text(self.since) if self.since else None,
            "added": self.added,
            "until": utc_text(self.until) if self.until else None,
            "retired": self.retired,
        }


def signing_keys(keys: Sequence[LogKey]) -> list[SigningKey]:
    """Those that sign, oldest first."""
    return [key.signing for key in keys if key.signing]


# --- the file --------------------------------------------------------------------------------------------------


def read_keys(folder: Path) -> tuple[LogKey, ...]:
    """The keys of the log in this data folder, oldest first. Empty: it has no log.

    Raises:
        DataError: others may read the file, or it is not ours.
    """
    path = folder / KEY_FILE
    if (text := read_private(path)) is None:
        return ()
    try:
        keys = tuple(_parse_line(line) for line in text.removesuffix("\n").split("\n", KEYS_MAX))
        if len({key.verifier.name for key in keys}) != 1 or len({key.verifier.id for key in keys}) != len(keys):
            raise ValueError("its keys are of several logs, or one stands there twice")
        if not 1 <= len(signing_keys(keys)) <= 2 or keys[-1].signing is None or keys[-1].until is not None:
            raise ValueError("its last key does not sign, or more than two do")
    except (ValueError, OverflowError, VerificationError) as error:
        raise DataError(f"{path} is no file of signing keys ({error}); restore it") from error
    return keys


def write_keys(folder: Path, keys: Sequence[LogKey]) -> None:
    """Replace the file, so that after a crash it is the old or the new one."""
    write_private(folder / KEY_FILE, "".join(f"{key.line}\n" for key in keys).encode())


def _parse_line(line: str) -> LogKey:
    """Raises ValueError or VerificationError; neither repeats a secret half."""
    found = _LINE.fullmatch(line)
    if not found:
        raise ValueError("a line is not of its form")
    text, retired = found["key"], found["retired"]
    signing = parse_signing_key(text) if retired is None else None
    return LogKey(
        verifier=signing.verifier if signing else parse_verifier_key(text),
        signing=signing,
        since=parse_utc(found["since"]) if found["since"] else None,
        added=int(found["added"]) if found["added"] else None,
        until=parse_utc(found["until"]) if found["until"] else None,
        retired=int(retired) if retired else None,
    )
