"""XMPP users and bare components for tests: slixmpp in a background thread, with calls that block."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from uuid import uuid4
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from slixmpp import ClientXMPP, ComponentXMPP

from .child import LOOPBACK
from .xmppserver import DOMAIN, PASSWORD, SECRET, XMPPServer

T = TypeVar("T")
PLUGINS = ("xep_0030", "xep_0199", "xep_0092", "xep_0012")
"""What a user answers by itself: service discovery, ping, software version, last activity."""


class EventLoop:
    """An asyncio loop in a thread. Owner: the session's `event_loop` fixture."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="slixmpp", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, T], timeout: float = 30.0) -> T:
        """Run a coroutine in the thread and wait for its result, for at most `timeout` seconds."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout)

    def stop(self) -> None:
        """Cancel what is left and end the thread."""
        self.call(self._drain())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(30)
        self.loop.close()

    async def _drain(self) -> None:
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Entity:
    """One XML stream and everything that arrived on it. Owner: the test or fixture that called `connect()`; `close()` when done."""

    default_namespace = "jabber:client"

    def __init__(self, loop: EventLoop, make: Callable[[], Any], address: tuple[str, int]) -> None:
        self._loop = loop
        self._make = make
        self._address = address
        self._xmpp: Any = None
        self._inbox: list[ET.Element] = []
        self._arrived = threading.Condition()
        self.deaf = False
        """While true, what arrives is kept for `wait()` but nothing is answered: an iq stays open."""

    @property
    def jid(self) -> str:
        """The full JID (of a component: its domain)."""
        return str(self._xmpp.boundjid)

    @property
    def bare(self) -> str:
        """The bare JID."""
        return str(self._xmpp.boundjid.bare)

    def connect(self) -> Entity:
        """Log in. Raises TimeoutError, or ConnectionRefusedError with the reason of a refusal."""
        self._loop.call(self._connect())
        return self

    async def _connect(self) -> None:
        xmpp = self._xmpp = self._make()
        outcome: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def settle(text: str) -> Callable[[object], None]:
            return lambda event: None if outcome.done() else outcome.set_result(text)

        for event in "failed_all_auth", "stream_error", "connection_failed", "disconnected":
            xmpp.add_event_handler(event, settle(event))
        xmpp.add_event_handler("session_start", settle(""))
        xmpp.add_filter("in", self._keep)
        # A coroutine's exception must reach the caller, and slixmpp's own reconnecting must not hide a refusal.
        xmpp.connect(*self._address)
        if reason := await asyncio.wait_for(outcome, 25):
            await xmpp.disconnect(wait=0)
            raise ConnectionRefusedError(reason)

    def _keep(self, stanza: Any) -> Any:
        with self._arrived:
            self._inbox.append(self._plain(stanza.xml))
            self._arrived.notify_all()
        return None if self.deaf else stanza

    def _plain(self, xml: ET.Element) -> ET.Element:
        """The stanza with `jabber:client` names, whatever kind of stream it came by."""
        return ET.fromstring(ET.tostring(xml, "unicode").replace(self.default_namespace, "jabber:client"))

    def close(self) -> None:
        """Close the stream."""
        if self._xmpp is not None:
            self._loop.call(self._close())

    async def _close(self) -> None:
        if self._xmpp.transport is not None:
            await self._xmpp.disconnect(wait=1.0)
        if self._xmpp._run_out_filters is not None:  # slixmpp leaves this task behind, and asyncio complains of it
            self._xmpp._run_out_filters.cancel()

    def send(self, xml: str) -> None:
        """Send this text as it is."""
        self._loop.loop.call_soon_threadsafe(self._xmpp.send_raw, xml)

    def send_message(self, to: str, body: str, kind: str = "chat", extra: str = "") -> str:
        """Send a message; the id it got."""
        id_ = uuid4().hex
        self.send(f"<message to={quoteattr(to)} type='{kind}' id='{id_}'{self._from()}><body>{escape(body)}</body>{extra}</message>")
        return id_

    def iq(self, to: str, payload: str, kind: str = "get", timeout: float = 30.0) -> ET.Element:
        """Send an iq and wait for its answer, a result or an error."""
        id_ = uuid4().hex
        self.send(f"<iq to={quoteattr(to)} type='{kind}' id='{id_}'{self._from()}>{payload}</iq>")
        return self.wait(lambda s: s.tag.endswith("}iq") and s.get("id") == id_, timeout)

    def _from(self) -> str:
        return ""

    def wait(self, wanted: Callable[[ET.Element], bool], timeout: float = 30.0) -> ET.Element:
        """The first stanza that fits and was not handed out before. Raises TimeoutError, with all that did arrive."""
        deadline = time.monotonic() + timeout
        with self._arrived:
            while True:
                for stanza in self._inbox:
                    if wanted(stanza):
                        self._inbox.remove(stanza)
                        return stanza
                if not self._arrived.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise TimeoutError("arrived so far:\n" + "\n".join(ET.tostring(s, "unicode") for s in self._inbox))

    def wait_message(self, body: str | None = None, timeout: float = 30.0) -> ET.Element:
        """The next message (with this body)."""
        return self.wait(lambda s: s.tag.endswith("}message") and body in (None, s.findtext("{*}body")), timeout)

    def drain(self) -> list[ET.Element]:
        """Everything that arrived and was not handed out; the inbox is empty then."""
        with self._arrived:
            stanzas, self._inbox = self._inbox, []
        return stanzas


class Client(Entity):
    """A client of an account, which is available once it is connected: what is sent to the account reaches it."""

    def connect(self) -> Client:
        """Log in, and return once the server has taken the presence. Raises TimeoutError, ConnectionRefusedError.

        What is sent to the account before that may be kept for its next login: ejabberd reads what it has kept as the presence comes.
        """
        super().connect()
        self.iq(self._xmpp.boundjid.domain, "<ping xmlns='urn:xmpp:ping'/>")  # answered, or refused, after the presence: RFC 6120 §10.1
        return self


def say_available(xmpp: ClientXMPP, priority: int = 0) -> None:
    """Have it send its presence as the session starts, before anything else."""
    xmpp.add_event_handler("session_start", lambda event: xmpp.send_raw(f"<presence><priority>{priority}</priority></presence>"))


class User(Client):
    """A user of the server's own domain, logged in over c2s without TLS."""

    def __init__(self, loop: EventLoop, server: XMPPServer, name: str, resource: str = "balcony", password: str = PASSWORD) -> None:
        def make() -> ClientXMPP:
            xmpp = ClientXMPP(f"{name}@{DOMAIN}/{resource}", password)
            xmpp.enable_starttls = xmpp.enable_direct_tls = False
            xmpp.enable_plaintext = True
            for plugin in PLUGINS:
                xmpp.register_plugin(plugin)
            xmpp.plugin["feature_mechanisms"].unencrypted_plain = True
            say_available(xmpp)
            return xmpp

        super().__init__(loop, make, (LOOPBACK, server.c2s_port))


class Component(Entity):
    """An external component (XEP-0114) that answers nothing by itself but what slixmpp answers for every entity."""

    default_namespace = "jabber:component:accept"

    def __init__(self, loop: EventLoop, server: XMPPServer, domain: str, secret: str = SECRET) -> None:
        def make() -> Any:
            xmpp = ComponentXMPP(domain, secret, LOOPBACK, server.component_port)
            xmpp.register_plugin("xep_0030")
            xmpp.register_plugin("xep_0199")
            return xmpp

        super().__init__(loop, make, (LOOPBACK, server.component_port))

    def _from(self) -> str:
        return f" from={quoteattr(self.jid)}"
