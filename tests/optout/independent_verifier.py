"""A second verifier of feed folders and receipts, written from docs/feed.md alone: it shares no line with the program.

    python independent_verifier.py DIR [NOW]              NOW: 2026-11-22T14:09:00Z; the clock's time without it
    python independent_verifier.py RECEIPT.json [KEY]     KEY: the log's key as it is published

Prints what it found and ends with 0, or says what it refuses and ends with 4. Numbers in comments are sections of
docs/feed.md.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class RefusedError(Exception):
    """The feed or receipt does not hold."""


def check(holds: bool, what: str) -> None:
    if not holds:
        raise RefusedError(what)


def attempt(what: str, read: Callable[[], Any]) -> Any:
    """What `read` gives, or a refusal that says what is wrong."""
    try:
        return read()
    except (ValueError, RecursionError, InvalidSignature) as error:
        raise RefusedError(what) from error


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def merkle(hashes: list[bytes]) -> bytes:
    """RFC 6962 2.1 over leaf hashes."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256(b"")
    split = largest_power_below(len(hashes))
    return sha256(b"\x01", merkle(hashes[:split]), merkle(hashes[split:]))


def largest_power_below(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def b64(text: str) -> bytes:
    """Section 1: base64 in its one spelling."""
    data = attempt("this is no base64", lambda: base64.b64decode(text, validate=True))
    check(base64.b64encode(data).decode() == text, "base64 in another spelling")
    return data


def b64url(text: str) -> bytes:
    """Section 1: base64url in its one spelling."""
    check(is_text(text, "[A-Za-z0-9_-]*"), "this is no base64url")
    return b64(text.translate({45: "+", 95: "/"}) + "=" * (-len(text) % 4))


def canonical(data: bytes) -> dict:
    """Section 2: one object of ASCII strings, whole numbers, arrays and objects, in its one spelling."""
    document = json_object(data)
    check(plain_values(document), "a value that is not allowed")
    check(json.dumps(document, sort_keys=True, separators=(",", ":")).encode() == data, "not in canonical form")
    return document


def json_object(data: bytes) -> dict:
    document = attempt("this is no JSON", lambda: json.loads(data.decode()))
    check(isinstance(document, dict), "this is no object")
    return document


def is_text(value: object, form: str) -> bool:
    return isinstance(value, str) and re.fullmatch(form, value) is not None


def is_whole(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**53


def plain_values(value: object) -> bool:
    if isinstance(value, dict):
        return all(name.isascii() and plain_values(member) for name, member in value.items())
    if isinstance(value, list):
        return all(plain_values(item) for item in value)
    if isinstance(value, str):
        return value.isascii()
    return is_whole(value)


# --- section 5: key, checkpoint ----------------------------------------------------------------------------------

NAME = "[!-*,-~]{1,200}"


def read_key(text: object) -> tuple[str, bytes, Ed25519PublicKey]:
    check(is_text(text, rf"{NAME}\+[0-9a-f]{{8}}\+[A-Za-z0-9+/=]+"), "a key is not name+id+base64")
    name, key_id, public = str(text).split("+", 2)
    raw = b64(public)
    check(len(raw) == 33 and raw[0] == 1, "this is no Ed25519 key")
    check(sha256(name.encode(), b"\n", raw)[:4].hex() == key_id, "the key's id is not its own")
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(raw[1:])


def read_note(note: bytes, lines_max: int) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The text, and name and signature of each line. A malformed line makes the whole malformed, whosever it is."""
    text, blank, lines = attempt("checkpoint: it is not in UTF-8", note.decode).rpartition("\n\n")
    check(bool(blank) and lines.endswith("\n"), "checkpoint: it is no signed note")
    signatures = []
    for line in lines[:-1].split("\n"):
        found = re.fullmatch(r"\u2014 ([^\s+\x00-\x1f]+) (\S+)", line)
        check(found is not None, "checkpoint: a signature line is malformed")
        signatures.append((found[1], b64(found[2])))
    short = any(len(signature) < 5 for _, signature in signatures)
    check(not short and len(signatures) <= lines_max, "checkpoint: a short signature line, or too many lines")
    return text.encode() + b"\n", signatures


def read_checkpoint(note: bytes, vkey: object, lines_max: int = 16) -> tuple[str, int, bytes, datetime]:
    """Signed by this key, whoever else signed it: while a log changes its key, two do."""
    (name, key_id, public), (text, signatures) = read_key(vkey), read_note(note, lines_max)
    ours = [signature[4:] for signer, signature in signatures if (signer, signature[:4]) == (name, key_id)]
    check(bool(ours), "checkpoint: the pinned key did not sign it")
    attempt("checkpoint: its signature does not hold", lambda: [public.verify(one, text) for one in ours])
    found = re.fullmatch(rf"({NAME})\n(0|[1-9][0-9]{{0,15}})\n(\S+)\ntime (\S+:00Z)\n", text.decode())
    check(found is not None, "checkpoint: it is not origin, size, root and time")
    check(int(found[2]) < 2**53 and len(b64(found[3])) == 32, "checkpoint: its size or root")
    return found[1], int(found[2]), b64(found[3]), read_time(found[4])


def read_time(text: object) -> datetime:
    check(is_text(text, "[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z"), "a time is not of its form")
    return attempt("a time is no real one", lambda: datetime.fromisoformat(str(text)))


# --- C2SP tlog-tiles ---------------------------------------------------------------------------------------------


def tile_file(folder: Path, level: str, number: int, width: int) -> bytes:
    digits = f"{number:03}"
    digits = digits.zfill((len(digits) + 2) // 3 * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    name = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
    path = folder / "tile" / level / (name + (f".p/{width}" if width < 256 else ""))
    return file_of(folder, str(path.relative_to(folder)))


def file_of(folder: Path, name: str) -> bytes:
    check((folder / name).is_file(), f"{name} is missing")
    return (folder / name).read_bytes()


def read_row(folder: Path, level: str, count: int, item_bytes: int) -> list[bytes]:
    """All that the tiles of one level hold."""
    items: list[bytes] = []
    for number in range((count + 255) // 256):
        width = min(256, count - 256 * number)
        data = tile_file(folder, level, number, width)
        check(len(data) == width * item_bytes, f"tile/{level} {number} has another length")
        items += [data[i : i + item_bytes] for i in range(0, len(data), item_bytes)]
    return items


def read_leaves(folder: Path, size: int, root: bytes) -> list[bytes]:
    """The leaves, proved: bundles match tiles, each level of tiles the one below, all of it the root."""
    bundled = read_row(folder, "entries", size, 34)
    hashes = read_row(folder, "0", size, 32)
    for index, (entry, hashed) in enumerate(zip(bundled, hashes, strict=True)):
        check(
            entry[:2] == b"\x00\x20" and sha256(b"\x00", entry[2:]) == hashed, f"leaf {index}: bundle and tile differ"
        )
    check(merkle(hashes) == root, "the tiles do not give the signed root")
    level, below = 1, hashes
    while len(below) >= 256:
        expected = [merkle(below[i : i + 256]) for i in range(0, len(below) // 256 * 256, 256)]
        check(read_row(folder, str(level), len(expected), 32) == expected, f"tile/{level} does not match the one below")
        level, below = level + 1, expected
    return [entry[2:] for entry in bundled]


# --- sections 2 to 4: entries, leaves, openings ------------------------------------------------------------------

USES = ["index", "search", "tdm", "train-ai", "train-genai"]
TAG = b"haveibeenscraped/log-entry/v1\n"


def check_entry(data: bytes, index: int) -> dict:
    check(len(data) <= 1_048_576, "an entry is too long")
    entry = canonical(data)
    check(set(entry) == {"payload", "type", "v"} and entry["v"] in (1, 2), "an entry has other members, or another v")
    check(entry["v"] == 1 or entry["type"] == "opt-out", "only opt-outs have a second version")
    payload = entry["payload"]
    check(isinstance(payload, dict) and isinstance(entry["type"], str), "its payload is no object, its type no text")
    if entry["type"] == "opt-out":
        named = entry["v"] == 2
        members = {"evidence", "number", "pictures", "uses"} | ({"addresses"} if named else set())
        check(set(payload) == members, "an opt-out has other members")
        check(not named or check_addresses(payload["addresses"], payload["evidence"]), "its addresses")
        check(payload["evidence"] in ("code", "picture", "host-file"), "another evidence")
        check(is_text(payload["number"], "[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}"), "a number")
        uses, pictures = payload["uses"], payload["pictures"]
        check(isinstance(uses, list) and bool(uses) and uses == [use for use in USES if use in uses], "its uses")
        check(isinstance(pictures, list) and (named or bool(pictures)), "it names no picture")
        check(all(check_picture(picture) for picture in pictures), "a picture")
    elif entry["type"] == "key":
        check(set(payload) == {"key", "state"} and payload["state"] in ("added", "retired"), "a key entry")
        read_key(payload["key"])
    else:
        check(entry["type"] in ("withdraw", "dispute", "erase"), "another type")
        named = set(payload) == {"index"} and is_whole(payload["index"])
        check(named and payload["index"] < index, "it names no earlier entry")
    return entry


PLAIN = "A-Za-z0-9._~"
ADDRESS = (
    r"([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(:(?!(80|443)/)[1-9][0-9]{0,4})?"
    rf"/([{PLAIN}!$&'()+,;=:@/-]|%[0-9A-F]{{2}})*"
)


def check_addresses(addresses: object, evidence: object) -> bool:
    return (
        evidence == "host-file"
        and isinstance(addresses, list)
        and 1 <= len(addresses) <= 1000
        and all(is_text(text, ADDRESS) and len(text) <= 1000 for text in addresses)
        and addresses == sorted(set(addresses))
        and not any({".", ".."} & set(text.split("/")[1:]) for text in addresses)
        and not any(re.search(f"[{PLAIN}-]", chr(int(x, 16))) for text in addresses for x in re.findall("%(..)", text))
    )


def check_picture(codes: object) -> bool:
    members = {"hex", "kind", "version"}
    check(isinstance(codes, list) and all(isinstance(code, dict) and set(code) == members for code in codes), "a code")
    keys = [(code["kind"], code["version"], code["hex"]) for code in codes]
    return (
        1 <= len(keys) <= 64
        and all(is_text(kind, "[a-z][a-z0-9-]{0,31}") for kind, _, _ in keys)
        and all(is_text(version, "[0-9a-z][0-9a-z.-]{0,15}") for _, version, _ in keys)
        and all(is_text(digits, "([0-9a-f]{2}){8,512}") for _, _, digits in keys)
        and keys == sorted(set(keys))
    )


def check_openings(data: bytes, leaves: list[bytes]) -> dict[str, int]:
    check(data.endswith(b"\n") or not data, "the openings are cut off")
    counts = dict.fromkeys(("opt-out", "withdraw", "dispute", "erase", "key"), 0)
    opened: list[int] = []
    erased: set[int] = set()
    for line in data.split(b"\n")[:-1]:
        opening = canonical(line)
        check(set(opening) == {"entry", "index", "leaf", "salt"}, "an opening has other members")
        index, entry, salt = opening["index"], b64url(opening["entry"]), b64url(opening["salt"])
        check(is_whole(index) and index < len(leaves), f"leaf {index}: beyond the signed log")
        check(not opened or index > opened[-1], f"leaf {index}: the openings are not in the order of the log")
        leaf = sha256(TAG, salt, entry)
        check(len(salt) == 32 and leaf.hex() == opening["leaf"] and leaf == leaves[index], f"leaf {index}: another one")
        read = check_entry(entry, index)
        counts[read["type"]] += 1
        opened.append(index)
        if read["type"] == "erase":
            erased.add(read["payload"]["index"])
    for index in range(len(leaves)):
        check((index in erased) != (index in opened), f"leaf {index}: neither opened nor erased, or both")
    return counts


def verify(folder: Path, now: datetime) -> dict[str, object]:
    """Section 7: the whole folder."""
    state = json_object(file_of(folder, "state.json"))
    check(type(state.get("v")) is int and state["v"] == 1, "state.json is of another version")
    check(is_whole(state.get("tree_size")) and isinstance(state.get("source"), str), "state.json: tree_size or source")
    read_time(state.get("synced_at"))
    check(read_key(state.get("key"))[0] == state.get("origin"), "state.json names another origin than its key")
    origin, size, root, signed_at = read_checkpoint(file_of(folder, "checkpoint"), state["key"])
    check(origin == state["origin"], "checkpoint: another origin")
    check(size >= state["tree_size"], "rollback: a larger log was accepted before")
    check(timedelta(minutes=-10) <= now - signed_at <= timedelta(hours=48), "stale")
    counts = check_openings(file_of(folder, "openings.ndjson"), read_leaves(folder, size, root))
    return {"tree_size": size, "root": root.hex(), "entries": counts}


# --- section 6: receipts -----------------------------------------------------------------------------------------

MEMBERS = ["v", "origin", "key", "number", "entry", "salt", "leaf", "index", "tree_size", "proof", "checkpoint"]


def verify_receipt(data: bytes, key: str | None = None) -> dict[str, object]:
    """Section 6, its checks in their order."""
    receipt = json_object(data)
    check(list(receipt) == MEMBERS and type(receipt["v"]) is int and receipt["v"] == 1, "format: other members")
    texts = [receipt[name] for name in (*MEMBERS[1:7], "checkpoint")]
    check(all(is_text(text, "[^\ud800-\udfff]*") for text in texts), "format: a text is none, or a surrogate alone")
    check(is_whole(receipt["index"]) and is_whole(receipt["tree_size"]), "format: index or tree_size")
    proof = receipt["proof"]
    check(isinstance(proof, list) and len(proof) <= 64, "format: the proof is no list of at most 64")
    check(all(is_text(step, "[0-9a-f]{64}") for step in [receipt["leaf"], *proof]), "format: a hash")
    entry, salt = b64url(receipt["entry"]), b64url(receipt["salt"])
    check(len(salt) == 32 and json.dumps(receipt, indent=2).encode() + b"\n" == data, "format: another spelling")
    name = read_key(receipt["key"])[0]
    check(key in (None, receipt["key"]), "key: another one than was expected")
    origin, size, root, _ = read_checkpoint(receipt["checkpoint"].encode(), receipt["key"], lines_max=1)
    check(receipt["origin"] == name == origin, "origin: not the same in receipt, key and checkpoint")
    check(receipt["tree_size"] == size, "tree-size: not that of the checkpoint")
    said = check_entry(entry, receipt["index"])["payload"]
    check("pictures" in said, "entry: it is no opt-out")
    check(said["number"] == receipt["number"], "number: not that of the entry")
    leaf = sha256(TAG, salt, entry)
    check(leaf.hex() == receipt["leaf"], "leaf: not the hash of salt and entry")
    steps = [bytes.fromhex(step) for step in proof]
    check(root_of_path(receipt["index"], size, sha256(b"\x00", leaf), steps) == root, "inclusion-proof: another root")
    return {"number": receipt["number"], "index": receipt["index"], "tree_size": size}


def root_of_path(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes | None:
    """RFC 6962 2.1.1 read backwards: the root of a tree in which this path leads up from this leaf. None: no path."""
    if index >= size or (size == 1) != (not path):
        return None
    if not path:
        return leaf
    is_left = index < (split := largest_power_below(size))
    below = root_of_path(index if is_left else index - split, split if is_left else size - split, leaf, path[:-1])
    return below and (sha256(b"\x01", below, path[-1]) if is_left else sha256(b"\x01", path[-1], below))


if __name__ == "__main__":
    path, given = Path(sys.argv[1]), sys.argv[2:]
    try:
        if path.is_file():
            print(json.dumps(verify_receipt(path.read_bytes(), *given)))
        else:
            print(json.dumps(verify(path, read_time(given[0]) if given else datetime.now(UTC))))
    except RefusedError as refused:
        print(refused, file=sys.stderr)
        sys.exit(4)
