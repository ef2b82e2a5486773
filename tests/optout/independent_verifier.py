"""A second verifier of a feed folder, written from docs/feed.md alone: it shares no line with the program.

    python independent_verifier.py DIR [NOW]        NOW: 2026-11-22T14:09:00Z; the clock's time without it

Prints what it found and ends with 0, or says what it refuses and ends with 4. Numbers in comments are sections of
docs/feed.md.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class RefusedError(Exception):
    """The feed does not hold."""


def check(holds: bool, what: str) -> None:
    """Refuse unless it holds."""
    if not holds:
        raise RefusedError(what)


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def merkle(hashes: list[bytes]) -> bytes:
    """RFC 6962 2.1 over leaf hashes."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256(b"")
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return sha256(b"\x01", merkle(hashes[:split]), merkle(hashes[split:]))


def b64(text: object) -> bytes:
    """Section 1: base64 in its one spelling."""
    check(isinstance(text, str), "base64 is no string")
    try:
        data = base64.b64decode(str(text), validate=True)
    except ValueError as error:
        raise RefusedError("this is no base64") from error
    check(base64.b64encode(data).decode() == text, "base64 in another spelling")
    return data


def b64url(text: object) -> bytes:
    """Section 1: base64url in its one spelling."""
    check(isinstance(text, str), "base64url is no string")
    plain = str(text)
    check(re.fullmatch("[A-Za-z0-9_-]*", plain) is not None, "this is no base64url")
    return b64(plain.replace("-", "+").replace("_", "/") + "=" * (-len(plain) % 4))


def canonical(data: bytes) -> dict:
    """Section 2: one object of ASCII strings, whole numbers, arrays and objects, in its one spelling."""
    try:
        document = json.loads(data.decode("ascii"))
    except ValueError as error:
        raise RefusedError("this is no JSON in ASCII") from error
    check(isinstance(document, dict), "this is no object")
    check(plain_values(document), "a value that is not allowed")
    check(json.dumps(document, sort_keys=True, separators=(",", ":")).encode() == data, "not in canonical form")
    return document


def plain_values(value: object) -> bool:
    if isinstance(value, dict):
        return all(name.isascii() and plain_values(member) for name, member in value.items())
    if isinstance(value, list):
        return all(plain_values(item) for item in value)
    if isinstance(value, str):
        return value.isascii()
    return type(value) is int and 0 <= value < 2**53


# --- section 5: key, checkpoint ----------------------------------------------------------------------------------


def read_key(text: str) -> tuple[str, bytes, Ed25519PublicKey]:
    name, key_id, public = text.split("+", 2)
    raw = b64(public)
    check(len(raw) == 33 and raw[0] == 1, "this is no Ed25519 key")
    check(sha256(name.encode(), b"\n", raw)[:4].hex() == key_id, "the key's id is not its own")
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(raw[1:])


def read_checkpoint(note: bytes, vkey: str) -> tuple[int, bytes, datetime]:
    name, key_id, public = read_key(vkey)
    text, blank, signatures = note.decode().rpartition("\n\n")
    check(bool(blank) and signatures.endswith("\n"), "the checkpoint is no signed note")
    signed = False
    for line in signatures.splitlines():
        parts = line.split(" ")
        check(len(parts) == 3 and parts[0] == "\u2014", "a signature line is malformed")
        signature = b64(parts[2])
        if parts[1] == name and signature[:4] == key_id:
            try:
                public.verify(signature[4:], text.encode() + b"\n")
            except InvalidSignature as error:
                raise RefusedError("checkpoint: its signature does not hold") from error
            signed = True
    check(signed, "checkpoint: the pinned key did not sign it")
    lines = text.split("\n")
    check(len(lines) == 4, "checkpoint: not four lines")
    check(lines[0] == name, "checkpoint: another origin")
    check(re.fullmatch("0|[1-9][0-9]*", lines[1]) is not None, "checkpoint: its size is no number")
    check(re.fullmatch(r"time \d{4}-\d\d-\d\dT\d\d:\d\d:00Z", lines[3]) is not None, "checkpoint: no time")
    root = b64(lines[2])
    check(len(root) == 32, "checkpoint: its root is no hash")
    return int(lines[1]), root, datetime.fromisoformat(lines[3][5:])


