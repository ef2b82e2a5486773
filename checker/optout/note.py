"""Signed notes, checkpoints, and the keys of a log.

    note          text, blank line, signature lines: C2SP signed-note, with Ed25519 signatures
    checkpoint    a note that says origin, size and root of the log: C2SP tlog-checkpoint
    verifier key  `name+hexid+base64(0x01 || public key)`: C2SP signed-note, "Verifier keys"
    signing key   `PRIVATE+KEY+name+hexid+base64(0x01 || seed)`: the format of Go's golang.org/x/mod/sumdb/note

The name of a log's key is its origin. Our checkpoints carry one extension line, `time 2026-11-22T14:09:00Z`: C2SP
advises against such lines because nobody can audit them, but without a signed time a follower cannot tell a log that
rests from one that is being withheld. The time is cut to the minute, so that it tells little about one entry.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from checker.errors import VerificationError
from checker.model import parse_utc, utc_text

ED25519 = b"\x01"
NOTE_BYTES_MAX = 64 * 1024
SIGNATURES_MAX = 64
"""A reader must accept at least 16 (C2SP signed-note)."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """Who signs, and how to check it."""

    name: str
    public: bytes
    """32 bytes, RFC 8032."""

    @property
    def id(self) -> bytes:
        """The first 4 bytes of SHA-256(name || 0x0A || 0x01 || public key). A hint, not a proof."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """The verifier key as people pass it on."""
        return f"{self.name}+{self.id.hex()}+{_base64(ED25519 + self.public)}"

    def verifies(self, signature: bytes, text: bytes) -> bool:
        """Did this key sign `text`?"""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The secret half. Its text belongs into a file of mode 0600 and nowhere else."""

    name: str
    seed: bytes
    """32 bytes, RFC 8032."""

    def __repr__(self) -> str:
        return f"SigningKey({self.name})"

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        key = Ed25519PrivateKey.from_private_bytes(self.seed)
        return VerifierKey(name=self.name, public=key.public_key().public_bytes_raw())

    @property
    def text(self) -> str:
        """The key as it stands in `log.key`."""
        return f"PRIVATE+KEY+{self.name}+{self.verifier.id.hex()}+{_base64(ED25519 + self.seed)}"

    def sign(self, text: str) -> bytes:
        """The signed note over `text`, which ends with a line feed."""
        return sign_note(text, [self])

    def _line(self, text: str) -> str:
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())
        return f"\u2014 {self.name} {_base64(self.verifier.id + signature)}\n"


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a verifier key.

    Raises:
        VerificationError: part "key"; it is none, is of another kind than Ed25519, or its id is not its own.
    """
    try:
        name, key_id, public = _parse_key(text)
        key = VerifierKey(name=name, public=public)
        if key.id != key_id:
            raise ValueError("its id does not belong to its name and key")
    except ValueError as error:
        raise VerificationError(
            f"the verifier key cannot be used: {error}; it reads name+8 hex digits+base64", part="key"
        ) from error
    return key


def parse_signing_key(text: str) -> SigningKey:
    """Read what `SigningKey.text` gives.

    Raises:
        ValueError: it is none. The message does not repeat the text.
    """
    prefix, found, rest = text.partition("PRIVATE+KEY+")
    if prefix or not found:
        raise ValueError("it does not begin with PRIVATE+KEY+")
    name, key_id, seed = _parse_key(rest)
    key = SigningKey(name=name, seed=seed)
    if key.verifier.id != key_id:
        raise ValueError("its id does not belong to its name and key")
    return key


def is_key_name(name: str) -> bool:
    """May a key, and so a log, be called this? Source: C2SP signed-note; ASCII and 200 letters are our choice."""
    return bool(_NAME.fullmatch(name))


def open_note(note: bytes, keys: Sequence[VerifierKey]) -> str:
    """Check the signatures of a note and give back its text, which must be ignored otherwise.

    Signatures of keys that are not in `keys` are passed over (C2SP signed-note, "Signatures").

    Raises:
        VerificationError: part "checkpoint-format" when it is no note, "checkpoint-signature" when no known key
            signed it or the signature of a known one does not hold.
    """
    text, lines = _split_note(note)
    held = False
    for line in lines:
        name, key_id, signature = _parse_signature(line)
        key = next((key for key in keys if key.name == name and key.id == key_id), None)
        if key is None:
            continue
        if not key.verifies(signature, text.encode()):
            raise VerificationError(
                f"the signature of {name} does not hold: the checkpoint was changed", part="checkpoint-signature"
            )
        held = True
    if not held:
        names = ", ".join(f"{key.name}+{key.id.hex()}" for key in keys)
        raise VerificationError(f"the checkpoint is not signed by {names}", part="checkpoint-signature")
    return text


def sign_note(text: str, keys: Sequence[SigningKey]) -> bytes:
    """The note over `text`, which ends with a line feed, with one signature line of each key, in their order."""
    if not keys or not text.endswith("\n") or _CONTROL.search(text):
        raise ValueError("a note has a key, and its text ends with a line feed and has no other control character")
    return f"{text}\n{''.join(key._line(text) for key in keys)}".encode()


def note_signers(note: bytes) -> tuple[tuple[str, bytes], ...]:
    """Name and key id of each signature line. Nothing is verified.

    Raises:
        VerificationError: part "checkpoint-format"; it is no note.
    """
    return tuple(_parse_signature(line)[:2] for line in _split_note(note)[1])


def with_one_signature(note: bytes, key: VerifierKey) -> bytes:
    """The same note with the signature line of this key alone, as a receipt carries it (docs/feed.md section 6).

    Raises:
        VerificationError: part "checkpoint-format" when it is no note, "checkpoint-signature" when it has no such line.
    """
    text, lines = _split_note(note)
    line = next((line for line in lines if _parse_signature(line)[:2] == (key.name, key.id)), None)
    if line is None:
        raise VerificationError(
            f"the checkpoint is not signed by {key.name}+{key.id.hex()}", part="checkpoint-signature"
        )
    return f"{text}\n{line}\n".encode()


# --- checkpoints -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log at one size."""

    origin: str
    size: int
    root: bytes
    """32 bytes, RFC 6962."""
    time: datetime
    """When it was signed, cut to the minute, UTC."""

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\ntime {utc_text(self.time)}\n"


