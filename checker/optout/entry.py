"""One entry of the opt-out log: its canonical bytes, its leaf, and the opening that shows what a leaf stands for.

The log itself holds 32 random-looking bytes per entry, the leaf. What was said (number, codes, uses) and the salt are
the *opening*, which travels beside the log and can be erased: the leaf then stays, and says nothing any more.

    entry     canonical JSON (RFC 8785 with ASCII strings and whole numbers only), docs/feed.md section 2
    leaf      SHA-256(tag || salt || entry), docs/feed.md section 3
    opening   one line of JSON: entry, index, leaf, salt, docs/feed.md section 4

The bytes are frozen: a reader of any later version must be able to recompute every leaf. Reading is strict, because
two spellings of one entry would be two leaves, and a member that is ignored could be the one that mattered.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from checker.addresses import is_address
from checker.errors import VerificationError
from checker.model import CodeKind, Fingerprint, Use
from checker.optout.canonical import (
    CROCKFORD,
    base64url,
    canonical_json,
    crockford,
    parse_base64url,
    parse_canonical_json,
)
from checker.optout.note import parse_verifier_key

TAG = b"haveibeenscraped/log-entry/v1\n"
"""Domain separation: no other thing that we hash begins like this."""
SALT_BYTES = 32
ENTRY_BYTES_MAX = 2**20
CODES_PER_PICTURE_MAX = 64
ADDRESSES_MAX = 1_000
OPENING_BYTES_MAX = 2 * ENTRY_BYTES_MAX
"""Base64 adds a third; the rest of the line is below a kilobyte."""


class EntryType(StrEnum):
    """What an entry does. Closed: another type is another version of the format."""

    OPT_OUT = "opt-out"
    WITHDRAW = "withdraw"
    DISPUTE = "dispute"
    ERASE = "erase"
    KEY = "key"


class Evidence(StrEnum):
    """What whoever opted out showed. None of them proves a right to the picture."""

    CODE = "code"
    """Only codes; whether a picture belongs to them was not seen."""
    PICTURE = "picture"
    """The picture itself; the codes were made from it here."""
    HOST_FILE = "host-file"
    """A file on the host that the picture stands on, or a DNS record of it, names the addresses that are meant."""


class KeyState(StrEnum):
    """What a key entry says of a key of this log."""

    ADDED = "added"
    RETIRED = "retired"


USES = tuple(sorted((use for use in Use if use is not Use.ALL), key=str))
"""What can be opted out of: all but `all`, which stands for these five."""


@dataclass(frozen=True, slots=True)
class OptOut:
    """Somebody asks that these pictures, or whatever stands at these addresses, be left out."""

    number: str
    """Public name of the opt-out: "4F7K-20M9"."""
    evidence: Evidence
    pictures: tuple[tuple[Fingerprint, ...], ...]
    """The codes of each picture: 1-64, by kind, version and bits, none twice. Empty only where addresses are named."""
    uses: tuple[Use, ...]
    """Sorted, none twice, at least one; never `all`."""
    addresses: tuple[str, ...] = ()
    """Hosts and parts of them (`checker.addresses`), sorted, none twice, at most 1,000; with `host-file` only."""

    @property
    def version(self) -> int:
        """Of the entry's form: 2 where addresses are named, which readers of version 1 must not skip."""
        return 2 if self.addresses else 1


