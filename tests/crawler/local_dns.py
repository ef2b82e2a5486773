"""A real name server on 127.0.0.1, in a thread: answers over UDP what a test gave it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


@dataclass
class LocalDns:
    """One server. Names without any record do not exist."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    """ "TXT _hibs-opt-out.example.org." """
    fails: bool = False
    """Answers every question with SERVFAIL."""
    _records: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def server(self) -> str:
        """As --dns-server takes it."""
        return f"127.0.0.1:{self.port}"

    def put(self, name: str, kind: str, *texts: str) -> None:
        """Give a name these records of one kind, in the form of a zone file."""
        self._records.setdefault(f"{name}.", {})[kind] = texts

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        question = query.question[0]
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{kind} {name}")
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        records = self._records.get(name)
        if self.fails:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif records is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif kind in records:
            response.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *records[kind]))
        return response


@contextmanager
def local_dns() -> Iterator[LocalDns]:
    """Run a name server for the length of a test."""
    served = LocalDns()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        served.port = listening.getsockname()[1]

        def serve() -> None:
            while True:
                data, sender = listening.recvfrom(4_096)
                if not data:
                    return
                listening.sendto(served.answer(dns.message.from_wire(data)).to_wire(), sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield served
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stopping:
                stopping.sendto(b"", ("127.0.0.1", served.port))
            thread.join(10)
