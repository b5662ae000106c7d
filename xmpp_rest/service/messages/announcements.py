"""Announcements to accounts, and a message of the day that each account gets once (COMPAT ejabberd)."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import NamedTuple
from xml.etree.ElementTree import Element

from drivers import Driver, StorageError, Table
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.events import Events
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import child, make, new_id

log = logging.getLogger("xmpp_rest.link")

MOTD = "motd"  # of the host: the message; of an account: the one that it has seen


class Announcement(NamedTuple):
    """A message from the domain."""

    subject: str
    body: str


class Announcements:
    """The announcements of `domain`. Methods raise StorageError, GatewayError."""

    def __init__(self, driver: Driver, domain: str, router: Router, events: Events, incidents: Incidents) -> None:
        self._driver = driver
        self._domain = domain
        self._router = router
        self._incidents = incidents
        events.came_online.subscribe(self._on_online)

    def send(self, announcement: Announcement, accounts: Iterable[JID], kind: str) -> None:
        """Send an announcement to these accounts; `kind`: type of the message, "" for a normal one, which is stored for offline accounts.

        A failure for one account does not keep it from the others. Raises an error only if no account could be reached.
        """
        told, error = 0, None
        for account in accounts:
            try:
                told += self.send_one(announcement, account, kind)
            except (StorageError, GatewayError) as e:
                error = e
                self._incidents.report(log, "announcement-untold", "%s does not get an announcement: %s", account, e)
        if error is not None and not told:
            raise error

    def send_one(self, announcement: Announcement, account: JID, kind: str) -> bool:
        """Send an announcement to one account."""
        self._router.send(self._message(announcement, account, kind))
        return True

    def motd(self) -> Announcement | None:
        """The message of the day, if there is one."""
        table = self._driver.load(None, self._domain, MOTD)
        return Announcement(str(table.get("subject", "")), str(table.get("body", ""))) if isinstance(table, dict) else None

    def set_motd(self, announcement: Announcement | None) -> None:
        """Set the message of the day; None removes it."""
        self._driver.store(None, self._domain, MOTD, {**announcement._asdict(), "id": new_id()} if announcement else None)

    def _on_online(self, account: JID) -> None:
        """Send the message of the day to an account that has come online, once. A failure is only reported."""
        try:
            table = self._driver.load(None, self._domain, MOTD)
            if isinstance(table, dict) and self._is_news(account, str(table.get("id", ""))):
                self.send(Announcement(str(table.get("subject", "")), str(table.get("body", ""))), [account], "headline")
        except Exception as e:
            log.warning("%s does not get the message of the day: %s", account, e, exc_info=not isinstance(e, StorageError | GatewayError))

    def _is_news(self, account: JID, identifier: str) -> bool:
        """Whether the account has not seen it yet; records that it has."""
        news = False

        def record(old: Table | None) -> Table:
            nonlocal news
            news = not (isinstance(old, dict) and old.get("seen") == identifier)
            return {"seen": identifier}

        self._driver.update(account.local, account.domain, MOTD, record)
        return news

    def _message(self, announcement: Announcement, to: JID, kind: str) -> Element:
        payload = [child(name, text) for name, text in zip(("subject", "body"), announcement, strict=True) if text]
        return make("message", *payload, type_=kind, id_=new_id(), from_=self._domain, to_=str(to))
