"""The receipt: a file that proves, offline, that an opt-out stands in the log.

It is meant to be shown, so it holds no secret that could undo anything; the withdraw code is another file. What it
proves: an entry with these codes and uses was in this log when the checkpoint was signed. What it does not prove: that
the picture is anybody's, or that somebody acted on it.

Its bytes have one spelling, so every changed byte is found (docs/feed.md section 6). The checks, in order, each with
the name that a `VerificationError` carries as its part:

    format                 JSON with exactly these members, in this spelling
    key                    a verifier key; the one that was expected, where one was given
    checkpoint-format, checkpoint-signature
    origin                 the key's name and the checkpoint's first line
    tree-size              the checkpoint's size
    entry, number          the entry can be read, is an opt-out, and bears this number
    leaf                   is the hash of salt and entry
    inclusion-proof        leads from the leaf to the checkpoint's root

The key inside a receipt is only as good as its source: whoever forges a log also writes its key into the receipt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checker.errors import VerificationError
from checker.optout.canonical import INTEGER_MAX, base64url, parse_base64url
from checker.optout.entry import SALT_BYTES, OptOut, entry_leaf, parse_entry
from checker.optout.note import Checkpoint, VerifierKey, open_checkpoint, parse_verifier_key
from checker.optout.tree import HASH_BYTES, leaf_hash, verify_inclusion

RECEIPT_BYTES_MAX = 2**21
PROOF_STEPS_MAX = 64
_MEMBERS = (
    "v",
    "origin",
    "key",
    "number",
    "entry",
    "salt",
    "leaf",
    "index",
    "tree_size",
    "proof",
    "checkpoint",
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The parts of a receipt."""

    origin: str
    key: str
    """The verifier key that whoever made the receipt names."""
    number: str
    entry: bytes
    salt: bytes
    leaf: bytes
    index: int
    tree_size: int
    proof: tuple[bytes, ...]
    """From the leaf up."""
    checkpoint: str
    """The signed note."""

    def to_dict(self) -> dict[str, Any]:
        """The receipt as a JSON document, members in their order."""
        return {
            "v": 1,
            "origin": self.origin,
            "key": self.key,
            "number": self.number,
            "entry": base64url(self.entry),
            "salt": base64url(self.salt),
            "leaf": self.leaf.hex(),
            "index": self.index,
            "tree_size": self.tree_size,
            "proof": [step.hex() for step in self.proof],
            "checkpoint": self.checkpoint,
        }

    def to_bytes(self) -> bytes:
        """The receipt file: ASCII, two spaces of indent, a line feed at the end."""
        return (json.dumps(self.to_dict(), indent=2, ensure_ascii=True) + "\n").encode("ascii")

    def opt_out(self) -> OptOut:
        """What was asked for. Raises VerificationError (part "entry") where the entry is no opt-out."""
        entry = parse_entry(self.entry)
        if not isinstance(entry, OptOut):
            raise VerificationError("the receipt's entry is no opt-out", part="entry")
        return entry


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """A receipt that holds, with what it says."""

    receipt: Receipt
    opt_out: OptOut
    checkpoint: Checkpoint


def parse_receipt(document: Mapping[str, Any]) -> Receipt:
    """Read the document of a receipt, as a server answers with it.

    Raises:
        VerificationError: part "format"; a member is missing, unknown or not of its form.
    """
    try:
        if tuple(document) != _MEMBERS or type(document["v"]) is not int or document["v"] != 1:
            raise ValueError(f"its members are not exactly {', '.join(_MEMBERS)}, or it is of a newer version")
        texts = [document[name] for name in ("origin", "key", "number", "checkpoint")]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("origin, key, number or checkpoint is no text")
        for text in texts:
            text.encode()  # refuses a lone surrogate, which JSON can spell and no file can hold
        proof = document["proof"]
        if not isinstance(proof, list) or len(proof) > PROOF_STEPS_MAX:
            raise ValueError(f"its proof is no list of at most {PROOF_STEPS_MAX} hashes")
        return Receipt(
            origin=texts[0],
            key=texts[1],
            number=texts[2],
            entry=parse_base64url(document["entry"]),
            salt=_sized(parse_base64url(document["salt"]), SALT_BYTES),
            leaf=_hash(document["leaf"]),
            index=_whole(document["index"]),
            tree_size=_whole(document["tree_size"]),
            proof=tuple(_hash(step) for step in proof),
            checkpoint=texts[3],
        )
    except ValueError as error:
        raise VerificationError(f"this is no receipt: {error}", part="format") from error


