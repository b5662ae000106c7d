"""One connection to the scripted server: TLS, SASL, bind, stream management, and then stanzas."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, cast
from xml.etree.ElementTree import Element, XMLPullParser

from tests.link.c2s.fake_scram import FakeScram, NotAuthorized, plain
from tests.link.c2s.fake_session import FakeSession

if TYPE_CHECKING:
    from tests.link.c2s.fake_server import FakeServer

SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
TLS = "urn:ietf:params:xml:ns:xmpp-tls"
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
MANAGEMENT = "urn:xmpp:sm:3"
STANZAS = ("message", "presence", "iq")


class Closed(Exception):
    """The stream has ended."""


class Left(Closed):
    """The client has closed it as it should, so that there is nothing to resume."""


def bare_names(element: Element) -> Element:
    """Elements of jabber:client get their bare names, as everywhere in the project."""
    for each in element.iter():
        each.tag = each.tag.removeprefix("{jabber:client}")
    return element


class FakeStream:
    """Runs in the server's event loop, from the accepted connection to its end."""

    def __init__(self, server: FakeServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, encrypted: bool) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._encrypted = encrypted
        self.user = ""
        """Who has logged in."""
        self.session: FakeSession | None = None
        self._is_cut = False
        self._begin()

    def _begin(self) -> None:
        self._parser: XMLPullParser[Element] = XMLPullParser(("start", "end"))
        self._depth = 0
        self._root: Element | None = None
        self._stanzas: list[Element] = []
        self._left = False

    # what is written

    def write(self, text: str) -> None:
        if not self._writer.is_closing():
            self._writer.write(text.encode())

    def end(self, condition: str = "", text: str = "") -> None:
        """Close the stream, with an error of this condition unless it is empty."""
        if condition:
            said = f"<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>{text}</text>" if text else ""
            self.write(f"<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>{said}</stream:error>")
        self.write("</stream:stream>")
        self._writer.close()

    def cut(self) -> None:
        """The network breaks: what was not handled is lost."""
        self._is_cut = True
        cast("asyncio.Transport", self._writer.transport).abort()

    # what is read

    async def _read(self) -> None:
        data = await self._reader.read(65536)
        await self._server.going.wait()  # frozen: it is taken from the network, and that is all
        if not data or (self._root is None and data == b"</stream:stream>"):  # a check of a password ends behind <success/>
            raise Closed
        self._parser.feed(data)
        if hasattr(self._parser, "flush"):
            self._parser.flush()
        for event, element in cast("list[tuple[str, Element]]", list(self._parser.read_events())):
            if event == "start":
                self._depth += 1
                self._root = element if self._depth == 1 else self._root
                continue
            self._depth -= 1
            if self._depth == 0:
                self._left = True
            if self._depth == 1 and self._root is not None:
                self._root.remove(element)
                self._stanzas.append(bare_names(element))

    async def _next(self) -> Element:
        while not self._stanzas or self._is_cut:
            if self._is_cut:
                raise Closed
            if self._left:
                raise Left
            await self._read()
        return self._stanzas.pop(0)

    async def _open(self, features: str) -> None:
        """A new stream header from either side, and what is offered."""
        self._begin()
        while self._root is None:
            await self._read()
        self.write(
            f"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
            f" from='{self._server.domain}' id='s1' version='1.0'><stream:features>{features}</stream:features>"
        )

    # the steps of a login

    async def run(self) -> None:
        """The whole connection. Raises Closed, OSError, EOFError once it has ended."""
        if not self._encrypted:
            await self._open(f"<starttls xmlns='{TLS}'><required/></starttls>")
            assert (await self._next()).tag == f"{{{TLS}}}starttls"
            self.write(f"<proceed xmlns='{TLS}'/>")
            await self._writer.start_tls(self._server.context)
        mechanisms = "".join(f"<mechanism>{name}</mechanism>" for name in self._server.mechanisms)
        await self._open(f"<mechanisms xmlns='{SASL}'>{mechanisms}</mechanisms>")
        while not await self._authenticated():
            pass
        management = f"<sm xmlns='{MANAGEMENT}'/>" if self._server.management else ""
        await self._open(f"<bind xmlns='{BIND}'><required/></bind>{management}")
        while True:
            await self._take(await self._next())

    async def _authenticated(self) -> bool:
        auth = await self._next()
        assert auth.tag == f"{{{SASL}}}auth"
        mechanism = auth.get("mechanism", "")
        self._server.attempts.append(mechanism)
        try:
            self.user, success = await self._exchange(mechanism, base64.b64decode(auth.text or ""))
        except NotAuthorized:
            self._server.refused += 1
            self.write(f"<failure xmlns='{SASL}'><not-authorized/></failure>")
            return False
        if self._server.sasl_failure:
            self.write(f"<failure xmlns='{SASL}'><{self._server.sasl_failure}/></failure>")
            return False
        self._server.logins.append(self.user)
        self.write(f"<success xmlns='{SASL}'>{success}</success>")
        return True

    async def _exchange(self, mechanism: str, message: bytes) -> tuple[str, str]:
        """Who it is, and what comes with the success."""
        accounts = self._server.accounts
        if mechanism == "PLAIN":
            return plain(message, accounts), ""
        scram = FakeScram(mechanism, accounts, self._server.salts)
        challenge = base64.b64encode(scram.first(message.decode()).encode()).decode()
        self.write(f"<challenge xmlns='{SASL}'>{challenge}</challenge>")
        response = await self._next()
        final = scram.final(base64.b64decode(response.text or "").decode())
        return scram.user, base64.b64encode(final.encode()).decode()

    # what follows the login

    async def _take(self, element: Element) -> None:
        if self.session is None:
            self._bound(element)
            return
        if element.tag in STANZAS:
            self.session.handled += 1
            self.session.received.append(element)
            self._server.handle(self.session, element)
        elif element.tag == f"{{{MANAGEMENT}}}enable":
            assert self._server.management
            self.session.enabled(self._server.keep(self.session))
            self.write(f"<enabled xmlns='{MANAGEMENT}' id='{self.session.management}' resume='true' max='600'/>")
        elif element.tag == f"{{{MANAGEMENT}}}r" and self._server.acknowledges:
            self._server.was_tried()
            self.write(f"<a xmlns='{MANAGEMENT}' h='{self.session.handled}'/>")
        elif element.tag == f"{{{MANAGEMENT}}}a":
            self.session.acknowledged(int(element.get("h", "0")))

    def _bound(self, element: Element) -> None:
        """Before there is a resource: bind, or resume."""
        if element.tag == f"{{{MANAGEMENT}}}resume":
            kept = self._server.resumable(element.get("previd", ""), self.user)
            if kept is None:
                self.write(f"<failed xmlns='{MANAGEMENT}'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>")
                return
            self._server.resumes += 1
            self.session = kept
            self.write(f"<resumed xmlns='{MANAGEMENT}' previd='{kept.management}' h='{kept.handled}'/>")
            kept.resumed_on(self, int(element.get("h", "0")))
            return
        assert element.tag == "iq", element.tag
        identifier = element.get("id", "")
        if self._server.bind_error:
            self.write(
                f"<iq type='error' id='{identifier}'><error type='cancel'>"
                f"<{self._server.bind_error} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
            )
            return
        resource = element.findtext(f"{{{BIND}}}bind/{{{BIND}}}resource") or ""
        self.session = self._server.bound(self, resource)
        self.write(f"<iq type='result' id='{identifier}'><bind xmlns='{BIND}'><jid>{self.session.jid}</jid></bind></iq>")
