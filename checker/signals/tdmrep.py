"""Read the W3C TDM Reservation Protocol in its three places.

    1. /.well-known/tdmrep.json     rules by path; the first that matches, in file order
    2. response headers             tdm-reservation, tdm-policy
    3. meta tags of an HTML page    for that page itself, never for the pictures in it

A later place supersedes an earlier one, each property on its own and in either direction; what is absent or invalid
resets nothing, so that a header `1` without a policy keeps the policy of the file. Reserved without policy refuses
`tdm` and both training uses; reserved with a policy makes them conditional; not reserved allows them. Searching is not
spoken of.

No file means that the host does not use the protocol. Where the server failed to answer (5xx, 429, no connection),
the same reading is marked unreachable, since whether a file is there is then not known. Text that is HTML is taken as
no file: hosts that answer every path with their start page say nothing by it.

Source: w3c-cg/tdm-reservation-protocol, spec of 2026-06-18. Our choices: "1" and "0" as strings are accepted, a
duplicate member counts where it refuses, several header lines of which one is 1 reserve.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from checker.model import Finding, Stance, Use
from checker.signals.paths import matched_octets, path_of
from checker.signals.statements import TRAINING, Statement, clipped, findings_of, uniform

VERSION = "TDMRep 2026-06-18"
FILE_BYTES_MAX = 512_000
"""Larger files are not read; the limit of robots.txt, which is the same kind of file."""

_USES = (Use.TDM, *TRAINING)
_DOUBT = Statement(malformed=True, doubted=frozenset(_USES))


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one place says."""

    place: str
    raw: str
    reserved: bool | None
    """None: not said, or not readable."""
    policy: str | None
    """Address of the licence policy; None: none was given. It has a meaning with a reservation only."""
    malformed: bool = False
    scope: str = ""


def read_tdmrep(
    file: Sequence[Reservation], headers: Sequence[Reservation], page: Sequence[Reservation]
) -> Iterator[Finding]:
    """Combine the three places, each of which may be empty, into findings; the last place that says 1 or 0 decides."""
    said = [*file, *headers, *page]
    last = next((one for one in reversed(said) if one.reserved is not None), None)
    policy = None
    for one in said:
        if one.malformed:
            yield from _findings(_DOUBT, one)
        if one.policy is not None and one.reserved is not False:
            policy = one.policy
    for one in said:
        if one.reserved is None:
            continue
        if one is not last:
            # Kept as evidence: the next place supersedes it.
            yield from _findings(Statement(), one)
        elif not one.reserved:
            yield from _findings(Statement(uniform(Stance.ALLOW, _USES)), one)
        else:
            stance = Stance.DENY if policy is None else Stance.CONDITIONAL
            raw = one.raw if policy in (None, one.policy) else f"{one.raw} (policy {policy})"
            yield from _findings(Statement(uniform(stance, _USES)), one, raw)


def noted(one: Reservation) -> Finding:
    """The finding for a reservation that does not reach what was asked about: evidence, and no more."""
    return Finding(signal="tdmrep", place=one.place, raw=clipped(one.raw), version=VERSION, scope=clipped(one.scope))


def server_failed(detail: str) -> Finding:
    """The finding for a file that could not be asked for: unset, and in doubt."""
    return Finding(
        signal="tdmrep",
        place="/.well-known/tdmrep.json",
        raw=clipped(detail),
        uses=uniform(Stance.UNSPECIFIED, _USES),
        version=VERSION,
        unreachable=True,
    )


