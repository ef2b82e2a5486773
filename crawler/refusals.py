"""Hosts that say no in the headers of every picture, so that one no does not cost a request for each of them.

A refusal in a response header is learned by asking. After a few pictures of one host in a row that were all refused
that way, the others are taken to be refused as well, and recorded so, with the header as evidence and marked inferred.
One picture that is not refused ends it. Another run asks again.

Source: our choice; img2dataset, issue 298, is a site owner's complaint about a request for each picture.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from checker.model import Verdict

IN_A_ROW = 3
_HOSTS_MAX = 10_000


class Refusals:
    """What the hosts of one run said in headers."""

    def __init__(self) -> None:
        self._hosts: OrderedDict[str, tuple[int, Verdict | None]] = OrderedDict()

    def note(self, host: str, refusal: Verdict | None) -> None:
        """A picture of this host was asked for; `refusal` is what its headers said, None where they did not refuse."""
        in_a_row = self._hosts.pop(host, (0, None))[0]
        self._hosts[host] = (in_a_row + 1, refusal) if refusal else (0, None)
        if len(self._hosts) > _HOSTS_MAX:
            self._hosts.popitem(last=False)

    def standing(self, host: str) -> Verdict | None:
        """What is taken to be said of every picture of this host; None: nothing."""
        in_a_row, verdict = self._hosts.get(host, (0, None))
        if in_a_row < IN_A_ROW or verdict is None:
            return None
        return replace(verdict, findings=tuple(replace(one, inferred=True) for one in verdict.findings))
