"""A gateway that is attached to a scripted server: what the network sends to it, and what comes out."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable
from xml.etree.ElementTree import Element

from flask import Flask

from tests.link.fake_server import SECRET, Connection, FakeServer
from xmpp_rest.gateway import Gateway
from xmpp_rest.protocol.parse import parse_text

_STANZA = re.compile(r"<(message|presence|iq)\b[^>]*?(/>|>.*?</\1>)", re.DOTALL)
_TO = re.compile(r"to=['\"]([^'\"]*)")


class Network:
    """A server for the streams of all hosted domains; sends back the iqs by which the gateway confirms. `start()` before the gateway."""

    def __init__(self) -> None:
        self._streams: dict[str, Connection] = {}
        self._lock = threading.Lock()
        self._out: queue.SimpleQueue[Element] = queue.SimpleQueue()
        self.server = FakeServer(self._serve)

    @property
    def settings(self) -> dict[str, str]:
        """What a gateway needs to be attached here, as keywords of `make_app`."""
        return {"link_kind": "component", "link_port": str(self.server.port), "link_secret": SECRET}

    def _serve(self, connection: Connection) -> None:
        connection.read_until(">")
        found = _TO.search(connection.read_until(">"))
        assert found is not None
        domain = found[1]
        connection.send(
            f"<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' from='{domain}' id='s1'>"
        )
        connection.read_until("</handshake>")
        connection.send("<handshake/>")
        with self._lock:
            self._streams[domain] = connection
        connection.sock.settimeout(60)
        text = connection.received.decode()
        while True:
            text = self._take(connection, domain, text)
            data = connection.sock.recv(65536)
            if not data:
                return
            text += data.decode()

    def _take(self, connection: Connection, domain: str, text: str) -> str:
        """Sort what the gateway sent; the rest that is not complete yet."""
        done = 0
        for found in _STANZA.finditer(text):
            done = found.end()
            stanza = parse_text(found[0])
            if stanza.get("from") == stanza.get("to") == domain:
                self.send(found[0], domain)
            else:
                self._out.put(stanza)
        return text[done:]

    def send(self, data: str | bytes, domain: str) -> None:
        """The network sends this on the stream of a domain."""
        with self._lock:
            self._streams[domain].send(data)

    def next(self, seconds: float = 5) -> Element:
        """What the gateway sent next to the network. Raises queue.Empty."""
        return self._out.get(timeout=seconds)

    def silent(self, domain: str, account: str) -> list[Element]:
        """What the gateway had sent by the time it answered a ping that came behind all else."""
        self.send(f"<iq type='get' id='last' from='prober@verona.example/x' to='{account}'><ping xmlns='urn:xmpp:ping'/></iq>", domain)
        before = []
        while (stanza := self.next()).get("id") != "last":
            before.append(stanza)
        return before


def attached(make_app: Callable[..., Flask], network: Network, **settings: str) -> Gateway:
    """A gateway whose streams are up."""
    app = make_app(**network.settings, **settings)
    gateway: Gateway = app.extensions["gateway"]
    gateway.start()
    deadline = time.monotonic() + 10
    while not (gateway.uplink and all(s["state"] == "online" for s in gateway.uplink.status())):
        assert time.monotonic() < deadline, gateway.uplink and gateway.uplink.status()
        time.sleep(0.01)
    return gateway