def read_file(body: bytes, url: str) -> list[Reservation]:
    """Read tdmrep.json for `url`: the rules that could not be read, and the first one that matches. Never raises.

    A rule that lacks one of its two mandatory members is no rule and is passed over. A matching rule whose reservation
    is there and unreadable hides the permissions behind it, not the refusals: it came first and might have been either.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if not text or text.startswith(b"<"):
        return []
    if len(body) > FILE_BYTES_MAX:
        return [_unusable(f"larger than {FILE_BYTES_MAX} bytes", text)]
    try:
        rules = json.loads(text.decode("utf-8"), object_pairs_hook=_Members)
    except UnicodeDecodeError:
        return [_unusable("no UTF-8 text")]
    except (ValueError, RecursionError):
        return [_unusable("no JSON that can be read", text)]
    if not isinstance(rules, list):
        return [_unusable("no list of rules", text)]
    path = path_of(url)
    read: list[Reservation] = []
    permission_hidden = False
    for number, rule in enumerate(rules, start=1):
        place = f"tdmrep.json rule {number}"
        raw = _raw_text(json.dumps(_plain(rule), ensure_ascii=False).encode("utf-8", "replace"))
        members = rule if isinstance(rule, _Members) else _Members([])
        reserved, unreadable = _file_reservation(members)
        locations = members.texts("location")
        matches = [matched_octets(location, path) is not None for location in locations]
        if unreadable or not locations or not all(one.startswith(("/", "*")) for one in locations):
            read.append(Reservation(place, raw, None, None, malformed=True, scope=", ".join(locations)))
            permission_hidden = permission_hidden or (any(matches) and bool(members.all("tdm-reservation")))
        if reserved is None or not matches or not (any(matches) if reserved else all(matches)):
            continue
        if reserved or not permission_hidden:
            policies = members.texts("tdm-policy")
            policy = _policy(policies) if reserved else None
            read.append(Reservation(place, raw, reserved, policy, len(locations) > 1, ", ".join(locations)))
            break
    return read


def read_values(
    reservations: Sequence[str], policies: Sequence[str], *, place: str, scope: str = ""
) -> list[Reservation]:
    """Read the values of a header or meta tag. Several of them: any 1 reserves, only 0s do not.

    Args:
        reservations: the values of tdm-reservation, one for each line or tag; each may be a comma-separated list.
        policies: those of tdm-policy.
        place: "header tdm-reservation", "meta tdm-reservation".
        scope: what it speaks of; empty: the resource that was asked for.
    Returns:
        Empty where neither was there.
    """
    values = [value.strip() for line in reservations for value in line.split(",")]
    policy = _policy(policies)
    if not values and policy is None:
        return []
    reserved = True if "1" in values else False if values and set(values) == {"0"} else None
    malformed = bool(set(values) - {"0", "1"})
    raw = "; ".join([*(f"tdm-reservation: {line}" for line in reservations), *(f"tdm-policy: {p}" for p in policies)])
    return [Reservation(place, raw, reserved, policy, malformed, scope)]


class _Members:
    """A JSON object that keeps duplicate members."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs

    def all(self, name: str) -> list[Any]:
        return [value for key, value in self.pairs if key == name]

    def texts(self, name: str) -> list[str]:
        return [value for value in self.all(name) if isinstance(value, str)]


def _plain(value: Any) -> Any:
    """For the evidence: members as an object again, one level deep."""
    if isinstance(value, _Members):
        return {k: v if isinstance(v, str | int | float | None) else "..." for k, v in value.pairs}
    return value if isinstance(value, str | int | float | None) else "..."


def _file_reservation(members: _Members) -> tuple[bool | None, bool]:
    """The reservation of a rule, and whether it is to be marked malformed. A 1 among duplicates wins."""
    values = members.all("tdm-reservation")
    known = [_reading(value) for value in values]
    unreadable = len(values) != 1 or None in known
    if True in known:
        return True, unreadable
    return (False if values and not unreadable else None), unreadable


def _reading(value: Any) -> bool | None:
    """The number 1 or 0 in any of JSON's spellings, or the text "1" or "0"; true and false are neither. None: other."""
    if isinstance(value, str):
        return {"1": True, "0": False}.get(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value not in (0, 1):
        return None
    return value == 1


def _policy(policies: Sequence[str]) -> str | None:
    """The first policy with an address. Another text is no policy, and a reservation without one refuses."""
    return next((p.strip() for p in policies if p.strip().lower().startswith(("https://", "http://"))), None)


def _unusable(reason: str, text: bytes = b"") -> Reservation:
    """What stands for a file that is there and cannot be read; the text is shown where it is text."""
    raw = f"{reason}: {_raw_text(text)}" if text else reason
    return Reservation("tdmrep.json", clipped(raw), None, None, malformed=True)


def _raw_text(text: bytes) -> str:
    return clipped(text[:2000].decode("utf-8", "replace"))


def _findings(statement: Statement, one: Reservation, raw: str | None = None) -> tuple[Finding, ...]:
    return findings_of(
        statement,
        signal="tdmrep",
        place=one.place,
        raw=one.raw if raw is None else raw,
        version=VERSION,
        scope=one.scope,
    )