def checkpoint_at(origin: str, size: int, root: bytes, now: datetime) -> Checkpoint:
    """A checkpoint for this moment, which is cut to the minute."""
    return Checkpoint(origin=origin, size=size, root=root, time=now.astimezone(UTC).replace(second=0, microsecond=0))


def open_checkpoint(note: bytes, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Check and read a signed checkpoint.

    Raises:
        VerificationError: part "checkpoint-format" or "checkpoint-signature", see `open_note`.
    """
    return parse_checkpoint(open_note(note, keys))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint, in the one spelling that `Checkpoint.text` gives.

    Raises:
        VerificationError: part "checkpoint-format".
    """
    try:
        origin, size, root, time, end = text.split("\n")
        if end or not is_key_name(origin) or not _SIZE.fullmatch(size) or not time.startswith("time "):
            raise ValueError("a line is not of its form")
        checkpoint = Checkpoint(
            origin=origin, size=int(size), root=_parse_base64(root), time=parse_utc(time.removeprefix("time "))
        )
        if len(checkpoint.root) != 32 or checkpoint.time.second or checkpoint.text != text:
            raise ValueError("it is not in its one spelling")
    except ValueError as error:
        raise VerificationError(
            "the checkpoint does not read origin, size, root, time, one a line", part="checkpoint-format"
        ) from error
    return checkpoint


# --- inside ----------------------------------------------------------------------------------------------------

_NAME = re.compile(r"[!-*,-~]{1,200}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
_KEY_ID = re.compile(r"[0-9a-f]{8}")


def _split_note(note: bytes) -> tuple[str, list[str]]:
    try:
        if len(note) > NOTE_BYTES_MAX:
            raise ValueError(f"it has more than {NOTE_BYTES_MAX} bytes")
        whole = note.decode()
        text, found, signatures = whole.rpartition("\n\n")
        lines = signatures.split("\n")
        if not found or lines.pop() != "" or not 1 <= len(lines) <= SIGNATURES_MAX or _CONTROL.search(whole):
            raise ValueError("it is not text, a blank line and signature lines")
    except ValueError as error:  # UnicodeDecodeError is one
        raise VerificationError(f"the checkpoint is no signed note: {error}", part="checkpoint-format") from error
    return text + "\n", lines


def _parse_signature(line: str) -> tuple[str, bytes, bytes]:
    try:
        dash, name, encoded = line.split(" ")
        signature = _parse_base64(encoded)
        # A name has no Unicode space either (C2SP signed-note, "Format"): other readers refuse what we would take.
        if dash != "\u2014" or name.split() != [name] or "+" in name or len(signature) < 5:
            raise ValueError("a part is missing")
    except ValueError as error:
        raise VerificationError("a signature line of the checkpoint is malformed", part="checkpoint-format") from error
    return name, signature[:4], signature[4:]


def _parse_key(text: str) -> tuple[str, bytes, bytes]:
    # base64 has plus signs of its own, so only the first two separate.
    parts = text.split("+", 2)
    if len(parts) != 3 or not is_key_name(parts[0]) or not _KEY_ID.fullmatch(parts[1]):
        raise ValueError("it does not have three parts")
    key = _parse_base64(parts[2])
    if len(key) != 33 or key[:1] != ED25519:
        raise ValueError("it is no Ed25519 key")
    return parts[0], bytes.fromhex(parts[1]), key[1:]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _parse_base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("it is not base64") from error
    if _base64(data) != text:
        raise ValueError("it is not base64 in its one spelling")
    return data
