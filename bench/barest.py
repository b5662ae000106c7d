"""The smallest Flask application that has a stanza sent: no addressing, no negotiation, no errors, no accounts.

It bounds what the gateway can reach beside the same server. Each of its processes is a component of its own, so that none hands anything
to another. BENCH_LINK is the server's port for components, BENCH_FOLDER takes the journals, BENCH_ACCOUNT is the field of an account.

`/bare` writes the body to a socket. `/message` does what nobody may leave out who answers 202 for good XML that is not lost: one comparison
of the credentials, defusedxml, an id, the sender's address, the text, the disk. `/iq` does the same but for the disk, and waits. `/echo`
makes a stanza of a JSON object, and an object of that. `/data`: see `barest_data.py`.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import threading
from itertools import count
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from defusedxml.ElementTree import fromstring
from flask import Response, abort, request

from bench.bare import ATTRIBUTE, IQ, attach
from bench.barest_data import LeastData
from tests.live.gateway import TOKEN
from tests.live.xmppserver import DOMAIN, SECRET
from xmpp_rest.link.journal import Journal
from xmpp_rest.serving.synchronous import Synchronous

DOMAINS = tuple(f"floor{n}.{DOMAIN}" for n in range(1, 5))  # as many processes can attach
WINDOW = 64
PING = "<iq type='get' from='{0}' to='{0}' id='{1}'><ping xmlns='urn:xmpp:ping'/></iq>"


class Stream:
    """A component stream, and the thread that reads it."""

    def __init__(self, port: int) -> None:
        self._sending = threading.Lock()
        self._sent = count(1)
        self._waiting: dict[bytes, threading.Lock] = {}
        for domain in DOMAINS:
            try:
                self._socket = attach(port, domain, SECRET)
            except ConnectionRefusedError:  # another process has it
                continue
            self.domain = domain
            threading.Thread(target=self._read, daemon=True).start()
            return
        raise ConnectionRefusedError(f"more processes than {len(DOMAINS)}")

    def send(self, stanza: bytes) -> None:
        """Write it. One in WINDOW waits until the server has what was written before: else the kernel's buffers would be measured."""
        with self._sending:
            self._socket.sendall(stanza)
        if next(self._sent) % WINDOW == 0:
            identifier = secrets.token_urlsafe(18)
            self.ask(identifier, PING.format(self.domain, identifier).encode())

    def ask(self, identifier: str, iq: bytes) -> None:
        """Write it, and wait for the answer; any iq with its id is one."""
        answered = self._waiting[identifier.encode()] = threading.Lock()
        answered.acquire()
        with self._sending:
            self._socket.sendall(iq)
        answered.acquire(timeout=10)

    def _read(self) -> None:
        self._socket.settimeout(None)
        rest = b""
        while data := self._socket.recv(1 << 16):
            rest += data
            end = 0
            for match in IQ.finditer(rest):
                end = match.end()
                identifier = dict(ATTRIBUTE.findall(match[0]))[b"id"]
                if (answered := self._waiting.pop(identifier, None)) is not None:
                    answered.release()
            rest = rest[end:]


class Least(Synchronous):
    """A lean Flask as the gateway's. Attaches with its first request, in the process that gets it."""

    def __init__(self, port: int, folder: Path) -> None:
        super().__init__("barest", static_folder=None)
        self._port, self._folder = port, folder
        self._attaching = threading.Lock()
        self._attached: tuple[Stream, Journal] | None = None
        self._data: LeastData | None = None
        self.add_url_rule("/data/<store>", view_func=self.data, methods=["GET", "PUT", "POST"])
        for view in (self.bare, self.message, self.iq, self.echo):
            self.add_url_rule(f"/{view.__name__}", view_func=view, methods=["POST"])

    def _link(self) -> tuple[Stream, Journal]:
        if self._attached is None:
            with self._attaching:
                self._attached = self._attached or (Stream(self._port), Journal(self._folder / f"{os.getpid()}.journal"))
        return self._attached

    def bare(self) -> Response:
        """202 for what was written."""
        stream, _ = self._link()
        name, space, rest = request.get_data().partition(b" ")
        stream.send(b"%b from='%b'%b%b" % (name, stream.domain.encode(), space, rest))
        return Response(status=202)

    def message(self) -> Response:
        """202 for what is on disk, and written."""
        stream, journal = self._link()
        text = tostring(self._addressed(stream))
        (number,) = journal.append([text.decode()])
        stream.send(text)
        journal.ack([number])
        return Response(status=202)

    def iq(self) -> Response:
        """200 once the answer is there."""
        stream, _ = self._link()
        stanza = self._addressed(stream)
        stream.ask(stanza.attrib["id"], tostring(stanza))
        return Response(status=200)

    def echo(self) -> Response:
        """200 with the message of a JSON object, as it would be sent."""
        _require_token()
        fields = json.loads(request.get_data())
        stanza = Element(fields["kind"], {"to": fields["to"], "type": fields["type"], "from": DOMAINS[0], "id": secrets.token_urlsafe(18)})
        SubElement(stanza, "body").text = fields["body"]
        SubElement(stanza, "replace", {"id": fields["replace"]})
        answer = {"kind": stanza.tag, **stanza.attrib, **{child.tag: child.text or child.get("id") for child in stanza}}
        return Response(json.dumps(answer), content_type="application/json")

    def data(self, store: str) -> Response:
        """A document, or what was stored."""
        if self._data is None:
            with self._attaching:
                self._data = self._data or LeastData(self._folder, os.environ["BENCH_ACCOUNT"])
        return self._data.answer(store)

    @staticmethod
    def _addressed(stream: Stream) -> Element:
        _require_token()
        stanza: Element = fromstring(request.get_data())
        stanza.set("from", stream.domain)
        stanza.set("id", secrets.token_urlsafe(18))
        return stanza


def _require_token() -> None:
    if not hmac.compare_digest(request.headers.get("Authorization", ""), f"Bearer {TOKEN}"):
        abort(401)


def create_app() -> Least:
    """For gunicorn."""
    return Least(int(os.environ["BENCH_LINK"]), Path(os.environ["BENCH_FOLDER"]))
