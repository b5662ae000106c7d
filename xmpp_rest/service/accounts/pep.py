"""Published items of accounts, as Prosody's mod_pep stores them: nodes in the store `pep`, the items of each in an archive (XEP-0163).

`pep`: node → `{name, config, subscribers, affiliations}`; the archive `pep_NODE`: one payload per item, with the id of the item.
"""

from __future__ import annotations

import logging
import time
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from drivers import ArchiveQuery, Driver
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.service.contacts.roster import Roster
from xmpp_rest.service.contacts.subscriptions import Side

log = logging.getLogger("xmpp_rest.storage")

NODES = "pep"
_LAST = ArchiveQuery(limit=1, newest_first=True)
_MEMBERS = ("owner", "publisher", "member")


class PublishedItem(NamedTuple):
    """A published item: its id, publisher and payload."""

    id: str
    publisher: str
    payload: Element


class Pep:
    """The published items of accounts. Methods raise StorageError."""

    def __init__(self, driver: Driver, roster: Roster) -> None:
        self._driver = driver
        self._roster = roster

    def last(self, account: JID, node: str, identifier: str = "") -> PublishedItem | None:
        """The last item, or the one of this id; None if there is none, or it is unreadable."""
        query = ArchiveQuery(ids=(identifier,), limit=1, newest_first=True) if identifier else _LAST
        for item in self._driver.archive_find(account.local, account.domain, _store(node), query):
            try:
                return PublishedItem(item.id, item.with_, parse_stored(item.stanza))
            except BadXML as e:
                log.info("the last item of %s at %s cannot be read: %s", node, account, e)
        return None

    def replace(self, account: JID, node: str, item: PublishedItem) -> None:
        """Replace the item with the same id. Raises BadXML."""
        store, text = _store(node), serialise(item.payload)
        self._driver.archive_append(account.local, account.domain, store, text, when=int(time.time()), with_=item.publisher, key=item.id)

    def may_see(self, account: JID, node: str, reader: JID) -> bool:
        """Whether `reader` may read a node (XEP-0060 §4.5). Prosody's default: if it may see the account's presence."""
        if reader.bare == account:
            return True
        settings = _member(self._driver.load(account.local, account.domain, NODES), node)
        model = str(_member(settings, "config").get("access_model", "presence"))
        affiliation = str(_member(settings, "affiliations").get(str(reader.bare), "none"))
        if affiliation == "outcast":
            return False
        if model == "open" or affiliation in _MEMBERS:
            return True
        contact = self._roster.contact(account, reader) if model == "presence" else None
        return contact is not None and contact.state.from_ is Side.YES


def _store(node: str) -> str:
    return f"pep_{node}"


def _member(table: Any, name: str) -> dict[str, Any]:
    """A table in a table. COMPAT Prosody: `true` for a node whose settings are the defaults."""
    found = table.get(name) if isinstance(table, dict) else None
    return found if isinstance(found, dict) else {}