@dataclass(frozen=True, slots=True)
class Reference:
    """Something happened to an earlier entry."""

    type: EntryType
    """`withdraw`, `dispute` or `erase`."""
    index: int
    """Of the entry that is meant."""


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key of this log came or went."""

    key: str
    """A verifier key (C2SP signed-note)."""
    state: KeyState


Entry = OptOut | Reference | KeyChange


@dataclass(frozen=True, slots=True)
class Opening:
    """What a leaf stands for."""

    index: int
    entry: bytes
    salt: bytes
    """32 random bytes: without them nobody can find an entry out by trying codes."""

    @property
    def leaf(self) -> bytes:
        """The leaf that this opens."""
        return entry_leaf(self.entry, self.salt)


# --- entries ---------------------------------------------------------------------------------------------------


def write_entry(entry: Entry) -> bytes:
    """The canonical bytes of an entry (docs/feed.md section 2).

    Raises:
        ValueError: a field breaks the rules of that section; `parse_entry` would refuse it.
    """
    version = 1
    if isinstance(entry, OptOut):
        kind, payload, version = EntryType.OPT_OUT, _opt_out_payload(entry), entry.version
    elif isinstance(entry, Reference):
        kind, payload = entry.type, {"index": entry.index}
    else:
        kind, payload = EntryType.KEY, {"key": entry.key, "state": entry.state.value}
    data = canonical_json({"payload": payload, "type": kind.value, "v": version})
    if _read_entry(data) != entry:
        raise ValueError("the entry's codes, uses or addresses are not sorted")
    return data


def parse_entry(data: bytes) -> Entry:
    """Read an entry's bytes.

    Raises:
        VerificationError: part "entry"; they break a MUST of docs/feed.md section 2.
    """
    try:
        return _read_entry(data)
    except ValueError as error:
        raise VerificationError(f"the entry cannot be read: {error}", part="entry") from error


def entry_leaf(entry: bytes, salt: bytes) -> bytes:
    """The 32 bytes that the log holds for this entry: SHA-256(tag || salt || entry)."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return hashlib.sha256(TAG + salt + entry).digest()


def _opt_out_payload(entry: OptOut) -> dict[str, Any]:
    payload: dict[str, Any] = {"addresses": list(entry.addresses)} if entry.addresses else {}
    return payload | {
        "evidence": entry.evidence.value,
        "number": entry.number,
        "pictures": [
            [{"hex": code.hex, "kind": code.kind.name, "version": code.kind.version} for code in picture]
            for picture in entry.pictures
        ],
        "uses": [use.value for use in entry.uses],
    }


def _read_entry(data: bytes) -> Entry:
    if len(data) > ENTRY_BYTES_MAX:
        raise ValueError(f"it has {len(data)} bytes, more than {ENTRY_BYTES_MAX}")
    document = parse_canonical_json(data)
    _check_members(document, {"payload", "type", "v"})
    kind, payload, version = EntryType(document["type"]), document["payload"], document["v"]
    if version not in ((1, 2) if kind is EntryType.OPT_OUT else (1,)):
        raise ValueError("its version is none that is known here; a newer version of hibs may know it")
    if not isinstance(payload, dict):
        raise ValueError("its payload is no object")
    if kind is EntryType.OPT_OUT:
        return _read_opt_out(payload, names_addresses=version == 2)
    if kind is EntryType.KEY:
        _check_members(payload, {"key", "state"})
        return KeyChange(key=_verifier_key(payload["key"]), state=KeyState(payload["state"]))
    _check_members(payload, {"index"})
    if not isinstance(payload["index"], int):
        raise ValueError("its index is no number")
    return Reference(type=kind, index=payload["index"])


def _verifier_key(value: Any) -> str:
    try:
        return parse_verifier_key(_text(value, _VERIFIER_KEY, "key")).text
    except VerificationError as error:
        raise ValueError(str(error)) from error


def _read_opt_out(payload: dict[str, Any], *, names_addresses: bool) -> OptOut:
    _check_members(payload, {"evidence", "number", "pictures", "uses"} | ({"addresses"} if names_addresses else set()))
    uses = tuple(Use(use) for use in _array(payload["uses"], "uses"))
    if not uses or Use.ALL in uses or list(uses) != sorted(set(uses), key=str):
        raise ValueError("its uses are not a sorted list of distinct ones")
    pictures = tuple(_read_picture(picture) for picture in _array(payload["pictures"], "pictures"))
    if not pictures and not names_addresses:
        raise ValueError("it names no picture")
    evidence = Evidence(payload["evidence"])
    if names_addresses and evidence is not Evidence.HOST_FILE:
        raise ValueError("it names addresses without evidence of their host")
    return OptOut(
        number=_text(payload["number"], NUMBER, "number"),
        evidence=evidence,
        pictures=pictures,
        uses=uses,
        addresses=_read_addresses(payload["addresses"]) if names_addresses else (),
    )


