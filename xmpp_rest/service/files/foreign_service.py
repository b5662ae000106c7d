"""Finds the upload service of a server, and asks it for slots (files §5, XEP-0363)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import Router
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.forms import FORM, read_form
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.namespaces import DISCO_INFO, DISCO_ITEMS, UPLOAD
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.callbacks.deadline_connections import Endpoint
from xmpp_rest.service.callbacks.deadline_socket import Addresses
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.waits import Wait

KEPT = 3600.0  # seconds for which a service counts that was found
PATIENCE = 5.0  # seconds for all of a search
AT_ONCE = 10
MOST_ITEMS = 200
REMEDY = (
    "on Prosody add the gateway's domain to http_file_share_access of the upload component, on ejabberd to the ACL of mod_http_upload's"
    " access; or set [files] domain, so that the gateway has a service of its own"
)
_INFO, _ITEMS = f"{{{DISCO_INFO}}}query", f"{{{DISCO_ITEMS}}}query"


class FoundService(NamedTuple):
    """An upload service. `max_size`: of a file, in bytes; None: it does not tell."""

    address: JID
    max_size: int | None


_Ask = Callable[[JID, str, Callable[[Element | None], None]], None]
"""Asks an address; calls back with the result, or None."""


class ServiceSearch:
    """One search, in the leader: the parent's items, then what each of them says, AT_ONCE at a time; the first in order counts."""

    def __init__(
        self, ask: Callable[[JID, str, Callable[[Element | None], None]], None], then: Callable[[FoundService | None], object]
    ) -> None:
        self._ask = ask
        self._then = then
        self._items: list[JID] = []
        self._said: dict[int, FoundService | None] = {}
        self._asked = 0
        self._is_over = False
        self._lock = threading.RLock()

    def among_items_of(self, parent: JID) -> None:
        """Begin."""
        self._ask(parent, _ITEMS, self._listed)

    def at_server(self, server: JID) -> None:
        """Begin, with the items of a server, and itself behind them."""
        self._ask(server, _ITEMS, lambda answer: self._listed(answer, server))

    def only(self, address: JID) -> None:
        """Begin, with a service that is known."""
        self._begin([address])

    def _listed(self, answer: Element | None, *others: JID) -> None:
        items = [] if answer is None else answer.findall(f"{_ITEMS}/{{{DISCO_ITEMS}}}item")
        found = [jid for item in items[:MOST_ITEMS] if not item.get("node") and (jid := _jid(item.get("jid"))) is not None]
        self._begin([*found, *others])

    def _begin(self, items: list[JID]) -> None:
        with self._lock:
            self._items = items
            self._go_on()

    def _go_on(self) -> None:
        """Ask the next ones, or end. Needs the lock."""
        for number in range(len(self._items)):
            if number not in self._said:
                break
            if self._said[number] is not None:
                self._give(self._said[number])
                return
        if len(self._said) == len(self._items):
            self._give(None)
            return
        while self._asked < len(self._items) and self._asked - len(self._said) < AT_ONCE and not self._is_over:
            number, self._asked = self._asked, self._asked + 1
            self._ask(self._items[number], _INFO, partial(self._informed, number))

    def _informed(self, number: int, answer: Element | None) -> None:
        with self._lock:
            self._said[number] = None if answer is None else service_in(answer, self._items[number])
            if not self._is_over:
                self._go_on()

    def end(self) -> None:
        """The time is over: the first that has answered counts."""
        with self._lock:
            found = (self._said[number] for number in sorted(self._said))
            self._give(next((one for one in found if one is not None), None))

    def _give(self, found: FoundService | None) -> None:
        if not self._is_over:
            self._is_over = True
            self._then(found)


def service_in(answer: Element, address: JID) -> FoundService | None:
    """The service that an answer to disco#info describes; None: it is not one."""
    query = answer.find(_INFO)
    if query is None or UPLOAD not in {feature.get("var") for feature in query.findall(f"{{{DISCO_INFO}}}feature")}:
        return None
    for form in query.findall(f"{FORM}x"):
        values = read_form(form)
        if values.get("FORM_TYPE") == [UPLOAD]:
            size = next(iter(values.get("max-file-size", [])), "").strip()
            return FoundService(address, int(size) if size.isascii() and size.isdigit() and len(size) < 20 else None)
    return FoundService(address, None)


def _jid(text: str | None) -> JID | None:
    try:
        return parse_jid(text or "")
    except InvalidJID:
        return None


class ForeignState(NamedTuple):
    """Which service it is, and why it has refused the last time; None: it is not known, or it has not."""

    service: str | None
    reason: str | None


