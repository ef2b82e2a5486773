"""What whoever controls a host publishes there, so that the host or a part of it can be opted out.

    record   hibs-opt-out-v1 HASH uses=USE,... ADDRESS ADDRESS...            one line for each host
    place    a line of https://HOST/.well-known/hibs-opt-out.txt (RFC 8615), or
             a TXT record at _hibs-opt-out.HOST (RFC 8552)

HASH is the SHA-256 of the withdraw code, in base64url. So the record is good for whoever made that code and for nobody
else who can read it; and it names uses and addresses, so it is good for nothing that the host did not publish. Compared
as a whole with what it should be: there is no record that is nearly right.

The code waits in HOST.claim.txt until the record is found. Nothing is kept elsewhere, and nobody has an account.
What it shows is control of the host on that day. It does not show a right to every picture there.

Fetching is crawler's (entry point `hibs.host_claims`); nothing here opens a connection.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from checker.addresses import parse_address
from checker.errors import InputError, RemoteError
from checker.model import Use
from checker.optout.canonical import base64url
from checker.optout.entry import ADDRESSES_MAX
from checker.optout.gates import close_uses
from checker.optout.papers import read_file
from checker.optout.private_file import write_private
from checker.optout.tokens import RandomBytes, new_withdraw_code, read_withdraw_code, withdraw_code_hash

RECORD_TAG = "hibs-opt-out-v1"
FILE_PATH = "/.well-known/hibs-opt-out.txt"
DNS_LABEL = "_hibs-opt-out"
HOSTS_MAX = 100
"""Of one claim: each of them is asked."""
RECORD_CHARACTERS_MAX = 8_000
TXT_STRING_BYTES = 255
"""RFC 1035 3.3. A longer record is written as several strings of one record; they are read as one (as RFC 7208 3.3)."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody says of hosts that they control, before it is proved."""

    addresses: tuple[str, ...]
    """Sorted, none twice, at least one (`checker.addresses`)."""
    uses: tuple[Use, ...]
    """Sorted, none twice, at least one; never `all`."""
    code: str = field(repr=False)
    """The withdraw code that the opt-out will have."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts, with their ports, each once."""
        return tuple(dict.fromkeys(_host_of(address) for address in self.addresses))

    def record(self, host: str) -> str:
        """The line that this host has to publish."""
        here = (address for address in self.addresses if _host_of(address) == host)
        code_hash = base64url(withdraw_code_hash(self.code))
        return " ".join((RECORD_TAG, code_hash, f"uses={','.join(self.uses)}", *here))


@dataclass(frozen=True, slots=True)
class Published:
    """What was found at one place."""

    place: str
    """An address, or "TXT" and a name."""
    records: tuple[str, ...] = ()
    """The lines that begin like a record, whosever they are (`record_lines`)."""
    trouble: str = ""
    """Why it could not be read. Empty: it was read."""


class HostReader(Protocol):
    """Reads what hosts publish. Nothing that a host answers is an exception."""

    def __call__(
        self, hosts: Sequence[str], *, allow_addresses: Sequence[str], dns_server: str
    ) -> Mapping[str, tuple[Published, ...]]:
        """For each host ("example.org", "example.org:8443") both places, the second where it has one.

        Args:
            allow_addresses: "HOST:PORT" of local addresses to open; they are asked by plain http.
            dns_server: "HOST:PORT" of the server that is asked for names. Empty: as the system is set up.
        Raises:
            InputError: one of these is not of that form.
        """
        ...


def host_reader() -> HostReader:
    """The installed implementation."""
    for found in entry_points(group="hibs.host_claims", name="http"):
        reader: HostReader = found.load()
        return reader
    raise RemoteError("no way to ask a host is installed; install the whole of haveibeenscraped")


# --- the claim and its file ------------------------------------------------------------------------------------