def _read_addresses(values: Any) -> tuple[str, ...]:
    addresses = _array(values, "addresses")
    if not all(isinstance(address, str) and is_address(address) for address in addresses):
        raise ValueError("an address is not in its one spelling, host[:port]/path")
    if not 1 <= len(addresses) <= ADDRESSES_MAX or addresses != sorted(set(addresses)):
        raise ValueError(f"it does not have 1 to {ADDRESSES_MAX} addresses, sorted and distinct")
    return tuple(addresses)


def _read_picture(codes: Any) -> tuple[Fingerprint, ...]:
    picture = tuple(_read_code(code) for code in _array(codes, "codes"))
    keys = [_code_key(code) for code in picture]
    if not 1 <= len(keys) <= CODES_PER_PICTURE_MAX or keys != sorted(set(keys)):
        raise ValueError(f"a picture does not have 1 to {CODES_PER_PICTURE_MAX} codes, sorted and distinct")
    return picture


def _read_code(code: Any) -> Fingerprint:
    if not isinstance(code, dict):
        raise ValueError("a code is no object")
    _check_members(code, {"hex", "kind", "version"})
    bits = bytes.fromhex(_text(code["hex"], _HEX, "code"))
    name, version = _text(code["kind"], _KIND, "kind"), _text(code["version"], _VERSION, "version")
    # A kind that this version does not know is kept: what it is near to is for those who know it.
    return Fingerprint(kind=CodeKind(name=name, version=version, bits=len(bits) * 8), bits=bits)


def _code_key(code: Fingerprint) -> tuple[str, str, bytes]:
    return code.kind.name, code.kind.version, code.bits


def _check_members(document: Mapping[str, Any], expected: set[str]) -> None:
    if set(document) != expected:
        raise ValueError(f"its members are not exactly {', '.join(sorted(expected))}")


def _array(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"its {name} is no array")
    return value


def _text(value: Any, pattern: re.Pattern[str], name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"its {name} is not of the form that docs/feed.md gives")
    return value


NUMBER = re.compile(rf"[{CROCKFORD}]{{4}}-[{CROCKFORD}]{{4}}")
_HEX = re.compile(r"(?:[0-9a-f]{2}){8,512}")
_KIND = re.compile(r"[a-z][a-z0-9-]{0,31}")
_VERSION = re.compile(r"[0-9a-z][0-9a-z.-]{0,15}")
_VERIFIER_KEY = re.compile(r"[!-*,-~]{1,200}\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*")


def number_from(random: bytes) -> str:
    """The number of an opt-out from 5 random bytes.

    >>> number_from(bytes.fromhex("23cf310292"))
    '4F7K-20MJ'
    """
    symbols = crockford(random)
    return f"{symbols[:4]}-{symbols[4:]}"


# --- openings --------------------------------------------------------------------------------------------------


def write_opening(opening: Opening) -> bytes:
    """One line of `openings.ndjson`, its line feed included (docs/feed.md section 4)."""
    entry, salt = base64url(opening.entry), base64url(opening.salt)
    # Sorted members and no letter that JSON escapes: this is the canonical form, at a third of the writer's cost.
    return f'{{"entry":"{entry}","index":{opening.index},"leaf":"{opening.leaf.hex()}","salt":"{salt}"}}\n'.encode()


def parse_opening(line: bytes) -> Opening:
    """Read one line; a line feed at its end may be missing. The entry itself is read by `parse_entry`.

    Raises:
        VerificationError: part "opening"; it is not of the agreed form, or its leaf is not that of its entry and salt.
    """
    try:
        if len(line) > OPENING_BYTES_MAX:
            raise ValueError(f"it has more than {OPENING_BYTES_MAX} bytes")
        document = parse_canonical_json(line.removesuffix(b"\n"))
        _check_members(document, {"entry", "index", "leaf", "salt"})
        if not isinstance(document["index"], int):
            raise ValueError("its index is no number")
        opening = Opening(
            index=document["index"],
            entry=parse_base64url(document["entry"]),
            salt=parse_base64url(document["salt"]),
        )
        if opening.leaf.hex() != document["leaf"]:
            raise ValueError("its leaf is not the hash of its salt and entry")
    except ValueError as error:
        raise VerificationError(f"an opening cannot be used: {error}", part="opening") from error
    return opening
