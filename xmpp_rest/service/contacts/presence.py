"""Presence of accounts: keeps the latest presence of each resource in the store `presence`, and sends it to those who may see it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from drivers import Driver, Table
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.events import Events
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.element import BadXML, CopyTexts, serialise
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import addressed, make, new_id

log = logging.getLogger("xmpp_rest.link")

STORE = "presence"
MAX_RESOURCES = 32  # of one account; the least recently updated one is dropped
TOGETHER = 256  # stanzas that are handed over together
PAGE = 500  # accounts whose presence is read at once
MAX_TIME = 2**40  # Unix time far in the future


class Available(NamedTuple):
    """An available resource. `since`: Unix time, 0.0 if unknown."""

    jid: JID
    since: float
    show: str  # available, away, chat, dnd, xa
    text: str
    priority: int


class Presences:
    """Available presence by account. An account whose resources are all unavailable, or sent no presence, has none."""

    def __init__(self, driver: Driver, router: Router, may_go: Callable[[Element, JID, JID], bool], events: Events) -> None:
        """`may_go`: whether a presence of an account may go to somebody, as far as the account itself has said."""
        self._driver = driver
        self._router = router
        self.may_go = may_go
        self._events = events

    def said(self, sender: JID, stanza: Element) -> None:
        """Store a presence that `sender` broadcast; `unavailable` removes it. Raises StorageError."""
        available = stanza.get("type") is None
        text = serialise(stanza)

        def change(table: Table | None) -> Table:
            rows = _rows(table)
            others = [row for row in rows if row["resource"] != sender.resource]
            since = next((_since(row) for row in rows if row["resource"] == sender.resource), 0.0) or time.time()
            return [*others, {"resource": sender.resource, "stanza": text, "since": since}][-MAX_RESOURCES:] if available else others

        self._driver.update(sender.local, sender.domain, STORE, change)
        if available:
            self._events.came_online.emit(sender.bare)

    def of(self, account: JID) -> list[Element]:
        """The presence of every available resource, without `to`. Raises StorageError."""
        return [presence for presence, _ in self._kept(account)]

    def rows(self, account: JID) -> list[Available]:
        """The available resources. Raises StorageError."""
        return [_available(presence, since) for presence, since in self._kept(account)]

    def _kept(self, account: JID) -> list[tuple[Element, float]]:
        """The latest presence of every resource, and since when it is available."""
        return _read(account.bare, self._driver.load(account.local, account.domain, STORE))

    def everybody(self, domain: str) -> Iterator[Available]:
        """The available resources of all accounts. Raises StorageError."""
        last = ""
        while page := self._driver.tables_page(domain, STORE, after=last, limit=PAGE):
            last = page[-1][0]
            for user, table in page:
                yield from (_available(presence, since) for presence, since in _read(JID(user, domain, ""), table))

    def show(self, account: JID, to: JID) -> bool:
        """Send the presence of every available resource to `to`; whether there is any."""
        resources = self.of(account)
        for presence in resources:
            self.forward(presence, to)
        return bool(resources)

    def hide(self, account: JID, to: JID, *, asked: bool = True) -> None:
        """Send unavailable of every available resource to `to`, which may not see them any more (RFC 6121 §3.2.1, §3.3.3).

        `asked`: only if `may_go` allows it; an address that has just been blocked gets it anyway (XEP-0191 §3.3).
        """
        for presence in self.of(account):
            self.forward(make("presence", from_=presence.get("from"), type_="unavailable"), to, asked=asked)

    def forward(self, presence: Element, to: JID, *, asked: bool = True) -> None:
        """Send a copy to `to`; `asked` as in `hide`. One that cannot be sent is dropped, as the next one replaces it."""
        if asked and not self.may_go(presence, parse_jid(presence.get("from", "")), to):
            return
        try:
            self._router.send(with_id(presence, to_=str(to)))
        except GatewayError as e:
            log.warning("presence of %s did not go to %s: %s", presence.get("from"), to, e)

    def broadcast(self, presence: Element, recipients: Sequence[JID]) -> None:
        """As `forward` to each of them, with one wait for the disk for many. Called in the leader."""
        sender, said = parse_jid(presence.get("from", "")), with_id(presence)
        texts, errors = CopyTexts(said), list[Exception]()
        for i in range(0, len(recipients), TOGETHER):
            told = [to for to in recipients[i : i + TOGETHER] if self.may_go(presence, sender, to)]
            results = self._router.send_each([addressed(said, str(to)) for to in told], texts)
            errors += [result for result in results if isinstance(result, Exception)]
        if errors:
            log.warning("presence of %s did not go to %d of %d contacts: %s", sender, len(errors), len(recipients), errors[0])


def with_id(presence: Element, **attributes: str) -> Element:
    """A copy with these attributes (named as for `make`) and an id."""
    own = {f"{name}_": value for name, value in presence.attrib.items()}
    return make("presence", *presence, **{"id_": new_id(), **own, **attributes})


def _read(account: JID, table: Table | None) -> list[tuple[Element, float]]:
    return [(presence, _since(row)) for row in _rows(table) if (presence := _presence(account, row)) is not None]


def _rows(table: Table | None) -> list[dict[str, Any]]:
    rows = table[-MAX_RESOURCES:] if isinstance(table, list) else []
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("resource"), str) and isinstance(row.get("stanza"), str)]


def _presence(account: JID, row: dict[str, Any]) -> Element | None:
    """The presence in a row; None for invalid ones. The account may write anything to its store, so `from` is set here."""
    try:
        jid = parse_jid(f"{account}/{row['resource']}") if row["resource"] else account
        said = parse_text(row["stanza"])
    except (InvalidJID, BadXML) as e:
        log.info("the store %s of %s holds no presence: %s", STORE, account, e)
        return None
    if said.tag != "presence" or said.get("type") is not None:
        return None
    said.set("from", str(jid))
    return said


def _since(row: dict[str, Any]) -> float:
    since = row.get("since")
    return float(since) if isinstance(since, int | float) and 0 <= since < MAX_TIME else 0.0


def _available(said: Element, since: float) -> Available:
    priority = (said.findtext("priority") or "").strip()
    number = int(priority) if re.fullmatch(r"[+-]?[0-9]{1,3}", priority) else 0  # RFC 6121 §4.7.2.3
    show = (said.findtext("show") or "").strip() or "available"
    return Available(parse_jid(said.attrib["from"]), since, show, said.findtext("status") or "", number)