def read_receipt(data: bytes) -> Receipt:
    """Read a receipt file, in its one spelling. Nothing is verified yet.

    Raises:
        VerificationError: part "format".
    """
    try:
        if len(data) > RECEIPT_BYTES_MAX:
            raise ValueError(f"it has more than {RECEIPT_BYTES_MAX} bytes")
        document = json.loads(data.decode("ascii"), object_pairs_hook=_no_duplicates)
        if not isinstance(document, dict):
            raise ValueError("it is no JSON object")
    except (ValueError, RecursionError) as error:
        raise VerificationError("this is no receipt: it is not JSON in plain ASCII", part="format") from error
    receipt = parse_receipt(document)
    if receipt.to_bytes() != data:
        raise VerificationError(
            "this receipt file is not spelled as receipts are: it was changed or saved by another program",
            part="format",
        )
    return receipt


def verify_receipt(data: bytes, *, key: str | tuple[str, ...] | None = None) -> VerifiedReceipt:
    """Verify a receipt file without asking anybody.

    Args:
        key: the verifier key of the log, from a source that is trusted, or all that it ever had. None: the one in the
            receipt is taken, which shows that the parts belong together and not whose log it is.
    Raises:
        VerificationError: the first check that fails; its `part` is one of those above.
    """
    receipt = read_receipt(data)
    verifier = parse_verifier_key(receipt.key)
    if key is not None:
        _require_one_of([parse_verifier_key(text) for text in ([key] if isinstance(key, str) else key)], verifier)
    checkpoint = open_checkpoint(receipt.checkpoint.encode(), [verifier])
    if receipt.checkpoint.partition("\n\n")[2].count("\n") != 1:
        # Signatures of other keys are ignored, so in a receipt, where every byte has to count, there are none.
        raise VerificationError("the receipt's checkpoint has more than one signature", part="checkpoint-format")
    if not receipt.origin == verifier.name == checkpoint.origin:
        raise VerificationError("the receipt's origin is not that of its key and checkpoint", part="origin")
    if receipt.tree_size != checkpoint.size:
        raise VerificationError("the receipt's tree_size is not that of its checkpoint", part="tree-size")
    opt_out = receipt.opt_out()
    if receipt.number != opt_out.number:
        raise VerificationError("the receipt's number is not that of its entry", part="number")
    if receipt.leaf != entry_leaf(receipt.entry, receipt.salt):
        raise VerificationError("the receipt's leaf is not the hash of its salt and entry", part="leaf")
    if not verify_inclusion(receipt.index, receipt.tree_size, leaf_hash(receipt.leaf), receipt.proof, checkpoint.root):
        raise VerificationError(
            "the receipt's proof does not lead from its entry to the signed log", part="inclusion-proof"
        )
    return VerifiedReceipt(receipt=receipt, opt_out=opt_out, checkpoint=checkpoint)


def _require_one_of(expected: Sequence[VerifierKey], verifier: VerifierKey) -> None:
    if verifier not in expected:
        named = " or ".join(f"{key.name}, key {key.id.hex()}" for key in expected)
        raise VerificationError(
            f"the receipt is of the log {verifier.name}, key {verifier.id.hex()}, and not of the one whose key was "
            f"given ({named})",
            part="key",
        )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a member stands there twice")
    return dict(pairs)


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= INTEGER_MAX:
        raise ValueError("index or tree_size is no whole number")
    return value


def _hash(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ValueError("a hash is no text")
    data = _sized(bytes.fromhex(value), HASH_BYTES)
    if data.hex() != value:
        raise ValueError("a hash is not in lower-case hex")
    return data


def _sized(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise ValueError(f"a part has {len(data)} bytes instead of {size}")
    return data