# --- C2SP tlog-tiles ---------------------------------------------------------------------------------------------


def tile_file(folder: Path, level: str, number: int, width: int) -> bytes:
    digits = f"{number:03}"
    digits = digits.zfill((len(digits) + 2) // 3 * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    name = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
    path = folder / "tile" / level / (name + (f".p/{width}" if width < 256 else ""))
    check(path.is_file(), f"{path.relative_to(folder)} is missing")
    return path.read_bytes()


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
    check(isinstance(payload, dict), "a payload is no object")
    if entry["type"] == "opt-out":
        named = entry["v"] == 2
        members = {"evidence", "number", "pictures", "uses"} | ({"addresses"} if named else set())
        check(set(payload) == members, "an opt-out has other members")
        check(not named or check_addresses(payload["addresses"], payload["evidence"]), "its addresses")
        check(payload["evidence"] in ("code", "picture", "host-file"), "another evidence")
        check(re.fullmatch("[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", payload["number"]) is not None, "a number")
        uses = payload["uses"]
        check(bool(uses) and uses == sorted(set(uses)) and set(uses) <= set(USES), "its uses")
        check(named or bool(payload["pictures"]), "it names no picture")
        check(all(check_picture(picture) for picture in payload["pictures"]), "a picture")
    elif entry["type"] == "key":
        check(set(payload) == {"key", "state"} and payload["state"] in ("added", "retired"), "a key entry")
        read_key(payload["key"])
    else:
        check(entry["type"] in ("withdraw", "dispute", "erase"), "another type")
        check(set(payload) == {"index"} and 0 <= payload["index"] < index, "it names no earlier entry")
    return entry


PLAIN = "A-Za-z0-9._~"
ADDRESS = re.compile(
    r"([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(:(?!(80|443)/)[1-9][0-9]{0,4})?"
    rf"/([{PLAIN}!$&'()+,;=:@/-]|%[0-9A-F]{{2}})*"
)


def check_addresses(addresses: list[str], evidence: str) -> bool:
    return (
        evidence == "host-file"
        and 1 <= len(addresses) <= 1000
        and addresses == sorted(set(addresses))
        and all(len(text) <= 1000 and ADDRESS.fullmatch(text) is not None for text in addresses)
        and not any({".", ".."} & set(text.split("/")[1:]) for text in addresses)
        and not any(re.search(f"[{PLAIN}-]", chr(int(x, 16))) for text in addresses for x in re.findall("%(..)", text))
    )


def check_picture(codes: list[dict]) -> bool:
    keys = [(code["kind"], code["version"], code["hex"]) for code in codes]
    return (
        1 <= len(keys) <= 64
        and keys == sorted(set(keys))
        and all(set(code) == {"hex", "kind", "version"} for code in codes)
        and all(re.fullmatch("([0-9a-f]{2}){8,512}", code["hex"]) for code in codes)
        and all(re.fullmatch("[a-z][a-z0-9-]{0,31}", code["kind"]) for code in codes)
        and all(re.fullmatch("[0-9a-z][0-9a-z.-]{0,15}", code["version"]) for code in codes)
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
        check(type(index) is int and index < len(leaves), f"leaf {index}: beyond the signed log")
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
    state = json.loads((folder / "state.json").read_bytes())
    size, root, signed_at = read_checkpoint((folder / "checkpoint").read_bytes(), state["key"])
    check(state["key"].split("+")[0] == state["origin"], "state.json names another origin than its key")
    check(size >= state["tree_size"], "rollback: a larger log was accepted before")
    check(timedelta(minutes=-10) <= now - signed_at <= timedelta(hours=48), "stale")
    counts = check_openings((folder / "openings.ndjson").read_bytes(), read_leaves(folder, size, root))
    return {"tree_size": size, "root": root.hex(), "entries": counts}


if __name__ == "__main__":
    try:
        print(
            json.dumps(verify(Path(sys.argv[1]), datetime.fromisoformat((sys.argv[2:] or [str(datetime.now(UTC))])[0])))
        )
    except RefusedError as refused:
        print(refused, file=sys.stderr)
        sys.exit(4)