class ForeignService:
    """The service that the leader has found; every process may ask for it."""

    def __init__(self, router: Router, domain: str, named: str, remote: Remote, clock: Callable[[], float] = time.monotonic) -> None:
        """`domain`: that of the gateway; `named`: the service, "" for one of the parent domain."""
        self._router = router
        self._domain = domain
        self._named = named
        self._clock = clock
        self._found: FoundService | None = None
        self._until = 0.0
        self._reason: str | None = None
        self._remote = remote
        remote.offer(self)

    @property
    def place(self) -> str:
        """Where it is, or is looked for."""
        return self._named or self._domain.partition(".")[2]

    def missing(self, _: JID) -> str:
        """What is told where there is none."""
        return f"No upload service was found at {self.place or 'the parent domain'}; set [files] domain or service"

    def remedy(self, actor: JID) -> str:
        """What helps where it does not let somebody upload."""
        return f"It does not let {actor.bare} upload: {REMEDY}"

    def last(self, _: int) -> float | None:
        """Until when a file has to be there: as long as there is progress."""
        return None

    def addresses(self, _: JID, target: Endpoint) -> Addresses:
        """Where to connect to, for a URL of a slot. Raises OSError, ValueError."""
        return socket.getaddrinfo(target.host, target.port, 0, socket.SOCK_STREAM)

    @property
    def known(self) -> FoundService | None:
        """What this process, if it leads, knows of it."""
        return self._found if self._clock() < self._until else None

    @on_leader
    def note(self, reason: str | None) -> None:
        """Remember why it has refused; None: it has not."""
        self._reason = reason

    @on_leader
    def state(self) -> ForeignState:
        """What `/status` tells. Raises GatewayError."""
        found = self.known
        return ForeignState(str(found.address) if found else self._named or None, self._reason)

    def find(self, _: JID) -> FoundService | None:
        """The service, which is the same one for all actors; None: there is none. Raises GatewayError."""
        return self.found(Wait(PATIENCE + 2))

    def _found_deferred(self, reply: Reply, wait: Wait) -> End:
        return self._look(reply)

    @on_leader(deferred=_found_deferred, repeatable=True)
    def found(self, wait: Wait) -> FoundService | None:
        """As `find`."""
        ended = OneShot[tuple[FoundService | None]]()
        end = self._look(lambda found: ended.give((found,)))
        answer = ended.wait(*wait)
        if answer is None:
            end()
            answer = ended.wait()
        assert answer is not None
        return answer[0]

    def _look(self, then: Callable[[FoundService | None], object]) -> End:
        if (known := self.known) is not None:
            then(known)
            return _nothing
        last = time.monotonic() + PATIENCE
        search = ServiceSearch(partial(self._ask, last), partial(self._keep, then))
        timer = self._remote.timers.after(PATIENCE, search.end)
        del timer  # it fires in any case, and finds that the search is over
        named = _jid(self._named) if self._named else None
        if named is not None:
            search.only(named)
        elif self.place:
            search.among_items_of(JID("", self.place, ""))
        else:
            search.end()
        return search.end

    def _keep(self, then: Callable[[FoundService | None], object], found: FoundService | None) -> None:
        if found is None and self._named:
            found = FoundService(JID("", self._named, ""), None)  # it may not tell everybody what it is
        elif found is not None:
            self._found, self._until = found, self._clock() + KEPT
        then(found)

    def _ask(self, last: float, to: JID, query: str, then: Callable[[Element | None], None]) -> None:
        def answered(outcome: Any) -> None:
            is_result = not isinstance(outcome, Exception) and outcome[0].get("type") == "result"
            then(outcome[0] if is_result else None)

        iq = make("iq", child(query), type_="get", id_=new_id(), from_=self._domain, to_=str(to))
        try:
            self._router.begin_ask(answered, iq, Wait(max(0.1, last - time.monotonic())))
        except (GatewayError, BadXML):
            then(None)


def slot_request(actor: JID, service: JID, name: str, size: int, media_type: str) -> Element:
    """The iq that asks for a slot."""
    request = child(f"{{{UPLOAD}}}request", filename=name, size=str(size), **{"content-type": media_type})
    return make("iq", request, type_="get", id_=new_id(), from_=str(actor), to_=str(service))


class ForeignSlot(NamedTuple):
    """Where to PUT a file, with which fields, and where it is found then."""

    put: str
    fields: Sequence[tuple[str, str]]
    get: str


ALLOWED_FIELDS = {"authorization": "Authorization", "cookie": "Cookie", "expires": "Expires"}


def slot_in(answer: Element) -> ForeignSlot | None:
    """The slot in an answer; None: there is none. Of its fields only those that XEP-0363 §5 allows, without line breaks."""
    slot = answer.find(f"{{{UPLOAD}}}slot")
    put, get = (None, None) if slot is None else (slot.find(f"{{{UPLOAD}}}put"), slot.find(f"{{{UPLOAD}}}get"))
    if put is None or get is None:
        return None
    fields = []
    for header in put.findall(f"{{{UPLOAD}}}header"):
        name = ALLOWED_FIELDS.get(header.get("name", "").replace("\r", "").replace("\n", "").strip().lower())
        if name is not None:
            fields.append((name, (header.text or "").replace("\r", "").replace("\n", "").strip()))
    return ForeignSlot(put.get("url", ""), fields, get.get("url", ""))


def _nothing() -> None:
    """There is nothing to end."""
