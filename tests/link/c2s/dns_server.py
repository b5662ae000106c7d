"""A DNS server on loopback that says what a test has written."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

SILENT, BROKEN = "silent", "broken"


class DnsServer:
    """`zone`: (name, type) → records, or SILENT or BROKEN; what is not in it does not exist."""

    def __init__(self, ttl: int = 300) -> None:
        self.zone: dict[tuple[str, str], list[str] | str] = {}
        self.ttl = ttl
        self.asked: Counter[tuple[str, str]] = Counter()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            data, client = self._socket.recvfrom(4096)
            if not data:
                return
            query = dns.message.from_wire(data)
            question = query.question[0]
            name, kind = question.name.to_text(omit_final_dot=True), question.rdtype.name
            self.asked[name, kind] += 1
            records = self.zone.get((name, kind))
            if records != SILENT:
                self._socket.sendto(self._answer(query, name, kind, records).to_wire(), client)

    def _answer(self, query: dns.message.Message, name: str, kind: str, records: list[str] | str | None) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if records == BROKEN:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif records:
            answer.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", kind, *records))
        elif not any(known == name for known, _ in self.zone):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer

    def close(self) -> None:
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as ending:
            ending.sendto(b"", self.address)
        self._thread.join(30)
        self._socket.close()
