"""Every error that this project raises on purpose, in one tree.

    CheckerError
    ├── InputError               the caller's own input cannot be used        exit 2
    │   ├── EmptyCorpusError     nothing was looked at yet: no answer is given
    │   ├── NotACodeError        bits that no real picture has
    │   └── TooPlainError        a picture that cannot be told from others
    ├── DataError                a data folder cannot be used                  exit 2
    │   ├── NewerDataError       it was written by a newer version
    │   ├── IndexDamagedError    a file of the index is cut off, altered or another's
    │   └── LogBehindError       the database is older than what was signed
    ├── PartUnavailableError     a part of the index that lives elsewhere did not answer
    ├── SandboxError             no process can be started to decode in         exit 2
    ├── RemoteError              another machine did not answer as agreed      exit 2
    │   └── RemoteProblemError   it refused, and said why (RFC 9457)
    └── VerificationError        a proof, a receipt or a feed does not hold    exit 4

A message says what happened, to which input, and what to do next; it never repeats the contents of an input.
Broken data of others (a malformed signal, an unreadable picture) is no exception but a value with a reason.
"""

from typing import ClassVar


class CheckerError(Exception):
    """The root. `exit_code` is what a command ends with when the error reaches it (README, "Commands")."""

    exit_code: ClassVar[int] = 2


class InputError(CheckerError):
    """What the caller gave cannot be used: a missing path, a wrong option, an address of another scheme."""


class EmptyCorpusError(InputError):
    """There is nothing to compare with, so neither "found" nor "not found" would be true."""


class NotACodeError(InputError):
    """The bits given cannot come from a real picture (every real code has 128 bits set; docs/decisions.md, 4)."""


class TooPlainError(InputError):
    """The picture has too little in it: its code would also match every other plain picture."""


class DataError(CheckerError):
    """A data folder is missing, damaged, or not ours."""


class NewerDataError(DataError):
    """The data folder was written by a newer version of this program. Nothing was changed in it."""


class IndexDamagedError(DataError):
    """A file of the index does not hold what was written there. Answers come from the database; a build replaces it."""


class LogBehindError(DataError):
    """The registry holds less than a checkpoint that was already signed; going on would fork the log."""


class PartUnavailableError(CheckerError):
    """A part of the index did not answer. The search goes on without it, and the answer says so."""


class SandboxError(CheckerError):
    """The machine gives no process to decode pictures in. That says nothing about any picture."""


class RemoteError(CheckerError):
    """A server could not be reached, refused, or answered with something that is not of the agreed form."""


class RemoteProblemError(RemoteError):
    """A server refused.

    Args:
        message: which server, why, and what to do.
        status: of HTTP.
        kind: as docs/api.md names it ("rate-limited"); empty: the answer was no problem document.
        detail: the server's own sentence about this case, on one line.
        retry_after_s: when it may be asked again, where it said so.
        places: which members of what was sent are wrong.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        kind: str = "",
        detail: str = "",
        retry_after_s: int | None = None,
        places: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.places = places


class VerificationError(CheckerError):
    """A receipt, feed or log does not verify.

    Args:
        message: what differs and what to do.
        part: which part failed, as named in docs/feed.md ("checkpoint-signature", "inclusion-proof", ...).
    """

    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, *, part: str) -> None:
        super().__init__(message)
        self.part = part
