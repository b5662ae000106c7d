"""Nick registration: the nicks that are reserved at the service, and for whom (XEP-0077; ejabberd's muc_register_nick)."""

from __future__ import annotations

from typing import Any
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


class Nicks:
    """The reservations of one service. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str) -> None:
        self._driver = driver
        self._domain = domain

    def all(self) -> list[tuple[JID, str]]:
        """All reservations: address and nick."""
        return [(parse_jid(row["jid"]), str(row["nick"])) for row in self._rows()]

    def _rows(self) -> list[dict[str, Any]]:
        return _rows(self._driver.load(None, self._domain, STORE))

    def of(self, user: JID) -> str:
        """The nick of a bare address, "" without one."""
        address = str(user)
        return next((str(row["nick"]) for row in self._rows() if row["jid"] == address), "")

    def holder(self, nick: str) -> JID | None:
        """The user who has reserved the nick."""
        return next((parse_jid(row["jid"]) for row in self._rows() if row["nick"] == nick), None)

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


def _rows(table: Table | None) -> list[dict[str, Any]]:
    return table if isinstance(table, list) else []