def make_claim(addresses: Iterable[str], uses: Collection[Use], code: str) -> Claim:
    """Put a claim together from addresses as they were typed.

    Raises:
        InputError: there is none, one is no address, or they are more than can be asked or published.
    """
    asked = tuple(sorted({parse_address(address) for address in addresses}))
    if not asked:
        raise InputError("no address is named; name a host or a part of it, like example.org/photos/")
    claim = Claim(addresses=asked, uses=close_uses(uses), code=code)
    if len(asked) > ADDRESSES_MAX or len(claim.hosts) > HOSTS_MAX:
        raise InputError(
            f"{len(asked)} addresses on {len(claim.hosts)} hosts are more than one opt-out takes ({ADDRESSES_MAX} on "
            f"{HOSTS_MAX}); opt them out in several"
        )
    for host in claim.hosts:
        if len(claim.record(host)) > RECORD_CHARACTERS_MAX:
            raise InputError(
                f"the record of {host} would have more than {RECORD_CHARACTERS_MAX} characters; name shorter "
                "beginnings of its paths, or the whole host"
            )
    return claim


def claim_file(claim: Claim, folder: Path) -> Path:
    """Where a claim waits: named after its first host."""
    name = re.sub(r"[^a-z0-9.-]+", "-", claim.hosts[0])
    return folder / f"{name}.claim.txt"


def begin_claim(
    addresses: Iterable[str], uses: Collection[Use], folder: Path, random: RandomBytes
) -> tuple[Claim, bool]:
    """The claim that waits in `folder` for these addresses and uses; where none waits, a new one is put there.

    Returns:
        The claim, and whether it waited there already.
    Raises:
        InputError: see `make_claim`; or one waits there that is about something else.
        DataError: it cannot be written.
    """
    claim = make_claim(addresses, uses, new_withdraw_code(random))
    path = claim_file(claim, folder)
    if path.exists():
        return replace(claim, code=_waiting_code(path, claim)), True
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write the claim into {folder}: {error.strerror}; give another --out") from error
    write_private(path, claim_text(claim).encode())
    return claim, False


def claim_text(claim: Claim) -> str:
    """The file HOST.claim.txt."""
    blocks = "".join(f"\n{host}\n{claim.record(host)}\n" for host in claim.hosts)
    return (
        f"{claim.code}\n\n"
        "The line above is a secret: it will withdraw this opt-out. Keep this file to yourself until the opt-out is "
        "recorded.\n"
        f"Each host publishes its line below, in https://HOST{FILE_PATH} or as a TXT record at {DNS_LABEL}.HOST.\n"
        f"{blocks}"
    )


def _waiting_code(path: Path, asked: Claim) -> str:
    """The code in a claim file, if the file is about the same addresses and uses."""
    lines = read_file(path).decode("utf-8-sig", errors="replace").splitlines()
    code = read_withdraw_code(lines[0]) if lines else None
    if code is None:
        raise InputError(f"the first line of {path} is no whole withdraw code; take the file as it was written")
    again = replace(asked, code=code)
    if record_lines("\n".join(lines)) != tuple(again.record(host) for host in again.hosts):
        raise InputError(
            f"{path} is a claim about other addresses or uses; give those again, or another --out for a new claim"
        )
    return code


# --- what is published -----------------------------------------------------------------------------------------


def record_lines(text: str) -> tuple[str, ...]:
    """The lines of a file, or of a TXT record, that begin like a record; blanks and quotes around them do not count.

    Text is a stranger's: whatever it holds, lines come out.
    """
    lines = (" ".join(line.strip(" \t\"'").split()) for line in text.splitlines())
    return tuple(line for line in lines if line.lower().startswith(RECORD_TAG.rpartition("-")[0]))


def unproved(claim: Claim, published: Mapping[str, tuple[Published, ...]]) -> tuple[str, ...]:
    """The hosts that publish their record nowhere. Empty: the claim is proved."""
    return tuple(
        host
        for host in claim.hosts
        if not any(claim.record(host) in found.records for found in published.get(host, ()))
    )


def file_address(host: str) -> str:
    """Where the file of this host stands."""
    return f"https://{host}{FILE_PATH}"


def dns_name(host: str) -> str | None:
    """Where the TXT record of this host stands. None: the host is digits, and has none."""
    name = host if host.endswith("]") else re.sub(r":[0-9]+\Z", "", host)
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return f"{DNS_LABEL}.{name}"
    return None


def _host_of(address: str) -> str:
    return address.partition("/")[0]
