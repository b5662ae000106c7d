"""Nick registration: the nicks that are reserved at the service, and for whom (XEP-0077; ejabberd's muc_register_nick)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from drivers import Driver, Table
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.conditions import StanzaRefused
from xmpp_rest.protocol.forms import FORM, field
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.namespaces import REGISTER
from xmpp_rest.protocol.stanza import child, make

STORE = "muc_registered"  # of the service itself
MAX_NICKS = 10_000
BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # invisible letters and symbols that Unicode does not class as white space
_QUERY = f"{{{REGISTER}}}"


class Registered(NamedTuple):
    """The reservations as they were read: address → nick, nick → address."""

    nicks: dict[str, str]
    addresses: dict[str, str]
    unchanged: Callable[[], bool]


class Nicks:
    """The reservations of one service, read again after each change. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str) -> None:
        self._driver = driver
        self._domain = domain
        self._known = Registered({}, {}, _never)

    def all(self) -> list[tuple[JID, str]]:
        """All reservations: address and nick."""
        return [(parse_jid(address), nick) for address, nick in self._registered().nicks.items()]

    def of(self, user: JID) -> str:
        """The nick of a bare address, "" without one."""
        return self._registered().nicks.get(str(user), "")

    def holder(self, nick: str) -> JID | None:
        """The user who has reserved the nick."""
        address = self._registered().addresses.get(nick)
        return None if address is None else parse_jid(address)

    def _registered(self) -> Registered:
        known = self._known
        if not known.unchanged():
            unchanged = self._driver.unchanged(None, self._domain, STORE) or _never
            rows = [(str(row["jid"]), str(row["nick"])) for row in _rows(self._driver.load(None, self._domain, STORE))]
            self._known = known = Registered(dict(rows), {nick: address for address, nick in rows}, unchanged)
        return known

    def reserve(self, nick: str, user: JID) -> None:
        """Reserve a nick for a bare address in place of the one it had. Raises GatewayError: bad-nick, nick-taken."""
        name = prepared(nick, self._domain)

        def change(table: Table | None) -> Table:
            rows = _rows(table)
            if any(row["nick"] == name and row["jid"] != str(user) for row in rows):
                raise GatewayError("nick-taken")
            others = [row for row in rows if row["jid"] != str(user)]
            if len(others) >= MAX_NICKS:
                raise GatewayError("nick-taken", f"{MAX_NICKS} nicks are reserved, and there is no room for more")
            return [*others, {"jid": str(user), "nick": name}]

        self._driver.update(None, self._domain, STORE, change)

    def release(self, user: JID) -> None:
        """Remove the reservation of a bare address, if there is one."""
        if self.of(user):
            self._driver.update(None, self._domain, STORE, lambda table: [row for row in _rows(table) if row["jid"] != str(user)])

    # -- over XMPP

    def form(self, iq: Element, asker: JID) -> Element:
        """The registration form, with the registered nick (XEP-0077 §3.1)."""
        nick = self.of(asker.bare)
        registered = [child(f"{_QUERY}registered")] if nick else []
        instructions = child(f"{_QUERY}instructions", "Reserve a nick for the rooms of this service")
        form = make(f"{FORM}x", field(nick, var="nick", type="text-single", label="Nick"), type="form")
        return make(f"{_QUERY}query", *registered, instructions, child(f"{_QUERY}nick", nick), form)

    def submit(self, iq: Element, asker: JID) -> None:
        """Reserve or release a nick as the form says (XEP-0077 §3.1.1, §3.2). Raises StanzaRefused."""
        query = iq[0]
        if query.find(f"{_QUERY}remove") is not None:
            self.release(asker.bare)
            return
        values = [f.findtext(f"{FORM}value", "") for f in query.iter(f"{FORM}field") if f.get("var") == "nick"]
        nick = values[0] if values else query.findtext(f"{_QUERY}nick", "")
        try:
            self.reserve(nick, asker.bare)
        except GatewayError as e:
            raise StanzaRefused("conflict" if e.name == "nick-taken" else "not-acceptable", e.text) from e


def prepared(nick: str, domain: str) -> str:
    """The nick prepared as a resource, without surrounding white space (RFC 8266 §2.3). Raises GatewayError: bad-nick."""
    try:
        name = JID("", domain, "").at(nick).resource.strip()
    except InvalidJID as e:
        raise GatewayError("bad-nick", f"{nick[:100]!r} cannot be a nick: {e}") from e
    if not name.strip(BLANK + " "):
        raise GatewayError("bad-nick", "A nick must have visible characters; white space alone is not enough")
    return name


def _never() -> bool:
    return False


def _rows(table: Table | None) -> list[dict[str, Any]]:
    return table if isinstance(table, list) else []
