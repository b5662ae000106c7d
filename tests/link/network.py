"""A gateway that is attached to a scripted server: what the network sends to it, and what comes out."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast
from xml.etree.ElementTree import Element, XMLPullParser

from flask import Flask

from tests.link.fake_server import SECRET, Connection, FakeServer
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.element import serialise

_TO = re.compile(r"to=['\"]([^'\"]*)")


class Network:
    """A server for the streams of all hosted domains; sends back the iqs by which the gateway confirms. `start()` before the gateway."""

    def __init__(self) -> None:
        self._streams: dict[str, Connection] = {}
        self._depth: dict[str, int] = defaultdict(int)
        self._ended: dict[str, str] = {}  # why a stream has ended
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
        with self._lock:  # before the gateway knows that the stream is up, and its test sends something
            self._streams[domain] = connection
            self._depth[domain] = 0
            self._ended.pop(domain, None)
            connection.send("<handshake/>")
        try:
            self._read(connection, domain)
        except (OSError, EOFError) as e:
            self._ended[domain] = repr(e)
            raise

    def _read(self, connection: Connection, domain: str) -> None:
        """Take what the gateway sends. Raises EOFError once it has closed the stream, OSError once the connection has ended."""
        connection.sock.settimeout(60)
        parser: XMLPullParser[Element] = XMLPullParser(("start", "end"))
        parser.feed("<stream:stream xmlns:stream='http://etherx.jabber.org/streams'>")
        next(iter(parser.read_events()))
        data = connection.received
        while True:
            parser.feed(data)
            if hasattr(parser, "flush"):  # expat 2.6: a tag that came in three reads would wait for more
                parser.flush()
            self._take(parser, domain)
            data = connection.sock.recv(65536)
            if not data:
                raise EOFError("the connection was closed")

    def _take(self, parser: XMLPullParser[Element], domain: str) -> None:
        """Sort what the gateway sent."""
        for event, element in cast("Iterator[tuple[str, Element]]", parser.read_events()):
            if event == "start":
                self._depth[domain] += 1
                continue
            self._depth[domain] -= 1
            if self._depth[domain] < 0:
                raise EOFError("the stream was closed")
            if self._depth[domain]:
                continue
            if element.get("from") == element.get("to") == domain:
                self.send(serialise(element), domain)
            else:
                self._out.put(element)

    @contextmanager
    def held(self) -> Iterator[None]:
        """No further stream comes up meanwhile."""
        with self._lock:
            yield

    def send(self, data: str | bytes, domain: str) -> None:
        """The network sends this on the stream of a domain."""
        with self._lock:
            assert domain in self._streams, f"the gateway has opened no stream for {domain}; {self.server.failures}"
            assert domain not in self._ended, f"the stream of {domain} has ended: {self._ended[domain]}"
            self._streams[domain].send(data)

    def next(self, seconds: float = 30) -> Element:
        """What the gateway sent next to the network. Raises queue.Empty."""
        return self._out.get(timeout=seconds)

    def silent(self, domain: str, account: str) -> list[Element]:
        """What the gateway had sent by the time it answered a ping that came after all else."""
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
    deadline = time.monotonic() + 30
    while not ((streams := gateway.parts.leader.status()) and all(s["state"] == "online" for s in streams)):
        assert time.monotonic() < deadline, (streams, network.server.failures)
        time.sleep(0.01)
    return gateway
